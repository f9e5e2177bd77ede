//! Emulated devices: a guest's access that stage 2 refused, as its syndrome tells it, and the registers it may go to.

use crate::layout::{Layout, Position};
use alloc::vec::Vec;

/// ISS of a data abort (Arm ARM, `ESR_ELx`): bits 23 to 14 are valid.
const ISV: u64 = 1 << 24;
/// The load sign-extends.
const SSE: u64 = 1 << 21;
/// The register is 64 bits wide.
const SF: u64 = 1 << 15;
/// `FAR_EL2` is not valid.
const FNV: u64 = 1 << 10;
/// The abort is of a stage 1 table walk.
const S1PTW: u64 = 1 << 7;

/// A load or store of one register, as the syndrome of its abort tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Its first byte.
    pub address: u64,
    /// 1, 2, 4 or 8 bytes.
    pub size: u64,
    /// Whether it is a store.
    pub write: bool,
    /// The register, 31 for the one that is always zero.
    pub register: usize,
    /// A load fills the register with the sign.
    signed: bool,
    /// All 64 bits of the register are loaded, else 32.
    wide: bool,
}

impl Access {
    /// ISS of a data abort: write, not read.
    pub(super) const WNR: u64 = 1 << 6;

    /// The access behind a data abort from EL1 or EL0; `None`: the syndrome does not tell, or no stage refused it. An MPU
    /// translates nothing, so that FAR is the physical address as well, also where HPFAR is UNKNOWN.
    #[must_use]
    pub const fn of(esr: u64, far: u64) -> Option<Self> {
        // Status codes below 0x10 are those of a stage: no external abort, no alignment fault.
        let told = esr & ISV != 0 && esr & (FNV | S1PTW) == 0 && esr & 0x30 == 0;
        if !told {
            return None;
        }
        Some(Self {
            address: far,
            size: 1 << (esr >> 22 & 3),
            write: esr & Self::WNR != 0,
            register: (esr >> 16 & 0x1f) as usize,
            signed: esr & SSE != 0,
            wide: esr & SF != 0,
        })
    }

    /// The device of the domain at `position` that it goes to, and the offset in it.
    #[must_use]
    pub fn device(&self, layout: &Layout, position: Position) -> Option<(usize, u64)> {
        layout.emulated(position, self.address, self.size)
    }

    /// What a load of these bytes leaves in the register.
    pub(super) const fn loaded(&self, value: u64) -> u64 {
        let unused = 64 - 8 * self.size as u32;
        match (self.signed, self.wide) {
            (false, _) => value,
            (true, wide) => {
                let extended = ((value << unused).cast_signed() >> unused).cast_unsigned();
                if wide { extended } else { extended & 0xffff_ffff }
            }
        }
    }
}

/// The registers of all emulated devices, in the order of the layout.
#[derive(Clone, Debug)]
pub struct Devices(Vec<Vec<u8>>);

impl Devices {
    pub(super) fn new(layout: &Layout) -> Self {
        // A checked layout has none that does not fit.
        let size = |size: u64| usize::try_from(size).unwrap_or(0);
        let devices = layout.parts().emulated.iter();
        Self(devices.map(|device| alloc::vec![0; size(device.span.size())]).collect())
    }

    /// The bytes of a register.
    pub(super) fn bytes(&mut self, device: usize, offset: u64, size: u64) -> Option<&mut [u8]> {
        let start = usize::try_from(offset).ok()?;
        self.0.get_mut(device)?.get_mut(start..start.checked_add(usize::try_from(size).ok()?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iss(size: u64, register: u64, more: u64) -> u64 {
        (0x24 << 26) | ISV | (u64::from(size.trailing_zeros()) << 22) | (register << 16) | more | 0x04
    }

    #[test]
    fn a_syndrome_is_read_field_by_field() {
        let access = Access::of(iss(2, 17, Access::WNR), 0x1000).unwrap_or_else(|| unreachable!("ISV is set"));
        assert_eq!((access.address, access.size, access.write, access.register), (0x1000, 2, true, 17));
        assert!(Access::of(iss(8, 31, 0), 0).is_some_and(|access| access.size == 8 && access.register == 31));
        // Not told, FAR not valid, a table walk, an external abort, an alignment fault.
        let silent = [iss(4, 0, 0) & !ISV, iss(4, 0, FNV), iss(4, 0, S1PTW), iss(4, 0, 0x10), iss(4, 0, 0x21)];
        assert!(silent.iter().all(|esr| Access::of(*esr, 0).is_none()));
    }

    #[test]
    fn loads_extend_as_the_instruction_says() {
        let loaded = |size, more, value| Access::of(iss(size, 0, more), 0).map(|access| access.loaded(value));
        assert_eq!(loaded(1, 0, 0x80), Some(0x80));
        assert_eq!(loaded(1, SSE, 0x80), Some(0xffff_ff80));
        assert_eq!(loaded(2, SSE | SF, 0x8000), Some(0xffff_ffff_ffff_8000));
        assert_eq!(loaded(4, SSE | SF, 0x7fff_ffff), Some(0x7fff_ffff));
        assert_eq!(loaded(8, SF, u64::MAX), Some(u64::MAX));
    }
}
