//! The tracks of vCPUs in a Perfetto trace: running, in the upcall handler, or why not.

use super::tracks::{Events, Tracks};
use serde_json::Value;
use sim_core::outcome::VcpuRef;

/// What is open on the track of one vCPU.
#[derive(Clone, Copy, Debug, Default)]
struct Open {
    slices: usize,
    running: bool,
    /// It is in its handler, whether it runs or not.
    handles: bool,
}

/// What is open on the tracks of all vCPUs.
#[derive(Debug)]
pub(super) struct Vcpus(Vec<Open>);

const HANDLER: &str = "upcall handler";

impl Vcpus {
    /// Nothing is open.
    pub(super) fn new(tracks: &Tracks) -> Self {
        Self(vec![Open::default(); tracks.vcpus()])
    }

    /// The vCPU runs, if it did not yet.
    pub(super) fn runs(&mut self, tracks: &Tracks, out: &mut Events<'_>, at: u64, vcpu: VcpuRef) {
        let Some(place) = tracks.place(vcpu) else { return };
        let Some(open) = self.0.get_mut(place).filter(|open| !open.running) else { return };
        let track = tracks.vcpu(place);
        open.close(|| out.end(at, track));
        out.begin(at, track, "vcpu", "running", Value::Null);
        if open.handles {
            out.begin(at, track, "vcpu", HANDLER, Value::Null);
        }
        (open.running, open.slices) = (true, 1 + usize::from(open.handles));
    }

    /// The vCPU does not run, and why.
    pub(super) fn stands(
        &mut self,
        tracks: &Tracks,
        out: &mut Events<'_>,
        at: u64,
        (vcpu, why): (VcpuRef, &'static str),
    ) {
        let Some(place) = tracks.place(vcpu) else { return };
        let Some(open) = self.0.get_mut(place) else { return };
        let track = tracks.vcpu(place);
        open.close(|| out.end(at, track));
        out.begin(at, track, "vcpu", why, Value::Null);
        (open.running, open.slices) = (false, 1);
    }

    /// The running vCPU goes into its handler, or comes back.
    pub(super) fn handler(&mut self, tracks: &Tracks, out: &mut Events<'_>, at: u64, (vcpu, inside): (VcpuRef, bool)) {
        let Some(place) = tracks.place(vcpu) else { return };
        let Some(open) = self.0.get_mut(place) else { return };
        let track = tracks.vcpu(place);
        if inside {
            out.begin(at, track, "vcpu", HANDLER, Value::Null);
            open.slices += 1;
        } else if open.handles {
            out.end(at, track);
            open.slices -= 1;
        }
        open.handles = inside;
    }

    /// Ends what is open.
    pub(super) fn finish(&mut self, tracks: &Tracks, out: &mut Events<'_>, at: u64) {
        for (place, open) in self.0.iter_mut().enumerate() {
            open.close(|| out.end(at, tracks.vcpu(place)));
        }
    }
}

impl Open {
    fn close(&mut self, mut end: impl FnMut()) {
        for _ in 0..std::mem::take(&mut self.slices) {
            end();
        }
    }
}
