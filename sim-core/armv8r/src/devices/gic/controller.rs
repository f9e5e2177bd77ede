//! The parts of the GIC together: which interrupt each PE is signalled, and what its system registers do.

use alloc::vec::Vec;

use super::bank::Bank;
use super::distributor::{Distributor, FIRST_SPI};
use super::interface::{Candidate, Interface};
use super::priority::{Format, IDLE};
use super::redistributor::Redistributor;
use super::registers::{Class, Owner, Register, Rights};
use super::virtual_interface::{SPURIOUS, VirtualInterface};

/// The PPI of the maintenance interrupt.
pub const MAINTENANCE: u32 = 25;
/// The frames of one Redistributor: `RD_base`, `SGI_base`.
const REDISTRIBUTOR_BYTES: u64 = 0x2_0000;
/// One frame.
const FRAME_BYTES: u64 = 0x1_0000;
/// What `ICC_SRE_EL1` reads as: SRE, DFB, DIB. `ICC_SRE_EL2` has Enable too.
const SRE: u64 = 0b111;
const SRE_ENABLE: u64 = 0b1000;

/// What a GIC is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The affinity of each PE, as [`affinity`] gives it.
    pub affinities: Vec<u32>,
    /// SPIs: INTIDs from 32 on, at most 988.
    pub spis: usize,
    /// Bits of a priority, 5 to 8.
    pub priority_bits: u8,
    /// List registers of a PE, 1 to 16.
    pub list_registers: usize,
}

impl Config {
    /// 224 SPIs, 5 bits of priority and 4 list registers.
    #[must_use]
    pub const fn new(affinities: Vec<u32>) -> Self {
        Self { affinities, spis: 224, priority_bits: 5, list_registers: 4 }
    }
}

/// Aff3 to Aff0 of an `MPIDR_EL1` in bits 31:24 to 7:0, as `GICR_TYPER` has them.
#[must_use]
pub const fn affinity(mpidr: u64) -> u32 {
    (mpidr >> 8) as u32 & 0xff00_0000 | mpidr as u32 & 0xff_ffff
}

/// A frame of registers in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// `GICD`.
    Distributor,
    /// `RD_base` of a PE.
    Redistributor(usize),
    /// `SGI_base` of a PE.
    Sgi(usize),
}

impl Frame {
    /// The frame, and the offset in it, at an offset among Redistributors that follow one another in the order of the PEs.
    #[must_use]
    pub const fn of_redistributors(offset: u64) -> (Self, u64) {
        let pe = (offset / REDISTRIBUTOR_BYTES) as usize;
        let frame = if offset % REDISTRIBUTOR_BYTES < FRAME_BYTES { Self::Redistributor(pe) } else { Self::Sgi(pe) };
        (frame, offset % FRAME_BYTES)
    }
}

/// Who accesses a system register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requester {
    /// The EL, 0 to 2.
    pub el: u8,
    /// `HCR_EL2.IMO` as it is in effect.
    pub imo: bool,
    /// `HCR_EL2.FMO` as it is in effect.
    pub fmo: bool,
}

/// Why a system register was not accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The instruction is UNDEFINED.
    Undefined,
    /// It traps to EL2, with the EC of a trapped MSR or MRS.
    TrapToEl2,
}

/// What a PE is signalled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a wire")]
pub struct Outputs {
    /// Physical IRQ.
    pub irq: bool,
    /// Physical FIQ.
    pub fiq: bool,
    /// Virtual IRQ.
    pub virq: bool,
    /// Virtual FIQ.
    pub vfiq: bool,
    /// The maintenance interrupt, which is PPI [`MAINTENANCE`] too.
    pub maintenance: bool,
}

/// What the GIC has for one PE.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pe {
    redistributor: Redistributor,
    physical: Interface,
    virtual_: VirtualInterface,
    /// The pending interrupt of the highest priority.
    highest: Option<Candidate>,
    outputs: Outputs,
}

/// The interrupt controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gic {
    distributor: Distributor,
    pes: Vec<Pe>,
}

/// `CTLR` of a CPU interface: what is implemented. `IDbits` 0 is 16 bits.
fn implemented(format: Format, distributor: &Distributor) -> u64 {
    u64::from(format.bits() - 1) << 8 | u64::from(distributor.affinity3()) << 15 | u64::from(distributor.ranges()) << 18
}

impl Gic {
    /// A GIC as at reset.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let format = Format::new(config.priority_bits);
        let affinities = config.affinities.clone();
        let distributor = Distributor::new(config.affinities, config.spis, format.mask());
        let implemented = implemented(format, &distributor);
        let pes = affinities.iter().enumerate().map(|(number, &affinity)| Pe {
            redistributor: Redistributor::new(number, affinity, number + 1 == affinities.len(), format.mask()),
            physical: Interface::new(format, false, implemented),
            virtual_: VirtualInterface::new(
                Interface::new(format, true, implemented),
                config.list_registers,
                distributor.affinity3(),
            ),
            highest: None,
            outputs: Outputs::default(),
        });
        let pes = pes.collect();
        Self { distributor, pes }
    }

    /// What a PE is signalled.
    #[must_use]
    pub fn outputs(&self, pe: usize) -> Outputs {
        self.pes.get(pe).map_or_else(Outputs::default, |pe| pe.outputs)
    }

    /// The input of a PPI of `pe` or of an SPI, for which `pe` means nothing, goes to `level`. That of PPI [`MAINTENANCE`] is
    /// inside, so it is left as it is.
    pub fn set_line(&mut self, intid: u32, pe: usize, level: bool) {
        if intid != MAINTENANCE && self.bank_mut(intid, pe).is_some_and(|(bank, index)| bank.set_line(index, level)) {
            self.update();
        }
    }

    /// Reads `bytes` at an offset of a frame. What does not exist is zero.
    #[must_use]
    pub fn read(&self, frame: Frame, offset: u64, bytes: u8) -> u64 {
        match frame {
            Frame::Distributor => self.distributor.read(offset, bytes),
            Frame::Redistributor(pe) => self.pes.get(pe).map_or(0, |pe| pe.redistributor.read(offset, bytes)),
            Frame::Sgi(pe) => self.pes.get(pe).map_or(0, |pe| pe.redistributor.read_sgi(offset, bytes)),
        }
    }

    /// Writes `bytes` at an offset of a frame. What does not exist ignores it.
    pub fn write(&mut self, frame: Frame, offset: u64, bytes: u8, value: u64) {
        match frame {
            Frame::Distributor => self.distributor.write(offset, bytes, value),
            Frame::Redistributor(pe) => {
                if let Some(pe) = self.pes.get_mut(pe) {
                    pe.redistributor.write(offset, bytes, value);
                }
            }
            Frame::Sgi(pe) => {
                if let Some(pe) = self.pes.get_mut(pe) {
                    pe.redistributor.write_sgi(offset, bytes, value);
                }
            }
        }
        self.update();
    }

    /// MRS.
    pub fn read_register(&mut self, pe: usize, register: Register, by: Requester) -> Result<u64, Refused> {
        let state = self.pes.get_mut(pe).ok_or(Refused::Undefined)?;
        if register.rights() == Rights::Write {
            return Err(Refused::Undefined);
        }
        if state.virtual_form(register, by)? {
            let value = state.read_virtual(register)?;
            if matches!(register, Register::Iar0 | Register::Iar1) {
                self.update();
            }
            return Ok(value);
        }
        let group1 = match register {
            Register::Iar0 => false,
            Register::Iar1 => true,
            _ => return state.read_physical(register),
        };
        let acknowledged = state.acknowledge(group1);
        if let Some(intid) = acknowledged {
            if let Some((bank, index)) = self.bank_mut(intid, pe) {
                bank.activate(index);
            }
            self.update();
        }
        Ok(acknowledged.unwrap_or(SPURIOUS).into())
    }

    /// MSR.
    pub fn write_register(&mut self, pe: usize, register: Register, by: Requester, value: u64) -> Result<(), Refused> {
        let state = self.pes.get_mut(pe).ok_or(Refused::Undefined)?;
        if register.rights() == Rights::Read {
            return Err(Refused::Undefined);
        }
        let deactivated = if state.virtual_form(register, by)? {
            state.write_virtual(register, value)?
        } else if let Register::Sgi0r | Register::Sgi1r | Register::Asgi1r = register {
            self.generate(pe, register == Register::Sgi1r, value);
            None
        } else {
            state.write_physical(register, value)?
        };
        if let Some((bank, index)) = deactivated.and_then(|intid| self.bank_mut(intid, pe)) {
            bank.deactivate(index);
        }
        self.update();
        Ok(())
    }

    fn bank_mut(&mut self, intid: u32, pe: usize) -> Option<(&mut Bank, u32)> {
        if intid < FIRST_SPI {
            self.pes.get_mut(pe).map(|pe| (&mut pe.redistributor.bank, intid))
        } else {
            self.distributor.spi_mut(intid)
        }
    }

    /// A write to a register that generates SGIs (IHI 0069, 12.1.10 and the registers `ICC_SGI<n>R_EL1`).
    fn generate(&mut self, sender: usize, any_group: bool, value: u64) {
        let intid = (value >> 24) as u32 & 0xf;
        let to_all = value & 1 << 40 != 0;
        let range = if self.distributor.ranges() { (value >> 44) as u32 & 0xf } else { 0 };
        let aff3 = if self.distributor.affinity3() { (value >> 48) as u32 & 0xff } else { 0 };
        let cluster = aff3 << 24 | ((value >> 32) as u32 & 0xff) << 16 | ((value >> 16) as u32 & 0xff) << 8;
        if to_all {
            for (number, pe) in self.pes.iter_mut().enumerate() {
                if number != sender {
                    pe.receive(intid, any_group);
                }
            }
        } else {
            for n in (0..16).filter(|n| value & 1 << n != 0) {
                let target = self.distributor.pe_of(cluster | range << 4 | n);
                if let Some(pe) = target.and_then(|target| self.pes.get_mut(target)) {
                    pe.receive(intid, any_group);
                }
            }
        }
    }

    /// Finds anew what each PE is signalled.
    fn update(&mut self) {
        let any = [false, true].map(|group1| {
            self.pes.iter().position(|pe| {
                !pe.redistributor.asleep && if group1 { pe.physical.enable1 } else { pe.physical.enable0 }
            })
        });
        for (number, pe) in self.pes.iter_mut().enumerate() {
            let maintenance = pe.virtual_.maintenance();
            pe.redistributor.bank.set_line(MAINTENANCE, maintenance);
            pe.highest = highest(&self.distributor, pe, number, any);
            let physical = pe.highest.filter(|&highest| pe.physical.signals(highest)).map(|highest| highest.group1);
            let signalled = pe.virtual_.signalled();
            pe.outputs = Outputs {
                irq: physical == Some(true),
                fiq: physical == Some(false),
                virq: signalled == Some(true),
                vfiq: signalled == Some(false),
                maintenance,
            };
        }
    }
}

/// The pending interrupt of the highest priority of a PE, of those whose group is enabled in the Distributor and at its CPU
/// interface (IHI 0069, 4.7 and 4.8). The lowest priority of all is never one.
/// `any`: the PEs that take what is routed to any, for each group.
fn highest(distributor: &Distributor, pe: &Pe, number: usize, any: [Option<usize>; 2]) -> Option<Candidate> {
    if pe.redistributor.asleep {
        return None;
    }
    let group0 = distributor.enable0 && pe.physical.enable0;
    let group1 = distributor.enable1 && pe.physical.enable1;
    let candidate =
        |intid, bank: &Bank, index| Candidate { intid, priority: bank.priority(index), group1: bank.group1(index) };
    let [any0, any1] = any;
    let bank = &pe.redistributor.bank;
    let private = bank.candidates(group0, group1);
    let private = (0..FIRST_SPI).filter(|index| private & 1 << index != 0).map(|index| candidate(index, bank, index));
    let shared = distributor.candidates(group0, group1).map(|(intid, bank, index)| candidate(intid, bank, index));
    let shared = shared.filter(|spi| {
        let any = if spi.group1 { any1 } else { any0 };
        distributor.routed_to(spi.intid, number, any == Some(number))
    });
    let all = private.chain(shared).filter(|candidate| candidate.priority != IDLE);
    all.min_by_key(|candidate| (candidate.priority, candidate.intid))
}

impl Pe {
    /// Whether an access is to the virtual form of a register (IHI 0069, 6.1 and 12.3), if it is to be made at all.
    fn virtual_form(&self, register: Register, by: Requester) -> Result<bool, Refused> {
        if by.el == 0 || by.el == 1 && register.owner() == Owner::El2 {
            return Err(Refused::Undefined);
        }
        if by.el != 1 {
            return Ok(false);
        }
        let traps = self.virtual_.traps();
        let either = by.imo || by.fmo;
        let (trapped, redirected) = match register.class() {
            Class::Group0 => (traps.group0, by.fmo),
            Class::Group1 => (traps.group1, by.imo),
            Class::Common => (traps.common, either),
            Class::Deactivate => (traps.common || traps.deactivate, either),
            Class::Generate => (traps.common || either, false),
            Class::Plain | Class::Hyp => (false, false),
        };
        if trapped { Err(Refused::TrapToEl2) } else { Ok(redirected) }
    }

    /// Acknowledges what is signalled, if it is of the group.
    fn acknowledge(&mut self, group1: bool) -> Option<u32> {
        let highest = self.highest.filter(|highest| highest.group1 == group1 && self.physical.signals(*highest))?;
        self.physical.raise(highest);
        Some(highest.intid)
    }

    /// An SGI, of whichever group it is configured for or of Group 0 only.
    const fn receive(&mut self, intid: u32, any_group: bool) {
        let bank = &mut self.redistributor.bank;
        if any_group || !bank.group1(intid) {
            bank.set_pending(intid);
        }
    }

    fn highest_pending(&self, group1: bool) -> u32 {
        self.highest.filter(|highest| highest.group1 == group1).map_or(SPURIOUS, |highest| highest.intid)
    }

    /// Reads a register of the physical interface that has no effect beyond, or of EL2.
    fn read_physical(&self, register: Register) -> Result<u64, Refused> {
        Ok(match register {
            Register::Hppir0 => self.highest_pending(false).into(),
            Register::Hppir1 => self.highest_pending(true).into(),
            Register::SreEl1 => SRE,
            Register::SreEl2 => SRE | SRE_ENABLE,
            Register::IchAp0r(n) => active(&self.virtual_.interface, false, n)?,
            Register::IchAp1r(n) => active(&self.virtual_.interface, true, n)?,
            Register::IchHcr => self.virtual_.hcr(),
            Register::IchVtr => self.virtual_.vtr(),
            Register::IchMisr => self.virtual_.misr(),
            Register::IchEisr => self.virtual_.eisr(),
            Register::IchElrsr => self.virtual_.elrsr(),
            Register::IchVmcr => self.virtual_.vmcr(),
            Register::IchLr(n) => self.virtual_.list_register(n).ok_or(Refused::Undefined)?,
            _ => read_interface(&self.physical, register)?,
        })
    }

    /// Reads the virtual form of a register.
    fn read_virtual(&mut self, register: Register) -> Result<u64, Refused> {
        Ok(match register {
            Register::Iar0 => self.virtual_.acknowledge(false).into(),
            Register::Iar1 => self.virtual_.acknowledge(true).into(),
            Register::Hppir0 => self.virtual_.highest_pending(false).into(),
            Register::Hppir1 => self.virtual_.highest_pending(true).into(),
            _ => read_interface(&self.virtual_.interface, register)?,
        })
    }

    /// Writes a register of the physical interface, or of EL2. Gives the interrupt that is deactivated.
    fn write_physical(&mut self, register: Register, value: u64) -> Result<Option<u32>, Refused> {
        match register {
            Register::Eoir0 | Register::Eoir1 => return Ok(self.end(value, register == Register::Eoir1)),
            Register::Dir => return Ok(interrupt(value).filter(|_| self.physical.eoi_mode)),
            Register::SreEl1 | Register::SreEl2 => {}
            Register::IchAp0r(n) => set_active(&mut self.virtual_.interface, false, n, value)?,
            Register::IchAp1r(n) => set_active(&mut self.virtual_.interface, true, n, value)?,
            Register::IchHcr => self.virtual_.set_hcr(value),
            Register::IchVmcr => self.virtual_.set_vmcr(value),
            Register::IchLr(n) => {
                if !self.virtual_.set_list_register(n, value) {
                    return Err(Refused::Undefined);
                }
            }
            _ => write_interface(&mut self.physical, register, value)?,
        }
        Ok(None)
    }

    /// Writes the virtual form of a register. Gives the physical interrupt that is deactivated.
    fn write_virtual(&mut self, register: Register, value: u64) -> Result<Option<u32>, Refused> {
        match register {
            Register::Eoir0 | Register::Eoir1 => return Ok(self.virtual_.end(value, register == Register::Eoir1)),
            Register::Dir => return Ok(self.virtual_.deactivate(value)),
            _ => write_interface(&mut self.virtual_.interface, register, value)?,
        }
        Ok(None)
    }

    /// A write to EOIR0 or EOIR1 (IHI 0069, 4.8.3): drops the running priority if it is of the group, and deactivates the
    /// interrupt unless `EOImode` leaves that to DIR.
    fn end(&mut self, value: u64, group1: bool) -> Option<u32> {
        let intid = interrupt(value)?;
        if self.physical.active.running_group1() != Some(group1) {
            return None;
        }
        self.physical.active.drop_running(self.physical.format);
        (!self.physical.eoi_mode).then_some(intid)
    }
}

/// An INTID that is written: not one of the special ones, 1020 to 1023, nor one that cannot be.
const fn interrupt(value: u64) -> Option<u32> {
    let intid = value as u32 & 0xff_ffff;
    if intid < 1020 { Some(intid) } else { None }
}

/// Reads what physical and virtual interfaces both have.
fn read_interface(interface: &Interface, register: Register) -> Result<u64, Refused> {
    Ok(match register {
        Register::Pmr => interface.mask.into(),
        Register::Bpr0 => interface.point(false).into(),
        Register::Bpr1 => interface.point(true).into(),
        Register::Ap0r(n) => active(interface, false, n)?,
        Register::Ap1r(n) => active(interface, true, n)?,
        Register::Rpr => interface.running(),
        Register::Ctlr => interface.control(),
        Register::Igrpen0 => interface.enable0.into(),
        Register::Igrpen1 => interface.enable1.into(),
        _ => return Err(Refused::Undefined),
    })
}

/// Writes what physical and virtual interfaces both have.
fn write_interface(interface: &mut Interface, register: Register, value: u64) -> Result<(), Refused> {
    match register {
        Register::Pmr => interface.set_mask(value),
        Register::Bpr0 => interface.set_point(false, value),
        Register::Bpr1 => interface.set_point(true, value),
        Register::Ap0r(n) => set_active(interface, false, n, value)?,
        Register::Ap1r(n) => set_active(interface, true, n, value)?,
        Register::Ctlr => interface.set_control(value),
        Register::Igrpen0 => interface.enable0 = value & 1 != 0,
        Register::Igrpen1 => interface.enable1 = value & 1 != 0,
        _ => return Err(Refused::Undefined),
    }
    Ok(())
}

fn active(interface: &Interface, group1: bool, n: u8) -> Result<u64, Refused> {
    if n < interface.format.active_words() {
        Ok(interface.active.read(group1, n).into())
    } else {
        Err(Refused::Undefined)
    }
}

fn set_active(interface: &mut Interface, group1: bool, n: u8, value: u64) -> Result<(), Refused> {
    if n < interface.format.active_words() {
        interface.active.write(group1, n, value as u32);
        Ok(())
    } else {
        Err(Refused::Undefined)
    }
}
