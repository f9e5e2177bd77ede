//! What is read and written in memory (IHI 0069, chapter 12).

use super::*;

fn gic(pes: u32, spis: usize) -> Gic {
    Gic::new(Config { spis, ..Config::new((0..pes).collect()) })
}

#[test]
fn the_distributor_says_what_it_is() {
    let mut gic = gic(2, 224);
    let word = |gic: &Gic, offset| gic.read(Frame::Distributor, offset, 4);
    assert_eq!((word(&gic, 0x0), word(&gic, 0x4), word(&gic, 0x8)), (0x50, 0x49_0007, 0x43b));
    gic.write(Frame::Distributor, 0x0, 4, 0xffff_ffff);
    assert_eq!(word(&gic, 0x0), 0x53);
    assert_eq!((word(&gic, 0xffe8), word(&gic, 0xfff0), word(&gic, 0xfffc)), (0x3b, 0x0d, 0xb1));
}

#[test]
fn the_lines_are_rounded_up() {
    for (spis, lines) in [(0, 0), (1, 1), (32, 1), (33, 2), (224, 7), (988, 31), (usize::MAX, 31)] {
        assert_eq!(gic(1, spis).read(Frame::Distributor, 0x4, 4) & 0x1f, lines);
    }
}

#[test]
fn private_interrupts_are_none_of_the_distributor() {
    let mut gic = gic(1, 224);
    for offset in [0x80, 0x100, 0x200, 0x300, 0x400, 0x41c, 0xc00, 0xc04, 0x800, 0xd04, 0xe08, 0x6000] {
        gic.write(Frame::Distributor, offset, 4, 0xffff_ffff);
        assert_eq!(gic.read(Frame::Distributor, offset, 4), 0, "{offset:#x}");
    }
    assert_eq!(gic, self::gic(1, 224));
}

#[test]
fn priorities_are_bytes_and_words() {
    let mut gic = gic(1, 224);
    for (frame, offset) in [(Frame::Distributor, 0x420), (Frame::Sgi(0), 0x404)] {
        gic.write(frame, offset, 4, 0x1122_3344);
        assert_eq!(gic.read(frame, offset, 4), 0x1020_3040);
        gic.write(frame, offset + 1, 1, 0xff);
        assert_eq!((gic.read(frame, offset, 4), gic.read(frame, offset + 1, 1)), (0x1020_f840, 0xf8));
        gic.write(frame, offset, 2, 0);
        gic.write(frame, offset, 8, 0);
        assert_eq!((gic.read(frame, offset, 2), gic.read(frame, offset, 4)), (0, 0x1020_f840));
    }
}

#[test]
fn routes_are_doublewords_and_words() {
    let mut gic = gic(1, 1);
    gic.write(Frame::Distributor, 0x6100, 8, u64::MAX);
    assert_eq!(gic.read(Frame::Distributor, 0x6100, 8), 0xff_80ff_ffff);
    gic.write(Frame::Distributor, 0x6104, 4, 0x12);
    assert_eq!(gic.read(Frame::Distributor, 0x6100, 8), 0x12_80ff_ffff);
    gic.write(Frame::Distributor, 0x6100, 4, 0x304);
    assert_eq!(
        (gic.read(Frame::Distributor, 0x6100, 8), gic.read(Frame::Distributor, 0x6104, 4)),
        (0x12_0000_0304, 0x12)
    );
    // The next SPI does not exist.
    gic.write(Frame::Distributor, 0x6108, 8, u64::MAX);
    assert_eq!(gic.read(Frame::Distributor, 0x6108, 8), 0);
}

#[test]
fn messages_are_words_and_halfwords() {
    let mut system = System::new(1);
    system.enable(SPI, 0x80, true);
    system.gic.write(Frame::Distributor, 0x40, 2, SPI.into());
    assert_eq!((system.signals(0), system.get(0, Register::Iar1), system.state(SPI)), ("irq", 40, (true, true)));
    system.gicd(0x48, SPI.into());
    assert_eq!(system.state(SPI), (false, true));
    for intid in [0, 31, 256, 1023, 0xffff_ffff] {
        system.gicd(0x40, intid);
        system.gicd(0x48, intid);
    }
    system.gicd(0x50, SPI.into());
    assert_eq!(system.state(SPI), (false, true));
}

#[test]
fn a_redistributor_says_whose_it_is() {
    let gic = Gic::new(Config::new([0x0, 0x0102_0304].to_vec()));
    assert_eq!(gic.read(Frame::Redistributor(0), 0x8, 8), 0);
    assert_eq!(gic.read(Frame::Redistributor(1), 0x8, 8), 0x0102_0304_0000_0110);
    assert_eq!(gic.read(Frame::Redistributor(1), 0x8, 4), 0x110);
    assert_eq!(gic.read(Frame::Redistributor(1), 0xc, 4), 0x0102_0304);
    assert_eq!(
        (gic.read(Frame::Redistributor(1), 0xffe8, 4), gic.read(Frame::Redistributor(1), 0x4, 4)),
        (0x3b, 0x43b)
    );
    assert_eq!((gic.read(Frame::Redistributor(1), 0x14, 4), gic.read(Frame::Redistributor(2), 0x14, 4)), (0b110, 0));
}

#[test]
fn redistributors_follow_one_another() {
    assert_eq!(Frame::of_redistributors(0x14), (Frame::Redistributor(0), 0x14));
    assert_eq!(Frame::of_redistributors(0x3_0100), (Frame::Sgi(1), 0x100));
}

#[test]
fn triggers_have_two_bits() {
    let mut gic = gic(1, 224);
    gic.write(Frame::Distributor, 0xc0c, 4, 0xffff_ffff);
    assert_eq!((gic.read(Frame::Distributor, 0xc0c, 4), gic.read(Frame::Distributor, 0xc08, 4)), (0xaaaa_aaaa, 0));
    gic.write(Frame::Sgi(0), 0xc04, 4, 2);
    assert_eq!((gic.read(Frame::Sgi(0), 0xc00, 4), gic.read(Frame::Sgi(0), 0xc04, 4)), (0xaaaa_aaaa, 2));
}

#[test]
fn each_trigger_is_of_its_interrupt() {
    for intid in [16, 31, 32, 47, 48, 63, 64, 127] {
        let mut system = System::new(1);
        let frame = System::frame(intid);
        system.gic.write(frame, 0xc00 + u64::from(intid / 16) * 4, 4, 2 << (2 * (intid % 16)));
        for other in [16, 31, 32, 47, 48, 63, 64, 127] {
            system.gic.set_line(other, 0, true);
            system.gic.set_line(other, 0, false);
            assert_eq!(system.state(other), (other == intid, false), "{other} of {intid}");
        }
    }
}

#[test]
fn active_and_pending_states_are_set_and_cleared() {
    let mut system = System::new(1);
    system.enable(SPI, 0x80, true);
    system.pend(SPI);
    system.gicd(0x304, 1 << 8);
    assert_eq!((system.state(SPI), system.signals(0)), ((true, true), ""));
    system.gicd(0x384, 1 << 8);
    assert_eq!((system.state(SPI), system.signals(0)), ((true, false), "irq"));
    system.gicd(0x284, 1 << 8);
    assert_eq!((system.state(SPI), system.signals(0)), ((false, false), ""));
}

#[test]
fn only_words_at_waker_wake() {
    let mut gic = gic(1, 0);
    for bytes in [0, 1, 2, 4, 8] {
        for offset in (0..0x100).chain(0xff00..0x1_0010) {
            if (offset, bytes) != (0x14, 4) {
                gic.write(Frame::Redistributor(0), offset, bytes, 0);
            }
        }
    }
    assert_eq!(gic, self::gic(1, 0));
    gic.write(Frame::Redistributor(0), 0x14, 4, 0);
    assert_eq!(gic.read(Frame::Redistributor(0), 0x14, 4), 0);
}

#[test]
fn what_is_too_narrow_too_wide_or_not_aligned_is_nothing() {
    let mut gic = gic(1, 224);
    for frame in [Frame::Distributor, Frame::Sgi(0)] {
        for bytes in [0, 1, 2, 3, 4, 5, 8, 16, 255] {
            for offset in 0..0xd00 {
                let aligned_word = bytes == 4 && offset % 4 == 0;
                let priority = bytes == 1 && (0x400..0x800).contains(&offset);
                let message = bytes == 2 && (offset == 0x40 || offset == 0x48);
                if !(aligned_word || priority || message) {
                    gic.write(frame, offset, bytes, u64::MAX);
                    assert_eq!(gic.read(frame, offset, bytes), 0);
                }
            }
        }
    }
    assert_eq!(gic, self::gic(1, 224));
}
