//! Values that are no plain numbers, with what was expected.

use std::time::Duration;

/// As many threads as make sense on any machine.
pub(super) fn jobs(text: &str) -> Result<usize, String> {
    let found = text.parse().ok().filter(|jobs| (1..=1024).contains(jobs));
    found.ok_or_else(|| "expected a number of threads from 1 to 1024".into())
}

pub(super) fn address(text: &str) -> Result<u64, String> {
    let expected = "expected an address such as 0x20010030, from 0 to 0xffff_ffff_ffff_ffff";
    scenario::number(text).ok_or_else(|| expected.into())
}

/// As many bytes as a region can hold.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let most = mpu_model::PA_LIMIT + 1;
    let found = scenario::number(text).filter(|size| (1..=most).contains(size));
    found.ok_or_else(|| format!("expected a number of bytes from 1 to {most:#x}"))
}

/// A time span: a number and s, m or h.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a time such as 60s, 10m or 2h, of at least 1s and at most 8760h".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        _ => return Err(wrong()),
    };
    let number: u64 = text.strip_suffix(unit).and_then(|number| number.parse().ok()).ok_or_else(wrong)?;
    let seconds = number.checked_mul(seconds).filter(|seconds| (1..=8760 * 3600).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(wrong)
}
