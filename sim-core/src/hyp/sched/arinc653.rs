//! A fixed schedule, as ARINC 653 asks for: on each PE minor frames follow each other, each a vCPU's or nobody's, and
//! together make its major frame, which comes round for ever. What is left of a frame is given to nobody else.

use crate::hyp::domain::{Domains, VcpuId};
use crate::layout::Layout;
use alloc::vec::Vec;
use boards::{PeId, PerPe};

/// A minor frame, in the order in which those of a PE follow each other.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MinorFrame {
    /// The PE.
    pub pe: PeId,
    /// Position of the domain, and the vCPU; `None`: the PE is idle.
    pub vcpu: Option<(usize, u32)>,
    /// Its cycles.
    pub runtime: u64,
}

/// What is wrong with a schedule. Frames count from 0 over all PEs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// A frame of no time.
    #[error("frame {frame} has a runtime of 0 cycles; leave it out or give it some")]
    Empty {
        /// Which.
        frame: usize,
    },
    /// A frame on a PE that is not there.
    #[error("frame {frame} is on PE {pe}, and the board has {pes}; PEs count from 0")]
    NoSuchPe {
        /// Which.
        frame: usize,
        /// The PE asked for.
        pe: PeId,
        /// How many there are.
        pes: usize,
    },
    /// A frame of a vCPU that is not there.
    #[error("frame {frame} is for vCPU {vcpu} of a domain that has none of that number")]
    NoSuchVcpu {
        /// Which.
        frame: usize,
        /// The vCPU asked for.
        vcpu: u32,
    },
    /// A frame of a vCPU that lives elsewhere.
    #[error("frame {frame} is on PE {pe}, and its vCPU runs on PE {lives} for life")]
    OtherPe {
        /// Which.
        frame: usize,
        /// The frame's PE.
        pe: PeId,
        /// The vCPU's.
        lives: PeId,
    },
    /// A major frame that does not fit in 64 bits.
    #[error("the runtimes of PE {pe} up to frame {frame} do not fit in 64 bits; give it shorter frames")]
    TooLong {
        /// The frame that is too much.
        frame: usize,
        /// The PE.
        pe: PeId,
    },
    /// A vCPU without a frame.
    #[error("vCPU {vcpu} of the domain at position {domain} has no frame and would never run; give it one on PE {pe}")]
    NoFrame {
        /// Position of the domain.
        domain: usize,
        /// The vCPU.
        vcpu: u32,
        /// Where it lives.
        pe: PeId,
    },
}

/// Checks a schedule against the system it is for.
pub fn check(layout: &Layout, frames: &[MinorFrame]) -> Result<(), ScheduleError> {
    let board = layout.board();
    let mut majors = PerPe::new(board.pes, |_| 0u64);
    for (frame, minor) in frames.iter().enumerate() {
        let pe = minor.pe;
        if minor.runtime == 0 {
            return Err(ScheduleError::Empty { frame });
        }
        if !board.has_pe(pe) {
            return Err(ScheduleError::NoSuchPe { frame, pe, pes: board.pes });
        }
        majors[pe] = majors[pe].checked_add(minor.runtime).ok_or(ScheduleError::TooLong { frame, pe })?;
        if let Some((domain, vcpu)) = minor.vcpu {
            let vcpus = layout.domains().get(domain).map(|planned| planned.vcpus.as_slice()).unwrap_or_default();
            let planned = usize::try_from(vcpu).ok().and_then(|vcpu| vcpus.get(vcpu));
            let lives = planned.ok_or(ScheduleError::NoSuchVcpu { frame, vcpu })?.pe;
            if lives != pe {
                return Err(ScheduleError::OtherPe { frame, pe, lives });
            }
        }
    }
    for (domain, planned) in layout.domains().iter().enumerate() {
        for (vcpu, planned) in (0u32..).zip(&planned.vcpus) {
            if !frames.iter().any(|minor| minor.vcpu == Some((domain, vcpu))) {
                return Err(ScheduleError::NoFrame { domain, vcpu, pe: planned.pe });
            }
        }
    }
    Ok(())
}

/// The major frame of one PE.
#[derive(Clone, Debug, Default)]
pub struct Cycle {
    /// Where each minor frame ends, from the start of the major frame, and whose it is.
    ends: Vec<(u64, Option<VcpuId>)>,
    /// When the first major frame began: at the first question.
    start: Option<u64>,
}

impl Cycle {
    /// The frames of one PE out of a checked schedule.
    #[must_use]
    pub fn new(frames: &[MinorFrame], domains: &Domains, pe: PeId) -> Self {
        let mut end = 0u64;
        let mine = frames.iter().filter(|minor| minor.pe == pe).map(|minor| {
            end = end.saturating_add(minor.runtime);
            (end, minor.vcpu.and_then(|(domain, vcpu)| domains.id(domain, vcpu)))
        });
        Self { ends: mine.collect(), start: None }
    }

    /// Whose frame it is at `now`, and when that frame is over. Frames begin and end at fixed times: one that begins late,
    /// because EL2 was at work, is shorter by that. A PE without frames is idle for ever.
    pub(super) fn at(&mut self, now: u64) -> Option<(Option<VcpuId>, u64)> {
        let start = *self.start.get_or_insert(now);
        let (major, _) = *self.ends.last()?;
        let within = now.saturating_sub(start).checked_rem(major)?;
        let frame = self.ends.partition_point(|(end, _)| *end <= within);
        let (end, owner) = *self.ends.get(frame)?;
        Some((owner, now.saturating_add(end - within)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Cycle {
        /// A cycle by the ends of its frames.
        pub(crate) fn of(ends: &[(u64, Option<VcpuId>)]) -> Self {
            Self { ends: ends.to_vec(), start: None }
        }
    }

    #[test]
    fn frames_come_round_at_fixed_times() {
        let (a, b) = (Some(VcpuId::at(0)), Some(VcpuId::at(1)));
        let mut cycle = Cycle::of(&[(10, a), (15, None), (35, b)]);
        assert_eq!(cycle.at(100), Some((a, 110)), "the first question begins the first major frame");
        for (now, owner, end) in [
            (109, a, 110),
            (110, None, 115),
            (114, None, 115),
            (115, b, 135),
            (134, b, 135),
            (135, a, 145),
            (3607, a, 3610),
        ] {
            assert_eq!(cycle.at(now), Some((owner, end)), "{now}");
        }
        assert_eq!(cycle.at(u64::MAX).map(|(_, end)| end), Some(u64::MAX));
        assert_eq!(Cycle::default().at(5), None);
    }
}
