//! Which results each operation can have by the ABI, and which of them came up.

use conformance::format::Op;
use evtchn::Errno::{
    self, EACCES, EAGAIN, EBUSY, EEXIST, EFAULT, EINVAL, ENOENT, ENOMEM, ENOSPC, ENOSYS, ENXIO, EOPNOTSUPP, EPERM,
    ERESTART, ESRCH,
};
use serde::Serialize;

/// An operation's results: the error, none for success; and, where no case can have it, why.
type Results = &'static [(Option<Errno>, Option<&'static str>)];

const MEMORY: Option<&str> = Some("the tables always find memory on a host");
const SLOTS: Option<&str> = Some("the board of a case has a slot for every page handed over");
const RACE: Option<&str> =
    Some("takes a bind that comes in the middle of the reset, and one that was preempted ends as reset_cont");
const PAGES: Option<&str> = Some("takes 128 pages, more than a domain of a case has");

/// From the checks that the ABI makes, operation by operation.
const TABLE: [(&str, Results); 30] = [
    (
        "alloc_unbound",
        &[
            (None, None),
            (Some(ESRCH), None),
            (Some(EINVAL), None),
            (Some(ENOSPC), None),
            (Some(EPERM), None),
            (Some(EFAULT), None),
            (Some(ENOMEM), MEMORY),
        ],
    ),
    (
        "bind_interdomain",
        &[
            (None, None),
            (Some(ESRCH), None),
            (Some(EINVAL), None),
            (Some(ENOSPC), None),
            (Some(EFAULT), None),
            (Some(ENOMEM), MEMORY),
        ],
    ),
    (
        "bind_virq",
        &[
            (None, None),
            (Some(EINVAL), None),
            (Some(ENOENT), None),
            (Some(EBUSY), None),
            (Some(EEXIST), None),
            (Some(ENOSPC), None),
            (Some(EFAULT), None),
            (Some(ENOMEM), MEMORY),
        ],
    ),
    ("bind_pirq", &[(Some(EOPNOTSUPP), None), (Some(EFAULT), None)]),
    (
        "bind_ipi",
        &[
            (None, None),
            (Some(EINVAL), None),
            (Some(ENOENT), None),
            (Some(ENOSPC), None),
            (Some(EFAULT), None),
            (Some(ENOMEM), MEMORY),
        ],
    ),
    ("close", &[(None, None), (Some(EINVAL), None), (Some(EFAULT), None)]),
    ("send", &[(None, None), (Some(EINVAL), None), (Some(EFAULT), None)]),
    ("status", &[(None, None), (Some(ESRCH), None), (Some(EINVAL), None), (Some(EPERM), None), (Some(EFAULT), None)]),
    ("bind_vcpu", &[(None, None), (Some(ENOENT), None), (Some(EINVAL), None), (Some(EFAULT), None)]),
    ("unmask", &[(None, None), (Some(EINVAL), None), (Some(EFAULT), None)]),
    (
        "reset",
        &[
            (None, None),
            (Some(ESRCH), None),
            (Some(EPERM), None),
            (Some(EINVAL), None),
            (Some(EFAULT), None),
            (Some(EBUSY), None),
            (Some(ERESTART), None),
            (Some(EAGAIN), RACE),
        ],
    ),
    (
        "reset_cont",
        &[
            (None, None),
            (Some(ESRCH), None),
            (Some(EPERM), None),
            (Some(EINVAL), None),
            (Some(EBUSY), None),
            (Some(EFAULT), None),
            (Some(ERESTART), None),
            (Some(EAGAIN), None),
        ],
    ),
    (
        "init_control",
        &[(None, None), (Some(ENOENT), None), (Some(EINVAL), None), (Some(EFAULT), None), (Some(ENOMEM), SLOTS)],
    ),
    (
        "expand_array",
        &[
            (None, None),
            (Some(EOPNOTSUPP), None),
            (Some(EINVAL), None),
            (Some(EFAULT), None),
            (Some(ENOSPC), PAGES),
            (Some(ENOMEM), SLOTS),
        ],
    ),
    (
        "set_priority",
        &[(None, None), (Some(EINVAL), None), (Some(ENOSYS), None), (Some(EACCES), None), (Some(EFAULT), None)],
    ),
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

/// Row of an operation in the table.
fn row(op: &Op) -> Option<usize> {
    Some(match op {
        Op::AllocUnbound { .. } => 0,
        Op::BindInterdomain { .. } => 1,
        Op::BindVirq { .. } => 2,
        Op::BindPirq { .. } => 3,
        Op::BindIpi { .. } => 4,
        Op::Close { .. } => 5,
        Op::Send { .. } => 6,
        Op::Status { .. } => 7,
        Op::BindVcpu { .. } => 8,
        Op::Unmask { .. } => 9,
        Op::Reset { .. } => 10,
        Op::ResetCont { .. } => 11,
        Op::InitControl { .. } => 12,
        Op::ExpandArray { .. } => 13,
        Op::SetPriority { .. } => 14,
        Op::RawOp { .. } => 15,
        Op::CompatOp { .. } => 16,
        Op::RegisterVcpuInfo { .. } => 17,
        Op::VcpuOp { .. } => 18,
        Op::Poll { .. } => 19,
        Op::SetVirqHandler { .. } => 20,
        Op::Unpause { .. } => 21,
        Op::AddToPhysmap { .. } => 22,
        Op::RemoveFromPhysmap { .. } => 23,
        Op::DomainKill { .. } => 24,
        Op::XenAllocUnbound { .. } => 25,
        Op::StaticAllocUnbound { .. } => 26,
        Op::StaticBindInterdomain { .. } => 27,
        Op::XenNotify { .. } => 28,
        Op::VirqEnabled { .. } => 29,
        _ => return None,
    })
}

/// Pairs that came up: of each row, a bit for each result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached([u16; TABLE.len()]);

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
        let results = TABLE.get(row).map_or(&[][..], |(_, results)| results);
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
        let rows = TABLE.iter().zip(self.0);
        rows.flat_map(move |((operation, results), seen)| {
            let wanted = results.iter().enumerate().filter(move |(at, _)| (seen >> at & 1 != 0) == reached);
            wanted.map(|(_, (errno, unreachable))| {
                let result = errno.map_or("OK", |errno| errno.name());
                Pair { operation, result, unreachable: *unreachable }
            })
        })
    }
}
