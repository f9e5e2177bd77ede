//! Registers that lead elsewhere than their name says.

use super::{RW, page, text};
use mpu_model::{Level, Mpu, MpuReg, RegionWords, Registers, Rules, Slot, Slots, WriteHazard};

/// A register file of PMSAv8-32 whose decoder loses a bit: HPRBAR16 to 23 and HPRLAR16 to 23 reach regions 0 to 7.
struct LosesBit4(Box<Mpu>);

impl LosesBit4 {
    fn decode(reg: MpuReg) -> MpuReg {
        match reg {
            MpuReg::PrbarN(n @ 16..24) => MpuReg::PrbarN(n - 16),
            MpuReg::PrlarN(n @ 16..24) => MpuReg::PrlarN(n - 16),
            other => other,
        }
    }
}

impl Registers for LosesBit4 {
    type Fault = WriteHazard;

    fn read(&mut self, reg: MpuReg) -> u64 {
        self.0.read(Self::decode(reg))
    }

    fn write(&mut self, reg: MpuReg, value: u64) -> Result<(), WriteHazard> {
        self.0.write(Self::decode(reg), value)
    }

    fn isb(&mut self) -> Result<(), WriteHazard> {
        self.0.context_sync();
        Ok(())
    }

    fn dsb(&mut self) -> Result<(), WriteHazard> {
        self.0.dsb();
        Ok(())
    }
}

/// Text in slot 0, a page in each of 1 to 23 as the driver writes them, read back through the same registers.
fn round_trip<R: Registers<Fault = WriteHazard>>(registers: &mut R) -> Vec<u8> {
    let mut slots = Slots::new_32(24);
    let words: Vec<_> = (0..24).map(|slot| if slot == 0 { text() } else { page(slot, RW) }.words()).collect();
    for (slot, words) in Slot::all(24).zip(&words) {
        slots.write(registers, slot, *words).unwrap();
    }
    let mut read = [RegionWords::default(); 24];
    slots.save(registers, &mut read).unwrap();
    (0..24).filter(|slot| read[usize::from(*slot)] != words[usize::from(*slot)]).collect()
}

/// Pull request 173 of Qualcomm's QEMU (17 September 2026): HPRBAR16 to 23 and HPRLAR16 to 23 led to regions 0 to 7, since
/// the decoder took bit 4 of the number from the wrong field of the encoding. The last who writes one has both.
#[test]
fn regions_16_to_23_alias_0_to_7() {
    let file = || Box::new(Mpu::new_32(Level::El2, 24, Rules::pmsav8_32()));
    let mut faulty = LosesBit4(file());
    assert_eq!(round_trip(&mut faulty), (0..8).collect::<Vec<_>>(), "and text is gone");
    assert!(!faulty.0.enabled().any(|(_, words)| words.base() == text().base()));
    assert_eq!(faulty.0.enabled().count(), 16);

    let mut right = file();
    assert_eq!(round_trip(&mut *right), []);
    assert_eq!(right.enabled().count(), 24);
    assert_eq!(right.words(Slot::new(0)), text().words());
}
