//! With which attributes each granule of memory was last accessed.
//!
//! Two views of one location with different memory type, cacheability or shareability lose coherency unless caches are
//! maintained in between (Arm DDI 0487, "Mismatched memory attributes"). The machine has no caches to show what would come
//! of it; it tells that it was done. Memory that was never written is not followed.

use crate::layout::PAGE_SIZE;
use alloc::vec::Vec;
use mpu_model::{GRANULE, Hit, Memory, Mpu};

/// Granules of a frame.
pub(super) const PER_FRAME: usize = (PAGE_SIZE / GRANULE) as usize;

/// What an access met; `None`: the default map, of which nothing is known.
pub type Attributes = Option<Memory>;

/// How a granule was last accessed: which attributes, and whether it was written with them. 0: not yet.
pub(super) type Mark = u8;

const WRITTEN: Mark = 1 << 7;

/// The attributes that were met so far, by number.
#[derive(Debug, Default)]
pub(super) struct Known(Vec<Attributes>);

impl Known {
    /// Their number, from 1. There are fewer combinations than numbers.
    fn number(&mut self, attributes: Attributes) -> Mark {
        let at = self.0.iter().position(|known| *known == attributes).unwrap_or_else(|| {
            self.0.push(attributes);
            self.0.len().saturating_sub(1)
        });
        (at as Mark).saturating_add(1).min(WRITTEN - 1)
    }

    /// Notes an access; gives the attributes of the last one if they do not go with this one's.
    pub(super) fn note(&mut self, mark: &mut Mark, attributes: Attributes, writes: bool) -> Option<Attributes> {
        let number = self.number(attributes);
        let (before, written) = (*mark & !WRITTEN, *mark & WRITTEN);
        let wrote = if writes { WRITTEN } else { 0 };
        if before == number || before == 0 {
            *mark = number | written | wrote;
            return None;
        }
        *mark = number | wrote;
        let clash = writes || written != 0;
        clash.then(|| usize::from(before).checked_sub(1).and_then(|at| self.0.get(at).copied()))?
    }
}

/// What a region gave, by the `MAIR` of its MPU.
pub(super) fn of_hit(mpu: &Mpu, hit: Hit) -> Attributes {
    hit.attrs.map(|attrs| Memory::new(mpu.memory_type(attrs.attr_index), attrs.sh))
}

/// What both stages make of a guest's access. A stage 1 that is off has no say: a guest that runs so leaves its attributes
/// to the hypervisor.
pub(super) fn of_stages(stage1: Attributes, stage2: Attributes) -> Attributes {
    match (stage1, stage2) {
        (Some(stage1), Some(stage2)) => Some(stage1.combine(stage2)),
        (_, stage2) => stage2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mpu_model::{MemoryType, Shareability};

    #[test]
    fn a_change_of_attributes_clashes_if_either_side_writes() {
        let memory = |mair| Some(Memory::new(MemoryType::of_mair(mair), Shareability::Inner));
        let (normal, device) = (memory(0xff), memory(0x04));
        let (mut known, mut mark) = (Known::default(), 0);
        assert_eq!(known.note(&mut mark, normal, false), None, "the first");
        assert_eq!(known.note(&mut mark, device, false), None, "two reads");
        assert_eq!(known.note(&mut mark, normal, true), Some(device));
        assert_eq!(known.note(&mut mark, normal, false), None);
        assert_eq!(known.note(&mut mark, None, false), Some(normal), "written before the last read");
        assert_eq!(known.note(&mut mark, None, true), None);
    }
}
