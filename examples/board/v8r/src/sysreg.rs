//! System registers of Armv8-R AArch64 (DDI 0600), by the names that the assembler knows: the encodings are LLVM's.

/// Reads a register.
macro_rules! read {
    ($name:expr) => {{
        let value: u64;
        // SAFETY: reading a system register at EL2 changes no memory that Rust knows of; an acknowledge changes the GIC's state.
        unsafe { core::arch::asm!(concat!("mrs {}, ", $name), out(reg) value, options(nostack)) };
        value
    }};
}

/// Writes a register.
macro_rules! write {
    ($name:expr, $value:expr) => {{
        let value: u64 = $value;
        // SAFETY: what a write does to memory's rights is the hypervisor's plan, which keeps what runs mapped; not `nomem`, so
        // that no access moves across it.
        unsafe { core::arch::asm!(concat!("msr ", $name, ", {}"), in(reg) value, options(nostack)) };
    }};
}

/// The region registers of an MPU that have numbers: base and limit of regions 1 to 15 of the bank that PRSELR selects.
macro_rules! regions {
    ($get:ident, $set:ident, $el:literal) => {
        /// Base (`false`) or limit (`true`) of region `n` of the bank; 0 of one that has no name.
        pub(crate) fn $get(n: u8, limit: bool) -> u64 {
            regions!(@match n, limit, $el, read; 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
        }

        /// Sets base (`false`) or limit (`true`) of region `n` of the bank, if it has a name.
        pub(crate) fn $set(n: u8, limit: bool, value: u64) {
            regions!(@match n, limit, $el, write, value; 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        }
    };
    (@match $n:expr, $limit:expr, $el:literal, $op:ident $(, $value:ident)?; $($number:literal)*) => {
        regions!(@arms $n, $limit, $el, $op [$($value)?] $($number)*)
    };
    (@arms $n:expr, $limit:expr, $el:literal, $op:ident $value:tt $($number:literal)*) => {
        match ($n, $limit) {
            $(
                ($number, false) => regions!(@one $op concat!("prbar", $number, "_", $el), $value),
                ($number, true) => regions!(@one $op concat!("prlar", $number, "_", $el), $value),
            )*
            _ => Default::default(),
        }
    };
    (@one $op:ident $name:expr, []) => { $op!($name) };
    (@one $op:ident $name:expr, [$value:ident]) => { $op!($name, $value) };
}

regions!(el1_region, set_el1_region, "el1");
regions!(el2_region, set_el2_region, "el2");

pub(crate) use {read, write};
