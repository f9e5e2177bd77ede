//! The isolation oracle sees what a wrong strategy or plan lets through, to the granule, and nothing in what the built-in ones
//! do; and it says the same as a look at every granule.

use crate::common::{builtin, channel, domain, ping, ping_pong, pong, span, thread_2022, world};
use mpu_model::{Access, AccessKind, Attrs, El, MpuReg, Regime, Region, RegionWords, Rules, Sctlr};
use proptest::prelude::*;
use sim_core::guest::steps::StepGuest;
use sim_core::hyp::plan::{GUEST_DATA, GUEST_RAM, GUEST_RODATA, Needs, PRIVATE, Plan};
use sim_core::hyp::strategy::{Builtin, Reach, Strategy};
use sim_core::hyp::view::Wanted;
use sim_core::layout::{Layout, LayoutParts, Owner, PeId, SharedMemory, Span};
use sim_core::machine::clock::Costs;
use sim_core::machine::{Cpu, Machine};
use sim_core::outcome::{Breach, BreachKind, Outcome, ViewId};
use sim_core::platform::{Platform, SysReg, Vmid, hcr};
use sim_core::world::oracle::Oracle;
use sim_core::world::{Config, home, running};
use std::rc::Rc;

#[test]
fn the_strategies_keep_domains_apart() {
    for name in Builtin::NAMES.iter().filter(|name| **name != "naive") {
        let report = ping_pong(thread_2022(), builtin(name), 20, Config::default());
        // The default map has attributes of its own, which is told as a hazard; it opens nothing to guests.
        let expected = if *name == "background" { Outcome::Hazard(None) } else { Outcome::Completed };
        assert_eq!(report.outcome, expected, "{name}");
    }
}

/// Goes through the hypervisor view and leaves by the wrong one.
#[derive(Clone, Debug)]
struct Wrong(ViewId);

impl Strategy for Wrong {
    fn name(&self) -> &'static str {
        "wrong"
    }

    fn needs(&self) -> Needs {
        Needs { hypervisor_view: true, ..Needs::default() }
    }

    fn reach<P: Platform>(&mut self, cx: &mut Reach<'_, P>, wanted: &Wanted) -> Result<u64, P::Fault> {
        if let Some(last) = cx.covered(wanted) {
            return Ok(last);
        }
        cx.load(ViewId::Hypervisor)?;
        Ok(wanted.span.limit())
    }

    fn on_exit<P: Platform>(&mut self, cx: &mut Reach<'_, P>, next: ViewId) -> Result<(), P::Fault> {
        cx.leave(if next == ViewId::Guest(0) { self.0 } else { next })
    }
}

fn breach(wrong: ViewId) -> Breach {
    let config = Config { channels: vec![channel()], ..Config::default() };
    let world = world(thread_2022(), Wrong(wrong), config, vec![(0, 0, ping(1)), (1, 0, pong(1))]);
    match world.run().outcome {
        Outcome::IsolationBroken(breach) => breach,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_neighbours_view_exposes_its_ram() {
    let found = breach(ViewId::Guest(1));
    assert_eq!(
        (found.pe, found.runs, found.kind, found.owner),
        (PeId::PRIMARY, Some(0), BreachKind::Exposed, Owner::Ram(1))
    );
    assert_eq!((found.span.base(), found.span.limit()), (0x2000_0000, 0x2fff_ffff));
}

#[test]
fn the_idle_view_withholds_the_domains_own() {
    let found = breach(ViewId::Idle);
    assert_eq!((found.runs, found.kind, found.owner), (Some(0), BreachKind::Withheld, Owner::Ram(0)));
}

/// `map-page` by a plan of its own.
#[derive(Clone, Debug)]
struct Misled {
    inner: Builtin,
    plan: Plan,
}

impl Strategy for Misled {
    fn name(&self) -> &'static str {
        "misled"
    }

    fn needs(&self) -> Needs {
        self.inner.needs()
    }

    fn reach<P: Platform>(&mut self, cx: &mut Reach<'_, P>, wanted: &Wanted) -> Result<u64, P::Fault> {
        self.inner.reach(&mut Reach { plan: &self.plan, view: cx.view, p: cx.p }, wanted)
    }

    fn on_exit<P: Platform>(&mut self, cx: &mut Reach<'_, P>, next: ViewId) -> Result<(), P::Fault> {
        self.inner.on_exit(&mut Reach { plan: &self.plan, view: cx.view, p: cx.p }, next)
    }
}

/// Runs domU1 and domU2 under a plan made for a system in which domU1's RAM is `ram`.
fn under_a_plan_for(ram: Span) -> Outcome {
    let config = Config { channels: vec![channel()], ..Config::default() };
    let inner = builtin("map-page");
    let mut wrong = thread_2022();
    // domU2's memory ends right below domU1's; leave that to be exposed.
    wrong.domains.truncate(1);
    wrong.domains[0].ram = vec![ram];
    wrong.domains.push(domain(2, &[span(0x7800_0000, 0x1_0000)], &[1]));
    let plan = Plan::new(&Layout::new(wrong).unwrap(), inner.needs()).unwrap();
    let misled = Misled { inner, plan };
    world(thread_2022(), misled, config, vec![(0, 0, ping(3)), (1, 0, pong(3))]).run().outcome
}

#[test]
fn a_plan_that_is_a_granule_too_wide_or_too_narrow_is_found() {
    let (base, size) = (0x3000_0000, 0x1f00_0000);
    let cases = [
        (span(base, size + 64), BreachKind::Exposed, Owner::Nobody, span(base + size, 64)),
        (span(base - 64, size + 64), BreachKind::Exposed, Owner::Ram(1), span(base - 64, 64)),
        (span(base, size - 64), BreachKind::Withheld, Owner::Ram(0), span(base + size - 64, 64)),
        (span(base + 64, size - 64), BreachKind::Withheld, Owner::Ram(0), span(base, 64)),
    ];
    for (ram, kind, owner, at) in cases {
        let Outcome::IsolationBroken(found) = under_a_plan_for(ram) else { panic!("{ram} goes unseen") };
        assert_eq!((found.runs, found.kind, found.owner, found.span), (Some(0), kind, owner, at));
    }
}

/// `map-page` that does something with the guest's region before it leaves.
#[derive(Clone, Debug)]
struct Fiddles {
    inner: Builtin,
    /// What becomes of the words.
    change: fn(RegionWords) -> RegionWords,
    /// Whether that is in force.
    dsb: bool,
}

impl Strategy for Fiddles {
    fn name(&self) -> &'static str {
        "fiddles"
    }

    fn needs(&self) -> Needs {
        self.inner.needs()
    }

    fn reach<P: Platform>(&mut self, cx: &mut Reach<'_, P>, wanted: &Wanted) -> Result<u64, P::Fault> {
        self.inner.reach(cx, wanted)
    }

    fn on_exit<P: Platform>(&mut self, cx: &mut Reach<'_, P>, next: ViewId) -> Result<(), P::Fault> {
        cx.leave(next)?;
        if let ViewId::Guest(_) = next {
            let (slot, planned) = cx.plan.slots(cx.plan.view(next)).last().unwrap();
            let words = (self.change)(planned.words);
            cx.p.write(SysReg::El2(MpuReg::Prselr), u64::from(slot))?;
            cx.p.isb()?;
            cx.p.write(SysReg::El2(MpuReg::Prbar), words.prbar)?;
            cx.p.write(SysReg::El2(MpuReg::Prlar), words.prlar)?;
            cx.p.write(SysReg::El2(MpuReg::Prselr), 0)?;
            cx.p.isb()?;
            if self.dsb {
                cx.p.dsb()?;
            }
        }
        Ok(())
    }
}

fn fiddled(change: fn(RegionWords) -> RegionWords, dsb: bool) -> Outcome {
    let config = Config { channels: vec![channel()], ..Config::default() };
    let strategy = Fiddles { inner: builtin("map-page"), change, dsb };
    world(thread_2022(), strategy, config, vec![(0, 0, ping(1)), (1, 0, pong(1))]).run().outcome
}

#[test]
fn a_strategy_that_leaks_one_granule_is_caught() {
    assert_eq!(fiddled(|words| words, true), Outcome::Completed);
    let leak: fn(RegionWords) -> RegionWords = |words| RegionWords { prlar: words.prlar + 64, ..words };
    let Outcome::IsolationBroken(found) = fiddled(leak, true) else { panic!("unseen") };
    assert_eq!((found.kind, found.span), (BreachKind::Exposed, span(0x4f00_0000, 64)));
    let narrow: fn(RegionWords) -> RegionWords = |words| RegionWords { prlar: words.prlar - 64, ..words };
    let Outcome::IsolationBroken(found) = fiddled(narrow, true) else { panic!("unseen") };
    assert_eq!((found.kind, found.span), (BreachKind::Withheld, span(0x4eff_ffc0, 64)));
    // Read-only for a guest that may write: PRBAR.AP[2].
    let read_only: fn(RegionWords) -> RegionWords = |words| RegionWords { prbar: words.prbar | 1 << 3, ..words };
    let Outcome::IsolationBroken(found) = fiddled(read_only, true) else { panic!("unseen") };
    assert_eq!((found.kind, found.owner), (BreachKind::Rights, Owner::Ram(0)));
}

#[test]
fn writes_that_are_not_in_force_when_a_guest_runs_are_found() {
    let narrow: fn(RegionWords) -> RegionWords = |words| RegionWords { prlar: words.prlar - 64, ..words };
    let Outcome::IsolationBroken(found) = fiddled(narrow, false) else { panic!("unseen") };
    assert_eq!((found.runs, found.kind), (Some(0), BreachKind::NotInForce));
}

/// Granules from here on are looked at one by one.
const FIRST: u64 = 0x3000_0000;
/// How many.
const GRANULES: u64 = 36;
/// The first of them that somebody may own.
const OWNED: u64 = 8;

fn granules(first: u64, count: u64) -> Span {
    span(FIRST + (OWNED + first) * 64, count * 64)
}

/// A system of a few granules: memory of domU1, of domU2, of both, of domU2 alone, and what domU1 can only read.
fn crumbs() -> LayoutParts {
    let mut parts = thread_2022();
    let shared =
        |name: &str, span, domains: &[usize]| SharedMemory { name: name.into(), span, domains: domains.into() };
    let own = |first| (Some(granules(first, 1).base()), vec![granules(first, 1).base()]);
    parts.domains[0].ram = vec![granules(1, 4), granules(9, 2)];
    parts.domains[0].read_only_frame = Some(granules(17, 2));
    parts.domains[1].ram = vec![granules(5, 4)];
    (parts.domains[0].shared_info, parts.domains[0].vcpu_info) = own(1);
    (parts.domains[1].shared_info, parts.domains[1].vcpu_info) = own(5);
    parts.shared = vec![shared("both", granules(11, 3), &[0, 1]), shared("second", granules(14, 2), &[1])];
    parts
}

/// What domU1 may do with each granule (read, write, fetch), spelled out.
fn spelled_out(granule: u64) -> [bool; 3] {
    match granule.wrapping_sub(OWNED) {
        1..=4 | 9..=10 => [true; 3],
        11..=13 => [true, true, false],
        17..=18 => [true, false, false],
        _ => [false; 3],
    }
}

const KINDS: [AccessKind; 3] = [AccessKind::Read, AccessKind::Write, AccessKind::Fetch];

/// The machine with domU1 on PE 0 and these regions in its EL2 MPU, in force.
fn running_with(layout: &Layout, regions: &[RegionWords]) -> Machine {
    let mut machine = Machine::new(layout, Rules::default(), Costs::COUNTS);
    let home = home(layout, 0, 0).unwrap();
    let vmid = Vmid::of_domain(0).unwrap();
    machine.add_guest(vmid, 0, Box::new(StepGuest::new(home, Rc::from(Vec::new()), 0)));
    let mut cpu = Cpu { machine: &mut machine, pe: PeId::PRIMARY };
    let mut slots = mpu_model::Slots::new(32);
    for (slot, words) in (0..).zip(regions) {
        slots.write(&mut *cpu.machine.pe_mut(PeId::PRIMARY).el2, slot, *words).unwrap();
    }
    cpu.machine.pe_mut(PeId::PRIMARY).el2.write(MpuReg::Sctlr, Sctlr::ZERO.with_m(true).raw_value()).unwrap();
    cpu.write(SysReg::HcrEl2, hcr::VM).unwrap();
    cpu.write(SysReg::VsctlrEl2, 1 << 48).unwrap();
    machine.pe_mut(PeId::PRIMARY).el2.dsb();
    machine.resume(PeId::PRIMARY, true);
    machine
}

fn words(base: u64, limit: u64, attrs: Attrs) -> Option<RegionWords> {
    Region::new(base, limit, attrs).ok().map(|region| region.words())
}

/// The guest's view as planned, with up to three things done to it.
fn almost_right() -> impl proptest::strategy::Strategy<Value = Vec<RegionWords>> {
    use proptest::strategy::Strategy as _;
    let attrs = prop::sample::select([GUEST_RAM, GUEST_DATA, GUEST_RODATA, PRIVATE].as_slice());
    // Two changes can move a new region down: it stays among the granules that are looked at.
    let change = (0..6_u8, any::<prop::sample::Index>(), 2..GRANULES, 1..4_u64, attrs);
    prop::collection::vec(change, 0..=3).prop_map(|changes| {
        let layout = Layout::new(crumbs()).unwrap();
        let plan = Plan::new(&layout, Needs::default()).unwrap();
        let view = plan.view(ViewId::Guest(0));
        let mut regions: Vec<RegionWords> = view.regions.iter().map(|planned| planned.words).collect();
        for (what, which, first, count, attrs) in changes {
            let new = words(FIRST + first * 64, FIRST + (first + count) * 64 - 1, attrs).unwrap();
            if regions.is_empty() {
                regions.push(new);
                continue;
            }
            let at = which.index(regions.len());
            let old = regions[at];
            let (base, limit) = (old.base(), old.limit());
            let changed = match what {
                0 => words(base, limit + 64, old.attrs()),
                1 => words(base - 64, limit, old.attrs()),
                2 => words(base, limit - 64, old.attrs()),
                3 => words(base, limit, attrs),
                _ => None,
            };
            match (what, changed) {
                (4, _) => drop(regions.remove(at)),
                (5, _) => regions.push(new),
                (_, Some(changed)) => regions[at] = changed,
                // Nothing was left of it.
                (_, None) => drop(regions.remove(at)),
            }
        }
        regions
    })
}

/// An oracle that remembers what it found right looks again at all that this hangs on.
#[test]
fn a_view_that_was_right_is_so_for_its_domain_and_layout_alone() {
    let layout = Layout::new(crumbs()).unwrap();
    let plan = Plan::new(&layout, Needs::default()).unwrap();
    let regions: Vec<RegionWords> = plan.view(ViewId::Guest(0)).regions.iter().map(|planned| planned.words).collect();
    let mut machine = running_with(&layout, &regions);
    let mut oracle = Oracle::default();
    let mut look = |layout: &Layout, machine: &Machine, domain| {
        oracle.look(layout, machine, PeId::PRIMARY, Some((domain, 0)), true).map(|breach| breach.kind)
    };
    assert_eq!(look(&layout, &machine, 0), None);
    assert_eq!(look(&layout, &machine, 1), Some(BreachKind::Exposed), "another domain");

    let less_memory = |parts: &mut LayoutParts| parts.domains[0].ram = vec![granules(1, 4), granules(9, 1)];
    let no_share = |parts: &mut LayoutParts| parts.shared[0].domains = vec![1];
    for change in [less_memory as fn(&mut LayoutParts), no_share] {
        assert_eq!(look(&layout, &machine, 0), None);
        let mut parts = crumbs();
        change(&mut parts);
        assert_eq!(look(&Layout::new(parts).unwrap(), &machine, 0), Some(BreachKind::Exposed), "another layout");
    }

    assert_eq!(look(&layout, &machine, 0), None);
    let set_hcr =
        |machine: &mut Machine, value| Cpu { machine, pe: PeId::PRIMARY }.write(SysReg::HcrEl2, value).unwrap();
    set_hcr(&mut machine, 0);
    assert_eq!(look(&layout, &machine, 0), Some(BreachKind::Off));
    set_hcr(&mut machine, hcr::VM);
    machine.pe_mut(PeId::PRIMARY).el2.write(MpuReg::Prselr, 16).unwrap();
    assert_eq!(look(&layout, &machine, 0), Some(BreachKind::NotInForce));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_oracle_says_what_a_look_at_every_granule_says(regions in almost_right()) {
        let layout = Layout::new(crumbs()).unwrap();
        let machine = running_with(&layout, &regions);
        let may = |granule: u64| KINDS.map(|kind| {
            let access = Access { addr: FIRST + granule * 64, size: 4, kind, el: El::El1 };
            machine.pe(PeId::PRIMARY).el2.check(Regime::Stage2, access).result.is_ok()
        });
        let wrong = |granule: &u64| may(*granule) != spelled_out(*granule);
        let holds = |words: &&RegionWords, granule: u64| {
            (words.base()..=words.limit()).contains(&(FIRST + granule * 64))
        };
        let twice = |granule: &u64| regions.iter().filter(|words| holds(words, *granule)).count() > 1;
        let found = Oracle::default().look(&layout, &machine, PeId::PRIMARY, running(&machine, PeId::PRIMARY), false);
        match found {
            None => prop_assert_eq!((0..GRANULES + 8).find(|granule| wrong(granule) || twice(granule)), None),
            Some(Breach { kind, span, .. }) => {
                // All of what is named is wrong, and the first of it in the way that is named.
                let named = (span.base() - FIRST) / 64..=(span.limit() - FIRST) / 64;
                if kind == BreachKind::Overlap {
                    prop_assert!(named.clone().all(|granule| twice(&granule)));
                } else {
                    prop_assert!(named.clone().all(|granule| wrong(&granule)), "{:?} {} of {:x?}", kind, span, regions);
                    let (may, should) = (may(*named.start()), spelled_out(*named.start()));
                    let right = match kind {
                        BreachKind::Exposed => should == [false; 3] && may != [false; 3],
                        BreachKind::Withheld => may == [false; 3] && should != [false; 3],
                        _ => may != [false; 3] && should != [false; 3],
                    };
                    prop_assert!(right, "{kind:?}: {may:?} where {should:?} is right");
                }
            }
        }
    }
}
