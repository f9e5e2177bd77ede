//! Numbers and sizes.

/// A number with commas between groups of three digits.
#[must_use]
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A size, as every report for people has it: in the largest of B, KiB, MiB and GiB that it holds one of, rounded down to a
/// tenth where it is not whole: `508.2 MiB`. Where alignment matters (errors that say what to write into a file, ranges) sizes
/// and addresses are hexadecimal instead; accesses below 1 KiB are counted in bytes; JSON and CSV have bytes.
#[must_use]
pub fn bytes(value: u64) -> String {
    const UNITS: [(u32, &str); 3] = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let Some((shift, name)) = UNITS.into_iter().find(|(shift, _)| value >> shift > 0) else {
        return format!("{value} B");
    };
    let whole = number(value >> shift);
    let tenths = ((u128::from(value) * 10) >> shift) % 10;
    if value.trailing_zeros() >= shift { format!("{whole} {name}") } else { format!("{whole}.{tenths} {name}") }
}

/// How much an access reads or writes: `4 bytes`.
#[must_use]
pub fn accessed(size: u64) -> String {
    match size {
        1 => "1 byte".into(),
        0..1024 => format!("{size} bytes"),
        _ => bytes(size),
    }
}

/// A mean of cycles as JSON has it. Past 2^53 hundredths the last digits are lost, which no run of this machine reaches.
#[allow(clippy::cast_precision_loss, reason = "bounded by the length of a run")]
#[must_use]
pub fn hundredths(value: u64) -> f64 {
    value as f64 / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_bytes_read_well() {
        assert_eq!(number(0), "0");
        assert_eq!(number(1_234_567), "1,234,567");
        let sizes = [0, 63, 4096, 4160, 0x1f00_0000, 0x1fcf_8000, 1 << 30, (1 << 30) + (1 << 29), u64::MAX];
        let shown =
            ["0 B", "63 B", "4 KiB", "4.0 KiB", "496 MiB", "508.9 MiB", "1 GiB", "1.5 GiB", "17,179,869,183.9 GiB"];
        assert_eq!(sizes.map(bytes), shown);
        assert_eq!([1, 4, 1023, 1024].map(accessed), ["1 byte", "4 bytes", "1023 bytes", "1 KiB"]);
    }
}
