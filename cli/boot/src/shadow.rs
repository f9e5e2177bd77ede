//! The MPUs of a PE as its writes left them: an observer is told of writes, and cannot look at the PE.

use armv8r::a64::{Barrier, SysEncoding};
use armv8r::observe::Event;
use boards::Board;
use mpu_model::{Encoding, Level, Mpu, MpuReg, Pmsa, SysReg};

/// Both MPUs of a PE, and the most regions that were enabled at once in each.
#[derive(Clone, Debug)]
pub(crate) struct Shadow {
    pub(crate) el1: Mpu,
    pub(crate) el2: Mpu,
    pub(crate) most: [usize; 2],
}

/// Which register of which MPU an encoding names.
#[derive(Debug)]
pub(crate) struct Names(Vec<(u16, Level, MpuReg)>);

impl Names {
    /// Those of PMSAv8-64.
    pub(crate) fn new() -> Self {
        use MpuReg::{Mair, Prbar, PrbarN, Prenr, Prlar, PrlarN, Prselr, Sctlr};
        let plain = [Prenr, Prselr, Prbar, Prlar, Sctlr, Mair];
        let numbered = (1..16).flat_map(|n| [PrbarN(n), PrlarN(n)]);
        let every = plain.into_iter().chain(numbered);
        let both = every.flat_map(|reg| [(Level::El1, reg), (Level::El2, reg)]);
        let mut names: Vec<_> = both
            .filter_map(|(level, reg)| match SysReg::Mpu(level, reg).encoding(Pmsa::V64)? {
                Encoding::A64 { op0, op1, crn, crm, op2 } => {
                    Some((SysEncoding::new(op0, op1, crn, crm, op2).0, level, reg))
                }
                Encoding::Cp15 { .. } => None,
            })
            .collect();
        names.sort_unstable_by_key(|(encoding, ..)| *encoding);
        Self(names)
    }

    pub(crate) fn find(&self, register: SysEncoding) -> Option<(Level, MpuReg)> {
        let place = self.0.binary_search_by_key(&register.0, |(encoding, ..)| *encoding).ok()?;
        self.0.get(place).map(|(_, level, reg)| (*level, *reg))
    }
}

impl Shadow {
    pub(crate) fn new(board: &Board) -> Self {
        let mpu = |level, regions| Mpu::new(level, regions, board.rules);
        Self { el1: mpu(Level::El1, board.el1_regions), el2: mpu(Level::El2, board.el2_regions), most: [0; 2] }
    }

    /// What an event does to them.
    pub(crate) fn follow(&mut self, names: &Names, event: &Event) {
        match event {
            Event::Write { register, value } => {
                if let Some((level, reg)) = names.find(*register) {
                    let [most1, most2] = &mut self.most;
                    let (mpu, most) = if level == Level::El1 { (&mut self.el1, most1) } else { (&mut self.el2, most2) };
                    // A hazard of a selection is told by itself.
                    let _ = mpu.write(reg, *value);
                    *most = (*most).max(mpu.enabled().count());
                }
            }
            Event::Barrier(Barrier::Dsb) => {
                self.el1.dsb();
                self.el2.dsb();
            }
            Event::Barrier(Barrier::Isb) | Event::Exception(_) | Event::Return { .. } => {
                self.el1.context_sync();
                self.el2.context_sync();
            }
            _ => {}
        }
    }
}
