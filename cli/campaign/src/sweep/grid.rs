//! The cells of a sweep: the product of its axes, in a stable order. The axis named first changes slowest.

use super::SweepError;
use super::vary::{Axis, SEED, STRATEGY};
use crate::hash::Fnv;
use std::fmt;

/// Cells of one sweep: more would take years.
const MAX_CELLS: u64 = 1_000_000_000;

/// The product of axes.
#[derive(Clone, Debug)]
pub struct Grid {
    axes: Vec<Axis>,
    cells: u64,
}

/// Identifies a grid: the same scenario, changes, axes and version of mpusim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GridId(pub u64);

impl fmt::Display for GridId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Grid {
    /// The product of `axes`; no key twice.
    pub fn new(axes: Vec<Axis>) -> Result<Self, SweepError> {
        for (index, axis) in axes.iter().enumerate() {
            if axes.iter().take(index).any(|other| other.key == axis.key) {
                return Err(SweepError::VariedTwice { key: axis.key.clone() });
            }
        }
        let product = axes.iter().try_fold(1u64, |cells, axis| {
            cells.checked_mul(u64::try_from(axis.values.len()).ok()?).filter(|cells| *cells <= MAX_CELLS)
        });
        let cells = product.ok_or(SweepError::TooManyCells { most: MAX_CELLS })?;
        Ok(Self { axes, cells })
    }

    /// The axes, the slowest first.
    #[must_use]
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// How many cells there are.
    #[must_use]
    pub const fn cells(&self) -> u64 {
        self.cells
    }

    /// The values of a cell, in the order of the axes. Cells count from 0.
    pub fn values(&self, cell: u64) -> impl Iterator<Item = (&Axis, &str)> {
        let mut weight = self.cells;
        self.axes.iter().map(move |axis| {
            let len = u64::try_from(axis.values.len()).unwrap_or(1).max(1);
            weight /= len;
            let at = (cell / weight.max(1)) % len;
            let value = usize::try_from(at).ok().and_then(|at| axis.values.get(at));
            (axis, value.map_or("", String::as_str))
        })
    }

    /// Which system a cell runs: cells next to each other that differ in nothing but strategy and seed have the same.
    #[must_use]
    pub fn system(&self, cell: u64) -> u64 {
        let behind = self.axes.iter().rev().take_while(|axis| !axis.is_of_scenario());
        cell / behind.map(|axis| axis.values.len() as u64).product::<u64>().max(1)
    }

    /// The value of a key in a cell, if it is varied.
    #[must_use]
    pub fn value(&self, cell: u64, key: &str) -> Option<&str> {
        self.values(cell).find_map(|(axis, value)| (axis.key == key).then_some(value))
    }

    /// The strategy of a cell.
    #[must_use]
    pub fn strategy(&self, cell: u64) -> &str {
        self.value(cell, STRATEGY).unwrap_or_default()
    }

    /// The seed of a cell; 0 unless it is varied.
    #[must_use]
    pub fn seed(&self, cell: u64) -> u64 {
        self.value(cell, SEED).and_then(|seed| seed.parse().ok()).unwrap_or(0)
    }

    /// What identifies this grid over a scenario's text and the changes made to it.
    #[must_use]
    pub fn id(&self, text: &str, board: Option<&str>, sets: &[String]) -> GridId {
        let mut hash = Fnv::default();
        hash.text(env!("CARGO_PKG_VERSION"));
        hash.text(text);
        if let Some(board) = board {
            hash.text(board);
        }
        hash.number(sets.len() as u64);
        for set in sets {
            hash.text(set);
        }
        for axis in &self.axes {
            hash.text(&axis.key);
            hash.number(axis.values.len() as u64);
            axis.values.iter().for_each(|value| hash.text(value));
        }
        GridId(hash.finish())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn grid(axes: &[&str]) -> Grid {
        Grid::new(axes.iter().map(|axis| Axis::parse(axis).unwrap()).collect()).unwrap()
    }

    #[test]
    fn the_first_axis_changes_slowest() {
        let grid = grid(&["a=1..2", "strategy=naive,pin", "seed=7,8,9"]);
        assert_eq!(grid.cells(), 12);
        let shown = |cell| grid.values(cell).map(|(_, value)| value.to_owned()).collect::<Vec<_>>().join(" ");
        let all: Vec<String> = (0..5).map(shown).collect();
        assert_eq!(all, ["1 naive 7", "1 naive 8", "1 naive 9", "1 pin 7", "1 pin 8"]);
        assert_eq!(shown(11), "2 pin 9");
        assert_eq!((grid.strategy(11), grid.seed(11)), ("pin", 9));
        assert_eq!([0, 5, 6, 11].map(|cell| grid.system(cell)), [0, 0, 1, 1]);
    }

    #[test]
    fn every_combination_is_there_once() {
        let grid = grid(&["a=1..3", "b=x,y", "c=1..5"]);
        let mut all: Vec<Vec<String>> =
            (0..grid.cells()).map(|cell| grid.values(cell).map(|(_, value)| value.to_owned()).collect()).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 30);
    }

    #[test]
    fn the_id_depends_on_everything_that_decides_rows() {
        let sets = ["a=1".to_owned()];
        let of = |axes: &[&str], text: &str, sets: &[String]| grid(axes).id(text, None, sets);
        let first = of(&["k=1..2"], "t", &sets);
        assert_eq!(first, of(&["k=1,2"], "t", &sets), "however the values were said");
        let others = [of(&["k=1..3"], "t", &sets), of(&["l=1..2"], "t", &sets), of(&["k=1..2"], "u", &sets)];
        assert!(others.iter().all(|other| *other != first));
        assert_ne!(of(&["k=1..2"], "t", &[]), first);
        assert_ne!(of(&["k=2,1"], "t", &sets), first);
    }

    #[test]
    fn too_much_is_refused() {
        let axes = |count: usize| (0..count).map(|at| Axis::parse(&format!("k{at}=1..1000")).unwrap()).collect();
        assert!(Grid::new(axes(3)).is_ok());
        assert!(matches!(Grid::new(axes(4)), Err(SweepError::TooManyCells { .. })));
        let twice = vec![Axis::parse("k=1").unwrap(), Axis::parse("k=2").unwrap()];
        assert!(matches!(Grid::new(twice), Err(SweepError::VariedTwice { .. })));
    }
}
