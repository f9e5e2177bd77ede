//! The guest's side of the virtual interrupt interface: what the list register holds as the guest sees it.
//!
//! Edge-like, as Xen's default vGIC: an injection while the interrupt is active makes it pending again.

use super::pe::Pe;
use crate::platform::{intid, list_register};

/// INTID of a list register.
const INTID_MASK: u64 = 0xffff_ffff;

impl Pe {
    /// `ICC_IAR1_EL1` read at EL1: the pending interrupt becomes active.
    pub fn acknowledge_virtual(&mut self) -> u64 {
        if !self.virtual_interrupt() {
            return intid::SPURIOUS;
        }
        self.list_register = (self.list_register & !list_register::PENDING) | list_register::ACTIVE;
        self.list_register & INTID_MASK
    }

    /// `ICC_EOIR1_EL1` written at EL1: the active interrupt ends. False: the list register has none of that number that is
    /// active.
    pub fn end_virtual(&mut self, intid: u64) -> bool {
        let active = self.list_register & INTID_MASK == intid && self.list_register & list_register::ACTIVE != 0;
        if active {
            self.list_register &= !list_register::ACTIVE;
        }
        active
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Board;
    use mpu_model::Rules;

    #[test]
    fn an_injection_while_active_is_delivered_once_more() {
        let Some(board) = Board::preset("tiny") else { panic!("no such board") };
        let mut pe = Pe::new(&board, Rules::default());
        let event = intid::EVENT | list_register::GROUP1 | list_register::PENDING;
        assert_eq!(pe.acknowledge_virtual(), intid::SPURIOUS);
        pe.list_register = event;
        assert_eq!(pe.acknowledge_virtual(), intid::EVENT);
        assert!(!pe.virtual_interrupt());
        pe.list_register |= list_register::PENDING;
        assert!(!pe.virtual_interrupt(), "not before the first one ended");
        assert!(pe.end_virtual(intid::EVENT));
        assert!(pe.virtual_interrupt());
        assert!(!pe.end_virtual(intid::EVENT), "it is pending again, and not active yet");
        assert_eq!(pe.acknowledge_virtual(), intid::EVENT);
        assert!(!pe.end_virtual(intid::EVENT - 1) && pe.end_virtual(intid::EVENT));
        assert_eq!(pe.acknowledge_virtual(), intid::SPURIOUS);
    }
}
