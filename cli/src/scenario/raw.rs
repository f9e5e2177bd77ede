//! A scenario file as it is written: every key, nothing checked beyond types. What can be wrong keeps its span.

use super::number::Number;
use super::raw_board::RawBoard;
use super::raw_step::{NumberOrName, RawStep};
use super::ring::RawRing;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use toml::Spanned;

/// A key that may be left out.
pub(crate) type Maybe<T> = Option<Spanned<T>>;

/// A key that may be left out, as functions take it.
pub(super) type Key<'a, T> = Option<&'a Spanned<T>>;

/// A table and nothing else: `serde` would take an array for a struct as well.
#[derive(Debug)]
pub(crate) struct Table<T>(pub(crate) T);

impl<T> Deref for Table<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Only<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Only<T> {
            type Value = Table<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Table<T>, A::Error> {
                T::deserialize(de::value::MapAccessDeserializer::new(map)).map(Table)
            }
        }
        deserializer.deserialize_any(Only(PhantomData))
    }
}

/// A word out of a few.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum $name { $($variant),+ }

        impl $name {
            /// Every word, in the order of the documentation.
            pub(super) const WORDS: &[&str] = &[$($word),+];
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Word;
                impl serde::de::Visitor<'_> for Word {
                    type Value = $name;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(f, "one of \"{}\"", $name::WORDS.join("\", \""))
                    }
                    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<$name, E> {
                        match word {
                            $($word => Ok($name::$variant),)+
                            _ => Err(E::unknown_variant(word, $name::WORDS)),
                        }
                    }
                }
                deserializer.deserialize_str(Word)
            }
        }
    };
}
pub(super) use choice;

choice!(RawScheduler { Null = "null", RoundRobin = "rr", Arinc653 = "arinc653" });
choice!(RawPlacement { GuestRam = "guest-ram", Pool = "pool", Heap = "heap" });
choice!(RawDefaultMap { None = "none", Rw = "rw", Rwx = "rwx" });
choice!(RawDevices { Fixed = "fixed", Switched = "switched" });
choice!(RawWhen { Entry = "entry", Lazy = "lazy" });
choice!(RawSync { DsbCse = "dsb+cse", Cse = "cse" });
choice!(RawWriteOrder { EnablesFirst = "enables-first", Program = "program" });
choice!(RawAccess { Rw = "rw", Ro = "ro", RwEl1 = "rw-el1", RoEl1 = "ro-el1" });

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawScenario {
    pub(super) name: Maybe<String>,
    pub(super) description: Option<String>,
    pub(super) board: Maybe<RawBoard>,
    pub(super) pes: Maybe<Number>,
    pub(super) el2_regions: Maybe<Number>,
    pub(super) el1_regions: Maybe<Number>,
    pub(super) memory: Maybe<Table<RawRange>>,
    pub(super) pa_bits: Maybe<Number>,
    pub(super) vmid_bits: Maybe<Number>,
    pub(super) image_base: Maybe<Number>,
    pub(super) image: Maybe<Table<RawImage>>,
    pub(super) device_tree: Maybe<Table<RawRange>>,
    #[serde(default)]
    pub(super) early_uart: bool,
    pub(super) uart: Maybe<Table<RawRange>>,
    pub(super) gic: Maybe<Table<RawRange>>,
    pub(super) scheduler: Maybe<RawScheduler>,
    pub(super) quantum: Maybe<Number>,
    pub(super) placement: Maybe<RawPlacement>,
    pub(super) hyp_devices: Maybe<RawDevices>,
    pub(super) windows: Maybe<Number>,
    pub(super) when: Maybe<RawWhen>,
    pub(super) sync: Maybe<RawSync>,
    pub(super) write_order: Maybe<RawWriteOrder>,
    pub(super) entry_isb: Maybe<bool>,
    pub(super) default_map: Maybe<RawDefaultMap>,
    pub(super) step_limit: Maybe<Number>,
    pub(super) hardware_domain: Maybe<Number>,
    #[serde(default)]
    pub(super) silo: bool,
    pub(super) heap: Spanned<Table<RawRange>>,
    pub(super) pool: Maybe<Table<RawRange>>,
    pub(super) sections: Maybe<Table<RawSections>>,
    #[serde(default)]
    pub(super) domain: Vec<Spanned<Table<RawDomain>>>,
    #[serde(default)]
    pub(super) shared: Vec<Spanned<Table<RawShared>>>,
    #[serde(default)]
    pub(super) device: Vec<Spanned<Table<RawDevice>>>,
    #[serde(default)]
    pub(super) channel: Vec<Spanned<Table<RawChannel>>>,
    #[serde(default)]
    pub(super) frame: Vec<Spanned<Table<RawFrame>>>,
    #[serde(default)]
    pub(super) timer: Vec<Spanned<Table<RawTimer>>>,
    pub(super) ring: Maybe<Table<RawRing>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRange {
    pub(super) base: Spanned<Number>,
    pub(super) size: Spanned<Number>,
}

/// Sizes of the parts of the image that boot has.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawImage {
    pub(super) ro_after_init: Maybe<Number>,
    pub(super) init_text: Maybe<Number>,
    pub(super) init_data: Maybe<Number>,
    pub(super) bss: Maybe<Number>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSections {
    pub(super) boot_modules: Maybe<Table<RawRange>>,
    pub(super) guest_memory: Maybe<Table<RawRange>>,
    pub(super) device_memory: Maybe<Table<RawRange>>,
    pub(super) shared_memory: Maybe<Table<RawRange>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDomain {
    pub(super) id: Spanned<Number>,
    pub(super) name: Maybe<String>,
    #[serde(default)]
    pub(super) ram: Vec<Spanned<Table<RawRange>>>,
    #[serde(default)]
    pub(super) privileged: bool,
    pub(super) max_evtchn_port: Maybe<Number>,
    pub(super) shared_info: Maybe<Number>,
    #[serde(default)]
    pub(super) vcpu: Vec<Spanned<Table<RawVcpu>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawVcpu {
    pub(super) pe: Maybe<Number>,
    pub(super) vcpu_info: Maybe<Number>,
    #[serde(default)]
    pub(super) el1_mpu: Vec<Spanned<Table<RawRegion>>>,
    pub(super) program: Option<Vec<Spanned<RawStep>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRegion {
    pub(super) base: Spanned<Number>,
    pub(super) size: Spanned<Number>,
    pub(super) access: RawAccess,
    pub(super) execute: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawShared {
    pub(super) name: Spanned<String>,
    pub(super) base: Spanned<Number>,
    pub(super) size: Spanned<Number>,
    pub(super) domains: Spanned<Vec<Spanned<Number>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDevice {
    pub(super) name: Spanned<String>,
    pub(super) base: Spanned<Number>,
    pub(super) size: Spanned<Number>,
    pub(super) domains: Spanned<Vec<Spanned<Number>>>,
    pub(super) console: Maybe<Number>,
    #[serde(default)]
    pub(super) passthrough: bool,
    pub(super) shared: Maybe<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawChannel {
    pub(super) name: Spanned<String>,
    pub(super) listener: Table<RawEnd>,
    pub(super) binder: Table<RawEnd>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEnd {
    pub(super) domain: Spanned<Number>,
    pub(super) port: Spanned<Number>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFrame {
    pub(super) pe: Maybe<Number>,
    pub(super) domain: Maybe<Number>,
    pub(super) vcpu: Maybe<Number>,
    pub(super) runtime: Spanned<Number>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTimer {
    pub(super) pe: Maybe<Number>,
    pub(super) at: Spanned<Number>,
    pub(super) every: Maybe<Number>,
    pub(super) domain: Spanned<Number>,
    pub(super) vcpu: Maybe<Number>,
    pub(super) virq: Spanned<NumberOrName>,
}
