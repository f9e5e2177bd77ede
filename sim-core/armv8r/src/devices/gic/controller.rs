//! The parts of the GIC together: which interrupt each PE is signalled, and what its system registers do.

use alloc::vec::Vec;

use super::bank::Bank;
use super::distributor::{Distributor, FIRST_SPI};
use super::interface::Candidate;
use super::pe::{Outputs, Pe, Refused, Requester};
use super::priority::{Format, IDLE};
use super::redistributor::Redistributor;
use super::registers::{Register, Rights};
use super::virtual_interface::SPURIOUS;

/// The PPI of the maintenance interrupt.
pub const MAINTENANCE: u32 = 25;
/// The frames of one Redistributor: `RD_base`, `SGI_base`.
const REDISTRIBUTOR_BYTES: u64 = 0x2_0000;
/// One frame.
const FRAME_BYTES: u64 = 0x1_0000;

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

/// The interrupt controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gic {
    distributor: Distributor,
    pes: Vec<Pe>,
}

impl Gic {
    /// A GIC as at reset.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let format = Format::new(config.priority_bits);
        let affinities = config.affinities.clone();
        let distributor = Distributor::new(config.affinities, config.spis, format.mask());
        let (affinity3, ranges) = (distributor.affinity3(), distributor.ranges());
        let pes = affinities.iter().enumerate().map(|(number, &affinity)| {
            let last = number + 1 == affinities.len();
            let redistributor = Redistributor::new(number, affinity, last, format.mask());
            Pe::new(format, redistributor, config.list_registers, affinity3, ranges)
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
        if intid == MAINTENANCE || !self.bank_mut(intid, pe).is_some_and(|(bank, index)| bank.set_line(index, level)) {
            return;
        }
        if intid < FIRST_SPI {
            self.update_pe(pe);
        } else {
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
                self.update_pe(pe);
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
            self.update_pe(pe);
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
        let of_others = matches!(
            register,
            Register::Igrpen0 | Register::Igrpen1 | Register::Sgi0r | Register::Sgi1r | Register::Asgi1r
        );
        if of_others || deactivated.is_some_and(|intid| intid >= FIRST_SPI) {
            self.update();
        } else {
            self.update_pe(pe);
        }
        Ok(())
    }

    fn bank_mut(&mut self, intid: u32, pe: usize) -> Option<(&mut Bank, u32)> {
        if intid < FIRST_SPI {
            self.pes.get_mut(pe).map(|pe| (&mut pe.redistributor.bank, intid))
        } else {
            self.distributor.spi_mut(intid)
        }
    }

    /// A write to a register that generates SGIs (IHI 0069, 4.4, and the registers `ICC_SGI<n>R_EL1`).
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
        for number in 0..self.pes.len() {
            self.update_pe(number);
        }
    }

    /// Finds anew what a PE is signalled: enough where nothing changed that bears on others.
    fn update_pe(&mut self, number: usize) {
        let any = [false, true].map(|group1| {
            self.pes.iter().position(|pe| {
                !pe.redistributor.asleep && if group1 { pe.physical.enable1 } else { pe.physical.enable0 }
            })
        });
        let Some(pe) = self.pes.get_mut(number) else { return };
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

/// The pending interrupt of the highest priority of a PE, of those whose group is enabled in the Distributor and at its CPU
/// interface (IHI 0069, 4.7 and 4.8). The lowest priority of all is never one. `any`:
/// the PEs that take what is routed to any, for each group.
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
