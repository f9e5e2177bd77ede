//! Differences that have a reason: other versions of Xen, the recorded machine, the recording itself.

use super::super::diff::Difference;
use super::calls::Got;
use super::record::Record;
use super::system::{HARDWARE, Version};
use serde_json::{Map, Value};

const V4_17: Version = (4, 17);
/// The latest recorded version that lets every domain bind every global VIRQ.
const V4_20: Version = (4, 20);

const ENXIO: i64 = -6;
const ENOMEM: i64 = -12;
const EBUSY: i64 = -16;
const EINVAL: i64 = -22;
const EOPNOTSUPP: i64 = -95;

/// PIRQs that Xen 4.17 on Arm counted, without having any.
const OLD_PIRQS: u64 = 1024;
/// The event interrupt of the hardware domain on the recorded machine.
const RECORDED_PPI: u64 = 16;
/// A callback parameter of this type names a PPI in its lowest byte.
const CALLBACK_IS_PPI: u64 = 2;

/// A reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// `bind_pirq` on Arm: -ENOMEM or -EINVAL on 4.17, -EOPNOTSUPP since 4.20.
    PirqErrno,
    /// A second `vcpu_info`: -EINVAL on 4.17, -EBUSY since 4.20.
    SecondInfoErrno,
    /// A `vcpu_info` at offset 4096: -ENXIO on 4.17, -EINVAL since 4.20.
    OffsetErrno,
    /// A global VIRQ is anybody's to bind in 4.17 and 4.20. In the specification it is its handler's: -EBUSY for others.
    GlobalVirq,
    /// The hardware domain's event interrupt was PPI 16 there; it is 31 for every domain here.
    HardwareDomainPpi,
    /// After a failed bind the guest noted its own variable, which no hypercall wrote.
    OwnVariable,
    /// Two PEs ran at once there: an interrupt arrived after the guest had seen the event and looked for it.
    LateInterrupt,
}

impl Reason {
    /// For reports.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::PirqErrno => "bind_pirq: another errno on 4.17",
            Self::SecondInfoErrno => "second vcpu_info: another errno on 4.17",
            Self::OffsetErrno => "vcpu_info at offset 4096: another errno on 4.17",
            Self::GlobalVirq => "global VIRQ bound by a domain that is not its handler: accepted by 4.17 and 4.20",
            Self::HardwareDomainPpi => "event interrupt of the hardware domain: PPI 16 on that machine",
            Self::OwnVariable => "failed bind: the guest noted a variable that no hypercall wrote",
            Self::LateInterrupt => "two PEs at once: the interrupt came after the guest had polled the event",
        }
    }
}

/// The reason of a record's difference, if it is a known one in every detail.
pub(super) fn reason(version: Version, record: &Record, got: &Got, found: &[Difference]) -> Option<Reason> {
    let rcs = (record.rc, got.0);
    let only = |field: &str| found.iter().all(|difference| difference.field == field);
    let number = |key: &str| record.number(key).ok();
    match record.op.as_str() {
        "bind_pirq" => {
            let counted = number("pirq").is_some_and(|pirq| pirq < OLD_PIRQS);
            let expected = if counted { ENOMEM } else { EINVAL };
            (version == V4_17 && rcs == (expected, EOPNOTSUPP) && only("rc")).then_some(Reason::PirqErrno)
        }
        "VCPUOP_register_vcpu_info" if version == V4_17 && only("rc") => match rcs {
            (ENXIO, EINVAL) if number("offset") == Some(4096) => Some(Reason::OffsetErrno),
            (EINVAL, EBUSY) => Some(Reason::SecondInfoErrno),
            _ => None,
        },
        "icc_iar1" | "HVMOP_get_param" => {
            (record.domain == HARDWARE && is_ppi_16(record, &got.1) && !only("rc")).then_some(Reason::HardwareDomainPpi)
        }
        "bind_interdomain" => {
            let own = record.rc != 0 && rcs.0 == rcs.1 && record.told("local_port") == Some(0);
            (own && only("out.local_port")).then_some(Reason::OwnVariable)
        }
        "shared_info" => {
            let late = record.text_of("tag") == "after peer closed" && only("out.isr_el1");
            (late && record.out.get("isr_el1").and_then(Value::as_str) == Some("0x80")).then_some(Reason::LateInterrupt)
        }
        _ => None,
    }
}

/// Whether a bind of a global VIRQ was refused for a rule that the recorded version did not have.
pub(super) fn is_new_virq_rule(version: Version, record: &Record, got: &Got) -> bool {
    (V4_17..=V4_20).contains(&version) && record.op == "bind_virq" && (record.rc, got.0) == (0, EBUSY)
}

/// Whether the record says PPI 16 where 31 came, and nothing else differs.
fn is_ppi_16(record: &Record, got: &Map<String, Value>) -> bool {
    if record.op == "icc_iar1" {
        return record.told("intid") == Some(16) && got.get("intid").and_then(Value::as_u64) == Some(31);
    }
    let value =
        |out: &Map<String, Value>| u64::from_str_radix(out.get("value")?.as_str()?.strip_prefix("0x")?, 16).ok();
    let (Some(recorded), Some(got)) = (value(&record.out), value(got)) else {
        return false;
    };
    let callback = record.number("index").ok() == Some(0) && recorded >> 56 == CALLBACK_IS_PPI;
    callback && recorded & 0xff == RECORDED_PPI && got ^ recorded == RECORDED_PPI ^ 31
}
