//! The UART PL011, revision r1p5 (DDI 0183G), as far as software sees it.
//!
//! Time is not modelled: a byte that is written and may be transmitted is out at once, when the owner takes it with
//! [`Pl011::transmit`], and the line is idle after each byte that is received. So:
//!
//! * The receive timeout interrupt, for which a UART waits for 32 bit periods of silence (3.4.2), is asserted, with FIFOs enabled,
//!   when a byte is received, when a read leaves bytes in the receive FIFO, and when the owner says that the line is
//!   [`Pl011::idle`]. So an image that clears it and leaves bytes gets it again, as from a UART, but not at once.
//! * The transmit interrupt is asserted whenever the transmit FIFO runs empty, which is when it passes any trigger level.
//!
//! The FIFOs hold 32 bytes, as those of r1p5 do: 16 is what revisions before it have.

use alloc::collections::VecDeque;

/// Entries of a FIFO.
const DEPTH: usize = 32;

/// The bits of FR.
mod fr {
    pub(super) const CTS: u32 = 1 << 0;
    pub(super) const DSR: u32 = 1 << 1;
    pub(super) const DCD: u32 = 1 << 2;
    pub(super) const BUSY: u32 = 1 << 3;
    pub(super) const RXFE: u32 = 1 << 4;
    pub(super) const TXFF: u32 = 1 << 5;
    pub(super) const RXFF: u32 = 1 << 6;
    pub(super) const TXFE: u32 = 1 << 7;
}

/// The bits of `LCR_H`.
mod lcr_h {
    pub(super) const FEN: u32 = 1 << 4;
}

/// The bits of CR.
mod cr {
    pub(super) const UARTEN: u32 = 1 << 0;
    pub(super) const LBE: u32 = 1 << 7;
    pub(super) const TXE: u32 = 1 << 8;
    pub(super) const RXE: u32 = 1 << 9;
    /// UARTEN, SIREN, SIRLP, and LBE to `CTSEn`.
    pub(super) const BITS: u32 = 0xff87;
}

/// Interrupts, as in IMSC, RIS, MIS and ICR.
mod interrupt {
    pub(super) const RX: u32 = 1 << 4;
    pub(super) const TX: u32 = 1 << 5;
    pub(super) const RT: u32 = 1 << 6;
    pub(super) const OE: u32 = 1 << 10;
    pub(super) const ALL: u32 = 0x7ff;
}

/// `OE` of DR.
const DATA_OVERRUN: u32 = 1 << 11;
/// `OE` of RSR.
const STATUS_OVERRUN: u32 = 1 << 3;
/// `PeriphID0` to `PeriphID3` and `PCellID0` to `PCellID3`.
const IDS: [u8; 8] = [0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1];

/// A UART.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pl011 {
    /// Bytes to be read, each with the error bits that DR shows beside it. At most [`DEPTH`].
    receiving: VecDeque<u32>,
    /// Bytes written and not yet out. At most [`DEPTH`].
    transmitting: VecDeque<u8>,
    /// A byte was lost since the last that was kept.
    overrun: bool,
    status: u32,
    low_power_divisor: u32,
    integer_divisor: u32,
    fractional_divisor: u32,
    line_control: u32,
    control: u32,
    levels: u32,
    mask: u32,
    raw: u32,
    dma: u32,
    /// UARTEN, TXE and RXE count as set: what is written is transmitted although software has not set up the UART.
    always_enabled: bool,
}

impl Pl011 {
    /// A UART as at reset. With `always_enabled` it transmits and receives whatever CR says, as models of it do for software
    /// that relies on a boot loader.
    #[must_use]
    pub const fn new(always_enabled: bool) -> Self {
        Self {
            receiving: VecDeque::new(),
            transmitting: VecDeque::new(),
            overrun: false,
            status: 0,
            low_power_divisor: 0,
            integer_divisor: 0,
            fractional_divisor: 0,
            line_control: 0,
            control: cr::TXE | cr::RXE,
            levels: 0x12,
            mask: 0,
            raw: 0,
            dma: 0,
            always_enabled,
        }
    }

    /// The interrupt line UARTINTR: MIS is not 0.
    #[must_use]
    pub const fn interrupt(&self) -> bool {
        self.raw & self.mask != 0
    }

    /// Whether a byte that is received now is kept, for an owner that can make its sender wait.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.enabled(cr::RXE) && self.receiving.len() < self.depth()
    }

    /// A byte arrives. One that finds the FIFO full is lost and makes an overrun; one that finds the receiver disabled is lost.
    pub fn receive(&mut self, byte: u8) {
        if !self.enabled(cr::RXE) {
            return;
        }
        if self.receiving.len() >= self.depth() {
            self.overrun = true;
            self.status |= STATUS_OVERRUN;
            self.raw |= interrupt::OE;
            return;
        }
        let overrun = if core::mem::take(&mut self.overrun) { DATA_OVERRUN } else { 0 };
        self.receiving.push_back(u32::from(byte) | overrun);
        if self.receiving.len() >= self.receive_level() {
            self.raw |= interrupt::RX;
        }
        self.idle();
    }

    /// The line has been silent for long: what is left in the receive FIFO asserts the timeout interrupt again. An owner whose
    /// PEs all sleep says so.
    pub fn idle(&mut self) {
        if self.fifos() && !self.receiving.is_empty() {
            self.raw |= interrupt::RT;
        }
    }

    /// The next byte that is transmitted, to be asked for after each write until there is none.
    pub fn transmit(&mut self) -> Option<u8> {
        if !self.enabled(cr::TXE) {
            return None;
        }
        let byte = self.transmitting.pop_front()?;
        if self.transmitting.is_empty() {
            self.raw |= interrupt::TX;
        }
        Some(byte)
    }

    /// Reads `bytes` at an offset of the frame. The registers are on a bus of words: bytes and halfwords are parts of them,
    /// what is wider or not aligned is RAZ/WI.
    pub fn read(&mut self, offset: u64, bytes: u8) -> u64 {
        if !matches!(bytes, 1 | 2 | 4) || !offset.is_multiple_of(bytes.into()) {
            return 0;
        }
        let word = u64::from(self.read_word(offset & !3));
        word >> (8 * (offset & 3)) & u64::MAX >> (64 - 8 * u32::from(bytes))
    }

    /// Writes `bytes` at an offset of the frame. The bus has no strobes for bytes, so a write to less than a word writes zero
    /// to the rest; to the upper bytes of a word it is ignored.
    pub fn write(&mut self, offset: u64, bytes: u8, value: u64) {
        if matches!(bytes, 1 | 2 | 4) && offset.is_multiple_of(4) {
            self.write_word(offset, (value & u64::MAX >> (64 - 8 * u32::from(bytes))) as u32);
        }
    }

    const fn fifos(&self) -> bool {
        self.line_control & lcr_h::FEN != 0
    }

    const fn depth(&self) -> usize {
        if self.fifos() { DEPTH } else { 1 }
    }

    const fn enabled(&self, direction: u32) -> bool {
        let needed = cr::UARTEN | direction;
        self.always_enabled || self.control & needed == needed
    }

    /// Bytes in the receive FIFO from which on its interrupt is asserted (IFLS, 3.3.9); reserved values as the last.
    const fn receive_level(&self) -> usize {
        if !self.fifos() {
            return 1;
        }
        match self.levels >> 3 {
            0 => DEPTH / 8,
            1 => DEPTH / 4,
            2 => DEPTH / 2,
            3 => DEPTH / 4 * 3,
            _ => DEPTH / 8 * 7,
        }
    }

    fn flags(&self) -> u32 {
        let when = |holds: bool, bit: u32| if holds { bit } else { 0 };
        // Modem inputs are tied to active.
        fr::CTS
            | fr::DSR
            | fr::DCD
            | when(!self.transmitting.is_empty() && self.enabled(cr::TXE), fr::BUSY)
            | when(self.receiving.is_empty(), fr::RXFE)
            | when(self.transmitting.len() >= self.depth(), fr::TXFF)
            | when(self.receiving.len() >= self.depth(), fr::RXFF)
            | when(self.transmitting.is_empty(), fr::TXFE)
    }

    fn read_word(&mut self, offset: u64) -> u32 {
        match offset {
            0x00 => self.read_data(),
            0x04 => self.status,
            0x18 => self.flags(),
            0x20 => self.low_power_divisor,
            0x24 => self.integer_divisor,
            0x28 => self.fractional_divisor,
            0x2c => self.line_control,
            0x30 => self.control,
            0x34 => self.levels,
            0x38 => self.mask,
            0x3c => self.raw,
            0x40 => self.raw & self.mask,
            0x48 => self.dma,
            0xfe0..0x1000 => IDS.get((offset - 0xfe0) as usize / 4).copied().map_or(0, u32::from),
            _ => 0,
        }
    }

    /// Reads DR, whose error bits go to RSR, all but that of an overrun. Of an empty FIFO it is UNKNOWN: 0.
    fn read_data(&mut self) -> u32 {
        let data = self.receiving.pop_front().unwrap_or(0);
        if self.receiving.len() < self.receive_level() {
            self.raw &= !interrupt::RX;
        }
        if self.receiving.is_empty() {
            self.raw &= !interrupt::RT;
        }
        self.idle();
        data
    }

    fn write_word(&mut self, offset: u64, value: u32) {
        match offset {
            0x00 => self.write_data(value as u8),
            0x04 => self.status = 0,
            0x20 => self.low_power_divisor = value & 0xff,
            0x24 => self.integer_divisor = value & 0xffff,
            0x28 => self.fractional_divisor = value & 0x3f,
            0x2c => {
                let before = self.fifos();
                self.line_control = value & 0xff;
                if before != self.fifos() {
                    self.receiving.clear();
                    self.transmitting.clear();
                    self.raw &= !(interrupt::RX | interrupt::RT);
                }
            }
            0x30 => self.control = value & cr::BITS,
            0x34 => {
                self.levels = value & 0x3f;
                self.raw &= !interrupt::RX;
                if self.receiving.len() >= self.receive_level() {
                    self.raw |= interrupt::RX;
                }
            }
            0x38 => self.mask = value & interrupt::ALL,
            0x44 => self.raw &= !value,
            0x48 => self.dma = value & 7,
            _ => {}
        }
    }

    /// Writes DR. What a full FIFO does not take is lost. In loopback the byte is received, and not transmitted.
    fn write_data(&mut self, byte: u8) {
        if self.control & cr::LBE != 0 && self.enabled(cr::TXE) {
            self.receive(byte);
            self.raw |= interrupt::TX;
        } else if self.transmitting.len() < self.depth() {
            self.raw &= !interrupt::TX;
            self.transmitting.push_back(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const DR: u64 = 0x00;
    const RSR: u64 = 0x04;
    const FR: u64 = 0x18;
    const LCR_H: u64 = 0x2c;
    const CR: u64 = 0x30;
    const IFLS: u64 = 0x34;
    const IMSC: u64 = 0x38;
    const RIS: u64 = 0x3c;
    const MIS: u64 = 0x40;
    const ICR: u64 = 0x44;

    fn enabled() -> Pl011 {
        let mut uart = Pl011::new(false);
        uart.write(LCR_H, 4, 0x70);
        uart.write(CR, 4, 0x301);
        uart
    }

    fn sent(uart: &mut Pl011) -> Vec<u8> {
        core::iter::from_fn(|| uart.transmit()).collect()
    }

    #[test]
    fn what_is_written_is_transmitted_when_the_uart_is_enabled() {
        let mut uart = Pl011::new(false);
        assert_eq!(uart.read(FR, 4), 0x97);
        uart.write(DR, 4, 0x41);
        assert_eq!((uart.transmit(), uart.read(FR, 4) as u32 & (fr::TXFF | fr::TXFE)), (None, fr::TXFF));
        uart.write(DR, 1, 0x42);
        uart.write(CR, 4, 0x301);
        assert_eq!(sent(&mut uart), b"A");
        assert_eq!((uart.read(FR, 4), uart.read(RIS, 4)), (0x97, u64::from(interrupt::TX)));
        uart.write(DR, 1, 0x142);
        assert_eq!((uart.read(RIS, 4), sent(&mut uart)), (0, b"B".to_vec()));

        let mut uart = Pl011::new(true);
        uart.write(DR, 4, 0x43);
        assert_eq!(sent(&mut uart), b"C");
    }

    #[test]
    fn a_full_fifo_overruns() {
        let mut uart = enabled();
        for byte in 0..33 {
            uart.receive(byte);
        }
        assert!(!uart.has_room());
        assert_eq!((uart.read(RSR, 4), uart.read(FR, 4) as u32 & fr::RXFF), (8, fr::RXFF));
        assert_ne!(uart.read(RIS, 4) as u32 & interrupt::OE, 0);
        assert_eq!(uart.read(DR, 4), 0);
        uart.receive(0xaa);
        for byte in 1..32 {
            assert_eq!(uart.read(DR, 4), byte);
        }
        assert_eq!(uart.read(DR, 4), 0x8aa);
        assert_eq!(uart.read(FR, 4) as u32 & fr::RXFE, fr::RXFE);
        uart.write(RSR, 4, 0xff);
        uart.write(ICR, 4, interrupt::OE.into());
        assert_eq!((uart.read(RSR, 4), uart.read(RIS, 4)), (0, 0));
    }

    #[test]
    fn without_fifos_there_is_room_for_one_byte() {
        let mut uart = enabled();
        uart.write(LCR_H, 4, 0x60);
        uart.write(IMSC, 4, interrupt::RX.into());
        uart.receive(1);
        assert!(uart.interrupt() && !uart.has_room());
        assert_eq!(uart.read(RIS, 4), interrupt::RX.into());
        assert_eq!(uart.read(DR, 4), 1);
        assert!(!uart.interrupt());
    }

    #[test]
    fn the_receive_interrupt_follows_its_level_and_the_timeout_what_is_left() {
        let mut uart = enabled();
        uart.write(IFLS, 4, 0);
        uart.write(IMSC, 4, (interrupt::RX | interrupt::RT).into());
        uart.receive(1);
        assert_eq!((uart.read(MIS, 4), uart.interrupt()), (interrupt::RT.into(), true));
        for byte in 2..5 {
            uart.receive(byte);
        }
        assert_eq!(uart.read(MIS, 4), (interrupt::RX | interrupt::RT).into());
        uart.read(DR, 4);
        assert_eq!(uart.read(MIS, 4), interrupt::RT.into());
        uart.write(IFLS, 4, 1 << 3);
        let ways: [fn(&mut Pl011); 3] =
            [|uart| uart.receive(5), |uart| uart.idle(), |uart| assert_eq!(uart.read(DR, 4), 2)];
        for again in ways {
            uart.write(ICR, 4, interrupt::RT.into());
            assert!(!uart.interrupt());
            again(&mut uart);
            assert!(uart.interrupt());
        }
        assert_eq!(uart.read(RIS, 4), interrupt::RT.into());
        for _ in 0..3 {
            uart.read(DR, 4);
        }
        assert_eq!((uart.read(RIS, 4), uart.interrupt()), (0, false));
    }

    #[test]
    fn a_loopback_receives_what_it_sends() {
        let mut uart = enabled();
        uart.write(CR, 4, 0x381);
        uart.write(DR, 4, 0x5a);
        assert_eq!((uart.transmit(), uart.read(DR, 4)), (None, 0x5a));
    }

    #[test]
    fn a_disabled_receiver_loses_bytes() {
        let mut uart = Pl011::new(false);
        uart.receive(1);
        assert_eq!((uart.read(FR, 4) as u32 & fr::RXFE, uart.has_room()), (fr::RXFE, false));
    }

    #[test]
    fn identification_and_widths() {
        let mut uart = Pl011::new(false);
        let ids: Vec<u64> = (0..8).map(|n| uart.read(0xfe0 + 4 * n, 4)).collect();
        assert_eq!(ids, IDS.map(u64::from));
        assert_eq!((uart.read(CR, 4), uart.read(CR, 1), uart.read(CR + 1, 1), uart.read(CR, 2)), (0x300, 0, 3, 0x300));
        assert_eq!((uart.read(CR, 8), uart.read(CR + 1, 2), uart.read(0x1000, 4)), (0, 0, 0));
        uart.write(CR, 8, 1);
        uart.write(CR + 1, 1, 0);
        assert_eq!(uart.read(CR, 4), 0x300);
        for offset in (0..0x1010).step_by(4) {
            uart.write(offset, 4, u64::MAX);
            uart.read(offset, 4);
        }
        assert_eq!(uart.read(CR, 4), 0xff87);
    }
}
