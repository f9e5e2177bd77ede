//! Devices of domains: those that the hypervisor plays, and those of the board that are passed through.

use super::domains::{Ids, Names, positions};
use super::error::Problem;
use super::name;
use super::range::span;
use super::raw::{RawDevice, RawScenario};
use sim_core::layout::{EmulatedDevice, PassthroughDevice};

/// Devices that the hypervisor plays.
pub(super) fn emulated(raw: &RawScenario, ids: &Ids) -> Result<Vec<EmulatedDevice>, Problem> {
    let mut names = Names::new("emulated devices");
    for device in raw.devices(false) {
        name::check(&device.name)?;
        names.take(device.name.get_ref(), device.name.span())?;
        if let Some(shared) = &device.shared {
            let problem = Problem::new(format!("emulated device `{}` is said to be shared", device.name.get_ref()));
            let problem = problem.at(shared.span(), "expected no such key: all its domains share its registers");
            return Err(problem.help("a device of the board's is passed through with passthrough = true"));
        }
    }
    let device = |device: &RawDevice| {
        let what = format!("emulated device `{}`", device.name.get_ref());
        Ok(EmulatedDevice {
            name: device.name.get_ref().clone(),
            span: span(&what, &device.base, &device.size)?,
            domains: positions(&what, &device.domains, ids)?,
            console: device.console.as_ref().map(|offset| offset.get_ref().0),
        })
    };
    raw.devices(false).map(device).collect()
}

/// Devices of the board's that domains drive themselves.
pub(super) fn passthrough(raw: &RawScenario, ids: &Ids) -> Result<Vec<PassthroughDevice>, Problem> {
    let mut names = Names::new("devices that are passed through");
    for device in raw.devices(true) {
        name::check(&device.name)?;
        names.take(device.name.get_ref(), device.name.span())?;
        if let Some(console) = &device.console {
            let title = format!("device `{}` is passed through, and has a register `console`", device.name.get_ref());
            let problem = Problem::new(title).at(console.span(), "expected no such key");
            return Err(
                problem.help("what is written to a device that is passed through does not come to the hypervisor")
            );
        }
    }
    let device = |device: &RawDevice| {
        let what = format!("device `{}`", device.name.get_ref());
        Ok(PassthroughDevice {
            name: device.name.get_ref().clone(),
            span: span(&what, &device.base, &device.size)?,
            domains: positions(&what, &device.domains, ids)?,
            shared: device.shared.as_ref().is_some_and(|shared| *shared.get_ref()),
        })
    };
    raw.devices(true).map(device).collect()
}
