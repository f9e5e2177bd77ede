//! Sequences of maps and unmaps, and the judgement of each step.

use core::marker::PhantomData;
use std::vec::Vec;

use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};

use super::allocator::Allocator;
use super::generate::{boards, regions};
use super::hardware::{Broken, Hardware};
use crate::GRANULE;
use crate::attrs::{Ap, Attrs, Shareability, Xn};
use crate::region::Region;
use crate::regs::RegionWords;

/// Where the regions of [`Reference`] lie: 24 pages.
const WINDOW: (u64, u64) = (0x4000_0000, 24 * 64);

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Map this.
    Map(Region),
    /// Unmap this.
    Unmap(Region),
}

/// An allocator at work on hardware, with the truth about what it accepted beside it.
#[derive(Debug)]
pub struct Trial<A> {
    hardware: Hardware,
    allocator: A,
    /// Every mapping that was accepted and not undone.
    accepted: Vec<Region>,
}

impl<A: Allocator> Trial<A> {
    /// A trial on an MPU of `regions` regions with `fixed` in slots 0 and on.
    #[must_use]
    pub fn new(regions: u8, fixed: &[Region]) -> Self {
        let mut hardware = Hardware::new(regions, fixed);
        let allocator = A::new(&mut hardware);
        Self { hardware, allocator, accepted: Vec::new() }
    }

    /// Does one step and judges it.
    ///
    /// # Errors
    ///
    /// The property that it broke.
    pub fn step(&mut self, operation: Operation) -> Result<(), Broken> {
        let free = self.allocator.free();
        let before = self.hardware.by_base();
        let done = match operation {
            Operation::Map(region) => self.map(region, free)?,
            Operation::Unmap(region) => self.unmap(region)?,
        };
        if let Some(broken) = self.hardware.broken() {
            return Err(broken);
        }
        match self.hardware.mpu().pending().count() {
            0 => {}
            count => return Err(Broken::NotSynchronised { count }),
        }
        if !done {
            let after = self.hardware.by_base();
            if let Some((slot, _)) =
                before.iter().chain(&after).find(|slot| before.contains(slot) != after.contains(slot))
            {
                return Err(Broken::FailureWrote { slot: *slot });
            }
            if self.allocator.free() != free {
                return Err(Broken::FailureLeaked { before: free, after: self.allocator.free() });
            }
        }
        self.exact()
    }

    fn map(&mut self, region: Region, free: usize) -> Result<bool, Broken> {
        if self.allocator.map(&mut self.hardware, region).is_ok() {
            self.accepted.push(region);
            return Ok(true);
        }
        let alone = !self.accepted.iter().chain(self.hardware.fixed()).any(|other| other.overlaps(&region));
        if alone && free > 0 { Err(Broken::Refused { region, free }) } else { Ok(false) }
    }

    fn unmap(&mut self, region: Region) -> Result<bool, Broken> {
        let same = |other: &Region| (other.base(), other.limit()) == (region.base(), region.limit());
        let meets = |other: &Region| other.overlaps(&region) && !same(other);
        let around = |other: &Region| inside(&region, other);
        let known = self.accepted.iter().position(same);
        // A region may have to stay while a part of it is mapped for somebody else: what lies around it does not keep it. And who unmaps a part that nobody mapped
        // takes somebody else's reference, if references are only counted: that is not asked of an allocator.
        let shared = self.accepted.iter().chain(self.hardware.fixed()).any(meets);
        if known.is_none() && shared {
            return Ok(false);
        }
        let parted = self.accepted.iter().any(|other| meets(other) && !around(other));
        match (self.allocator.unmap(&mut self.hardware, region).is_ok(), known) {
            (true, Some(index)) => {
                self.accepted.remove(index);
                Ok(true)
            }
            (false, Some(_)) if !parted => Err(Broken::Stuck { region }),
            (true, None) => Err(Broken::Invented { region }),
            (false, _) => Ok(false),
        }
    }

    /// Every byte asked for is mapped so, and no other: both are looked at between any two borders. Where one mapping lies in
    /// another, it is carved out of that: the innermost says with which rights.
    fn exact(&self) -> Result<(), Broken> {
        let enabled = self.hardware.by_base();
        let wanted = || self.accepted.iter().chain(self.hardware.fixed());
        let of_wanted = wanted().flat_map(|region| [region.base(), region.limit() + 1]);
        let of_enabled = enabled.iter().flat_map(|(_, words)| [words.base(), words.limit() + 1]);
        for at in of_wanted.chain(of_enabled) {
            let holds = |region: &&Region| region.contains(at);
            let innermost = |region: &&Region| !wanted().filter(holds).any(|other| inside(other, region));
            let asked = wanted().filter(holds).find(innermost);
            let holds = |words: &RegionWords| words.base() <= at && at <= words.limit();
            let stands = enabled.iter().find(|(_, words)| holds(words));
            match (asked, stands) {
                (None, Some(_)) => return Err(Broken::Beside { at }),
                (Some(_), None) => return Err(Broken::Missing { at }),
                (Some(region), Some((_, words))) if words.attrs() != region.attrs() => {
                    return Err(Broken::Missing { at });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Whether `inner` lies in `outer` and is not all of it.
fn inside(inner: &Region, outer: &Region) -> bool {
    let within = outer.base() <= inner.base() && inner.limit() <= outer.limit();
    within && (inner.base(), inner.limit()) != (outer.base(), outer.limit())
}

/// Does `operations` on an MPU of `regions` regions whose first hold `fixed`.
///
/// # Errors
///
/// The position of the first step that broke a property, and which.
pub fn run<A: Allocator>(regions: u8, fixed: &[Region], operations: &[Operation]) -> Result<(), (usize, Broken)> {
    let mut trial = Trial::<A>::new(regions, fixed);
    operations.iter().enumerate().try_for_each(|(at, operation)| trial.step(*operation).map_err(|broken| (at, broken)))
}

/// What generates the steps: it remembers what was asked for, so that it is asked for again and unmapped.
#[derive(Debug, Clone)]
pub struct Reference {
    regions: u8,
    asked: Vec<Region>,
}

impl Reference {
    /// Regions of the MPU.
    #[must_use]
    pub const fn regions(&self) -> u8 {
        self.regions
    }

    /// The region that stands in slot 0 throughout, outside of all that is asked for.
    #[must_use]
    pub fn fixed() -> Option<Region> {
        let text = Attrs { ap: Ap::RoPrivileged, xn: Xn::Exec, sh: Shareability::Inner, attr_index: 0, ns: false };
        Region::with_size(0x20_0000, 0x8_0000, text).ok()
    }
}

impl ReferenceStateMachine for Reference {
    type State = Self;
    type Transition = Operation;

    fn init_state() -> BoxedStrategy<Self> {
        // Small MPUs fill up more often.
        prop_oneof![2 => 2..=6_u8, 1 => boards()].prop_map(|regions| Self { regions, asked: Vec::new() }).boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Operation> {
        let any = || regions(WINDOW.0, WINDOW.1);
        if state.asked.is_empty() {
            return any().prop_map(Operation::Map).boxed();
        }
        let known = || prop::sample::select(state.asked.clone());
        // Now and then with other rights than what it lies in.
        let part = known().prop_flat_map(|region| regions(region.base(), region.size() / GRANULE));
        prop_oneof![
            5 => any().prop_map(Operation::Map),
            1 => known().prop_map(Operation::Map),
            1 => part.prop_map(Operation::Map),
            3 => known().prop_map(Operation::Unmap),
            1 => any().prop_map(Operation::Unmap),
        ]
        .boxed()
    }

    fn apply(mut state: Self, operation: &Operation) -> Self {
        if let Operation::Map(region) = operation {
            state.asked.push(*region);
        }
        state
    }
}

/// The properties as a state machine test over the allocator `A`, for `prop_state_machine!`.
#[derive(Debug)]
pub struct AllocatorTest<A>(PhantomData<A>);

impl<A: Allocator> StateMachineTest for AllocatorTest<A> {
    type SystemUnderTest = Trial<A>;
    type Reference = Reference;

    fn init_test(state: &Reference) -> Trial<A> {
        Trial::new(state.regions, Reference::fixed().as_slice())
    }

    fn apply(mut trial: Trial<A>, _: &Reference, operation: Operation) -> Trial<A> {
        if let Err(broken) = trial.step(operation) {
            panic!("{operation:?}: {broken}");
        }
        trial
    }
}
