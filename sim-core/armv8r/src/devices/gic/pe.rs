//! What the GIC has for one PE: its Redistributor and CPU interfaces, and which of them a system register is of.

use super::interface::{Candidate, Interface};
use super::priority::Format;
use super::redistributor::Redistributor;
use super::registers::{Class, Owner, Register};
use super::virtual_interface::{SPURIOUS, VirtualInterface};

/// What `ICC_SRE_EL1` reads as: SRE, DFB, DIB. `ICC_SRE_EL2` has Enable too.
const SRE: u64 = 0b111;
const SRE_ENABLE: u64 = 0b1000;

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
    /// The maintenance interrupt, which is PPI [`super::MAINTENANCE`] too.
    pub maintenance: bool,
}

/// What the GIC has for one PE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pe {
    pub(crate) redistributor: Redistributor,
    pub(crate) physical: Interface,
    pub(crate) virtual_: VirtualInterface,
    /// The pending interrupt of the highest priority.
    pub(crate) highest: Option<Candidate>,
    pub(crate) outputs: Outputs,
}

impl Pe {
    /// As at reset. `affinity3`, `ranges`: A3V and RSS of CTLR; its `IDbits` 0 is 16 bits.
    pub(crate) fn new(
        format: Format,
        redistributor: Redistributor,
        list_registers: usize,
        affinity3: bool,
        ranges: bool,
    ) -> Self {
        let implemented = u64::from(format.bits() - 1) << 8 | u64::from(affinity3) << 15 | u64::from(ranges) << 18;
        let virtual_ = Interface::new(format, true, implemented);
        Self {
            redistributor,
            physical: Interface::new(format, false, implemented),
            virtual_: VirtualInterface::new(virtual_, list_registers, affinity3),
            highest: None,
            outputs: Outputs::default(),
        }
    }

    /// Whether an access is to the virtual form of a register (IHI 0069, chapter 6), if it is to be made at all.
    pub(crate) fn virtual_form(&self, register: Register, by: Requester) -> Result<bool, Refused> {
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
    pub(crate) fn acknowledge(&mut self, group1: bool) -> Option<u32> {
        let highest = self.highest.filter(|highest| highest.group1 == group1 && self.physical.signals(*highest))?;
        self.physical.raise(highest);
        Some(highest.intid)
    }

    /// An SGI, of whichever group it is configured for or of Group 0 only.
    pub(crate) const fn receive(&mut self, intid: u32, any_group: bool) {
        let bank = &mut self.redistributor.bank;
        if any_group || !bank.group1(intid) {
            bank.set_pending(intid);
        }
    }

    fn highest_pending(&self, group1: bool) -> u32 {
        self.highest.filter(|highest| highest.group1 == group1).map_or(SPURIOUS, |highest| highest.intid)
    }

    /// Reads a register of the physical interface that has no effect beyond, or of EL2.
    pub(crate) fn read_physical(&self, register: Register) -> Result<u64, Refused> {
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
    pub(crate) fn read_virtual(&mut self, register: Register) -> Result<u64, Refused> {
        Ok(match register {
            Register::Iar0 => self.virtual_.acknowledge(false).into(),
            Register::Iar1 => self.virtual_.acknowledge(true).into(),
            Register::Hppir0 => self.virtual_.highest_pending(false).into(),
            Register::Hppir1 => self.virtual_.highest_pending(true).into(),
            _ => read_interface(&self.virtual_.interface, register)?,
        })
    }

    /// Writes a register of the physical interface, or of EL2. Gives the interrupt that is deactivated.
    pub(crate) fn write_physical(&mut self, register: Register, value: u64) -> Result<Option<u32>, Refused> {
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
    pub(crate) fn write_virtual(&mut self, register: Register, value: u64) -> Result<Option<u32>, Refused> {
        match register {
            Register::Eoir0 | Register::Eoir1 => return Ok(self.virtual_.end(value, register == Register::Eoir1)),
            Register::Dir => return Ok(self.virtual_.deactivate(value)),
            _ => write_interface(&mut self.virtual_.interface, register, value)?,
        }
        Ok(None)
    }

    /// A write to EOIR0 or EOIR1 (IHI 0069, 4.8, priority drop): drops the running priority if it is of the group, and deactivates the
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
