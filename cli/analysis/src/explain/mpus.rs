//! The MPUs of a PE as they stand while a view is in force.

use super::question::{Grant, Question, Refusal, Verdict};
use mpu_model::{
    Access, AccessKind, El, GuestDenial, Hcr, Level, Mpu, MpuReg, Regime, RegionWords, Registers, Rules, Sctlr, Slot,
    Slots, Stage, Syndrome, WriteHazard, check_guest,
};
use scenario::Scenario;
use sim_core::hyp::plan::Plan;
use sim_core::hyp::{HCR, view};
use sim_core::layout::VcpuLayout;
use sim_core::outcome::ViewId;

/// Both MPUs of one PE, programmed and synchronised.
#[derive(Clone, Debug)]
pub(super) struct Mpus {
    pub(super) el2: Box<Mpu>,
    /// `None`: no guest runs in the view.
    pub(super) el1: Option<Box<Mpu>>,
}

impl Mpus {
    /// The MPUs in the view asked about.
    pub(super) fn new(scenario: &Scenario, plan: &Plan, question: Question) -> Result<Self, WriteHazard> {
        let vcpu = match question.view {
            ViewId::Guest(position) => {
                scenario.layout.domain(position).and_then(|domain| domain.vcpus.get(question.vcpu))
            }
            ViewId::Idle | ViewId::Hypervisor => None,
        };
        Ok(Self { el2: el2(scenario, plan, question.view)?, el1: vcpu.map(|vcpu| el1(scenario, vcpu)).transpose()? })
    }

    /// Whether stage 1 has a say in accesses of `el`.
    pub(super) fn stage1_on(&self, el: El) -> bool {
        let on = |mpu: &Mpu| Sctlr::new_with_raw_value(mpu.read(MpuReg::Sctlr)).m();
        el != El::El2 && self.el1.as_deref().is_some_and(on)
    }

    /// The verdict of `mpu_model`'s check, and what becomes of a denial.
    pub(super) fn judge(&self, access: Access) -> Verdict {
        let rules = self.el2.rules();
        if access.el == El::El2 {
            let verdict = self.el2.check(Regime::El2, access).result;
            return verdict.map(|el2| Grant { stage1: None, el2 }).map_err(|denial| Refusal {
                stage: Stage::Two,
                denial,
                syndrome: Syndrome::el2_own(&denial, rules),
                hpfar: None,
                to: El::El2,
            });
        }
        let verdict = check_guest(self.el1.as_deref(), &self.el2, Hcr::new_with_raw_value(HCR), access).result;
        match verdict {
            // Stage 2 is on under `HCR`, so a hit always has its part.
            Ok(hit) => Ok(Grant { stage1: Some(hit.stage1), el2: hit.stage2.unwrap_or(hit.stage1) }),
            Err(GuestDenial { stage, denial, to }) => {
                let (syndrome, hpfar) = match stage {
                    Stage::One => (Syndrome::el1(&denial, rules), None),
                    Stage::Two => {
                        let syndrome = told(access, Syndrome::stage2(&denial, rules));
                        (syndrome, syndrome.hpfar(rules))
                    }
                };
                Err(Refusal { stage, denial, syndrome, hpfar, to })
            }
        }
    }

    /// The same with other words in a slot of one array.
    pub(super) fn with_words(&self, stage: Stage, slot: Slot, words: RegionWords) -> Result<Self, WriteHazard> {
        let mut changed = self.clone();
        let mpu = match stage {
            Stage::One => changed.el1.as_deref_mut(),
            Stage::Two => Some(&mut *changed.el2),
        };
        if let Some(mpu) = mpu {
            // A driver new to an array believes that it is selected at 0.
            mpu.write(MpuReg::Prselr, 0)?;
            sync(mpu);
            Slots::new(mpu.regions()).write(mpu, slot, words)?;
            sync(mpu);
        }
        Ok(changed)
    }

    /// The same with another `SCTLR` in one array.
    pub(super) fn with_sctlr(&self, stage: Stage, change: impl FnOnce(Sctlr) -> Sctlr) -> Result<Self, WriteHazard> {
        let mut changed = self.clone();
        let mpu = match stage {
            Stage::One => changed.el1.as_deref_mut(),
            Stage::Two => Some(&mut *changed.el2),
        };
        if let Some(mpu) = mpu {
            let sctlr = change(Sctlr::new_with_raw_value(mpu.read(MpuReg::Sctlr)));
            mpu.write(MpuReg::Sctlr, sctlr.raw_value())?;
            sync(mpu);
        }
        Ok(changed)
    }
}

fn sync(mpu: &mut Mpu) {
    mpu.dsb();
    mpu.context_sync();
}

/// The EL2 MPU in a view, windows closed. A plan that does not fit gets the slots that it needs, so that what a larger
/// board would say can be asked.
pub(super) fn el2(scenario: &Scenario, plan: &Plan, view: ViewId) -> Result<Box<Mpu>, WriteHazard> {
    let needed = u8::try_from(plan.region_needs().needed()).unwrap_or(u8::MAX);
    let regions = plan.el2_regions().max(needed);
    let slots = plan.slots(plan.view(view)).map(|(slot, planned)| (slot, planned.words));
    let rules = Rules { default_map: scenario.layout.board().rules.default_map, ..scenario.config.rules };
    programmed(Mpu::new(Level::El2, regions, rules), slots, view::sctlr())
}

/// The EL1 MPU of a vCPU as it starts.
fn el1(scenario: &Scenario, vcpu: &VcpuLayout) -> Result<Box<Mpu>, WriteHazard> {
    let words =
        Slot::all(scenario.layout.board().el1_regions).zip(vcpu.el1_regions.iter().map(mpu_model::Region::words));
    let mpu = Mpu::new(Level::El1, scenario.layout.board().el1_regions, scenario.config.rules);
    programmed(mpu, words, vcpu.sctlr_el1())
}

fn programmed(mpu: Mpu, words: impl Iterator<Item = (Slot, RegionWords)>, sctlr: u64) -> Result<Box<Mpu>, WriteHazard> {
    let mut mpu = Box::new(mpu);
    let mut slots = Slots::new(mpu.regions());
    for (slot, words) in words {
        slots.write(&mut *mpu, slot, words)?;
    }
    Registers::write(&mut *mpu, MpuReg::Sctlr, sctlr)?;
    sync(&mut mpu);
    Ok(mpu)
}

/// The syndrome with what the machine's tells of the instruction.
fn told(access: Access, syndrome: Syndrome) -> Syndrome {
    let plain = matches!(access.kind, AccessKind::Read | AccessKind::Write) && syndrome.far == access.addr;
    if plain { syndrome.of_plain_access(access.size) } else { syndrome }
}
