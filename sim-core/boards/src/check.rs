//! The checks behind [`Board::check`].

use crate::board::{Board, Kind, PA_BITS};
use crate::error::{BoardError, Part};
use crate::span::Span;
use alloc::string::String;
use alloc::vec::Vec;
use mpu_model::Pmsa;

impl Board {
    /// That its sizes are such as the architecture has, and that its ranges of memory lie apart, at addresses that it has,
    /// some RAM among them. What a layout lies on has to be so; see also [`Board::check_map`].
    pub fn check(&self) -> Result<(), BoardError> {
        let of_32 = self.pmsa == Pmsa::V32;
        if !PA_BITS.contains(&self.pa_bits) || (of_32 && self.pa_bits != 32) {
            return Err(BoardError::PaBits { bits: self.pa_bits, pmsa: self.pmsa });
        }
        if self.vmid_bits != 8 && (of_32 || self.vmid_bits != 16) {
            return Err(BoardError::VmidBits { bits: self.vmid_bits, pmsa: self.pmsa });
        }
        for (index, memory) in self.memory.iter().enumerate() {
            self.addressable(memory.span, || self.memory_part(index))?;
            match memory.kind {
                Kind::Tcm { pe } if !self.has_pe(pe) => {
                    let part = self.memory_part(index);
                    return Err(BoardError::NoSuchPe { part, span: memory.span, pe, pes: self.pes });
                }
                _ => {}
            }
        }
        if self.ranges(|kind| kind == Kind::Ram).next().is_none() {
            return Err(BoardError::NoRam { board: self.name.clone() });
        }
        disjoint(self.memory.len(), |at| self.memory.get(at).map(|memory| memory.span), |at| self.memory_part(at))
    }

    /// [`Board::check`], and that UARTs, the GIC and the counter's frame lie at addresses that it has, apart from each other
    /// and from memory: they may lie in ranges of devices only. So it is with a board that is soldered; a layout that tries
    /// something out may have memory where a preset has a UART.
    pub fn check_map(&self) -> Result<(), BoardError> {
        self.check()?;
        let mut parts = self.frame_parts();
        for (part, span) in &parts {
            self.addressable(*span, || part.clone())?;
        }
        let memory = self.memory.iter().enumerate().filter(|(_, memory)| memory.kind != Kind::Device);
        parts.extend(memory.map(|(index, memory)| (self.memory_part(index), memory.span)));
        let part = |at: usize| parts.get(at).map_or(Part::Gic, |(part, _)| part.clone());
        disjoint(parts.len(), |at| parts.get(at).map(|(_, span)| *span), part)
    }

    fn memory_part(&self, index: usize) -> Part {
        Part::Memory { index, name: self.memory.get(index).map_or_else(String::new, |memory| memory.name.clone()) }
    }

    fn frame_parts(&self) -> Vec<(Part, Span)> {
        let uarts = self.uarts().enumerate();
        let uarts = uarts.map(|(index, uart)| (Part::Uart { index, name: uart.name.clone() }, uart.span));
        let control = self.timers.control.map(|control| (Part::TimerControl, control));
        uarts.chain([(Part::Gic, self.gic.span)]).chain(control).collect()
    }

    fn addressable(&self, span: Span, part: impl FnOnce() -> Part) -> Result<(), BoardError> {
        let limit = self.address_limit();
        if span.limit() <= limit {
            return Ok(());
        }
        let (board, pa_bits) = (self.name.clone(), self.pa_bits);
        let longer = limit < self.pmsa.address_limit();
        Err(BoardError::BeyondAddressSpace { part: part(), span, board, limit, pa_bits, longer })
    }
}

/// That none of `count` ranges overlaps another; a board has so few that each is held against each, which takes less of an
/// image's text than sorting them.
fn disjoint(
    count: usize,
    span: impl Fn(usize) -> Option<Span>,
    part: impl Fn(usize) -> Part,
) -> Result<(), BoardError> {
    for one in 0..count {
        for other in one + 1..count {
            let (Some(a), Some(b)) = (span(one), span(other)) else { continue };
            if a.overlaps(&b) {
                let ((one, a), (other, b)) = if b < a { ((other, b), (one, a)) } else { ((one, a), (other, b)) };
                return Err(BoardError::Overlap { a: part(one), a_span: a, b: part(other), b_span: b });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::board::{Memory, Uart};
    use crate::pe::PeId;

    fn span(base: u64, size: u64) -> Span {
        Span::with_size(base, size).unwrap()
    }

    fn with(change: impl FnOnce(&mut Board)) -> Result<(), BoardError> {
        let mut board = Board::preset("fvp-baser").unwrap();
        change(&mut board);
        board.check_map()
    }

    fn memory(kind: Kind, base: u64, size: u64) -> Memory {
        Memory { name: "x".into(), kind, span: span(base, size) }
    }

    #[test]
    fn every_preset_is_sound() {
        for name in Board::preset_names() {
            Board::preset(name).unwrap().check_map().unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }

    #[test]
    fn ranges_may_stand_in_any_order_and_not_overlap() {
        let add = |kind, base, size| with(|board| board.memory.insert(0, memory(kind, base, size)));
        assert_eq!(add(Kind::Device, 0x9000_0000, 0x1000), Ok(()));
        assert_eq!(add(Kind::Flash, 0x8000_0000, 0x1000), Ok(()), "right behind the RAM");
        for kind in [Kind::Ram, Kind::Tcm { pe: PeId::PRIMARY }, Kind::Flash, Kind::Device] {
            let error = add(kind, 0x7fff_f000, 0x2000).unwrap_err();
            let BoardError::Overlap { a: Part::Memory { index: 1, .. }, b: Part::Memory { index: 0, .. }, .. } = &error
            else {
                panic!("{error}")
            };
        }
        // The console may stand in a range of devices, and so may the others.
        assert_eq!(add(Kind::Device, 0x9c00_0000, 0x20_0000), Ok(()));
    }

    #[test]
    fn a_board_has_the_pes_that_it_counts() {
        let mut board = Board::preset("fvp-baser").unwrap();
        board.pes = 2;
        assert_eq!(board.pe_ids().collect::<Vec<_>>(), [PeId::PRIMARY, PeId::new(1)]);
        assert!(board.has_pe(PeId::new(1)) && !board.has_pe(PeId::new(2)));
    }

    #[test]
    fn a_tcm_is_of_a_pe_that_is_there() {
        let of = |pe| with(|board| board.memory.push(memory(Kind::Tcm { pe: PeId::new(pe) }, 0xe000_0000, 0x1_0000)));
        assert_eq!(of(0), Ok(()));
        let error = of(1).unwrap_err();
        assert_eq!(
            alloc::format!("{error}"),
            "the board's memory \"x\" (0xe0000000-0xe000ffff) is the TCM of PE 1, and the board has 1; PEs count from 0"
        );
    }

    #[test]
    fn a_board_has_ram_and_all_of_it_at_addresses_that_it_has() {
        let error = with(|board| board.memory = Vec::from([memory(Kind::Flash, 0, 0x1000)])).unwrap_err();
        assert!(matches!(error, BoardError::NoRam { .. }), "{error}");
        for kind in [Kind::Ram, Kind::Device] {
            let at = |base| with(|board| board.memory.push(memory(kind, base, 0x1000)));
            assert_eq!(at((1 << 48) - 0x1000), Ok(()));
            let error = at(1 << 48).unwrap_err();
            assert!(matches!(error, BoardError::BeyondAddressSpace { longer: true, .. }), "{error}");
        }
        let far = with(|board| board.other_uarts.push(Uart::new("far", span(1 << 48, 0x1000)))).unwrap_err();
        assert!(matches!(far, BoardError::BeyondAddressSpace { part: Part::Uart { .. }, .. }), "{far}");
    }

    #[test]
    fn uarts_have_addresses_of_their_own() {
        let gic = Board::preset("fvp-baser").unwrap().gic.span.base();
        let at = |base| with(|board| board.other_uarts.push(Uart::new("more", span(base, 0x1000))));
        assert_eq!(at(0x9d00_0000), Ok(()));
        for taken in [0x1000, 0x9c09_0000, 0x9c0a_0000, gic, 0xaa43_0000] {
            let error = at(taken).unwrap_err();
            assert!(matches!(error, BoardError::Overlap { .. }), "{taken:#x}: {error}");
        }
    }

    #[test]
    fn a_redistributor_is_two_frames_for_each_pe() {
        let gic = Board::preset("fvp-baser").unwrap().gic;
        assert_eq!(gic.redistributor(PeId::PRIMARY), Some(span(0xaf10_0000, 0x2_0000)));
        assert_eq!(gic.redistributor(PeId::new(7)), Some(span(0xaf1e_0000, 0x2_0000)));
        assert_eq!(
            (gic.redistributor(PeId::new(8)), gic.redistributor(PeId::new(u32::MAX))),
            (None, None),
            "past the GIC's end"
        );
        assert_eq!(crate::Gic { redistributors: None, ..gic }.redistributor(PeId::PRIMARY), None);
    }

    #[test]
    fn who_reaches_a_tcm_hangs_on_the_number_of_pes() {
        let mut board = Board::preset("fvp-baser").unwrap();
        board.memory.push(memory(Kind::Tcm { pe: PeId::PRIMARY }, 0xe000_0000, 0x1_0000));
        let inside = span(0xe000_1000, 0x1000);
        assert!(board.reached_by_every_pe(&inside).is_some());
        board.pes = 2;
        assert_eq!((board.reached_by_every_pe(&inside), board.tcm_of(&inside)), (None, Some(PeId::PRIMARY)));
        assert_eq!(board.tcm_of(&span(0, 0x1000)), None);
    }
}
