//! Numbers and layouts shared with guests, and nothing else: hypercall numbers, field offsets, word bits. Those of the
//! operations of `event_channel_op` are in [`op`](crate::op). Sources: Xen's `public/event_channel.h`, `public/xen.h`, `public/vcpu.h`, `public/sched.h` as an
//! arm64 compiler lays them out; guests of both widths see the same bytes, all little-endian.

/// Hypercall numbers (register x16 or r12) that reach this crate.
pub mod hypercall {
    /// The old form with the command inside the block. On Arm a stub: -ENOSYS, the pointer is not read.
    pub const EVENT_CHANNEL_OP_COMPAT: u32 = 16;
    /// `vcpu_op(cmd, vcpuid, ptr)`.
    pub const VCPU_OP: u32 = 24;
    /// `sched_op(cmd, ptr)`.
    pub const SCHED_OP: u32 = 29;
    /// `event_channel_op(cmd, ptr)`.
    pub const EVENT_CHANNEL_OP: u32 = 32;
}

/// `VCPUOP_register_vcpu_info`.
pub const VCPUOP_REGISTER_VCPU_INFO: u32 = 10;
/// `SCHEDOP_poll`.
pub const SCHEDOP_POLL: u32 = 3;

/// Domain ids from here up are names of something else than a domain.
pub const DOMID_FIRST_RESERVED: u16 = 0x7FF0;
/// "The calling domain".
pub const DOMID_SELF: u16 = 0x7FF0;

/// A guest page and the frame size of all frame numbers.
pub const PAGE_SIZE: u32 = 4096;
/// Ports of one bucket of channel objects; the table grows by whole buckets.
pub const PORTS_PER_BUCKET: u32 = 64;
/// Ports of a two-level domain.
pub const TWO_LEVEL_PORTS: u32 = 64 * 64;
/// Ports of a FIFO domain.
pub const FIFO_PORTS: u32 = 1 << 17;
/// Highest value a domain's port limit can take; "no limit" is cut down to it.
pub const MAX_PORT_LIMIT: u32 = 0x7FFF_FFFF;
/// Vcpus a domain may have on Arm.
pub const MAX_VCPUS: u32 = 128;
/// Ports one poll may name.
pub const POLL_MAX_PORTS: u32 = 128;

/// `EVTCHNSTAT_*`.
pub mod stat {
    /// Free, or port 0.
    pub const CLOSED: u32 = 0;
    /// Waits for its remote domain.
    pub const UNBOUND: u32 = 1;
    /// Connected.
    pub const INTERDOMAIN: u32 = 2;
    /// Physical interrupt; never seen on Arm.
    pub const PIRQ: u32 = 3;
    /// Virtual interrupt.
    pub const VIRQ: u32 = 4;
    /// Inter-processor interrupt.
    pub const IPI: u32 = 5;
}

/// `VIRQ_*`. Numbers without a name here (5, 14, 15) are global, as are the eight of the architecture.
pub mod virq {
    /// Periodic timer, per vcpu.
    pub const TIMER: u32 = 0;
    /// Debug request, per vcpu.
    pub const DEBUG: u32 = 1;
    /// Console input, global.
    pub const CONSOLE: u32 = 2;
    /// A domain changed state, global.
    pub const DOM_EXC: u32 = 3;
    /// Trace buffer, global.
    pub const TBUF: u32 = 4;
    /// Debugger, global.
    pub const DEBUGGER: u32 = 6;
    /// Profiler, per vcpu.
    pub const XENOPROF: u32 = 7;
    /// Console ring, global.
    pub const CON_RING: u32 = 8;
    /// Physical processor state, global.
    pub const PCPU_STATE: u32 = 9;
    /// Memory event, global.
    pub const MEM_EVENT: u32 = 10;
    /// Argo message, per domain.
    pub const ARGO: u32 = 11;
    /// Low memory, global.
    pub const ENOMEM: u32 = 12;
    /// Performance monitor, per vcpu.
    pub const XENPMU: u32 = 13;
    /// First of the eight architecture VIRQs, global on Arm.
    pub const ARCH_0: u32 = 16;
    /// How many there are.
    pub const COUNT: u32 = 24;
}

/// Bytes of argument blocks; those of `event_channel_op` are with its operations.
pub mod size {
    /// `vcpu_register_vcpu_info`.
    pub const REGISTER_VCPU_INFO: u32 = 16;
    /// `sched_poll`.
    pub const SCHED_POLL: u32 = 24;
}

/// `vcpu_info` as it is on Arm: no architecture part, no upcall mask.
pub mod vcpu_info {
    /// Bytes.
    pub const SIZE: u32 = 48;
    /// Byte `evtchn_upcall_pending`; Xen tests and sets bit 0 of the word that starts here.
    pub const UPCALL_PENDING: u32 = 0;
    /// The byte that is the upcall mask elsewhere: a pad on Arm, never read nor written.
    pub const UPCALL_MASK_PAD: u32 = 1;
    /// 64-bit selector, one bit for each 64 ports.
    pub const PENDING_SEL: u32 = 8;
    /// 32 bytes of time information, left alone on Arm.
    pub const TIME: u32 = 16;
}

/// `shared_info`.
pub mod shared_info {
    /// Bytes with a meaning; the rest of the page is zero.
    pub const SIZE: u32 = 1088;
    /// The legacy `vcpu_info` array: one entry on Arm, for vcpu 0.
    pub const VCPU_INFO: u32 = 0;
    /// Vcpus that have a place in that array.
    pub const LEGACY_VCPUS: u32 = 1;
    /// Pending bits, 64 words of 64.
    pub const PENDING: u32 = 48;
    /// Mask bits, 64 words of 64.
    pub const MASK: u32 = 560;
    /// Wall clock: version, seconds, nanoseconds, high seconds.
    pub const WALL_CLOCK: u32 = 1072;
}

/// The FIFO control block of a vcpu.
pub mod control_block {
    /// Bytes.
    pub const SIZE: u32 = 72;
    /// Bit p: queue p has events.
    pub const READY: u32 = 0;
    /// Sixteen ports, the first of each queue.
    pub const HEAD: u32 = 8;
}

/// FIFO event words and their limits.
pub mod fifo {
    /// The event waits for its consumer.
    pub const PENDING: u32 = 1 << 31;
    /// The guest does not want it queued.
    pub const MASKED: u32 = 1 << 30;
    /// The word is on a queue.
    pub const LINKED: u32 = 1 << 29;
    /// The hypervisor is changing LINK: a guest must not unmask now.
    pub const BUSY: u32 = 1 << 28;
    /// Bits of LINK, the next port of the queue.
    pub const LINK_BITS: u32 = 17;
    /// LINK as a mask.
    pub const LINK_MASK: u32 = (1 << LINK_BITS) - 1;
    /// Words of one array page.
    pub const WORDS_PER_PAGE: u32 = super::PAGE_SIZE / 4;
    /// Pages a domain may hand over.
    pub const MAX_PAGES: u32 = super::FIFO_PORTS / WORDS_PER_PAGE;
    /// Queues of a vcpu; priority 0 is the most urgent.
    pub const QUEUES: u32 = 16;
    /// Priority of a port nobody chose one for.
    pub const PRIORITY_DEFAULT: u8 = 7;
    /// The least urgent priority.
    pub const PRIORITY_MIN: u8 = 15;
}

const _: () = {
    assert!(shared_info::PENDING == shared_info::LEGACY_VCPUS * vcpu_info::SIZE);
    assert!(shared_info::MASK == shared_info::PENDING + TWO_LEVEL_PORTS / 8);
    assert!(shared_info::WALL_CLOCK == shared_info::MASK + TWO_LEVEL_PORTS / 8);
    assert!(shared_info::SIZE == shared_info::WALL_CLOCK + 16);
    assert!(vcpu_info::SIZE == vcpu_info::TIME + 32);
    assert!(control_block::SIZE == control_block::HEAD + 4 * fifo::QUEUES);
    assert!(fifo::LINK_MASK + 1 == FIFO_PORTS);
    assert!(fifo::MAX_PAGES == 128);
    assert!(fifo::PRIORITY_MIN as u32 + 1 == fifo::QUEUES);
    assert!(FIFO_PORTS.is_multiple_of(PORTS_PER_BUCKET) && TWO_LEVEL_PORTS.is_multiple_of(PORTS_PER_BUCKET));
};

/// One bit of a bit array, as the 32-bit word that holds it: Xen's bit operations on Arm touch no more than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BitAt {
    /// Byte offset of the word within the array.
    pub word: u32,
    /// The bit in it.
    pub mask: u32,
}

impl BitAt {
    /// Where bit `n` of an array is.
    #[must_use]
    pub const fn of(n: u32) -> Self {
        Self { word: n / 32 * 4, mask: 1 << (n % 32) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_four_flags_and_a_link_of_17_bits() {
        let flags = [fifo::PENDING, fifo::MASKED, fifo::LINKED, fifo::BUSY];
        assert_eq!(flags, [0x8000_0000, 0x4000_0000, 0x2000_0000, 0x1000_0000]);
        assert_eq!(fifo::LINK_MASK, 0x1_FFFF);
    }

    #[test]
    fn a_bit_lives_in_the_32_bit_word_that_holds_it() {
        assert_eq!(BitAt::of(0), BitAt { word: 0, mask: 1 });
        assert_eq!(BitAt::of(31), BitAt { word: 0, mask: 1 << 31 });
        assert_eq!(BitAt::of(32), BitAt { word: 4, mask: 1 });
        assert_eq!(BitAt::of(4095), BitAt { word: 508, mask: 1 << 31 });
    }
}
