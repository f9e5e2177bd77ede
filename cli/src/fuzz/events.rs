//! Operations of `event_channel_op` in cases: how often each comes, and which results it can have by the ABI.

use evtchn::Errno::{
    self, EACCES, EAGAIN, EBUSY, EEXIST, EFAULT, EINVAL, ENOENT, ENOMEM, ENOSPC, ENOSYS, EOPNOTSUPP, EPERM, ERESTART,
    ESRCH,
};
use evtchn::abi::op;

/// An operation's results: the error, none for success; and, where no case can have it, why.
pub(super) type Results = &'static [(Option<Errno>, Option<&'static str>)];

pub(super) const MEMORY: Option<&str> = Some("the tables always find memory on a host");
pub(super) const SLOTS: Option<&str> = Some("the board of a case has a slot for every page handed over");
const RACE: Option<&str> =
    Some("takes a bind that comes in the middle of the reset, and one that was preempted ends as reset_cont");
const PAGES: Option<&str> = Some("takes 128 pages, more than a domain of a case has");

/// Each operation with its weight among all kinds of steps, and its results from the checks that the ABI makes. An operation
/// that has no row is in no case.
pub(super) const EVENTS: [(u32, u32, Results); 15] = [
    (
        op::ALLOC_UNBOUND,
        50,
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
        op::BIND_INTERDOMAIN,
        60,
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
        op::BIND_VIRQ,
        25,
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
    (op::BIND_PIRQ, 2, &[(Some(EOPNOTSUPP), None), (Some(EFAULT), None)]),
    (
        op::BIND_IPI,
        30,
        &[
            (None, None),
            (Some(EINVAL), None),
            (Some(ENOENT), None),
            (Some(ENOSPC), None),
            (Some(EFAULT), None),
            (Some(ENOMEM), MEMORY),
        ],
    ),
    (op::CLOSE, 30, &[(None, None), (Some(EINVAL), None), (Some(EFAULT), None)]),
    (op::SEND, 150, &[(None, None), (Some(EINVAL), None), (Some(EFAULT), None)]),
    (
        op::STATUS,
        25,
        &[(None, None), (Some(ESRCH), None), (Some(EINVAL), None), (Some(EPERM), None), (Some(EFAULT), None)],
    ),
    (op::BIND_VCPU, 20, &[(None, None), (Some(ENOENT), None), (Some(EINVAL), None), (Some(EFAULT), None)]),
    (op::UNMASK, 45, &[(None, None), (Some(EINVAL), None), (Some(EFAULT), None)]),
    (
        op::RESET,
        8,
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
        op::RESET_CONT,
        2,
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
        op::INIT_CONTROL,
        35,
        &[(None, None), (Some(ENOENT), None), (Some(EINVAL), None), (Some(EFAULT), None), (Some(ENOMEM), SLOTS)],
    ),
    (
        op::EXPAND_ARRAY,
        30,
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
        op::SET_PRIORITY,
        25,
        &[(None, None), (Some(EINVAL), None), (Some(ENOSYS), None), (Some(EACCES), None), (Some(EFAULT), None)],
    ),
];
