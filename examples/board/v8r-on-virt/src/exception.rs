//! Every exception to EL2: this image's own business, or on to the vector that the other has set.

use crate::patch::ERET;
use crate::played::{Kept, Move, Played};
use crate::sysreg::{read, write};
use crate::tables::{self, Tables};
use crate::{EL2H_MASKED, GUESTS, OWN, RES1, SHIM, Shim, die};
use mpu_model::{AccessKind, Level, MpuReg, Rules, Stage, Syndrome};

/// Registers of what was interrupted: x0 to x30, SP.
type Saved = [u64; 32];

/// Offsets of vectors.
const SAME: u64 = 0x200;
const LOWER: u64 = 0x400;
const LOWER_IRQ: u64 = 0x480;

/// Exception classes (DDI 0487, `ESR_ELx`).
const UNKNOWN: u64 = 0x00;
const FETCH_LOWER: u64 = 0x20;
const FETCH_SAME: u64 = 0x21;
const DATA_LOWER: u64 = 0x24;
const DATA_SAME: u64 = 0x25;

/// ISS of an abort.
const WNR: u64 = 1 << 6;
const STATUS: u64 = 0x3f;

/// What an exception to EL2 left.
struct Taken {
    esr: u64,
    far: u64,
    elr: u64,
    spsr: u64,
}

/// Called by the vectors.
#[unsafe(no_mangle)]
extern "C" fn exception(saved: &mut Saved, vector: u64) {
    let taken = Taken { esr: read!("esr_el2"), far: read!("far_el2"), elr: read!("elr_el2"), spsr: read!("spsr_el2") };
    // SAFETY: `main` is over, and this is not entered again before it returns: everything is masked.
    let (shim, own, guests) = unsafe { (&mut *SHIM.0.get(), &mut *OWN.0.get(), &mut *GUESTS.0.get()) };
    let Some(shim) = shim else { die("an exception before anything was played") };
    let Taken { esr, far, elr, .. } = taken;
    match vector {
        SAME if elr >= tables::SHIM => {
            die(format_args!("an exception of its own: ESR {esr:#x}, FAR {far:#x}, ELR {elr:#x}"))
        }
        SAME => shim.of_image(&taken, saved, own, guests),
        LOWER => shim.of_guest(&taken),
        LOWER_IRQ => shim.deliver(&taken, vector),
        _ => die(format_args!("vector {vector:#x}: ESR {esr:#x}, FAR {far:#x}, ELR {elr:#x}")),
    }
}

impl Shim {
    fn keep(&mut self, register: Kept, value: u64) {
        self.kept[register as usize] = value;
    }

    fn kept(&self, register: Kept) -> u64 {
        self.kept[register as usize]
    }

    /// On to the image's vector at that offset, as its PE would take the exception.
    fn deliver(&mut self, taken: &Taken, vector: u64) {
        let Taken { esr, far, elr, spsr } = *taken;
        for (register, value) in
            [(Kept::Esr, esr), (Kept::Far, far), (Kept::Hpfar, far >> 12 << 4), (Kept::Elr, elr), (Kept::Spsr, spsr)]
        {
            self.keep(register, value);
        }
        write!("elr_el2", self.kept(Kept::Vbar) + vector);
        write!("spsr_el2", EL2H_MASKED);
    }

    /// The image took an exception at EL2.
    fn of_image(&mut self, taken: &Taken, saved: &mut Saved, own: &mut Tables, guests: &mut Tables) {
        let class = taken.esr >> 26;
        if class == UNKNOWN {
            // SAFETY: the image just fetched it from there.
            let word = unsafe { (taken.elr as *const u32).read_volatile() };
            let word = self.patches.original(word);
            if word == ERET {
                write!("elr_el2", self.kept(Kept::Elr));
                write!("spsr_el2", self.kept(Kept::Spsr));
                return;
            }
            if let Some((instruction, played)) = Move::of(word).zip(Played::of(word)) {
                self.carry_out(instruction, played, saved, own, guests);
                write!("elr_el2", taken.elr + 4);
                return;
            }
            return self.deliver(taken, SAME);
        }
        let kind = match class {
            FETCH_SAME => AccessKind::Fetch,
            DATA_SAME => data(taken),
            _ => return self.deliver(taken, SAME),
        };
        let Some(syndrome) = self.mpus.own(taken.far, kind) else {
            die(format_args!(
                "EL2 was denied {:#x} at {:#x}, and no MPU did: ESR {:#x}",
                taken.far, taken.elr, taken.esr
            ))
        };
        self.deliver(&Taken { esr: syndrome.esr(), ..*taken }, SAME);
    }

    fn carry_out(
        &mut self,
        Move { general, reads, .. }: Move,
        played: Played,
        saved: &mut Saved,
        own: &mut Tables,
        guests: &mut Tables,
    ) {
        // The register of number 31 is the one that is always zero; what is saved in its place is SP.
        if reads {
            let value = match played {
                Played::Mpu(level, reg) => self.mpus.read(level, reg),
                Played::Kept(register) => self.kept(register),
                Played::Mmfr0 => mmfr0(),
            };
            if general < 31 {
                saved[general] = value;
            }
            return;
        }
        let value = if general < 31 { saved[general] } else { 0 };
        match played {
            Played::Mpu(level, reg) => self.mpus.write(level, reg, value, own, guests),
            Played::Kept(register) => self.keep(register, value),
            Played::Mmfr0 => {}
        }
        if played == Played::Mpu(Level::El1, MpuReg::Sctlr) {
            // M would turn an MMU on; WXN and BR are of the MPU that is played.
            const OF_MPU: u64 = 1 | 1 << 17 | 1 << 19;
            write!("sctlr_el1", value & !OF_MPU | RES1);
        }
    }

    /// A guest did something that EL2 is asked about.
    fn of_guest(&mut self, taken: &Taken) {
        let kind = match taken.esr >> 26 {
            FETCH_LOWER => AccessKind::Fetch,
            DATA_LOWER if taken.esr & WNR != 0 => AccessKind::Write,
            DATA_LOWER => AccessKind::Read,
            _ => return self.deliver(taken, LOWER),
        };
        let Some(refused) = self.mpus.guest(taken.far, kind) else {
            die(format_args!("a guest was denied {:#x} at {:#x}, and no MPU did", taken.far, taken.elr))
        };
        match refused.stage {
            Stage::One => to_el1(taken, &Syndrome::el1(&refused.denial, Rules::default())),
            Stage::Two => {
                let status = Syndrome::stage2(&refused.denial, Rules::default()).esr() & STATUS;
                self.deliver(&Taken { esr: taken.esr & !STATUS | status, ..*taken }, LOWER);
            }
        }
    }
}

/// A PE with PMSA at both levels: MSA and `MSA_frac`.
fn mmfr0() -> u64 {
    read!("id_aa64mmfr0_el1") & !(0xff << 48) | 0x1f << 48
}

/// The kind of a data access of EL2's. The MMU tells of an atomic instruction that it writes, whatever was lacking.
fn data(taken: &Taken) -> AccessKind {
    // SAFETY: the image just fetched it from there.
    let word = unsafe { (taken.elr as *const u32).read_volatile() };
    // DDI 0487, C4: atomic memory operations; compare and swap.
    let atomic = word & 0x3f20_0c00 == 0x3820_0000 || word & 0x3fa0_7c00 == 0x08a0_7c00;
    match (atomic, taken.esr & WNR != 0) {
        (true, _) => AccessKind::Rmw,
        (false, true) => AccessKind::Write,
        (false, false) => AccessKind::Read,
    }
}

/// Makes the guest take its own MPU's fault at EL1.
fn to_el1(taken: &Taken, syndrome: &Syndrome) {
    const EL1H_MASKED: u64 = 0x3c5;
    write!("esr_el1", syndrome.esr());
    write!("far_el1", syndrome.far);
    write!("elr_el1", taken.elr);
    write!("spsr_el1", taken.spsr);
    // Guests run at EL1 with its own stack pointer.
    write!("elr_el2", read!("vbar_el1") + SAME);
    write!("spsr_el2", EL1H_MASKED);
}
