//! What the frames of a GIC tell of themselves (IHI 0069, chapter 12, identification registers).

/// `GICD_IIDR` and `GICR_IIDR`: implementer Arm, no product.
pub(crate) const IIDR: u32 = 0x43b;
/// `PIDR4` to `PIDR7`, `PIDR0` to `PIDR3`, `CIDR0` to `CIDR3`, at 0xffd0; `PIDR2` says `GICv3`.
const DISTRIBUTOR: [u8; 12] = [0x44, 0, 0, 0, 0x92, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1];
const REDISTRIBUTOR: [u8; 12] = [0x44, 0, 0, 0, 0x93, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1];

/// A word of identification of the Distributor's frame, from 0xffd0 on.
pub(crate) fn distributor(offset: u64) -> u32 {
    word(&DISTRIBUTOR, offset)
}

/// As [`distributor`], of a Redistributor's first frame.
pub(crate) fn redistributor(offset: u64) -> u32 {
    word(&REDISTRIBUTOR, offset)
}

fn word(ids: &[u8], offset: u64) -> u32 {
    let word = offset.checked_sub(0xffd0).map(|offset| offset / 4);
    word.and_then(|word| ids.get(word as usize)).map_or(0, |&id| id.into())
}
