//! Time per round, and the loop that it is compared with.

use std::hint::black_box;
use std::time::Instant;

/// Rounds of a few nanoseconds in one burst: short enough to fit between two interruptions by other work.
pub(crate) const BURST: u32 = 2_000;

/// One step of a chain in which each number needs the one before: a multiply and an add.
pub(crate) fn step(state: u64) -> u64 {
    state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}

/// Nanoseconds per round, of the best burst of so many rounds: what else the machine does can only add. There are `bursts`.
pub(crate) fn time(bursts: u32, rounds: u32, mut round: impl FnMut()) -> f64 {
    (0..bursts)
        .map(|_| {
            let start = Instant::now();
            (0..rounds).for_each(|_| round());
            start.elapsed().as_secs_f64() * 1e9 / f64::from(rounds)
        })
        .fold(f64::INFINITY, f64::min)
}

/// Prints each cost, and how many times that of one [`step`] it is: machines differ, and clocks wander.
pub(crate) fn print(costs: &[(&str, f64)]) {
    let mut value = 1_u64;
    let unit = time(BURST, BURST, || value = step(black_box(value)));
    println!("{:28} {unit:9.2} ns", "calibration loop");
    for (name, cost) in costs {
        println!("{name:28} {cost:9.2} ns, {:8.1} times the calibration loop", cost / unit);
    }
}
