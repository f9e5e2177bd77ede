//! The board of a scenario: a preset, a table, or a file; with what the scenario's own keys say instead.

use super::error::Problem;
use super::number::{Number, given, optional, within};
use super::range::{maybe_range, range, span};
use super::raw::RawScenario;
use super::raw_board::{
    RawBoard, RawBoardTable, RawCodes, RawCrossing, RawDefaultMap, RawEl0WithoutM, RawHpfar, RawKind, RawMemory,
    RawMixed, RawPmsa, RawRules, RawS2Xn, RawSync, RawTimers, RawUart, RawVmWithoutM, RawWriteOrder,
};
use super::table::{Key, Table};
use super::{board_place, name};
use mpu_model::{
    Crossing, DefaultMap, El0WithoutM, GRANULE, HpfarRule, MixedAttributes, Pmsa, Rules, S2XnModel, StatusCodes,
    SyncRule, VmWithoutM, WriteOrder,
};
use sim_core::layout::{Board, Gic, ImageSizes, Kind, Memory, PeId, Timers, Uart};
use toml::Spanned;
use words::near;

/// More PEs than any part of this class has.
pub(super) const MAX_PES: u64 = 64;
/// The board of a scenario that names none.
const DEFAULT: &str = "fvp-baser";
/// Bytes that no part of an image reaches.
const MAX_PART: u64 = 1 << 30;

/// The board that a scenario runs on.
pub(super) fn board(raw: &RawScenario) -> Result<Board, Problem> {
    let (mut board, own) = match raw.board.as_ref().map(|board| (board, board.get_ref())) {
        None => (preset(DEFAULT, None)?, None),
        Some((found, RawBoard::Name(name))) => (preset(name, Some(found))?, None),
        Some((_, RawBoard::Table(table))) => (of_table(table)?, Some(table)),
    };
    let pes = board.pes as u64;
    board.pes = usize::try_from(optional(raw.pes.as_ref(), "pes", 1..=MAX_PES, pes)?).unwrap_or(1);
    let regions = |key, what, of_board: u8| optional(key, what, 1..=255, of_board.into()).map(|count| count as u8);
    board.el2_regions = regions(raw.el2_regions.as_ref(), "el2_regions", board.el2_regions)?;
    board.el1_regions = regions(raw.el1_regions.as_ref(), "el1_regions", board.el1_regions)?;
    board.image_base = given(raw.image_base.as_ref(), Number(board.image_base)).0;
    board.rules.default_map = default_map(raw.default_map.as_ref(), board.rules.default_map);
    if let Some(memory) = maybe_range("the board's memory", raw.memory.as_ref())? {
        board.memory = vec![Memory::ram(memory)];
    }
    let bits =
        |key, what, of_board: u8| optional(key, what, 0..=u8::MAX.into(), of_board.into()).map(|bits| bits as u8);
    board.pa_bits = bits(raw.pa_bits.as_ref(), "pa_bits", board.pa_bits)?;
    board.vmid_bits = bits(raw.vmid_bits.as_ref(), "vmid_bits", board.vmid_bits)?;
    if let Some(span) = maybe_range("the UART", raw.uart.as_ref())? {
        board.console.span = span;
    }
    if let Some(span) = maybe_range("the GIC", raw.gic.as_ref())? {
        board.gic.span = span;
    }
    // What the scenario puts elsewhere may be in the way of something that the board has: that is tried out, and no mistake.
    if let Some(table) = own.filter(|_| raw.memory.is_none() && raw.uart.is_none() && raw.gic.is_none()) {
        board.check_map().map_err(|error| board_place::problem(table, &error))?;
    }
    Ok(board)
}

/// A board from a file of its own, as it stands there.
pub(super) fn whole(table: &RawBoardTable) -> Result<Board, Problem> {
    let board = of_table(table)?;
    board.check_map().map_err(|error| board_place::problem(table, &error))?;
    Ok(board)
}

fn preset(name: &str, found: Option<&Spanned<RawBoard>>) -> Result<Board, Problem> {
    Board::preset(name).ok_or_else(|| {
        let names: Vec<String> = Board::preset_names().into_iter().map(str::to_owned).collect();
        let at = found.map_or(0..0, Spanned::span);
        let problem = Problem::new(format!("unknown board `{name}`")).at(at, "no preset has this name");
        problem.help(near::known_names("boards", name, &names))
    })
}

/// A board of one's own; whether its parts go together is not asked yet.
fn of_table(raw: &RawBoardTable) -> Result<Board, Problem> {
    name::check(&raw.name)?;
    let (pmsa, pa_bits, rules) = match raw.pmsa.get_ref() {
        RawPmsa::V64 => (Pmsa::V64, 48, Rules::default()),
        RawPmsa::V32 => (Pmsa::V32, 32, Rules::pmsav8_32()),
    };
    let mut rules = raw.rules.as_ref().map_or(rules, |found| chosen(found.get_ref(), rules));
    rules.default_map = default_map(raw.default_map.as_ref(), rules.default_map);
    let regions = |key, what| within(key, what, 1..=255).map(|count| count as u8);
    let bits = |key, what, default| optional(key, what, 0..=u8::MAX.into(), default).map(|bits| bits as u8);
    let image = &raw.image.get_ref().0;
    let part = |key, what, default| image_part(key, what, default);
    let ordinary = ImageSizes::ORDINARY;
    let mut uarts = raw.uarts.get_ref().iter().map(uart).collect::<Result<Vec<_>, _>>()?.into_iter();
    let console = uarts.next().ok_or_else(|| {
        let problem = Problem::new("the board has no UART").at(raw.uarts.span(), "expected at least one");
        problem.help("add { name = \"uart0\", base = .., size = .. }; the first one is the hypervisor's console")
    })?;
    let gic = &raw.gic.get_ref().0;
    Ok(Board {
        name: raw.name.get_ref().clone(),
        pes: usize::try_from(optional(raw.pes.as_ref(), "pes", 1..=MAX_PES, 1)?).unwrap_or(1),
        el2_regions: regions(&raw.el2_regions, "el2_regions")?,
        el1_regions: regions(&raw.el1_regions, "el1_regions")?,
        memory: raw.memory.get_ref().iter().map(memory).collect::<Result<_, _>>()?,
        pa_bits: bits(raw.pa_bits.as_ref(), "pa_bits", pa_bits)?,
        vmid_bits: bits(raw.vmid_bits.as_ref(), "vmid_bits", 8)?,
        image_base: image.base.get_ref().0,
        image: ImageSizes {
            text: part(image.text.as_ref(), "text", ordinary.text)?,
            rodata: part(image.rodata.as_ref(), "rodata", ordinary.rodata)?,
            data: part(image.data.as_ref(), "data", ordinary.data)?,
            stack: part(image.stack.as_ref(), "stack", ordinary.stack)?,
        },
        console,
        other_uarts: uarts.collect(),
        gic: Gic {
            span: span("the GIC", &gic.base, &gic.size)?,
            redistributors: gic.redistributors.as_ref().map(|offset| offset.get_ref().0),
        },
        timers: raw.timers.as_ref().map_or(Ok(Timers::of(pmsa)), |found| timers(found.get_ref(), pmsa))?,
        pmsa,
        rules,
    })
}

/// The size of a part of the image.
fn image_part(key: Key<'_, Number>, what: &str, default: u64) -> Result<u64, Problem> {
    let size = optional(key, what, GRANULE..=MAX_PART, default)?;
    match key.filter(|_| !size.is_multiple_of(GRANULE)) {
        None => Ok(size),
        Some(key) => {
            let problem = Problem::new(format!("{what} is {size:#x}, which no region holds exactly"));
            Err(problem.at(key.span(), "expected a multiple of 64 (0x40)"))
        }
    }
}

fn memory(found: &Spanned<Table<RawMemory>>) -> Result<Memory, Problem> {
    let raw = &found.get_ref().0;
    let what = match &raw.name {
        Some(given) => {
            name::check(given)?;
            format!("the board's memory {:?}", given.get_ref())
        }
        None => "the board's memory".to_owned(),
    };
    let kind = match (raw.kind.get_ref(), &raw.pe) {
        (RawKind::Tcm, Some(pe)) => {
            let pe = within(pe, "pe", 0..=MAX_PES - 1)?;
            Kind::Tcm { pe: PeId::new(pe as u32) }
        }
        (RawKind::Tcm, None) => {
            let problem = Problem::new(format!("missing key `pe`: {what} is a TCM"));
            return Err(problem.at(raw.kind.span(), "`pe` belongs beside it").help("add pe = 0, the PE that has it"));
        }
        (_, Some(pe)) => {
            let problem = Problem::new(format!("{what} is of a PE, and no TCM"));
            return Err(problem.at(pe.span(), "expected no such key, or kind = \"tcm\""));
        }
        (RawKind::Ram, None) => Kind::Ram,
        (RawKind::Flash, None) => Kind::Flash,
        (RawKind::Device, None) => Kind::Device,
    };
    let name = raw.name.as_ref().map_or_else(String::new, |name| name.get_ref().clone());
    Ok(Memory { name, kind, span: span(&what, &raw.base, &raw.size)? })
}

fn uart(found: &Spanned<Table<RawUart>>) -> Result<Uart, Problem> {
    let raw = &found.get_ref().0;
    name::check(&raw.name)?;
    let name = raw.name.get_ref().clone();
    let span = span(&format!("the board's UART {name:?}"), &raw.base, &raw.size)?;
    // The SPIs of a GICv3.
    let interrupt = raw.interrupt.as_ref().map(|intid| within(intid, "interrupt", 32..=1019)).transpose()?;
    Ok(Uart { name, span, interrupt: interrupt.map(|intid| intid as u32) })
}

fn timers(raw: &RawTimers, pmsa: Pmsa) -> Result<Timers, Problem> {
    let usual = Timers::of(pmsa);
    let ppi = |key, what, default: u32| optional(key, what, 16..=31, default.into()).map(|intid| intid as u32);
    let frequency = raw.frequency.as_ref().map(|found| within(found, "frequency", 1..=u32::MAX.into()));
    Ok(Timers {
        el1_physical: ppi(raw.el1_physical.as_ref(), "el1_physical", usual.el1_physical)?,
        el1_virtual: ppi(raw.el1_virtual.as_ref(), "el1_virtual", usual.el1_virtual)?,
        el2_physical: ppi(raw.el2_physical.as_ref(), "el2_physical", usual.el2_physical)?,
        maintenance: ppi(raw.maintenance.as_ref(), "maintenance", usual.maintenance)?,
        frequency: frequency.transpose()?,
        control: raw.control.as_ref().map(|found| range("the timers' control frame", found)).transpose()?,
    })
}

fn default_map(key: Key<'_, RawDefaultMap>, default: DefaultMap) -> DefaultMap {
    match key.map(Spanned::get_ref) {
        None => default,
        Some(RawDefaultMap::None) => DefaultMap::None,
        Some(RawDefaultMap::Rw) => DefaultMap::RwNoExec,
        Some(RawDefaultMap::Rwx) => DefaultMap::Rwx,
    }
}

/// The rule of a synchronisation key.
pub(super) fn sync(key: Key<'_, RawSync>, default: SyncRule) -> SyncRule {
    key.map_or(default, |found| match found.get_ref() {
        RawSync::DsbCse => SyncRule::DsbThenContextSync,
        RawSync::Cse => SyncRule::ContextSyncOnly,
    })
}

/// The rule of a key that says in which order writes come into force.
pub(super) fn write_order(key: Key<'_, RawWriteOrder>, default: WriteOrder) -> WriteOrder {
    key.map_or(default, |found| match found.get_ref() {
        RawWriteOrder::EnablesFirst => WriteOrder::EnablesFirst,
        RawWriteOrder::Program => WriteOrder::Program,
    })
}

/// What a board chooses, where it says so.
fn chosen(raw: &RawRules, usual: Rules) -> Rules {
    fn or<T, U: Copy>(key: Key<'_, T>, default: U, of: impl Fn(&T) -> U) -> U {
        key.map_or(default, |found| of(found.get_ref()))
    }
    Rules {
        sync: sync(raw.sync.as_ref(), usual.sync),
        order: write_order(raw.write_order.as_ref(), usual.order),
        s2_xn: or(raw.s2_xn.as_ref(), usual.s2_xn, |word| match word {
            RawS2Xn::Either => S2XnModel::EitherBit,
            RawS2Xn::Xnx => S2XnModel::Xnx,
            RawS2Xn::Bit1 => S2XnModel::Bit1Only,
            RawS2Xn::Bit0 => S2XnModel::Bit0Only,
        }),
        vm_without_m: or(raw.vm_without_m.as_ref(), usual.vm_without_m, |word| match word {
            RawVmWithoutM::Fault => VmWithoutM::TranslationFault,
            RawVmWithoutM::Regions => VmWithoutM::RegionsApply,
        }),
        default_map: usual.default_map,
        crossing: or(raw.crossing.as_ref(), usual.crossing, |word| match word {
            RawCrossing::Every => Crossing::EveryByte,
            RawCrossing::First => Crossing::FirstByte,
            RawCrossing::PerKilobyte => Crossing::FirstBytePerKilobyte,
        }),
        mixed: or(raw.mixed_attributes.as_ref(), usual.mixed, |word| match word {
            RawMixed::AsFirst => MixedAttributes::AsFirst,
            RawMixed::Fault => MixedAttributes::AlignmentFault,
        }),
        el0_without_m: or(raw.el0_without_m.as_ref(), usual.el0_without_m, |word| match word {
            RawEl0WithoutM::DefaultMap => El0WithoutM::DefaultMap,
            RawEl0WithoutM::Fault => El0WithoutM::TranslationFault,
        }),
        codes: or(raw.status_codes.as_ref(), usual.codes, |word| match word {
            RawCodes::Arm => StatusCodes::Arm,
            RawCodes::Background => StatusCodes::BackgroundFault,
            RawCodes::Permission => StatusCodes::AlwaysPermission,
        }),
        hpfar: or(raw.hpfar.as_ref(), usual.hpfar, |word| match word {
            RawHpfar::Translation => HpfarRule::Translation,
            RawHpfar::Always => HpfarRule::Always,
        }),
    }
}
