//! What a hypervisor makes of MPU writes and barriers: a region comes, goes, becomes another; a view does.

use crate::counter::{Counter, Taken, timed};
use crate::cp15::{self, read, write};

/// A region that nobody uses, as HPRBAR has it, read and write at EL2 alone, and as HPRLAR has it: bit 0 is XN in the one and
/// EN in the other, and the last address of its 64 bytes has the same bits above.
const REGION: u32 = 0xfff0_0000 | 1;

/// Regions of the EL2 MPU (`HMPUIR`).
pub(crate) fn regions() -> u8 {
    read!("4", "c0", "c0", "4") as u8
}

/// One region at a time, in slot 15, with the barriers that put a change in force.
pub(crate) fn changes(counter: Counter, nothing: Taken) -> [(&'static str, Taken); 3] {
    let add = || {
        let taken =
            timed!(counter, "mcr p15, 4, r0, c6, c15, 4", "mcr p15, 4, r0, c6, c15, 5", "dsb sy", "isb"; REGION);
        write!("4", "c6", "c15", "5", 0);
        taken
    };
    let remove = || timed!(counter, "mcr p15, 4, r0, c6, c15, 5", "dsb sy", "isb"; 0u32);
    let switch = || {
        let taken = timed!(
            counter, "mov r1, #0", "mcr p15, 4, r1, c6, c15, 5", "dsb sy", "isb", "mcr p15, 4, r0, c6, c15, 4",
            "mcr p15, 4, r0, c6, c15, 5", "dsb sy", "isb";
            REGION
        );
        write!("4", "c6", "c15", "5", 0);
        taken
    };
    [
        ("a region added: HPRBAR, HPRLAR, DSB, ISB", add().each(1, nothing)),
        ("a region removed: HPRLAR, DSB, ISB", remove().each(1, nothing)),
        ("a region made another: HPRLAR off, DSB, ISB, HPRBAR, HPRLAR, DSB, ISB", switch().each(1, nothing)),
    ]
}

/// Another view of `n` regions: they are off, are written, are on; a DSB and an ISB after each of the three. The registers are
/// chosen by number as the hypervisor's image chooses them, which is in the figure.
pub(crate) fn switch_view(counter: Counter, n: u8, nothing: Taken) -> Taken {
    let mask = (1u32 << n) - 1;
    let barriers = || {
        // SAFETY: barriers.
        unsafe { core::arch::asm!("dsb sy", "isb", options(nostack)) };
    };
    let taken = Taken::measured(|| {
        let before = counter.now();
        write!("4", "c6", "c1", "1", 0);
        barriers();
        for slot in 0..n {
            // Off until HPRENR says otherwise.
            let region = REGION - 1 + 0x40 * u32::from(slot);
            cp15::set_el2_region(slot, false, region);
            cp15::set_el2_region(slot, true, region);
        }
        barriers();
        write!("4", "c6", "c1", "1", mask);
        barriers();
        counter.now().wrapping_sub(before)
    });
    for slot in 0..n {
        cp15::set_el2_region(slot, true, 0);
    }
    taken.each(1, nothing)
}
