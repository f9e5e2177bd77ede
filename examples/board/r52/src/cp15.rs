//! System registers of the Cortex-R52, by their place in coprocessor 15 (DDI 0568).

/// Reads a register: `read!(opc1, CRn, CRm, opc2)`.
macro_rules! read {
    ($op1:literal, $crn:literal, $crm:literal, $op2:literal) => {{
        let value: u32;
        // SAFETY: reading a system register at EL2 changes no memory that Rust knows of.
        unsafe {
            core::arch::asm!(
                concat!("mrc p15, ", $op1, ", {}, ", $crn, ", ", $crm, ", ", $op2),
                out(reg) value, options(nostack)
            );
        }
        value
    }};
}

/// Writes a register: `write!(opc1, CRn, CRm, opc2, value)`.
macro_rules! write {
    ($op1:literal, $crn:literal, $crm:literal, $op2:literal, $value:expr) => {{
        let value: u32 = $value;
        // SAFETY: what a write does to memory's rights is the hypervisor's plan, which keeps what runs mapped; not `nomem`, so
        // that no access moves across it.
        unsafe {
            core::arch::asm!(
                concat!("mcr p15, ", $op1, ", {}, ", $crn, ", ", $crm, ", ", $op2),
                in(reg) value, options(nostack)
            );
        }
    }};
}

/// Reads a banked register of another mode.
macro_rules! banked {
    ($name:literal) => {{
        let value: u32;
        // SAFETY: Hyp mode may read the registers of all modes below.
        unsafe { core::arch::asm!(concat!("mrs {}, ", $name), out(reg) value, options(nomem, nostack)) };
        value
    }};
    ($name:literal, $value:expr) => {{
        let value: u32 = $value;
        // SAFETY: no mode but Hyp runs while this does, and the hypervisor gives every guest its own values.
        unsafe { core::arch::asm!(concat!("msr ", $name, ", {}"), in(reg) value, options(nomem, nostack)) };
    }};
}

/// The region registers that have names: base and limit of regions 0 to 31, of the MPU whose `opc1` are given.
macro_rules! regions {
    ($get:ident, $set:ident, $low:literal, $high:literal) => {
        /// Base (`false`) or limit (`true`) of region `n`; 0 of one that has no name.
        pub(crate) fn $get(n: u8, limit: bool) -> u32 {
            regions!(@match n, limit, $low, $high, read)
        }

        /// Sets base (`false`) or limit (`true`) of region `n`, if it has a name.
        pub(crate) fn $set(n: u8, limit: bool, value: u32) {
            regions!(@match n, limit, $low, $high, write, value);
        }
    };
    (@match $n:expr, $limit:expr, $low:literal, $high:literal, $op:ident $(, $value:expr)?) => {
        match ($n, $limit) {
            (0, false) => $op!($low, "c6", "c8", "0" $(, $value)?),
            (0, true) => $op!($low, "c6", "c8", "1" $(, $value)?),
            (1, false) => $op!($low, "c6", "c8", "4" $(, $value)?),
            (1, true) => $op!($low, "c6", "c8", "5" $(, $value)?),
            (2, false) => $op!($low, "c6", "c9", "0" $(, $value)?),
            (2, true) => $op!($low, "c6", "c9", "1" $(, $value)?),
            (3, false) => $op!($low, "c6", "c9", "4" $(, $value)?),
            (3, true) => $op!($low, "c6", "c9", "5" $(, $value)?),
            (4, false) => $op!($low, "c6", "c10", "0" $(, $value)?),
            (4, true) => $op!($low, "c6", "c10", "1" $(, $value)?),
            (5, false) => $op!($low, "c6", "c10", "4" $(, $value)?),
            (5, true) => $op!($low, "c6", "c10", "5" $(, $value)?),
            (6, false) => $op!($low, "c6", "c11", "0" $(, $value)?),
            (6, true) => $op!($low, "c6", "c11", "1" $(, $value)?),
            (7, false) => $op!($low, "c6", "c11", "4" $(, $value)?),
            (7, true) => $op!($low, "c6", "c11", "5" $(, $value)?),
            (8, false) => $op!($low, "c6", "c12", "0" $(, $value)?),
            (8, true) => $op!($low, "c6", "c12", "1" $(, $value)?),
            (9, false) => $op!($low, "c6", "c12", "4" $(, $value)?),
            (9, true) => $op!($low, "c6", "c12", "5" $(, $value)?),
            (10, false) => $op!($low, "c6", "c13", "0" $(, $value)?),
            (10, true) => $op!($low, "c6", "c13", "1" $(, $value)?),
            (11, false) => $op!($low, "c6", "c13", "4" $(, $value)?),
            (11, true) => $op!($low, "c6", "c13", "5" $(, $value)?),
            (12, false) => $op!($low, "c6", "c14", "0" $(, $value)?),
            (12, true) => $op!($low, "c6", "c14", "1" $(, $value)?),
            (13, false) => $op!($low, "c6", "c14", "4" $(, $value)?),
            (13, true) => $op!($low, "c6", "c14", "5" $(, $value)?),
            (14, false) => $op!($low, "c6", "c15", "0" $(, $value)?),
            (14, true) => $op!($low, "c6", "c15", "1" $(, $value)?),
            (15, false) => $op!($low, "c6", "c15", "4" $(, $value)?),
            (15, true) => $op!($low, "c6", "c15", "5" $(, $value)?),
            (16, false) => $op!($high, "c6", "c8", "0" $(, $value)?),
            (16, true) => $op!($high, "c6", "c8", "1" $(, $value)?),
            (17, false) => $op!($high, "c6", "c8", "4" $(, $value)?),
            (17, true) => $op!($high, "c6", "c8", "5" $(, $value)?),
            (18, false) => $op!($high, "c6", "c9", "0" $(, $value)?),
            (18, true) => $op!($high, "c6", "c9", "1" $(, $value)?),
            (19, false) => $op!($high, "c6", "c9", "4" $(, $value)?),
            (19, true) => $op!($high, "c6", "c9", "5" $(, $value)?),
            (20, false) => $op!($high, "c6", "c10", "0" $(, $value)?),
            (20, true) => $op!($high, "c6", "c10", "1" $(, $value)?),
            (21, false) => $op!($high, "c6", "c10", "4" $(, $value)?),
            (21, true) => $op!($high, "c6", "c10", "5" $(, $value)?),
            (22, false) => $op!($high, "c6", "c11", "0" $(, $value)?),
            (22, true) => $op!($high, "c6", "c11", "1" $(, $value)?),
            (23, false) => $op!($high, "c6", "c11", "4" $(, $value)?),
            (23, true) => $op!($high, "c6", "c11", "5" $(, $value)?),
            // A Cortex-R52 has 24 at most.
            _ => Default::default(),
        }
    };
}

regions!(el1_region, set_el1_region, "0", "1");
regions!(el2_region, set_el2_region, "4", "5");

pub(crate) use {banked, read, write};
