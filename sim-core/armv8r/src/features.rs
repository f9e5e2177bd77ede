//! What a PE has beyond the base of Armv8-R AArch64.

/// Optional features of a PE. The mandatory ones of Armv8-R AArch64 (DDI 0628) are always there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// Floating point and Advanced SIMD.
    pub fp_simd: bool,
}
