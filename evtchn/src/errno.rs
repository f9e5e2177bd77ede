//! Error numbers as guests see them, and the two ways an operation can end early.

use thiserror::Error;

/// An error number of the ABI. Display gives its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Error)]
#[error("{}", self.name())]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the documentation: the usual error numbers")]
pub enum Errno {
    EPERM = 1,
    ENOENT = 2,
    ESRCH = 3,
    ENXIO = 6,
    EAGAIN = 11,
    ENOMEM = 12,
    EACCES = 13,
    EFAULT = 14,
    EBUSY = 16,
    EEXIST = 17,
    EINVAL = 22,
    ENOSPC = 28,
    ENOSYS = 38,
    /// Preempted, to be continued. Guests never see it.
    ERESTART = 85,
    EOPNOTSUPP = 95,
}

impl Errno {
    /// The positive number.
    #[must_use]
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The value a hypercall returns for it: the number, negative.
    #[must_use]
    pub const fn rc(self) -> i64 {
        -(self as i64)
    }

    /// The usual name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EPERM => "EPERM",
            Self::ENOENT => "ENOENT",
            Self::ESRCH => "ESRCH",
            Self::ENXIO => "ENXIO",
            Self::EAGAIN => "EAGAIN",
            Self::ENOMEM => "ENOMEM",
            Self::EACCES => "EACCES",
            Self::EFAULT => "EFAULT",
            Self::EBUSY => "EBUSY",
            Self::EEXIST => "EEXIST",
            Self::EINVAL => "EINVAL",
            Self::ENOSPC => "ENOSPC",
            Self::ENOSYS => "ENOSYS",
            Self::ERESTART => "ERESTART",
            Self::EOPNOTSUPP => "EOPNOTSUPP",
        }
    }
}

/// Why an operation ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Stop<F> {
    /// An answer for the guest; what the ABI says has been undone, has been undone.
    #[error("{0}")]
    Errno(Errno),
    /// The hypervisor's own access was refused by the hardware. Terminal: nothing is undone and nobody carries on.
    #[error("hardware fault on an access of the hypervisor")]
    Fault(F),
}

impl<F> From<Errno> for Stop<F> {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn numbers_are_those_of_the_abi() {
        let all = [
            (Errno::EPERM, 1, "EPERM"),
            (Errno::ENOENT, 2, "ENOENT"),
            (Errno::ESRCH, 3, "ESRCH"),
            (Errno::ENXIO, 6, "ENXIO"),
            (Errno::EAGAIN, 11, "EAGAIN"),
            (Errno::ENOMEM, 12, "ENOMEM"),
            (Errno::EACCES, 13, "EACCES"),
            (Errno::EFAULT, 14, "EFAULT"),
            (Errno::EBUSY, 16, "EBUSY"),
            (Errno::EEXIST, 17, "EEXIST"),
            (Errno::EINVAL, 22, "EINVAL"),
            (Errno::ENOSPC, 28, "ENOSPC"),
            (Errno::ENOSYS, 38, "ENOSYS"),
            (Errno::ERESTART, 85, "ERESTART"),
            (Errno::EOPNOTSUPP, 95, "EOPNOTSUPP"),
        ];
        for (errno, code, name) in all {
            assert_eq!((errno.code(), errno.rc()), (code, -i64::from(code)));
            assert_eq!(errno.to_string(), name);
        }
    }
}
