//! Operations of `event_channel_op` in cases: how often each comes, and which results it can have by the ABI.

use evtchn::Errno;
use evtchn::Errno::{
    EACCES, EAGAIN, EBUSY, EEXIST, EFAULT, EINVAL, ENOENT, ENOMEM, ENOSPC, ENOSYS, EOPNOTSUPP, EPERM, ERESTART, ESRCH,
};
use evtchn::op::command;

/// An operation's results: the error, none for success; and, where no case can have it, why.
pub(super) type Results = &'static [(Option<Errno>, Option<&'static str>)];

pub(super) const MEMORY: Option<&str> = Some("the tables always find memory on a host");
pub(super) const SLOTS: Option<&str> = Some("the board of a case has a slot for every page handed over");
const RACE: Option<&str> =
    Some("takes a bind that comes in the middle of the reset, and one that was preempted ends as reset_cont");
const PAGES: Option<&str> = Some("takes 128 pages, more than a domain of a case has");

/// Each operation with its weight among all kinds of steps, and its results from the checks that the ABI makes. Every
/// operation has a row.
pub(super) const EVENTS: &[(u32, u32, Results)] = &[
    (
        command::ALLOC_UNBOUND,
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
        command::BIND_INTERDOMAIN,
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
        command::BIND_VIRQ,
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
    (command::BIND_PIRQ, 2, &[(Some(EOPNOTSUPP), None), (Some(EFAULT), None)]),
    (
        command::BIND_IPI,
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
    (command::CLOSE, 30, &[(None, None), (Some(EINVAL), None), (Some(EFAULT), None)]),
    (command::SEND, 150, &[(None, None), (Some(EINVAL), None), (Some(EFAULT), None)]),
    (
        command::STATUS,
        25,
        &[(None, None), (Some(ESRCH), None), (Some(EINVAL), None), (Some(EPERM), None), (Some(EFAULT), None)],
    ),
    (command::BIND_VCPU, 20, &[(None, None), (Some(ENOENT), None), (Some(EINVAL), None), (Some(EFAULT), None)]),
    (command::UNMASK, 45, &[(None, None), (Some(EINVAL), None), (Some(EFAULT), None)]),
    (
        command::RESET,
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
        command::RESET_CONT,
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
        command::INIT_CONTROL,
        35,
        &[(None, None), (Some(ENOENT), None), (Some(EINVAL), None), (Some(EFAULT), None), (Some(ENOMEM), SLOTS)],
    ),
    (
        command::EXPAND_ARRAY,
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
        command::SET_PRIORITY,
        25,
        &[(None, None), (Some(EINVAL), None), (Some(ENOSYS), None), (Some(EACCES), None), (Some(EFAULT), None)],
    ),
];

#[cfg(test)]
#[allow(clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use evtchn::op::SHAPES;

    #[test]
    fn every_operation_comes_in_cases_and_can_be_refused() {
        for shape in SHAPES {
            let mut rows = EVENTS.iter().filter(|(command, ..)| *command == shape.command);
            let (Some((_, weight, results)), None) = (rows.next(), rows.next()) else {
                panic!("{} has one row", shape.name)
            };
            assert!(
                *weight > 0 && results.contains(&(Some(EFAULT), None)),
                "{}: its block may be out of reach",
                shape.name
            );
        }
        assert_eq!(EVENTS.len(), SHAPES.len());
    }
}
