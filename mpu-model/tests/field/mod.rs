//! Defects that others met in the field, each once as it was and once as it should be.
//!
//! Every test is named after its case and says where the case comes from. The defective code is as small as shows the
//! point; what catches it is the model, the log of writes that wait, or a property of [`mpu_model::exhaustion`]. Cases that
//! need a hypervisor and guests are in `sim-core/tests/field.rs`.
//!
//! | case | here |
//! |---|---|
//! | disable of a region from 32 on | `allocators` |
//! | removal programs the removed region again | `allocators` |
//! | limit off by a granule | `allocators` |
//! | read-only region writable by a misread of AP | `allocators` |
//! | NULL map on exhaustion | `requests` |
//! | ioremap's tail page | `requests` |
//! | mask per VM instead of per vCPU | `processors` |
//! | lookup by base in the wrong address space | `processors` |
//! | dirty mark missed for another CPU | `processors` |
//! | regions 16 to 23 alias 0 to 7 | `encoding` |

mod allocators;
mod encoding;
mod processors;
mod requests;

use mpu_model::{Access, AccessKind, Ap, Attrs, El, Mpu, Regime, Region, Shareability, Xn};

const RW: Attrs = Attrs { ap: Ap::RwPrivileged, xn: Xn::Never, sh: Shareability::Inner, attr_index: 0, ns: false };

/// The hypervisor's code, in slot 0 of every MPU here.
fn text() -> Region {
    let attrs = Attrs { ap: Ap::RoPrivileged, xn: Xn::Exec, ..RW };
    Region::with_size(0x20_0000, 0x8_0000, attrs).unwrap()
}

/// Pages that do not touch each other.
fn page(number: u64, attrs: Attrs) -> Region {
    Region::with_size(0x4000_0000 + number * 0x2000, 0x1000, attrs).unwrap()
}

/// Whether an EL1 access of one word goes through stage 2.
fn guest_may(mpu: &Mpu, kind: AccessKind, addr: u64) -> bool {
    mpu.check(Regime::Stage2, Access { addr, size: 4, kind, el: El::El1 }).result.is_ok()
}
