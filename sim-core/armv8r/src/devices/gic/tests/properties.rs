//! Whatever registers a guest writes with whatever values.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// PEs of the system.
const PES: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    Read(Frame, u64, u8),
    Write(Frame, u64, u8, u64),
    Get(usize, Register, Requester),
    Set(usize, Register, Requester, u64),
    Line(u32, usize, bool),
    /// An interrupt, private ones of a PE, becomes pending, enabled, of a group, with a priority and a route.
    Ready {
        intid: u32,
        pe: usize,
        group1: bool,
        priority: u8,
        route: u64,
    },
}

fn frame() -> impl Strategy<Value = Frame> {
    prop_oneof![Just(Frame::Distributor), (0..=PES).prop_map(Frame::Redistributor), (0..=PES).prop_map(Frame::Sgi),]
}

fn offset() -> impl Strategy<Value = u64> {
    prop_oneof![
        8 => (0_u64..0x200).prop_map(|word| 4 * word),
        2 => 0_u64..0x1000,
        1 => 0x6000_u64..0x8000,
        1 => 0xffc0_u64..0x1_0010,
        1 => any::<u64>(),
    ]
}

fn value() -> impl Strategy<Value = u64> {
    prop_oneof![
        3 => 0_u64..64,
        2 => any::<u64>(),
        1 => Just(u64::MAX),
        // Made to name the interrupts of the first bytes, and list registers in use.
        2 => (0_u64..4, 0_u64..64, 0_u64..32).prop_map(|(state, intid, priority)| state << 62 | 1 << 60 | priority << 51 | intid),
    ]
}

fn register() -> impl Strategy<Value = Register> {
    prop::sample::select(Register::all().collect::<Vec<_>>())
}

fn requester() -> impl Strategy<Value = Requester> {
    (0_u8..4, any::<bool>(), any::<bool>()).prop_map(|(el, imo, fmo)| Requester { el, imo, fmo })
}

fn bytes() -> impl Strategy<Value = u8> {
    prop_oneof![8 => Just(4_u8), 1 => prop::sample::select(&[0_u8, 1, 2, 3, 8, 16, 255][..])]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (frame(), offset(), bytes()).prop_map(|(frame, offset, bytes)| Step::Read(frame, offset, bytes)),
        4 => (frame(), offset(), bytes(), value())
            .prop_map(|(frame, offset, bytes, value)| Step::Write(frame, offset, bytes, value)),
        2 => (0..=PES, register(), requester()).prop_map(|(pe, register, by)| Step::Get(pe, register, by)),
        4 => (0..=PES, register(), requester(), value())
            .prop_map(|(pe, register, by, value)| Step::Set(pe, register, by, value)),
        2 => (prop_oneof![0_u32..80, any::<u32>()], 0..=PES, any::<bool>())
            .prop_map(|(intid, pe, level)| Step::Line(intid, pe, level)),
        1 => (0..PES, prop::sample::select(&[Register::Igrpen0, Register::Igrpen1][..]), 0_u64..2)
            .prop_map(|(pe, register, enabled)| Step::Set(pe, register, EL2, enabled)),
        6 => (ready(), 0..PES, any::<bool>(), prop::sample::select(&[0_u8, 0x40, 0x80, 0xf8, 0xff][..]), route())
            .prop_map(|(intid, pe, group1, priority, route)| Step::Ready { intid, pe, group1, priority, route }),
    ]
}

fn ready() -> impl Strategy<Value = u32> {
    prop_oneof![0_u32..100, 900_u32..1020]
}

fn route() -> impl Strategy<Value = u64> {
    prop_oneof![0..PES as u64, Just(1 << 31), Just(u64::MAX)]
}

fn carry_out(gic: &mut Gic, step: &Step) {
    match *step {
        Step::Read(frame, offset, bytes) => {
            let _ = gic.read(frame, offset, bytes);
        }
        Step::Write(frame, offset, bytes, value) => gic.write(frame, offset, bytes, value),
        Step::Get(pe, register, by) => {
            let _ = gic.read_register(pe, register, by);
        }
        Step::Set(pe, register, by, value) => {
            let _ = gic.write_register(pe, register, by, value);
        }
        Step::Line(intid, pe, level) => gic.set_line(intid, pe, level),
        Step::Ready { intid, pe, group1, priority, route } => {
            let frame = if intid < 32 { Frame::Sgi(pe) } else { Frame::Distributor };
            let (word, bit) = (u64::from(intid / 32 * 4), 1 << (intid % 32));
            let before = gic.read(frame, 0x80 + word, 4);
            gic.write(frame, 0x80 + word, 4, if group1 { before | bit } else { before & !bit });
            gic.write(frame, 0x400 + u64::from(intid), 1, priority.into());
            if intid >= 32 {
                gic.write(frame, 0x6000 + 8 * u64::from(intid), 8, route);
            }
            gic.write(frame, 0x100 + word, 4, bit);
            gic.write(frame, 0x200 + word, 4, bit);
        }
    }
}

/// What is signalled is what an acknowledgement gives: an interrupt of that group, and none where nothing is signalled. It is
/// not active, and then it is; its group priority is above all that were active.
fn signals_what_it_gives(gic: &Gic) {
    let virtual_ = Requester { el: 1, imo: true, fmo: true };
    for pe in 0..PES {
        let outputs = gic.outputs(pe);
        assert!(!(outputs.irq && outputs.fiq));
        assert!(!(outputs.virq && outputs.vfiq));
        for (register, by, signalled, group1) in [
            (Register::Iar0, EL2, outputs.fiq, false),
            (Register::Iar1, EL2, outputs.irq, true),
            (Register::Iar0, virtual_, outputs.vfiq, false),
            (Register::Iar1, virtual_, outputs.virq, true),
        ] {
            let mut gic = gic.clone();
            if by.el == 1 {
                // Nothing traps.
                let hcr = gic.read_register(pe, Register::IchHcr, EL2).unwrap();
                gic.write_register(pe, Register::IchHcr, EL2, hcr & !(0x7 << 10)).unwrap();
            }
            let active = |gic: &mut Gic, group1: bool| {
                let words = (0..4).filter_map(|n| {
                    let register = if group1 { Register::Ap1r(n) } else { Register::Ap0r(n) };
                    gic.read_register(pe, register, by).ok().map(|word| u128::from(word) << (32 * n))
                });
                words.sum::<u128>()
            };
            let running = gic.read_register(pe, Register::Rpr, by).unwrap();
            let before = active(&mut gic, group1);
            let hardware = active_states(&gic);
            let intid = gic.read_register(pe, register, by).unwrap();
            // A special INTID in a list register is given, and that is all.
            let special = (1020..1024).contains(&intid);
            assert!(special != signalled || special && by.el == 1, "{register:?} of {by:?} gives {intid}");
            if special {
                continue;
            }
            let after = gic.read_register(pe, Register::Rpr, by).unwrap();
            assert!(after < running, "{after:#x} preempts {running:#x}");
            let now = active(&mut gic, group1);
            assert_eq!((now & before, (now ^ before).count_ones()), (before, 1));
            if by.el == 2 {
                let mut expected = hardware;
                assert!(expected.insert((if intid < 32 { pe } else { 0 }, intid as u32)), "{intid} was active");
                assert_eq!(active_states(&gic), expected);
            }
        }
    }
}

/// What HPPIR0 and HPPIR1 of a PE are by the registers in memory alone, interrupt by interrupt.
fn highest_by_registers(gic: &mut Gic, pe: usize) -> [u64; 2] {
    let asleep = |gic: &Gic, pe| gic.read(Frame::Redistributor(pe), 0x14, 4) != 0;
    let takes = |gic: &mut Gic, pe: usize, group: usize| {
        let register = if group == 0 { Register::Igrpen0 } else { Register::Igrpen1 };
        !asleep(gic, pe) && gic.read_register(pe, register, EL2) == Ok(1)
    };
    let mut best = (0xff, 0, 1023);
    for intid in 0..1020 {
        let frame = if intid < 32 { Frame::Sgi(pe) } else { Frame::Distributor };
        let bit = |gic: &Gic, register: u64| gic.read(frame, register + intid / 32 * 4, 4) >> (intid % 32) & 1;
        if bit(gic, 0x100) == 0 || bit(gic, 0x200) == 0 || bit(gic, 0x300) == 1 {
            continue;
        }
        let group = bit(gic, 0x80) as usize;
        let forwarded = gic.read(Frame::Distributor, 0, 4) >> group & 1 == 1 && takes(gic, pe, group);
        let named = gic.read(Frame::Distributor, 0x6000 + 8 * intid, 8);
        let routed = if intid < 32 {
            true
        } else if named & 1 << 31 != 0 {
            (0..PES).find(|&other| takes(gic, other, group)) == Some(pe)
        } else {
            named == gic.read(Frame::Redistributor(pe), 0x8, 8) >> 32
        };
        let priority = gic.read(frame, 0x400 + intid, 1);
        if forwarded && routed && priority < best.0 {
            best = (priority, group, intid);
        }
    }
    let (_, group, intid) = best;
    if group == 0 { [intid, 1023] } else { [1023, intid] }
}

/// The interrupts that are active: private ones by PE.
fn active_states(gic: &Gic) -> BTreeSet<(usize, u32)> {
    let mut active = BTreeSet::new();
    let mut add = |pe: usize, first: u32, word: u64| {
        active.extend((0..32).filter(|bit| word & 1 << bit != 0).map(|bit| (pe, first + bit)));
    };
    for pe in 0..PES {
        add(pe, 0, gic.read(Frame::Sgi(pe), 0x300, 4));
    }
    for word in 1..32 {
        add(0, 32 * word, gic.read(Frame::Distributor, 0x300 + 4 * u64::from(word), 4));
    }
    active
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_accesses_leave_a_gic_that_signals_what_it_gives(
        steps in prop::collection::vec(step(), 1..150),
        awake in any::<bool>(),
        priority_bits in 0_u8..10,
        list_registers in 0_usize..18,
        spis in prop::sample::select(&[0, 1, 33, 224, 988][..]),
    ) {
        let affinities = (0..PES as u32).collect();
        let config = Config { affinities, spis, priority_bits, list_registers };
        let mut gic = if awake { System::of(config).gic } else { Gic::new(config) };
        for (number, step) in steps.iter().enumerate() {
            carry_out(&mut gic, step);
            signals_what_it_gives(&gic);
            // A write that does nothing finds nothing else to signal.
            let before = gic.clone();
            gic.write(Frame::Distributor, 0xfffc, 4, 0);
            prop_assert_eq!(&gic, &before);
            for pe in (0..PES).filter(|_| number % 8 == 0) {
                let highest = [Register::Hppir0, Register::Hppir1].map(|register| gic.read_register(pe, register, EL2));
                prop_assert_eq!(highest, highest_by_registers(&mut gic, pe).map(Ok));
            }
        }
    }

    #[test]
    fn reading_in_memory_and_writing_what_is_zero_changes_nothing(steps in prop::collection::vec(step(), 1..100)) {
        let mut gic = System::new(PES as u32).gic;
        for step in &steps {
            carry_out(&mut gic, step);
        }
        let before = gic.clone();
        for pe in 0..PES {
            for offset in (0x100..0x400).step_by(4) {
                gic.write(Frame::Sgi(pe), offset, 4, 0);
                gic.write(Frame::Distributor, offset, 4, 0);
            }
        }
        prop_assert_eq!(gic, before);
    }

    /// Nested handlers, as software writes them: what is taken ends in turn, and nothing stays active.
    #[test]
    fn what_is_taken_ends_in_turn(
        interrupts in prop::collection::vec((32_u32..96, any::<u8>(), any::<bool>()), 1..30),
        point in 0_u64..8,
        ends in prop::collection::vec(any::<bool>(), 30),
    ) {
        let mut system = System::new(1);
        system.set(0, Register::Bpr0, point);
        system.set(0, Register::Bpr1, point);
        let mut taken = Vec::new();
        for (&(intid, priority, group1), end) in interrupts.iter().zip(ends) {
            if !system.state(intid).1 {
                system.enable(intid, priority, group1);
            }
            system.pend(intid);
            let outputs = system.gic.outputs(0);
            if outputs.irq || outputs.fiq {
                let before = system.get(0, Register::Rpr);
                let intid = system.get(0, if outputs.irq { Register::Iar1 } else { Register::Iar0 });
                prop_assert!(taken.iter().all(|&(_, other)| other != intid), "acknowledged twice");
                prop_assert!(system.get(0, Register::Rpr) < before);
                taken.push((outputs.irq, intid));
            }
            if end && let Some((group1, intid)) = taken.pop() {
                system.set(0, if group1 { Register::Eoir1 } else { Register::Eoir0 }, intid);
            }
            let active = system.get(0, Register::Ap0r(0)).count_ones() + system.get(0, Register::Ap1r(0)).count_ones();
            prop_assert_eq!(active as usize, taken.len());
            prop_assert_eq!(active_states(&system.gic).len(), taken.len());
        }
        while let Some((group1, intid)) = taken.pop() {
            system.set(0, if group1 { Register::Eoir1 } else { Register::Eoir0 }, intid);
        }
        prop_assert_eq!(system.get(0, Register::Rpr), 0xff);
        prop_assert!(active_states(&system.gic).is_empty());
    }
}
