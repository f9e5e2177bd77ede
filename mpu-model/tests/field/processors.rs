//! Several processors, several owners, one table.

use super::{RW, guest_may, page, text};
use mpu_model::{AccessKind, Ap, Attrs, Level, Mpu, MpuReg, Region, RegionWords, Rules, Sctlr, Slot, SlotSet, Slots};

/// A PE with its MPU on and text in slot 0.
struct Pe {
    mpu: Box<Mpu>,
    slots: Slots,
}

impl Pe {
    fn new() -> Self {
        let mut pe = Self { mpu: Box::new(Mpu::new(Level::El2, 16, Rules::default())), slots: Slots::new(16) };
        pe.put(Slot::new(0), text().words());
        pe.mpu.write(MpuReg::Sctlr, Sctlr::ZERO.with_m(true).raw_value()).unwrap();
        pe.sync();
        pe
    }

    fn sync(&mut self) {
        self.mpu.dsb();
        self.mpu.context_sync();
    }

    fn put(&mut self, slot: Slot, words: RegionWords) {
        self.slots.write(&mut *self.mpu, slot, words).unwrap();
        self.sync();
    }

    fn off(&mut self, slot: Slot) {
        let mut off = SlotSet::default();
        off.insert(slot);
        self.slots.disable(&mut *self.mpu, &off).unwrap();
        self.sync();
    }

    /// Enables these slots and no others, in one write.
    fn enable(&mut self, mask: u64) {
        self.mpu.write(MpuReg::Prenr, mask).unwrap();
        self.sync();
    }

    fn guest_reads(&self, region: Region) -> bool {
        guest_may(&self.mpu, AccessKind::Read, region.base())
    }
}

const GUEST: Attrs = Attrs { ap: Ap::RwAll, ..RW };

/// Bao pull request 290 (December 2025): which slots a guest has was kept once for a VM and not for each of its vCPUs,
/// while slots are given out on each CPU by itself.
#[test]
fn mask_per_vm_instead_of_per_vcpu() {
    let (shared, other) = (page(1, GUEST), page(2, GUEST));
    // Slot 2 of CPU 1 is where the VM's page is; on CPU 0 that is slot 1, and slot 2 is the page of another VM.
    let sees = |masks: [u64; 2]| {
        let mut cpus = [(); 2].map(|()| Pe::new());
        cpus[0].put(Slot::new(1), shared.words().disabled());
        cpus[0].put(Slot::new(2), other.words().disabled());
        cpus[1].put(Slot::new(2), shared.words().disabled());
        cpus.iter_mut().zip(masks).for_each(|(cpu, mask)| cpu.enable(mask));
        cpus.map(|cpu| [shared, other].map(|region| cpu.guest_reads(region)))
    };
    let per_vcpu = [0b011, 0b101];
    // As it was: the last vCPU to be set up decides for all. On CPU 0 the VM's own page is withheld, and another VM's open.
    assert_eq!(sees([per_vcpu[1]; 2]), [[false, true], [true, false]]);
    assert_eq!(sees(per_vcpu), [[true, false], [true, false]]);
}

/// Regions of several address spaces in the slots of one MPU, those of one of them enabled at a time.
#[derive(Default)]
struct Spaces {
    /// By slot, from 1: whose, and what.
    held: Vec<(u8, Region)>,
}

impl Spaces {
    fn put(&mut self, pe: &mut Pe, space: u8, region: Region) {
        self.held.push((space, region));
        pe.put(Slot::new(self.held.len() as u8), region.words().disabled());
    }

    /// Clears the first region that `is` finds.
    fn remove(&mut self, pe: &mut Pe, is: impl Fn(&(u8, Region)) -> bool) {
        let place = self.held.iter().position(is).unwrap();
        pe.put(Slot::new(place as u8 + 1), RegionWords::default());
        // Nobody's from now on.
        self.held[place].0 = u8::MAX;
    }

    fn enable(&self, pe: &mut Pe, space: u8) {
        let slots = (1..).zip(&self.held).filter(|(_, (of, _))| *of == space);
        pe.enable(slots.fold(1, |mask, (slot, _)| mask | 1 << slot));
    }
}

/// Bao pull request 267 (November 2025): regions were looked up by base alone. Two address spaces that both have a region
/// there (shared memory does) are taken for one another.
#[test]
fn lookup_by_base_in_the_wrong_address_space() {
    let shared = page(1, GUEST);
    let remove_from_2 = |by_base_alone: bool| {
        let (mut pe, mut spaces) = (Pe::new(), Spaces::default());
        spaces.put(&mut pe, 1, shared);
        spaces.put(&mut pe, 2, shared);
        let same_base = |region: &Region| region.base() == shared.base();
        if by_base_alone {
            spaces.remove(&mut pe, |(_, region)| same_base(region));
        } else {
            spaces.remove(&mut pe, |(space, region)| *space == 2 && same_base(region));
        }
        [1, 2].map(|space| {
            spaces.enable(&mut pe, space);
            pe.guest_reads(shared)
        })
    };
    assert_eq!(remove_from_2(true), [false, true], "it is gone from the one that keeps it");
    assert_eq!(remove_from_2(false), [true, false]);
}

/// `L4Re` Fiasco, fixed on 22 June 2026 (in its tree at 245fce5): when regions of a task change, every CPU that has it loaded
/// has to load it again. A mark that only the changing CPU sees leaves the others with the old regions.
#[test]
fn dirty_mark_missed_for_another_cpu() {
    /// A task's one region, and how often it has changed.
    struct Task {
        region: Option<Region>,
        changes: u64,
    }
    /// A CPU, and which change it has loaded.
    struct Cpu {
        pe: Pe,
        loaded: u64,
    }
    /// The next entry of the task on the CPU.
    fn enter(cpu: &mut Cpu, task: &Task) {
        if cpu.loaded != task.changes {
            match task.region {
                Some(region) => cpu.pe.put(Slot::new(1), region.words()),
                None => cpu.pe.off(Slot::new(1)),
            }
            cpu.loaded = task.changes;
        }
    }
    let unmapped_by_the_first = |marks_all: bool| {
        let mut cpus = [(); 2].map(|()| Cpu { pe: Pe::new(), loaded: 0 });
        let mut task = Task { region: Some(page(1, GUEST)), changes: 1 };
        for cpu in &mut cpus {
            enter(cpu, &task);
        }
        assert!(cpus.iter().all(|cpu| cpu.pe.guest_reads(page(1, GUEST))));
        task.region = None;
        if marks_all {
            task.changes += 1;
        } else {
            // As it was: the CPU at hand is told, by its own mark.
            cpus[0].loaded = 0;
        }
        cpus.each_mut().map(|cpu| {
            enter(cpu, &task);
            cpu.pe.guest_reads(page(1, GUEST))
        })
    };
    assert_eq!(unmapped_by_the_first(false), [false, true], "the other CPU still has it");
    assert_eq!(unmapped_by_the_first(true), [false, false]);
}
