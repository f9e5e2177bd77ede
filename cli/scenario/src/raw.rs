//! A scenario file as it is written: every key, nothing checked beyond types. What can be wrong keeps its span.

use super::number::Number;
use super::range::RawRange;
use super::raw_board::{RawBoard, RawDefaultMap, RawSync, RawWriteOrder};
use super::raw_ring::RawRing;
use super::raw_step::{NumberOrName, RawStep};
use super::table::{Maybe, Table, choice};
use serde::Deserialize;
use toml::Spanned;

choice!(RawScheduler { Null = "null", RoundRobin = "rr", Arinc653 = "arinc653" });
choice!(RawPlacement { GuestRam = "guest-ram", Pool = "pool", Heap = "heap" });
choice!(RawDevices { Fixed = "fixed", Switched = "switched" });
choice!(RawWhen { Entry = "entry", Lazy = "lazy" });
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

impl RawScenario {
    /// The devices that are passed through, or those that the hypervisor plays, in the order of the file.
    pub(super) fn devices(&self, passthrough: bool) -> impl Iterator<Item = &RawDevice> {
        self.device.iter().map(|found| &found.get_ref().0).filter(move |device| device.passthrough == passthrough)
    }
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
