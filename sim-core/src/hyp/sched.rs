//! Schedulers: which vCPU a PE runs next. A vCPU belongs to one PE for life.

use super::domain::VcpuId;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use evtchn::Vcpu;

/// The rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheduler {
    /// One vCPU per PE: it runs, or the PE is idle.
    Null,
    /// Round robin: each runnable vCPU in turn, `quantum` cycles at a time while others wait.
    RoundRobin {
        /// Cycles a vCPU may run while others wait.
        quantum: u64,
    },
}

/// A timer that raises a VIRQ.
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
    timers: BTreeMap<u64, Vec<Timer>>,
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
    /// neither gave way nor used up its quantum.
    pub fn pick(
        &mut self,
        rule: Scheduler,
        now: u64,
        current_runnable: bool,
        gives_way: bool,
    ) -> (Option<VcpuId>, bool) {
        let used_up = rule != Scheduler::Null && self.quantum_end.is_some_and(|end| end <= now);
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
    pub fn begin_quantum(&mut self, rule: Scheduler, now: u64) {
        self.quantum_end = match rule {
            Scheduler::Null => None,
            Scheduler::RoundRobin { quantum } => Some(now.saturating_add(quantum)),
        };
    }

    /// Drops the timers of the domain at a position.
    pub fn drop_timers(&mut self, position: usize) {
        for timers in self.timers.values_mut() {
            timers.retain(|timer| !matches!(timer, Timer::Virq(virq) if virq.domain == position));
        }
        self.timers.retain(|_, timers| !timers.is_empty());
    }

    /// Arms a timer.
    pub fn arm(&mut self, at: u64, timer: Timer) {
        self.timers.entry(at).or_default().push(timer);
    }

    /// Takes the timers due at `now`, with the time each was armed for; periodic ones are armed again.
    pub fn take_due(&mut self, now: u64) -> Vec<(u64, Timer)> {
        let mut due = Vec::new();
        while let Some(entry) = self.timers.first_entry() {
            let at = *entry.key();
            if at > now {
                break;
            }
            for timer in entry.remove() {
                if let Timer::Virq(VirqTimer { every: Some(every), .. }) = timer {
                    // Ticks that were missed are dropped: the next one lies in the future.
                    let behind = (now - at).checked_div(every).unwrap_or(0).saturating_add(1);
                    self.arm(at.saturating_add(behind.saturating_mul(every.max(1))), timer);
                }
                due.push((at, timer));
            }
        }
        due
    }

    /// When this PE's timer must fire next: the first timer, or the end of the quantum if somebody waits.
    #[must_use]
    pub fn deadline(&self) -> Option<u64> {
        let timer = self.timers.keys().next().copied();
        let quantum = self.quantum_end.filter(|_| self.contended() && self.current.is_some());
        timer.into_iter().chain(quantum).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RR: Scheduler = Scheduler::RoundRobin { quantum: 10 };

    fn turn(queue: &mut RunQueue, now: u64) {
        let (next, fresh) = queue.pick(RR, now, queue.current.is_some(), false);
        queue.current = next;
        if fresh {
            queue.begin_quantum(RR, now);
        }
    }

    #[test]
    fn round_robin_goes_round() {
        let mut queue = RunQueue::default();
        (0..3).for_each(|vcpu| queue.push(VcpuId(vcpu)));
        let mut ran = Vec::new();
        for now in [0, 10, 20, 30] {
            turn(&mut queue, now);
            ran.extend(queue.current);
        }
        assert_eq!(ran, [VcpuId(0), VcpuId(1), VcpuId(2), VcpuId(0)]);
    }

    #[test]
    fn a_vcpu_keeps_the_pe_within_its_quantum_and_when_alone() {
        let mut queue = RunQueue::default();
        queue.push(VcpuId(0));
        turn(&mut queue, 0);
        assert_eq!(queue.deadline(), None, "nobody waits, so no tick is needed");
        assert_eq!(queue.pick(RR, 5, true, true).0, Some(VcpuId(0)));
        queue.push(VcpuId(1));
        assert_eq!(queue.pick(RR, 6, true, false).0, Some(VcpuId(0)));
        assert_eq!(queue.deadline(), Some(10));
        assert_eq!(queue.pick(RR, 7, true, true).0, Some(VcpuId(1)), "a yield gives way");
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
