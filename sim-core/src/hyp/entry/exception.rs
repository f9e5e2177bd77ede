//! What EL2 was entered for, from what the exception left in registers.

use crate::convention::{Arch, Cause, Frame, TAG, ec, nr};
use crate::hyp::emulate::Access;
use crate::hyp::hypercall::Call;
use crate::outcome::{HypercallId, Trap};
use mpu_model::Pmsa;

/// An exception to EL2, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exception {
    /// A physical interrupt.
    Interrupt,
    /// A hypercall.
    Hypercall(Call),
    /// `HVC #0`: PSCI and its kin.
    Smccc,
    /// An HVC whose immediate is neither.
    UnknownHvc(u16),
    /// `WFI` or `WFE`.
    Wait,
    /// A load or store of a device that is emulated for the guest.
    Mmio {
        /// The access.
        access: Access,
        /// The position of the device in the layout.
        device: usize,
        /// The offset in it.
        offset: u64,
    },
    /// A load or store that stage 2 refused.
    DataAbort {
        /// Whether it is a store.
        write: bool,
        /// `FAR_EL2`.
        address: u64,
    },
    /// A fetch that stage 2 refused.
    InstructionAbort {
        /// `FAR_EL2`.
        address: u64,
    },
    /// Anything else, which the hypervisor has no answer to.
    Unknown,
}

/// An entry to EL2: what there is to be done, and what it is accounted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What there is to be done.
    pub exception: Exception,
    /// What it is accounted as: commands of one hypercall number apart.
    pub trap: Trap,
}

/// The syndrome registers of an entry (Arm ARM, `ESR_EL2` and `FAR_EL2`); of an interrupt they hold nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// `ESR_EL2`.
    pub esr: u64,
    /// `FAR_EL2`. It is valid after an abort alone.
    pub far: u64,
}

/// Whether an exception of this syndrome has an address in `FAR_EL2`.
pub(super) const fn is_abort(esr: u64) -> bool {
    matches!(esr >> 26, ec::DATA_ABORT_LOWER | ec::INSTRUCTION_ABORT_LOWER)
}

/// Decodes an entry. `frame` has the guest's registers, which stand as `pmsa` says; `device` tells the device that an access of the
/// guest goes to, by its position, and the offset in it, if it goes to an emulated one.
pub fn decode(
    cause: Cause,
    Registers { esr, far }: Registers,
    frame: &Frame,
    pmsa: Pmsa,
    device: impl FnOnce(&Access) -> Option<(usize, u64)>,
) -> Entry {
    let (exception, trap) = match (cause, esr >> 26) {
        (Cause::Irq, _) => (Exception::Interrupt, Trap::Interrupt),
        (Cause::Sync, ec::HVC64 | ec::HVC32) => match (esr & 0xffff) as u16 {
            TAG => {
                let [x0, x1, x2, x3, x4, ..] = frame.x;
                let call = Call { nr: pmsa.number(frame), args: [x0, x1, x2, x3, x4] };
                (Exception::Hypercall(call), Trap::Hypercall(hypercall_id(call)))
            }
            0 => (Exception::Smccc, Trap::Smccc),
            imm => (Exception::UnknownHvc(imm), Trap::UnknownHvc(imm)),
        },
        (Cause::Sync, ec::WFX) => (Exception::Wait, Trap::WaitForInterrupt),
        (Cause::Sync, ec::DATA_ABORT_LOWER) => {
            match Access::of(esr, far).and_then(|access| Some((access, device(&access)?))) {
                Some((access, (device, offset))) => (Exception::Mmio { access, device, offset }, Trap::Mmio),
                None => (Exception::DataAbort { write: esr & Access::WNR != 0, address: far }, Trap::StageTwoAbort),
            }
        }
        (Cause::Sync, ec::INSTRUCTION_ABORT_LOWER) => {
            (Exception::InstructionAbort { address: far }, Trap::StageTwoAbort)
        }
        (Cause::Sync, _) => (Exception::Unknown, Trap::StageTwoAbort),
    };
    Entry { exception, trap }
}

/// A hypercall as it is accounted: commands of one number apart.
fn hypercall_id(Call { nr: number, args: [x0, ..] }: Call) -> HypercallId {
    let commanded =
        [nr::MEMORY_OP, nr::XEN_VERSION, nr::CONSOLE_IO, nr::VCPU_OP, nr::SCHED_OP, nr::EVENT_CHANNEL_OP, nr::HVM_OP];
    let cmd = commanded.contains(&number).then_some(x0 as u32);
    HypercallId { nr: number, cmd }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(number: u64, args: [u64; 5]) -> Frame {
        let mut frame = Frame::default();
        frame.x[16] = number;
        frame.x[12] = 7;
        frame.x[..5].copy_from_slice(&args);
        frame
    }

    fn of(esr: u64, far: u64, frame: &Frame) -> Entry {
        let device = |access: &Access| Some((3, access.address.checked_sub(0x1000)?));
        decode(Cause::Sync, Registers { esr, far }, frame, Pmsa::V64, device)
    }

    #[test]
    fn an_hvc_is_told_by_its_immediate_and_a_hypercall_by_its_number_and_command() {
        let args = [4, 0x2000, 0, 0, 9];
        let send = frame(nr::EVENT_CHANNEL_OP, args);
        let id = HypercallId { nr: nr::EVENT_CHANNEL_OP, cmd: Some(4) };
        let call = Exception::Hypercall(Call { nr: nr::EVENT_CHANNEL_OP, args });
        for class in [ec::HVC64, ec::HVC32] {
            let hvc = |immediate: u16| of(class << 26 | u64::from(immediate), 0, &send);
            assert_eq!(hvc(TAG), Entry { exception: call, trap: Trap::Hypercall(id) });
            assert_eq!(hvc(0), Entry { exception: Exception::Smccc, trap: Trap::Smccc });
            assert_eq!(hvc(5), Entry { exception: Exception::UnknownHvc(5), trap: Trap::UnknownHvc(5) });
        }
        let multicall = of(ec::HVC64 << 26 | u64::from(TAG), 0, &frame(nr::MULTICALL, args));
        assert_eq!(multicall.trap, Trap::Hypercall(HypercallId { nr: nr::MULTICALL, cmd: None }));
        let narrow =
            decode(Cause::Sync, Registers { esr: ec::HVC32 << 26 | u64::from(TAG), far: 0 }, &send, Pmsa::V32, |_| {
                None
            });
        assert_eq!(narrow.exception, Exception::Hypercall(Call { nr: 7, args }), "r12");
    }

    #[test]
    fn an_abort_goes_to_a_device_if_one_is_there() {
        // A word is stored from x2; ISV, translation fault.
        let store = ec::DATA_ABORT_LOWER << 26 | 1 << 24 | 2 << 22 | 2 << 16 | Access::WNR | 0x04;
        let Exception::Mmio { access, device, offset } = of(store, 0x1008, &Frame::default()).exception else {
            unreachable!("a device is there")
        };
        assert_eq!((access.register, access.size, access.write, device, offset), (2, 4, true, 3, 8));
        let nowhere = of(store, 0x800, &Frame::default());
        let abort = Exception::DataAbort { write: true, address: 0x800 };
        assert_eq!(nowhere, Entry { exception: abort, trap: Trap::StageTwoAbort });
        let pair = of(ec::DATA_ABORT_LOWER << 26 | 0x04, 0x1008, &Frame::default());
        assert_eq!(
            pair.exception,
            Exception::DataAbort { write: false, address: 0x1008 },
            "the syndrome does not tell"
        );
    }

    #[test]
    fn an_interrupt_is_one_whatever_the_syndrome_holds() {
        let registers = Registers { esr: ec::WFX << 26, far: 0 };
        let irq = decode(Cause::Irq, registers, &Frame::default(), Pmsa::V64, |_| None);
        assert_eq!(irq, Entry { exception: Exception::Interrupt, trap: Trap::Interrupt });
        let others = [ec::WFX, ec::INSTRUCTION_ABORT_LOWER, 0x18].map(|class| of(class << 26, 0x40, &Frame::default()));
        assert_eq!(others.map(|entry| entry.trap), [Trap::WaitForInterrupt, Trap::StageTwoAbort, Trap::StageTwoAbort]);
        let exceptions = [Exception::Wait, Exception::InstructionAbort { address: 0x40 }, Exception::Unknown];
        assert_eq!(others.map(|entry| entry.exception), exceptions);
    }
}
