//! The guest's registers: as the vectors push them, and as the hypervisor has them.

use crate::cp15::banked;
use sim_core::convention::Frame;

/// What `start.s` pushes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pushed {
    elr: u32,
    spsr: u32,
    r: [u32; 13],
    /// `LR_usr`, which is Hyp mode's link register.
    lr: u32,
}

impl Pushed {
    /// With the registers that other modes have of their own, at the places where the architecture maps them.
    pub(crate) fn frame(&self) -> Frame {
        let mut frame = Frame { elr: self.elr.into(), spsr: self.spsr.into(), ..Frame::default() };
        frame.x.iter_mut().zip(self.r).for_each(|(x, r)| *x = r.into());
        let others = [
            (13, banked!("sp_usr")),
            (14, self.lr),
            (16, banked!("lr_irq")),
            (17, banked!("sp_irq")),
            (18, banked!("lr_svc")),
            (19, banked!("sp_svc")),
            (20, banked!("lr_abt")),
            (21, banked!("sp_abt")),
            (22, banked!("lr_und")),
            (23, banked!("sp_und")),
            (24, banked!("r8_fiq")),
            (25, banked!("r9_fiq")),
            (26, banked!("r10_fiq")),
            (27, banked!("r11_fiq")),
            (28, banked!("r12_fiq")),
            (29, banked!("sp_fiq")),
            (30, banked!("lr_fiq")),
        ];
        for (at, value) in others {
            frame.x[at] = value.into();
        }
        frame.banked_spsr = [banked!("spsr_abt"), banked!("spsr_und"), banked!("spsr_irq"), banked!("spsr_fiq")];
        frame
    }

    /// Puts a frame back: the other modes' registers at once, the rest for the vectors to pop.
    pub(crate) fn of_frame(frame: &Frame) -> Self {
        let x = |at: usize| frame.x[at] as u32;
        banked!("sp_usr", x(13));
        banked!("lr_irq", x(16));
        banked!("sp_irq", x(17));
        banked!("lr_svc", x(18));
        banked!("sp_svc", x(19));
        banked!("lr_abt", x(20));
        banked!("sp_abt", x(21));
        banked!("lr_und", x(22));
        banked!("sp_und", x(23));
        banked!("r8_fiq", x(24));
        banked!("r9_fiq", x(25));
        banked!("r10_fiq", x(26));
        banked!("r11_fiq", x(27));
        banked!("r12_fiq", x(28));
        banked!("sp_fiq", x(29));
        banked!("lr_fiq", x(30));
        let [abt, und, irq, fiq] = frame.banked_spsr;
        banked!("spsr_abt", abt);
        banked!("spsr_und", und);
        banked!("spsr_irq", irq);
        banked!("spsr_fiq", fiq);
        let r = core::array::from_fn(x);
        Self { elr: frame.elr as u32, spsr: frame.spsr as u32, r, lr: x(14) }
    }
}
