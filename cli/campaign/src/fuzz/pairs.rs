//! Which results each operation can have by the ABI, and which of them came up.

use super::events::{EVENTS, MEMORY, Results, SLOTS};
use conformance::format::Op;
use evtchn::Errno;
use evtchn::Errno::{EBUSY, EFAULT, EINVAL, ENOENT, ENOMEM, ENOSPC, ENOSYS, ENXIO, EOPNOTSUPP, EPERM, ERESTART, ESRCH};
use evtchn::op::Shape;
use serde::Serialize;

/// The operations beside those of `event_channel_op`, with their results.
const TABLE: [(&str, Results); 15] = [
    ("raw_op", &[(Some(ENOSYS), None)]),
    ("compat_op", &[(Some(ENOSYS), None)]),
    (
        "register_vcpu_info",
        &[
            (None, None),
            (Some(ENOENT), None),
            (Some(EINVAL), None),
            (Some(EBUSY), None),
            (Some(ENXIO), None),
            (Some(EFAULT), None),
            (Some(ENOMEM), SLOTS),
        ],
    ),
    ("vcpu_op", &[(Some(ENOENT), None), (Some(EINVAL), None)]),
    ("poll", &[(None, None), (Some(EINVAL), None), (Some(EFAULT), None)]),
    ("set_virq_handler", &[(None, None), (Some(ESRCH), None), (Some(EINVAL), None), (Some(EBUSY), None)]),
    ("unpause", &[(None, None), (Some(ESRCH), None), (Some(EINVAL), None)]),
    (
        "add_to_physmap",
        &[
            (None, None),
            (Some(ESRCH), None),
            (Some(EPERM), None),
            (Some(ENOSYS), None),
            (Some(EINVAL), None),
            (Some(EBUSY), None),
            (Some(EFAULT), None),
            (Some(ENOMEM), SLOTS),
        ],
    ),
    (
        "remove_from_physmap",
        &[
            (None, None),
            (Some(ESRCH), None),
            (Some(EPERM), None),
            (Some(EINVAL), None),
            (Some(EOPNOTSUPP), None),
            (Some(EFAULT), None),
        ],
    ),
    ("domain_kill", &[(None, None), (Some(ERESTART), None)]),
    (
        "xen_alloc_unbound",
        &[
            (None, None),
            (Some(ESRCH), None),
            (Some(EINVAL), None),
            (Some(ENOENT), None),
            (Some(ENOSPC), None),
            (Some(EPERM), None),
            (Some(ENOMEM), MEMORY),
        ],
    ),
    (
        "static_alloc_unbound",
        &[
            (None, None),
            (Some(ESRCH), None),
            (Some(EINVAL), None),
            (Some(EBUSY), None),
            (Some(ENOSPC), None),
            (Some(ENOMEM), MEMORY),
        ],
    ),
    (
        "static_bind_interdomain",
        &[
            (None, None),
            (Some(ESRCH), None),
            (Some(EINVAL), None),
            (Some(EBUSY), None),
            (Some(ENOSPC), None),
            (Some(ENOMEM), MEMORY),
        ],
    ),
    ("xen_notify", &[(None, None), (Some(ESRCH), None)]),
    ("virq_enabled", &[(None, None), (Some(ESRCH), None)]),
];

/// Number of an operation's row: those of `event_channel_op` come first.
fn row(op: &Op) -> Option<usize> {
    let other = match op {
        Op::Event { op, .. } => return EVENTS.iter().position(|(command, ..)| *command == op.command()),
        Op::RawOp { .. } => 0,
        Op::CompatOp { .. } => 1,
        Op::RegisterVcpuInfo { .. } => 2,
        Op::VcpuOp { .. } => 3,
        Op::Poll { .. } => 4,
        Op::SetVirqHandler { .. } => 5,
        Op::Unpause { .. } => 6,
        Op::AddToPhysmap { .. } => 7,
        Op::RemoveFromPhysmap { .. } => 8,
        Op::DomainKill { .. } => 9,
        Op::XenAllocUnbound { .. } => 10,
        Op::StaticAllocUnbound { .. } => 11,
        Op::StaticBindInterdomain { .. } => 12,
        Op::XenNotify { .. } => 13,
        Op::VirqEnabled { .. } => 14,
        _ => return None,
    };
    Some(EVENTS.len() + other)
}

/// All rows: names and results.
fn rows() -> impl Iterator<Item = (&'static str, Results)> {
    let events = EVENTS
        .iter()
        .map(|(command, _, results)| (Shape::of_command(*command).map_or("", |shape| shape.name), *results));
    events.chain(TABLE)
}

/// Pairs that came up: of each row, a bit for each result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached([u16; EVENTS.len() + TABLE.len()]);

/// An operation and a result that it can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// The operation.
    pub operation: &'static str,
    /// `OK`, or the name of the error.
    pub result: &'static str,
    /// Why no case can have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreachable: Option<&'static str>,
}

impl Reached {
    /// Notes a result.
    pub(super) fn note(&mut self, op: &Op, rc: i64) {
        let Some(row) = row(op) else { return };
        let other = || TABLE.get(row.wrapping_sub(EVENTS.len())).map(|(_, results)| *results);
        let results = EVENTS.get(row).map(|(.., results)| *results).or_else(other).unwrap_or_default();
        let at = results.iter().position(|(errno, _)| errno.map_or(0, Errno::rc) == rc);
        if let (Some(at), Some(seen)) = (at, self.0.get_mut(row)) {
            *seen |= 1 << at;
        }
    }

    /// Takes in what another case reached.
    pub(super) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(seen, new)| *seen |= new);
    }

    /// The pairs that came up, or that did not.
    pub fn pairs(&self, reached: bool) -> impl Iterator<Item = Pair> + '_ {
        let rows = rows().zip(self.0);
        rows.flat_map(move |((operation, results), seen)| {
            let wanted = results.iter().enumerate().filter(move |(at, _)| (seen >> at & 1 != 0) == reached);
            wanted.map(move |(_, (errno, unreachable))| {
                let result = errno.map_or("OK", |errno| errno.name());
                Pair { operation, result, unreachable: *unreachable }
            })
        })
    }
}
