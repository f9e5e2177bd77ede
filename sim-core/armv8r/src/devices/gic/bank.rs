//! Thirty-two interrupts with the state that the Distributor or a Redistributor keeps of them (IHI 0069, 4.1 to 4.8, and the
//! registers of chapter 12 that have one bit, two bits or one byte for each).

/// What an INTID of a bank is: bit n of each word is interrupt n.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bank {
    /// The interrupts that exist. The bits of the others are RAZ/WI.
    implemented: u32,
    /// Interrupts whose trigger cannot be written: SGIs.
    fixed: u32,
    /// Group 1; the others are Group 0.
    group: u32,
    enabled: u32,
    /// Pending by an edge, by software, or as an SGI.
    latch: u32,
    active: u32,
    /// Edge-triggered; the others are level-sensitive.
    edge: u32,
    /// The level of the input.
    line: u32,
    /// The level that `GICD_SETSPI_NSR` set.
    message: u32,
    priority: [u8; 32],
    /// The bits of a priority that are implemented.
    priority_mask: u8,
}

/// Registers of a bank with a bit for each interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bits {
    Group,
    SetEnable,
    ClearEnable,
    SetPending,
    ClearPending,
    SetActive,
    ClearActive,
}

impl Bits {
    /// The register at bits 11:7 of an offset, which are the same in `GICD` and in the SGI frame of `GICR`.
    pub(crate) const fn at(offset: u64) -> Option<Self> {
        Some(match offset >> 7 {
            0x1 => Self::Group,
            0x2 => Self::SetEnable,
            0x3 => Self::ClearEnable,
            0x4 => Self::SetPending,
            0x5 => Self::ClearPending,
            0x6 => Self::SetActive,
            0x7 => Self::ClearActive,
            _ => return None,
        })
    }
}

/// The even bits of a word, moved together.
const fn gather(word: u32) -> u32 {
    let mut gathered = 0;
    let mut bit = 0;
    while bit < 16 {
        gathered |= (word >> (2 * bit) & 1) << bit;
        bit += 1;
    }
    gathered
}

/// The low half of a word, spread over its even bits.
const fn spread(word: u32) -> u32 {
    let mut spread = 0;
    let mut bit = 0;
    while bit < 16 {
        spread |= (word >> bit & 1) << (2 * bit);
        bit += 1;
    }
    spread
}

/// Bit `index`, or none.
const fn bit(index: u32) -> u32 {
    if index < 32 { 1 << index } else { 0 }
}

impl Bank {
    /// SGIs, INTIDs 0 to 15, which are edge-triggered, and PPIs, which are level-sensitive until software says otherwise.
    pub(crate) const fn private(priority_mask: u8) -> Self {
        Self::new(u32::MAX, 0xffff, priority_mask)
    }

    /// The first `count` of 32 SPIs.
    pub(crate) const fn shared(count: usize, priority_mask: u8) -> Self {
        Self::new(if count < 32 { (1 << count) - 1 } else { u32::MAX }, 0, priority_mask)
    }

    const fn new(implemented: u32, fixed: u32, priority_mask: u8) -> Self {
        Self {
            implemented,
            fixed,
            group: 0,
            enabled: 0,
            latch: 0,
            active: 0,
            edge: fixed,
            line: 0,
            message: 0,
            priority: [0; 32],
            priority_mask,
        }
    }

    /// Pending: by the latch, or by the level of the input of a level-sensitive interrupt (IHI 0069, 4.1).
    pub(crate) const fn pending(&self) -> u32 {
        self.latch | (self.line | self.message) & !self.edge
    }

    /// Pending, enabled and not active, and of a group that is enabled (IHI 0069, 4.7 and 4.8).
    pub(crate) const fn candidates(&self, group0: bool, group1: bool) -> u32 {
        let wanted = if group0 { !self.group } else { 0 } | if group1 { self.group } else { 0 };
        self.pending() & self.enabled & !self.active & wanted & self.implemented
    }

    /// Whether it is of Group 1.
    pub(crate) const fn group1(&self, index: u32) -> bool {
        self.group & bit(index) != 0
    }

    /// Its priority.
    pub(crate) fn priority(&self, index: u32) -> u8 {
        self.priority.get(index as usize).copied().unwrap_or(0)
    }

    /// The input goes to `level`: a rise makes an edge-triggered interrupt pending. Says whether anything changed.
    pub(crate) const fn set_line(&mut self, index: u32, level: bool) -> bool {
        let mask = bit(index) & self.implemented & !self.fixed;
        if mask == 0 || (self.line & mask != 0) == level {
            return false;
        }
        self.line ^= mask;
        if level {
            self.latch |= mask & self.edge;
        }
        true
    }

    /// A message sets the interrupt pending: as an edge, or as a level that stays.
    pub(crate) const fn set_message(&mut self, index: u32) {
        let mask = bit(index) & self.implemented;
        self.latch |= mask & self.edge;
        self.message |= mask & !self.edge;
    }

    /// A message ends what [`Bank::set_message`] began.
    pub(crate) const fn clear_message(&mut self, index: u32) {
        let mask = bit(index);
        self.latch &= !(mask & self.edge);
        self.message &= !mask;
    }

    /// Makes it pending, as an SGI does.
    pub(crate) const fn set_pending(&mut self, index: u32) {
        self.latch |= bit(index) & self.implemented;
    }

    /// It is acknowledged: active, and pending no more but by its level (IHI 0069, 4.1).
    pub(crate) const fn activate(&mut self, index: u32) {
        let mask = bit(index) & self.implemented;
        self.active |= mask;
        self.latch &= !mask;
    }

    /// It is deactivated.
    pub(crate) const fn deactivate(&mut self, index: u32) {
        self.active &= !bit(index);
    }

    /// Reads a register with a bit for each interrupt.
    pub(crate) const fn read_bits(&self, register: Bits) -> u32 {
        match register {
            Bits::Group => self.group,
            Bits::SetEnable | Bits::ClearEnable => self.enabled,
            Bits::SetPending | Bits::ClearPending => self.pending(),
            Bits::SetActive | Bits::ClearActive => self.active,
        }
    }

    /// Writes one. Clearing the pending state of a level-sensitive interrupt leaves what its level makes pending.
    pub(crate) const fn write_bits(&mut self, register: Bits, value: u32) {
        let value = value & self.implemented;
        match register {
            Bits::Group => self.group = value,
            Bits::SetEnable => self.enabled |= value,
            Bits::ClearEnable => self.enabled &= !value,
            Bits::SetPending => self.latch |= value,
            Bits::ClearPending => self.latch &= !value,
            Bits::SetActive => self.active |= value,
            Bits::ClearActive => self.active &= !value,
        }
    }

    /// Reads a byte of `IPRIORITYR`.
    pub(crate) fn read_priority(&self, index: u64) -> u8 {
        u32::try_from(index).map_or(0, |index| self.priority(index))
    }

    /// Writes one. Bits that are not implemented are RAZ/WI, and so are those of interrupts that do not exist.
    pub(crate) fn write_priority(&mut self, index: u64, value: u8) {
        let Ok(index) = u32::try_from(index) else { return };
        if self.implemented & bit(index) == 0 {
            return;
        }
        if let Some(priority) = self.priority.get_mut(index as usize) {
            *priority = value & self.priority_mask;
        }
    }

    /// Reads a word of `ICFGR`: bit 1 of two for each of 16 interrupts is set for an edge.
    pub(crate) const fn read_trigger(&self, upper: bool) -> u32 {
        spread(if upper { self.edge >> 16 } else { self.edge & 0xffff }) << 1
    }

    /// Writes one.
    pub(crate) const fn write_trigger(&mut self, upper: bool, value: u32) {
        let shift = if upper { 16 } else { 0 };
        let writable = (0xffff << shift) & self.implemented & !self.fixed;
        self.edge = self.edge & !writable | (gather(value >> 1) << shift) & writable;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_stays_is_pending_again_after_its_acknowledgement() {
        let mut bank = Bank::private(0xf8);
        assert!(bank.set_line(27, true));
        bank.activate(27);
        assert_eq!((bank.pending(), bank.read_bits(Bits::SetActive)), (1 << 27, 1 << 27));
        assert!(bank.set_line(27, false));
        assert_eq!((bank.pending(), bank.read_bits(Bits::SetActive)), (0, 1 << 27));
    }

    #[test]
    fn an_edge_is_pending_once() {
        let mut bank = Bank::shared(32, 0xf8);
        bank.write_trigger(false, 0b10);
        assert!(bank.set_line(0, true));
        assert!(!bank.set_line(0, true));
        bank.activate(0);
        assert_eq!(bank.pending(), 0);
        bank.set_line(0, false);
        assert_eq!(bank.pending(), 0);
        bank.set_line(0, true);
        assert_eq!(bank.pending(), 1);
    }

    #[test]
    fn software_sets_a_level_sensitive_interrupt_pending_but_does_not_lower_its_level() {
        let mut bank = Bank::private(0xf8);
        bank.write_bits(Bits::SetPending, 1 << 20);
        assert_eq!(bank.pending(), 1 << 20);
        bank.write_bits(Bits::ClearPending, 1 << 20);
        assert_eq!(bank.pending(), 0);
        bank.set_line(20, true);
        bank.write_bits(Bits::ClearPending, 1 << 20);
        assert_eq!(bank.pending(), 1 << 20);
    }

    #[test]
    fn a_message_is_a_level_or_an_edge() {
        let mut bank = Bank::shared(32, 0xf8);
        bank.write_trigger(false, 0b10);
        for index in [0, 1] {
            bank.set_message(index);
            bank.activate(index);
        }
        assert_eq!(bank.pending(), 0b10);
        bank.clear_message(1);
        assert_eq!(bank.pending(), 0);
    }

    #[test]
    fn setting_and_clearing_twice_is_as_once() {
        for (set, clear) in [
            (Bits::SetEnable, Bits::ClearEnable),
            (Bits::SetPending, Bits::ClearPending),
            (Bits::SetActive, Bits::ClearActive),
        ] {
            let mut bank = Bank::private(0xf8);
            for (register, value, expected) in
                [(set, 0b110, 0b110), (set, 0b011, 0b111), (clear, 0b1010, 0b101), (clear, 0b1010, 0b101)]
            {
                bank.write_bits(register, value);
                assert_eq!((bank.read_bits(set), bank.read_bits(clear)), (expected, expected));
            }
        }
    }

    #[test]
    fn what_is_not_implemented_is_zero() {
        let mut bank = Bank::shared(3, 0xf8);
        for register in [Bits::Group, Bits::SetEnable, Bits::SetPending, Bits::SetActive] {
            bank.write_bits(register, u32::MAX);
            assert_eq!(bank.read_bits(register), 0b111);
        }
        bank.write_priority(2, 0xff);
        bank.write_priority(3, 0xff);
        assert_eq!((bank.read_priority(2), bank.read_priority(3)), (0xf8, 0));
        bank.write_trigger(false, u32::MAX);
        bank.write_trigger(true, u32::MAX);
        assert_eq!((bank.read_trigger(false), bank.read_trigger(true)), (0b10_1010, 0));
    }

    #[test]
    fn the_trigger_of_an_sgi_is_fixed() {
        let mut bank = Bank::private(0xf8);
        bank.write_trigger(false, 0);
        bank.write_trigger(true, u32::MAX);
        assert_eq!((bank.read_trigger(false), bank.read_trigger(true)), (0xaaaa_aaaa, 0xaaaa_aaaa));
    }
}
