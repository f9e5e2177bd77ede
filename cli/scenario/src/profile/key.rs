//! The figures that a profile has, by name.

use super::raw_figure::RawFigure;
use serde::Deserialize;
use sim_core::machine::clock::Costs;
use toml::Spanned;

/// Makes the keys, their names and words, and the table of them that a file has.
macro_rules! keys {
    ($($variant:ident $name:ident $words:literal: $($field:ident)+;)+) => {
        /// A figure of a profile.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Key {
            $(#[doc = concat!("The cost of ", $words, ".")] $variant),+
        }

        impl Key {
            /// Every key, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// As a profile file has it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($name)),+
                }
            }

            /// What is done once at that cost.
            #[must_use]
            pub const fn words(self) -> &'static str {
                match self {
                    $(Self::$variant => $words),+
                }
            }

            /// Sets what it costs.
            pub fn set(self, costs: &mut Costs, cycles: u64) {
                match self {
                    $(Self::$variant => { $(costs.$field = cycles;)+ })+
                }
            }
        }

        /// The table `[figures]` of a file.
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct RawFigures {
            $($name: Option<Spanned<crate::Table<RawFigure>>>),+
        }

        impl RawFigures {
            /// What the file says about that figure.
            pub(super) fn get(&self, key: Key) -> Option<&Spanned<crate::Table<RawFigure>>> {
                match key {
                    $(Key::$variant => self.$name.as_ref()),+
                }
            }
        }
    };
}

keys! {
    MpuWrite mpu_write "a write to an MPU register or SCTLR": prselr prbar prlar prenr sctlr;
    Prselr prselr "a PRSELR write": prselr;
    Prbar prbar "a PRBAR write": prbar;
    Prlar prlar "a PRLAR write": prlar;
    Prenr prenr "a PRENR write": prenr;
    Sctlr sctlr "an SCTLR write": sctlr;
    MpuRead mpu_read "a read of an MPU register or SCTLR": mpu_read;
    Isb isb "an ISB": isb;
    Dsb dsb "a DSB": dsb;
    Exception exception "an exception taken to EL2": exception;
    Eret eret "a return from EL2": eret;
    El2Access el2_access "a load, store or atomic at EL2": el2_access;
    TableScan table_scan "a look through the software table of regions": table_scan;
    SysregWrite sysreg_write "a write to another system register": sysreg_write;
    SysregRead sysreg_read "a read of another system register": sysreg_read;
    Kick kick "an interrupt sent to another PE": kick;
    GuestAction guest_action "an action of a guest": guest_action;
}

impl Key {
    /// The five registers that `mpu_write` stands for.
    pub const MPU_REGISTERS: [Self; 5] = [Self::Prselr, Self::Prbar, Self::Prlar, Self::Prenr, Self::Sctlr];

    /// The key of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|key| key.name() == name)
    }

    /// Whether it is a write to the MPU.
    #[must_use]
    pub fn is_mpu_write(self) -> bool {
        self == Self::MpuWrite || Self::MPU_REGISTERS.contains(&self)
    }

    /// Whether it is a barrier.
    #[must_use]
    pub fn is_barrier(self) -> bool {
        matches!(self, Self::Isb | Self::Dsb)
    }
}
