//! Shards: which part of a grid a process runs, decided by a hash of each cell that is the same on every machine.

use super::SweepError;
use crate::hash::Fnv;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which task of a job array this is, from Slurm.
const SLURM: &str = "SLURM_ARRAY_TASK_ID";
/// Which pod of an indexed job this is, from Kubernetes.
const INDEX: &str = "JOB_COMPLETION_INDEX";

/// Shard `index` of `count`, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    index: u64,
    count: u64,
}

impl Shard {
    /// The only shard there is.
    pub const WHOLE: Self = Self { index: 1, count: 1 };

    /// Shard `index` of `count`, from 1; `None` if there is no such shard.
    #[must_use]
    pub fn new(index: u64, count: u64) -> Option<Self> {
        (1..=count).contains(&index).then_some(Self { index, count })
    }

    /// A shard from `i/n`.
    pub fn parse(text: &str) -> Result<Self, SweepError> {
        let wrong =
            || SweepError::Shard { argument: format!("--shard {text}"), why: "expected i/n with i from 1 to n" };
        let (index, count) = text.split_once('/').ok_or_else(wrong)?;
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| wrong());
        Self::new(number(index)?, number(count)?).ok_or_else(wrong)
    }

    /// The shard that a batch system asks for in the environment, with the name of the variable that said so: Slurm's job
    /// arrays, then Kubernetes' indexed jobs.
    pub fn from_environment(get: impl Fn(&str) -> Option<String>) -> Result<Option<(Self, &'static str)>, SweepError> {
        let number = |name: &'static str| -> Result<Option<u64>, SweepError> {
            let Some(text) = get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
            let wrong = |_| SweepError::Shard { argument: format!("{name}={text}"), why: "expected a number" };
            text.trim().parse().map(Some).map_err(wrong)
        };
        if let (Some(id), Some(count)) = (number(SLURM)?, number("SLURM_ARRAY_TASK_COUNT")?) {
            let (min, step) = (number("SLURM_ARRAY_TASK_MIN")?, number("SLURM_ARRAY_TASK_STEP")?);
            // Without a lowest id, ids are taken to count from 0, as Slurm's do with `--array=0-9`.
            let place = id.checked_sub(min.unwrap_or(0)).map(|offset| offset / step.unwrap_or(1).max(1));
            let shard = place.and_then(|place| Self::new(place.checked_add(1)?, count));
            let wrong = || SweepError::Shard {
                argument: format!("{SLURM}={id} of {count} tasks"),
                why: "expected ids without gaps, as from --array=1-8; or say --shard i/n",
            };
            return Ok(Some((shard.ok_or_else(wrong)?, SLURM)));
        }
        if let Some(index) = number(INDEX)? {
            let wrong = |why| SweepError::Shard { argument: format!("{INDEX}={index}"), why };
            let count = number("JOB_COMPLETIONS")?;
            let count = count.ok_or_else(|| {
                wrong("JOB_COMPLETIONS does not say how many there are; set it to the job's completions, or say --shard i/n")
            })?;
            let shard = index.checked_add(1).and_then(|index| Self::new(index, count));
            return Ok(Some((shard.ok_or_else(|| wrong("expected an index below JOB_COMPLETIONS"))?, INDEX)));
        }
        Ok(None)
    }

    /// Which, from 1.
    #[must_use]
    pub const fn index(self) -> u64 {
        self.index
    }

    /// Of how many.
    #[must_use]
    pub const fn count(self) -> u64 {
        self.count
    }

    /// Whether the cell is this shard's.
    #[must_use]
    pub fn has(self, cell: u64) -> bool {
        let mut hash = Fnv::default();
        hash.number(cell);
        hash.finish() % self.count == self.index - 1
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

impl TryFrom<String> for Shard {
    type Error = SweepError;

    fn try_from(text: String) -> Result<Self, SweepError> {
        Self::parse(&text)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn every_cell_is_in_one_shard(cell: u64, count in 1u64..200) {
            let found: Vec<u64> = (1..=count).filter(|index| Shard::new(*index, count).unwrap().has(cell)).collect();
            prop_assert_eq!(found.len(), 1);
        }
    }

    #[test]
    fn shards_are_the_same_everywhere_and_about_equal() {
        let first: Vec<u64> = (0..40).filter(|cell| Shard::new(1, 4).unwrap().has(*cell)).collect();
        assert_eq!(first, [6, 9, 22, 24, 25, 26, 28, 32, 36, 38], "as computed apart from this code");
        for index in 1..=8 {
            let shard = Shard::new(index, 8).unwrap();
            let cells = (0..8000).filter(|cell| shard.has(*cell)).count();
            assert!((850..1150).contains(&cells), "{shard}: {cells}");
        }
    }

    #[test]
    fn what_is_typed() {
        assert_eq!(Shard::parse("2/4").unwrap(), Shard::new(2, 4).unwrap());
        for bad in ["", "1", "0/4", "5/4", "1/0", "a/4", "1/4/2", "-1/4"] {
            let error = Shard::parse(bad).unwrap_err().to_string();
            assert!(error.contains(bad) && error.contains("i/n"), "{error}");
        }
    }

    fn environment(pairs: &[(&str, &str)]) -> Result<Option<(Shard, &'static str)>, SweepError> {
        let map: HashMap<&str, &str> = pairs.iter().copied().collect();
        Shard::from_environment(|name| map.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn what_batch_systems_say() {
        let (id, count) = ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT");
        let (min, step) = ("SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_STEP");
        let (index, completions) = ("JOB_COMPLETION_INDEX", "JOB_COMPLETIONS");
        let slurm = |at| Some((Shard::new(at, 4).unwrap(), id));
        assert_eq!(environment(&[]).unwrap(), None);
        assert_eq!(environment(&[(id, "0"), (count, "4")]).unwrap(), slurm(1));
        assert_eq!(environment(&[(id, "4"), (count, "4"), (min, "1")]).unwrap(), slurm(4));
        assert_eq!(environment(&[(id, "10"), (count, "4"), (min, "0"), (step, "5")]).unwrap(), slurm(3));
        assert_eq!(environment(&[(id, "3")]).unwrap(), None, "an id alone says nothing");
        assert!(environment(&[(id, "7"), (count, "3"), (min, "1")]).is_err(), "a list with gaps");
        assert!(environment(&[(id, "x"), (count, "3")]).is_err());
        let job = Some((Shard::new(3, 4).unwrap(), index));
        assert_eq!(environment(&[(index, "2"), (completions, "4")]).unwrap(), job);
        assert!(environment(&[(index, "2")]).unwrap_err().to_string().contains("JOB_COMPLETIONS"));
        assert!(environment(&[(index, "4"), (completions, "4")]).is_err());
        let both = [(id, "0"), (count, "4"), (index, "2"), (completions, "4")];
        assert_eq!(environment(&both).unwrap(), slurm(1), "Slurm's first");
    }
}
