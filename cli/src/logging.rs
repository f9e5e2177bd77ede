//! What `-v` shows, on standard error.

use tracing_subscriber::filter::LevelFilter;

/// Starts logging: 0 nothing, 1 what is run, 2 each entry to EL2, 3 and more all there is. `color` is whether standard
/// error takes colour.
pub fn start(verbose: u8, color: bool) {
    let level = match verbose {
        0 => return,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    // Without a time of day: two runs of one seed say the same.
    let subscriber =
        tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_ansi(color).without_time();
    // A second start in one process keeps the first.
    let _ = subscriber.try_init();
}
