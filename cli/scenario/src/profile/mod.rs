//! Profiles: what each operation costs in cycles, and where each figure comes from. `docs/profiles.md` has the format.
//!
//! The machine adds up a bare [`Costs`]; names and provenance stay here. `key` lists the figures, `raw` and `raw_figure` are the file as
//! written, `read` checks it, `choose` finds the profile that the command line names.

mod choose;
mod key;
mod provenance;
mod raw;
mod raw_figure;
mod read;

pub use choose::{ProfileError, SHIPPED, choose};
pub use key::Key;
pub use provenance::Provenance;
use sim_core::machine::clock::Costs;

/// The most cycles a figure may say: with it, no run of this machine overflows its clocks.
pub const MAX_CYCLES: u64 = 1_000_000;

/// What one operation costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// Which operation.
    pub key: Key,
    /// Its cycles.
    pub cycles: u64,
    /// How far that can be trusted.
    pub provenance: Provenance,
    /// Where it comes from, or why it was assumed.
    pub source: String,
    /// The least and the most cycles that fit as well, of a fitted figure.
    pub range: Option<(u64, u64)>,
}

/// A sum of MPU register writes and barriers that is known, where its parts are not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fit {
    /// What was measured.
    pub what: String,
    /// By whom.
    pub source: String,
    /// Its cycles.
    pub cycles: u64,
    /// The least and the most that were measured.
    pub range: (u64, u64),
    /// MPU register writes in it.
    pub mpu_writes: u64,
    /// ISBs and DSBs in it, taken to cost alike.
    pub barriers: u64,
    /// Percent of the sum that the barriers take, 0 to 100: the free parameter.
    pub barrier_share: u64,
}

impl Fit {
    /// What one operation of `times` costs if they take `percent` of `sum` together, rounded to the nearest cycle.
    fn each(sum: u64, percent: u64, times: u64) -> u64 {
        let parts = times.saturating_mul(100).max(1);
        sum.saturating_mul(percent).saturating_add(parts / 2) / parts
    }

    /// What that key costs; `None` for keys that have no part in the sum.
    fn cost(&self, key: Key) -> Option<u64> {
        if key.is_barrier() {
            Some(Self::each(self.cycles, self.barrier_share, self.barriers))
        } else if key.is_mpu_write() {
            Some(Self::each(self.cycles, 100u64.saturating_sub(self.barrier_share), self.mpu_writes))
        } else {
            None
        }
    }

    /// The least and the most that key may cost, over every share and the measured range.
    fn range(&self, key: Key) -> (u64, u64) {
        let times = if key.is_barrier() { self.barriers } else { self.mpu_writes };
        (0, Self::each(self.range.1, 100, times))
    }
}

/// A table of cycle costs with the provenance of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    name: String,
    about: String,
    figures: Vec<Figure>,
    fit: Option<Fit>,
}

impl Default for Profile {
    /// Profile `counts`.
    fn default() -> Self {
        let figure = |key: &Key| Figure {
            key: *key,
            cycles: 1,
            provenance: Provenance::Counted,
            source: "every counted operation is 1 cycle".into(),
            range: None,
        };
        let keys = Key::ALL.iter().filter(|key| !Key::MPU_REGISTERS.contains(key));
        Self {
            name: "counts".into(),
            about: "every counted operation is 1 cycle, compute n is n; not a timing".into(),
            figures: keys.map(figure).collect(),
            fit: None,
        }
    }
}

impl Profile {
    /// Its name, with what was chosen behind a colon.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is, in a line.
    #[must_use]
    pub fn about(&self) -> &str {
        &self.about
    }

    /// Its figures, in the order of [`Key::ALL`].
    #[must_use]
    pub fn figures(&self) -> &[Figure] {
        &self.figures
    }

    /// The sum that its fitted figures explain, if there is one.
    #[must_use]
    pub fn fit(&self) -> Option<&Fit> {
        self.fit.as_ref()
    }

    /// The bare costs, for the machine. A register's own figure goes before `mpu_write`, which stands for all five.
    #[must_use]
    pub fn costs(&self) -> Costs {
        let mut costs = Costs::COUNTS;
        // `MpuWrite` is the first of all keys, so what is written later is more particular.
        self.figures.iter().for_each(|figure| figure.key.set(&mut costs, figure.cycles));
        costs
    }

    /// The bare costs with that one of its figures changed.
    #[must_use]
    pub fn costs_with(&self, key: Key, cycles: u64) -> Costs {
        let mut costs = Costs::COUNTS;
        for figure in &self.figures {
            figure.key.set(&mut costs, if figure.key == key { cycles } else { figure.cycles });
        }
        costs
    }

    /// This profile with the barriers taking that many percent of the fitted sum; `None` without one, or above 100.
    #[must_use]
    pub fn with_barrier_share(&self, percent: u64) -> Option<Self> {
        let fit = Fit { barrier_share: percent, ..self.fit.clone().filter(|_| percent <= 100)? };
        let mut profile = self.clone();
        for figure in profile.figures.iter_mut().filter(|figure| figure.provenance == Provenance::Fitted) {
            if let Some(cycles) = fit.cost(figure.key) {
                figure.cycles = cycles;
            }
        }
        profile.fit = Some(fit);
        Some(profile)
    }

    /// This profile with that figure set by hand, at most [`MAX_CYCLES`].
    #[must_use]
    pub fn with_figure(&self, key: Key, cycles: u64) -> Self {
        let mut profile = self.clone();
        // Where every register has its own figure, `mpu_write` means all of them; else it is what the others have.
        let all = key == Key::MpuWrite && !profile.figures.iter().any(|figure| figure.key == key);
        let replaced = |figure: &Figure| figure.key == key || (all && Key::MPU_REGISTERS.contains(&figure.key));
        profile.figures.retain(|figure| !replaced(figure));
        profile.figures.push(Figure {
            key,
            cycles: cycles.min(MAX_CYCLES),
            provenance: Provenance::Assumed,
            source: "set on the command line".into(),
            range: None,
        });
        profile.figures.sort_by_key(|figure| figure.key);
        // A sum of which a part was set by hand leaves nothing to share out.
        if key.is_barrier() || key.is_mpu_write() {
            profile.fit = None;
        }
        profile
    }

    /// The figures of that provenance.
    pub fn of(&self, provenance: Provenance) -> impl Iterator<Item = &Figure> {
        self.figures.iter().filter(move |figure| figure.provenance == provenance)
    }

    /// Whether it leans on figures that are fitted or assumed.
    #[must_use]
    pub fn leans(&self) -> bool {
        self.figures.iter().any(|figure| matches!(figure.provenance, Provenance::Fitted | Provenance::Assumed))
    }
}

#[cfg(test)]
mod tests;
