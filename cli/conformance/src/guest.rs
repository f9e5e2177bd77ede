//! What guests do on their own: plain accesses to memory they share with the hypervisor, two-level ABI and `vcpu_info`.

use super::format::Op;
use super::guest_state::{GuestDomain, GuestVcpu};
use super::live::{LiveSystem, StepError};
use evtchn::abi::{TWO_LEVEL_PORTS, shared_info, vcpu_info};
use serde_json::{Value, json};
use sim_core::guest::{Action, AtomicOp};
use sim_core::layout::PAGE_SIZE;
use sim_core::platform::Width;

/// What one guest step gives.
pub(super) type Out = Result<Value, StepError>;

/// One word with a bit for each of 64 ports.
struct Bit {
    address: u64,
    mask: u64,
}

impl LiveSystem {
    pub(super) fn guest(&mut self, domain: u16) -> Result<&mut GuestDomain, StepError> {
        self.guests.get_mut(&domain).ok_or_else(|| StepError::Step(format!("domain {domain} is not there")))
    }

    pub(super) fn guest_vcpu(&mut self, (domain, vcpu): (u16, u32)) -> Result<&mut GuestVcpu, StepError> {
        let found = self.guest(domain)?.vcpus.get_mut(vcpu as usize);
        found.ok_or_else(|| StepError::Step(format!("domain {domain} has no vcpu {vcpu}")))
    }

    pub(super) fn load(&mut self, address: u64, width: Width) -> Result<u64, StepError> {
        self.access(Action::Load { address, width })
    }

    pub(super) fn store(&mut self, address: u64, width: Width, value: u64) -> Result<(), StepError> {
        self.access(Action::Store { address, width, value }).map(|_| ())
    }

    pub(super) fn atomic(&mut self, address: u64, width: Width, op: AtomicOp) -> Result<u64, StepError> {
        self.access(Action::Atomic { address, width, op })
    }

    fn bit(&mut self, domain: u16, array: u32, port: u64) -> Result<Bit, StepError> {
        if port >= u64::from(TWO_LEVEL_PORTS) {
            return Err(StepError::Step(format!("port {port} has no bit in shared_info")));
        }
        let address = self.shared_info(domain)? + u64::from(array) + port / 64 * 8;
        Ok(Bit { address, mask: 1 << (port % 64) })
    }

    fn shared_info(&mut self, domain: u16) -> Result<u64, StepError> {
        let placed = self.guest(domain)?.shared_info;
        placed.ok_or_else(|| StepError::Step(format!("domain {domain} has not said where its shared_info is to be")))
    }

    fn change_bit(&mut self, bit: &Bit, set: bool) -> Result<bool, StepError> {
        let op = if set { AtomicOp::Or(bit.mask) } else { AtomicOp::And(!bit.mask) };
        Ok(self.atomic(bit.address, Width::Double, op)? & bit.mask != 0)
    }

    fn info(&mut self, caller: (u16, u32)) -> Result<u64, StepError> {
        let (domain, vcpu) = caller;
        self.guest_vcpu(caller)?;
        let info = self.guest(domain)?.info(vcpu);
        info.ok_or_else(|| StepError::Step(format!("vcpu {vcpu} of domain {domain} has no vcpu_info of its own")))
    }

    /// `evtchn_upcall_pending := 0`; gives what it was.
    pub(super) fn ack_upcall(&mut self, caller: (u16, u32)) -> Result<u64, StepError> {
        let address = self.info(caller)? + u64::from(vcpu_info::UPCALL_PENDING);
        self.atomic(address, Width::Byte, AtomicOp::Swap(0))
    }

    fn take_selector(&mut self, caller: (u16, u32)) -> Result<u64, StepError> {
        let address = self.info(caller)? + u64::from(vcpu_info::PENDING_SEL);
        self.atomic(address, Width::Double, AtomicOp::Swap(0))
    }

    /// A guest's step; `None` if the operation is not one.
    pub(super) fn guest_step(&mut self, caller: (u16, u32), op: &Op) -> Option<Out> {
        Some(match *op {
            Op::G2Mask { port } => self.g2_change(caller, shared_info::MASK, port, true),
            Op::G2Unmask { port } => self.g2_unmask(caller, port),
            Op::G2SetPending { port } => self.g2_change(caller, shared_info::PENDING, port, true),
            Op::G2ClearPending { port } => self.g2_change(caller, shared_info::PENDING, port, false),
            Op::G2TakeSel {} => self.take_selector(caller).map(|sel| json!({ "sel": hex(sel) })),
            Op::G2Consume {} => self.g2_consume(caller),
            Op::GAckUpcall {} => self.ack_upcall(caller).map(|old| json!({ "old": old })),
            Op::GWriteUpcall { value } => self.write_info(caller, vcpu_info::UPCALL_PENDING, Width::Byte, value),
            Op::GWriteUpcallMask { value } => self.write_info(caller, vcpu_info::UPCALL_MASK_PAD, Width::Byte, value),
            Op::GWriteSel { value } => self.write_info(caller, vcpu_info::PENDING_SEL, Width::Double, value),
            Op::GZeroPage { gfn } => self.zero_page(gfn),
            _ => return self.fifo_step(caller, op),
        })
    }

    fn g2_change(&mut self, (domain, _): (u16, u32), array: u32, port: u64, set: bool) -> Out {
        let bit = self.bit(domain, array, port)?;
        let old = self.change_bit(&bit, set)?;
        Ok(json!({ "old": u8::from(old) }))
    }

    fn g2_unmask(&mut self, (domain, _): (u16, u32), port: u64) -> Out {
        let mask = self.bit(domain, shared_info::MASK, port)?;
        let old = self.change_bit(&mask, false)?;
        let pending = self.bit(domain, shared_info::PENDING, port)?;
        let now = self.load(pending.address, Width::Double)? & pending.mask != 0;
        Ok(json!({ "old": u8::from(old), "pending": u8::from(now) }))
    }

    fn g2_consume(&mut self, caller: (u16, u32)) -> Out {
        self.ack_upcall(caller)?;
        let mut selector = self.take_selector(caller)?;
        let shared = self.shared_info(caller.0)?;
        let (pending, mask) = (shared + u64::from(shared_info::PENDING), shared + u64::from(shared_info::MASK));
        let mut ports = Vec::new();
        while selector != 0 {
            let word = u64::from(selector.trailing_zeros());
            selector &= selector - 1;
            let mut events =
                self.load(pending + word * 8, Width::Double)? & !self.load(mask + word * 8, Width::Double)?;
            while events != 0 {
                let bit = events.trailing_zeros();
                events &= events - 1;
                self.atomic(pending + word * 8, Width::Double, AtomicOp::And(!(1 << bit)))?;
                ports.push(word * 64 + u64::from(bit));
            }
        }
        Ok(json!({ "ports": ports }))
    }

    fn write_info(&mut self, caller: (u16, u32), offset: u32, width: Width, value: u64) -> Out {
        let address = self.info(caller)? + u64::from(offset);
        self.store(address, width, value)?;
        Ok(json!({}))
    }

    fn zero_page(&mut self, gfn: u64) -> Out {
        let base = gfn.checked_mul(PAGE_SIZE).ok_or_else(|| StepError::Step(format!("there is no frame {gfn}")))?;
        for offset in (0..PAGE_SIZE).step_by(8) {
            self.store(base + offset, Width::Double, 0)?;
        }
        Ok(json!({}))
    }
}

/// As recordings print selectors.
pub(super) fn hex(value: u64) -> String {
    format!("{value:#x}")
}

/// As recordings print event words.
pub(super) fn hex_word(value: u32) -> String {
    format!("{value:#010x}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop")]
mod tests {
    use super::*;
    use sim_core::layout::Position;

    /// Whatever the order in which it registers one, and in which `shared_info` comes and goes, in whichever page.
    #[test]
    fn a_vcpu_info_that_was_registered_stays_where_it_is() {
        let vcpus = vec![GuestVcpu::default(), GuestVcpu::default()];
        let mut guest =
            GuestDomain { position: Position::new(0), shared_info: None, vcpus, pages: Vec::new(), xen_hits: 0 };
        let places = |guest: &GuestDomain| [guest.info(0), guest.info(1), guest.info(2)];
        assert_eq!(places(&guest), [None; 3]);
        guest.place_shared_info(Some(0x1000));
        assert_eq!(places(&guest), [Some(0x1000), None, None], "the one that has a place in shared_info");
        for (vcpu, place) in guest.vcpus.iter_mut().zip([0x1000, 0x2040]) {
            vcpu.registered = Some(place);
        }
        for page in [None, Some(0x1000), Some(0x3000), None] {
            guest.place_shared_info(page);
            assert_eq!(places(&guest), [Some(0x1000), Some(0x2040), None], "shared_info in {page:x?}");
        }
    }
}
