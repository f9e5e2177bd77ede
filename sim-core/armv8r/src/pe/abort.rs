//! What becomes of an access that is denied, misaligned, or that nothing answers: Arm ARM (DDI 0487) `ESR_ELx`, ISS encodings
//! of a data abort and of an instruction abort; DDI 0600 for the status codes of PMSA.

use super::judge::Denied;
use super::{Pe, hcr};
use crate::exception::{Exception, Transfer};
use mpu_model::{Access, AccessKind, El, Rules, Stage, Syndrome};

/// Data fault status code: alignment.
const ALIGNMENT: u32 = 0b10_0001;
/// Synchronous external abort, not on a table walk.
const EXTERNAL: u32 = 0b01_0000;
/// ISS bit 6.
const WNR: u32 = 1 << 6;
/// ISS bit 8: a cache maintenance or address translation instruction.
const CM: u32 = 1 << 8;
/// ISS bit 24.
const ISV: u32 = 1 << 24;
/// Exception class of a data abort from a lower level.
const DATA_ABORT: u8 = 0x24;
const INSTRUCTION_ABORT: u8 = 0x20;

/// What a fault is told with beside its address.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    pub(super) transfer: Option<Transfer>,
    pub(super) maintenance: bool,
}

/// ISS bits 24 to 14.
fn transfer_bits(transfer: Transfer) -> u32 {
    let bit = |on: bool, place: u32| u32::from(on) << place;
    ISV | u32::from(transfer.size & 3) << 22
        | bit(transfer.sign_extend, 21)
        | u32::from(transfer.register & 31) << 16
        | bit(transfer.sixty_four, 15)
        | bit(transfer.ordered, 14)
}

impl Pe {
    fn rules(&self) -> Rules {
        self.el2.rules()
    }

    /// The exception that a denial raises.
    pub(super) fn denied(&self, denied: &Denied, told: Told, pc: u64) -> Exception {
        let rules = self.rules();
        let (target, mut syndrome, stage2, kind) = match denied {
            Denied::El2(denial) => (El::El2, Syndrome::el2_own(denial, rules), false, denial.access.kind),
            Denied::Guest(guest) => {
                let denial = &guest.denial;
                let stage2 = guest.stage == Stage::Two;
                // Whatever goes up a level has the class of a lower one.
                let lower = guest.to == El::El2;
                let syndrome = if lower { Syndrome::stage2(denial, rules) } else { Syndrome::el1(denial, rules) };
                (guest.to, syndrome, stage2, denial.access.kind)
            }
        };
        if let Some(transfer) = told.transfer.filter(|_| stage2 && kind != AccessKind::Fetch) {
            syndrome.iss |= transfer_bits(transfer);
        }
        if told.maintenance {
            syndrome.iss |= CM | WNR;
        }
        let hpfar = if stage2 { syndrome.hpfar(rules) } else { None };
        Exception { hpfar, ..Exception::synchronous(target, syndrome.ec, syndrome.iss, pc).at(syndrome.far) }
    }

    /// An abort that is not the MPUs'.
    fn other(&self, access: &Access, target: El, iss: u32, far: u64, pc: u64) -> Exception {
        let class = if access.kind == AccessKind::Fetch { INSTRUCTION_ABORT } else { DATA_ABORT };
        let same = u8::from(target == self.pstate.el);
        let write = if matches!(access.kind, AccessKind::Write) { WNR } else { 0 };
        Exception::synchronous(target, class + same, iss | write, pc).at(far)
    }

    /// The exception of an access that is not aligned as it has to be; `stage2`: as stage 2's memory is a device.
    pub(super) fn misaligned(&self, access: &Access, stage2: bool, told: Told, pc: u64) -> Exception {
        let target = if stage2 { El::El2 } else { self.own_target() };
        let transfer = told.transfer.filter(|_| stage2).map_or(0, transfer_bits);
        self.other(access, target, ALIGNMENT | transfer, access.addr, pc)
    }

    /// The exception of an access that nothing answers.
    pub(super) fn unanswered(&self, access: &Access, far: u64, pc: u64) -> Exception {
        let to_el2 = self.pstate.el == El::El2 || self.hcr_has(hcr::TEA);
        let target = if to_el2 { El::El2 } else { self.own_target() };
        self.other(access, target, EXTERNAL, far, pc)
    }
}

impl Pe {
    /// The exception of a privileged access that PSTATE.PAN withholds: a permission fault of stage 1.
    pub(super) fn privileged_access_never(&self, access: &Access, pc: u64) -> Exception {
        const PERMISSION: u32 = 0b00_1100;
        self.other(access, self.own_target(), PERMISSION, access.addr, pc)
    }
}
