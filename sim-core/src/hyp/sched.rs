//! Schedulers: which vCPU a PE runs next. A vCPU belongs to one PE for life.

pub mod arinc653;

use super::domain::VcpuId;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use arinc653::{Cycle, MinorFrame};
use evtchn::Vcpu;

/// The rule.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scheduler {
    /// One vCPU per PE: it runs, or the PE is idle.
    Null,
    /// Round robin: each runnable vCPU in turn, `quantum` cycles at a time while others wait.
    RoundRobin {
        /// Cycles a vCPU may run while others wait.
        quantum: u64,
    },
    /// Fixed frames: the vCPU whose frame it is runs, or nobody. Giving way changes nothing.
    Arinc653(Vec<MinorFrame>),
}

/// A timer that raises a VIRQ.
#[cfg_attr(feature = "export", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VirqTimer {
    /// Position of the domain whose VIRQ it is.
    pub domain: usize,
    /// Of which vCPU.
    pub vcpu: Vcpu,
    /// Which VIRQ.
    pub virq: u32,
    /// Cycles to the next one; `None`: it fires once.
    pub every: Option<u64>,
}

/// What a timer does when it fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// It raises a VIRQ.
    Virq(VirqTimer),
    /// It ends the poll of a vCPU, if that still goes on.
    Poll(VcpuId),
}

/// What one PE runs and what waits on it.
#[derive(Clone, Debug, Default)]
pub struct RunQueue {
    /// The vCPU whose registers are on the PE; it may be blocked by now.
    pub current: Option<VcpuId>,
    waiting: VecDeque<VcpuId>,
    quantum_end: Option<u64>,
    /// Under [`Scheduler::Arinc653`]: the frames of the PE.
    pub(super) cycle: Option<Cycle>,
    /// The current vCPU runs, rather than only having its registers here.
    runs: bool,
    /// Armed timers, the first to fire in front; of those for the same time the one that was armed first.
    timers: Vec<(u64, Timer)>,
}

impl RunQueue {
    /// Appends a vCPU that became runnable.
    pub fn push(&mut self, vcpu: VcpuId) {
        if !self.waiting.contains(&vcpu) {
            self.waiting.push_back(vcpu);
        }
    }

    /// Takes a vCPU out of those that wait: it runs.
    pub fn take(&mut self, vcpu: VcpuId) {
        self.waiting.retain(|waiting| *waiting != vcpu);
    }

    /// Whether somebody waits for the PE.
    #[must_use]
    pub fn contended(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Decides who runs next, and whether a new quantum begins with it. The current vCPU goes on if it is runnable and
    /// neither gave way nor used up its quantum; under fixed frames, if its frame goes on.
    pub fn pick(
        &mut self,
        rule: &Scheduler,
        now: u64,
        current_runnable: bool,
        gives_way: bool,
    ) -> (Option<VcpuId>, bool) {
        let (next, fresh) = match self.cycle.as_mut().map(|cycle| cycle.at(now)) {
            Some(frame) => (self.owner(frame, current_runnable), false),
            None => self.take_turns(rule, now, current_runnable, gives_way),
        };
        self.runs = next.is_some();
        (next, fresh)
    }

    /// Who runs in a frame: its owner if it can. The end of the frame is kept in place of a quantum's.
    fn owner(&mut self, frame: Option<(Option<VcpuId>, u64)>, current_runnable: bool) -> Option<VcpuId> {
        let (owner, end) = frame.unzip();
        self.quantum_end = end;
        if let Some(current) = self.current.filter(|_| current_runnable) {
            self.push(current);
        }
        owner.flatten().filter(|owner| self.waiting.contains(owner))
    }

    fn take_turns(
        &mut self,
        rule: &Scheduler,
        now: u64,
        current_runnable: bool,
        gives_way: bool,
    ) -> (Option<VcpuId>, bool) {
        let used_up = *rule != Scheduler::Null && self.quantum_end.is_some_and(|end| end <= now);
        let stays = current_runnable && !(self.contended() && (gives_way || used_up));
        let next = if stays {
            self.current
        } else {
            if let Some(current) = self.current.filter(|_| current_runnable) {
                self.push(current);
            }
            self.waiting.pop_front()
        };
        (next, !stays || used_up)
    }

    /// Begins a quantum: the time that switching took is not the vCPU's.
    pub fn begin_quantum(&mut self, rule: &Scheduler, now: u64) {
        self.quantum_end = match rule {
            Scheduler::Null | Scheduler::Arinc653(_) => None,
            Scheduler::RoundRobin { quantum } => Some(now.saturating_add(*quantum)),
        };
    }

    /// Drops the timers of the domain at a position; `is_its` tells its vCPUs.
    pub fn drop_timers(&mut self, position: usize, is_its: impl Fn(VcpuId) -> bool) {
        self.timers.retain(|(_, timer)| match timer {
            Timer::Virq(virq) => virq.domain != position,
            Timer::Poll(id) => !is_its(*id),
        });
    }

    /// Whether any timer is armed.
    #[must_use]
    pub fn has_timers(&self) -> bool {
        !self.timers.is_empty()
    }

    /// Whether the same vCPU runs in both and the same wait in the same order.
    #[must_use]
    pub fn same_turns(&self, other: &Self) -> bool {
        self.current == other.current && self.waiting == other.waiting
    }

    /// Arms a timer.
    pub fn arm(&mut self, at: u64, timer: Timer) {
        let behind = self.timers.partition_point(|(armed, _)| *armed <= at);
        self.timers.insert(behind, (at, timer));
    }

    /// Arms the timer of a poll, in place of that of an earlier one of the vCPU: it has one.
    pub fn arm_poll(&mut self, at: u64, id: VcpuId) {
        self.timers.retain(|(_, timer)| *timer != Timer::Poll(id));
        self.arm(at, Timer::Poll(id));
    }

    /// Takes the timers due at `now`, with the time each was armed for; periodic ones are armed again.
    pub fn take_due(&mut self, now: u64) -> Vec<(u64, Timer)> {
        let fires = self.timers.partition_point(|(at, _)| *at <= now);
        let due: Vec<_> = self.timers.drain(..fires).collect();
        for (at, timer) in &due {
            if let Timer::Virq(VirqTimer { every: Some(every), .. }) = timer {
                // Ticks that were missed are dropped: the next one lies in the future.
                let behind = (now - at).checked_div(*every).unwrap_or(0).saturating_add(1);
                self.arm(at.saturating_add(behind.saturating_mul((*every).max(1))), *timer);
            }
        }
        due
    }

    /// When this PE's timer must fire next: the first timer, or the end of the quantum if somebody waits, or the end of the
    /// frame if somebody runs or waits. A PE with nobody to run sleeps through its frames.
    #[must_use]
    pub fn deadline(&self) -> Option<u64> {
        let timer = self.timers.first().map(|(at, _)| *at);
        let ends = match self.cycle {
            None => self.contended() && self.current.is_some(),
            Some(_) => self.contended() || self.runs,
        };
        let quantum = self.quantum_end.filter(|_| ends);
        timer.into_iter().chain(quantum).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boards::PeId;

    const RR: Scheduler = Scheduler::RoundRobin { quantum: 10 };

    fn turn(queue: &mut RunQueue, now: u64) {
        let (next, fresh) = queue.pick(&RR, now, queue.current.is_some(), false);
        queue.current = next;
        if fresh {
            queue.begin_quantum(&RR, now);
        }
    }

    #[test]
    fn round_robin_goes_round() {
        let mut queue = RunQueue::default();
        (0..3).for_each(|vcpu| queue.push(VcpuId::at(vcpu)));
        let mut ran = Vec::new();
        for time in [0, 10, 20, 30] {
            turn(&mut queue, time);
            ran.extend(queue.current);
        }
        assert_eq!(ran, [VcpuId::at(0), VcpuId::at(1), VcpuId::at(2), VcpuId::at(0)]);
    }

    #[test]
    fn a_vcpu_keeps_the_pe_within_its_quantum_and_when_alone() {
        let mut queue = RunQueue::default();
        queue.push(VcpuId::at(0));
        turn(&mut queue, 0);
        assert_eq!(queue.deadline(), None, "nobody waits, so no tick is needed");
        assert_eq!(queue.pick(&RR, 5, true, true).0, Some(VcpuId::at(0)));
        queue.push(VcpuId::at(1));
        assert_eq!(queue.pick(&RR, 6, true, false).0, Some(VcpuId::at(0)));
        assert_eq!(queue.deadline(), Some(10));
        assert_eq!(queue.pick(&RR, 7, true, true).0, Some(VcpuId::at(1)), "a yield gives way");
    }

    #[test]
    fn a_frame_is_its_owner_s_whoever_waits() {
        let mut domains = Vec::new();
        for vcpu in [Some((0, 0)), None, Some((1, 0))] {
            domains.push(MinorFrame { pe: PeId::PRIMARY, vcpu, runtime: 10 });
        }
        let (a, b) = (VcpuId::at(0), VcpuId::at(1));
        let mut queue =
            RunQueue { cycle: Some(Cycle::of(&[(10, Some(a)), (20, None), (30, Some(b))])), ..RunQueue::default() };
        let rule = Scheduler::Arinc653(domains);
        queue.push(b);
        let pick = |queue: &mut RunQueue, now, runnable| {
            let (next, fresh) = queue.pick(&rule, now, runnable, true);
            assert!(!fresh);
            if let Some(next) = next {
                queue.take(next);
                queue.current = Some(next);
            }
            (next, queue.deadline())
        };
        assert_eq!(pick(&mut queue, 0, false), (None, Some(10)), "b waits for its frame");
        queue.push(a);
        assert_eq!(pick(&mut queue, 3, false), (Some(a), Some(10)), "woken in its frame");
        assert_eq!(pick(&mut queue, 7, true), (Some(a), Some(10)), "it gives way to nobody");
        assert_eq!(pick(&mut queue, 10, true), (None, Some(20)), "nobody's frame");
        assert_eq!(pick(&mut queue, 20, true), (Some(b), Some(30)));
        assert_eq!(pick(&mut queue, 30, false), (Some(a), Some(40)), "b blocked");
        assert_eq!(pick(&mut queue, 33, false), (None, None), "nobody can run: no tick");
    }

    #[test]
    fn a_vcpu_has_one_timer_for_its_polls() {
        let mut queue = RunQueue::default();
        for (at, vcpu) in [(30, 1), (10, 1), (15, 2), (20, 1), (25, 3)] {
            queue.arm_poll(at, VcpuId::at(vcpu));
        }
        queue.drop_timers(0, |id| id == VcpuId::at(3));
        assert_eq!(queue.take_due(100), [(15, Timer::Poll(VcpuId::at(2))), (20, Timer::Poll(VcpuId::at(1)))]);
    }

    #[test]
    fn periodic_timers_skip_what_was_missed() {
        let mut queue = RunQueue::default();
        let timer = Timer::Virq(VirqTimer { domain: 0, vcpu: Vcpu(0), virq: 0, every: Some(10) });
        queue.arm(5, timer);
        assert_eq!(queue.take_due(4), []);
        assert_eq!(queue.take_due(27), [(5, timer)]);
        assert_eq!(queue.deadline(), Some(35));
    }
}
