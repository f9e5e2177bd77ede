//! An allocator that carves a mapping out of a wider one with other rights, as a partition is cut out of a static region.

use mpu_model::exhaustion::{Allocator, Hardware};
use mpu_model::{Region, Slot};

use crate::{Careful, Refusal, program};

/// Mappings lie in each other or apart. Of those that hold a byte the innermost has it; what is left of the others stands in
/// pieces, a slot each, and becomes whole again when the inner one goes.
#[derive(Debug, Clone)]
pub struct Carving {
    slots: Careful,
    /// In the order in which they were asked for, the fixed ones first.
    asked: Vec<Region>,
}

/// [`Carving`] with a defect seen in the field (Zephyr issue 99826): what a mapping was carved out of is not put together again
/// when the mapping goes, and a hole stays.
#[derive(Debug, Clone)]
pub struct Holed(Carving);

/// Whether `inner` lies in `outer` and is not all of it.
fn inside(inner: &Region, outer: &Region) -> bool {
    outer.contains(inner.base()) && outer.contains(inner.limit()) && !same(inner, outer)
}

fn same(one: &Region, other: &Region) -> bool {
    (one.base(), one.limit()) == (other.base(), other.limit())
}

/// The pieces that map `asked`, in order of address.
fn pieces(asked: &[Region]) -> Vec<Region> {
    let mut borders: Vec<u64> = asked.iter().flat_map(|region| [region.base(), region.limit() + 1]).collect();
    borders.sort_unstable();
    borders.dedup();
    let mut pieces: Vec<(usize, Region)> = Vec::new();
    for (base, end) in borders.iter().zip(borders.iter().skip(1)) {
        let holders = asked.iter().enumerate().filter(|(_, region)| region.contains(*base));
        let Some((owner, region)) = holders.min_by_key(|(_, region)| region.limit() - region.base()) else {
            continue;
        };
        let begun = pieces.last().filter(|(last, piece)| *last == owner && piece.limit() + 1 == *base);
        let begins = begun.map_or(*base, |(_, piece)| piece.base());
        if begun.is_some() {
            pieces.pop();
        }
        pieces.extend(Region::new(begins, end - 1, region.attrs()).ok().map(|piece| (owner, piece)));
    }
    pieces.into_iter().map(|(_, piece)| piece).collect()
}

impl Carving {
    /// Brings the slots to hold what maps `asked`: what has to go first, so that no two ever overlap.
    fn become_of(&mut self, hardware: &mut Hardware, asked: Vec<Region>) -> Result<(), Refusal> {
        let wanted = pieces(&asked);
        if wanted.len() > self.slots.slots.len() {
            return Err(Refusal::Exhausted);
        }
        for (slot, held) in Slot::all(u8::MAX).zip(&mut self.slots.slots) {
            if held.is_some_and(|piece| !wanted.contains(&piece)) {
                program(hardware, slot, None);
                *held = None;
            }
        }
        for piece in wanted {
            if self.slots.slots.contains(&Some(piece)) {
                continue;
            }
            let slot = self.slots.first(Option::is_none).ok_or(Refusal::Exhausted)?;
            program(hardware, slot, Some(piece));
            self.slots.set(slot, Some(piece));
        }
        self.asked = asked;
        Ok(())
    }

    fn position(&self, region: Region) -> Result<usize, Refusal> {
        self.asked.iter().position(|held| same(held, &region)).ok_or(Refusal::NotMapped)
    }
}

impl Allocator for Carving {
    type Error = Refusal;

    fn new(hardware: &mut Hardware) -> Self {
        Self { asked: hardware.fixed().to_vec(), slots: Careful::new(hardware) }
    }

    fn map(&mut self, hardware: &mut Hardware, region: Region) -> Result<(), Refusal> {
        let fixed = hardware.fixed().iter().any(|fixed| fixed.overlaps(&region));
        let apart = |held: &Region| !held.overlaps(&region) || inside(held, &region) || inside(&region, held);
        if fixed || !self.asked.iter().all(apart) {
            return Err(Refusal::Overlap);
        }
        let mut asked = self.asked.clone();
        asked.push(region);
        self.become_of(hardware, asked)
    }

    fn unmap(&mut self, hardware: &mut Hardware, region: Region) -> Result<(), Refusal> {
        let mut asked = self.asked.clone();
        asked.remove(self.position(region)?);
        self.become_of(hardware, asked)
    }

    fn free(&self) -> usize {
        self.slots.free()
    }
}

impl Allocator for Holed {
    type Error = Refusal;

    fn new(hardware: &mut Hardware) -> Self {
        Self(Carving::new(hardware))
    }

    fn map(&mut self, hardware: &mut Hardware, region: Region) -> Result<(), Refusal> {
        self.0.map(hardware, region)
    }

    fn unmap(&mut self, hardware: &mut Hardware, region: Region) -> Result<(), Refusal> {
        let position = self.0.position(region)?;
        // The defect: the slot is turned off, and what lay around it is left as it is.
        let Some(slot) = self.0.slots.first(|held| *held == Some(region)) else {
            return self.0.unmap(hardware, region);
        };
        program(hardware, slot, None);
        self.0.slots.set(slot, None);
        self.0.asked.remove(position);
        Ok(())
    }

    fn free(&self) -> usize {
        self.0.free()
    }
}
