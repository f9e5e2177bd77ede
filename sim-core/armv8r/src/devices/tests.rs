//! Devices together, wired as their owner does.

use super::gic::{Config, Frame, Gic, Register, Requester};
use super::pl011::Pl011;
use super::timer::{Timer, Timers};

const EL2: Requester = Requester { el: 2, imo: true, fmo: true };
const GUEST: Requester = Requester { el: 1, imo: true, fmo: true };
/// `CNT*_CTL`: enabled; enabled and masked.
const ENABLED: u64 = 0b01;
const MASKED: u64 = 0b11;

/// PE 0 with its timers, and a count.
struct Machine {
    gic: Gic,
    timers: Timers,
    count: u64,
}

impl Machine {
    /// EL2 leaves deactivation to DIR, and has enabled what EL1 is to have.
    fn new() -> Self {
        let mut machine = Self { gic: Gic::new(Config::new([0].to_vec())), timers: Timers::new(), count: 0 };
        machine.gic.write(Frame::Distributor, 0x0, 4, 0b11);
        machine.gic.write(Frame::Redistributor(0), 0x14, 4, 0);
        machine.gic.write(Frame::Sgi(0), 0x80, 4, 0xffff_ffff);
        machine.gic.write(Frame::Sgi(0), 0x100, 4, 0xffff_0000);
        for (register, value) in [
            (Register::Pmr, 0xff),
            (Register::Igrpen1, 1),
            (Register::Ctlr, 0b10),
            (Register::IchHcr, 1),
            (Register::IchVmcr, 0xf8 << 24 | 0b10),
        ] {
            machine.set(EL2, register, value);
        }
        machine
    }

    fn set(&mut self, by: Requester, register: Register, value: u64) {
        assert_eq!(self.gic.write_register(0, register, by, value), Ok(()));
    }

    fn get(&mut self, by: Requester, register: Register) -> Result<u64, super::gic::Refused> {
        self.gic.read_register(0, register, by)
    }

    /// Time goes on, or a timer was written: lines follow.
    fn run_to(&mut self, count: u64) {
        self.count = count;
        for timer in [Timer::Physical, Timer::Virtual, Timer::SecureHyp] {
            self.gic.set_line(timer.intid(), 0, self.timers.output(timer, count));
        }
    }
}

#[test]
fn a_guest_handles_its_virtual_timer() {
    let mut machine = Machine::new();
    machine.timers.virtual_offset = 0_u64.wrapping_sub(1_000_000);
    machine.timers.set_value(Timer::Virtual, machine.count, 500);
    machine.timers.set_control(Timer::Virtual, ENABLED);
    for tick in 1..4 {
        let deadline = machine.timers.next_deadline(&Timer::ALL, machine.count);
        assert_eq!(deadline, Some(500 * tick));
        machine.run_to(500 * tick - 1);
        assert!(!machine.gic.outputs(0).irq);
        machine.run_to(500 * tick);
        assert!(machine.gic.outputs(0).irq);
        // EL2 takes it, hands it to the guest with its physical interrupt, and is not asked again.
        assert_eq!(machine.get(EL2, Register::Iar1), Ok(27));
        machine.set(EL2, Register::Eoir1, 27);
        machine.set(EL2, Register::IchLr(0), 0b0111 << 60 | 0x1b << 32 | 0x1b);
        let outputs = machine.gic.outputs(0);
        assert!(!outputs.irq && outputs.virq);
        // The guest takes it, sets its timer anew and ends the interrupt.
        assert_eq!(machine.get(GUEST, Register::Iar1), Ok(27));
        machine.timers.set_value(Timer::Virtual, machine.count, 500);
        machine.run_to(machine.count);
        machine.set(GUEST, Register::Eoir1, 27);
        let outputs = machine.gic.outputs(0);
        assert!(!outputs.irq && !outputs.virq);
        assert_eq!(machine.get(EL2, Register::IchElrsr), Ok(0b1111));
    }
}

#[test]
fn a_timer_that_is_masked_is_quiet_and_keeps_its_condition() {
    let mut machine = Machine::new();
    machine.timers.set_compare(Timer::SecureHyp, 100);
    machine.timers.set_control(Timer::SecureHyp, ENABLED);
    machine.run_to(100);
    assert_eq!(machine.get(EL2, Register::Iar1), Ok(20));
    machine.timers.set_control(Timer::SecureHyp, MASKED);
    machine.run_to(101);
    machine.set(EL2, Register::Eoir1, 20);
    machine.set(EL2, Register::Dir, 20);
    assert!(!machine.gic.outputs(0).irq);
    assert_eq!(machine.timers.control(Timer::SecureHyp, 101), MASKED | 0b100);
    machine.timers.set_control(Timer::SecureHyp, ENABLED);
    machine.run_to(102);
    assert!(machine.gic.outputs(0).irq);
    machine.timers.set_control(Timer::SecureHyp, 0);
    machine.run_to(103);
    assert_eq!((machine.gic.outputs(0).irq, machine.get(EL2, Register::Iar1)), (false, Ok(1023)));
}

#[test]
fn a_byte_from_the_line_is_an_spi_until_it_is_read() {
    const UART: u32 = 37;
    let mut machine = Machine::new();
    machine.gic.write(Frame::Distributor, 0x84, 4, 0xffff_ffff);
    machine.gic.write(Frame::Distributor, 0x104, 4, 1 << (UART - 32));
    let mut uart = Pl011::new(true);
    uart.write(0x38, 4, 1 << 4);
    uart.receive(b'x');
    machine.gic.set_line(UART, 0, uart.interrupt());
    assert_eq!(machine.get(EL2, Register::Iar1), Ok(UART.into()));
    assert_eq!(uart.read(0x0, 4), b'x'.into());
    machine.gic.set_line(UART, 0, uart.interrupt());
    machine.set(EL2, Register::Eoir1, UART.into());
    machine.set(EL2, Register::Dir, UART.into());
    assert!(!machine.gic.outputs(0).irq);
}
