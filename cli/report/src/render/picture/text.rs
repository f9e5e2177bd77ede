//! Text in boxes: how much room it takes, and what is left of it where there is less.

/// Width of a character in tenths of a pixel, at the picture's 11 pixels; its fonts are monospaced at 0.6 em.
const CHARACTER: u32 = 67;

/// How wide `text` is, in pixels.
pub(super) fn width(text: &str) -> u32 {
    cells(text).saturating_mul(CHARACTER).div_ceil(10)
}

/// Characters beyond ASCII may be twice as wide.
fn cells(text: &str) -> u32 {
    text.chars().map(|char| if char.is_ascii() { 1u32 } else { 2 }).sum()
}

/// `text` if it is at most `pixels` wide, else as much of its start as leaves room for an ellipsis. XML takes no control
/// characters; U+FFFD stands for them.
pub(super) fn fit(text: &str, pixels: u32) -> String {
    let text = clean(text);
    if width(&text) <= pixels {
        return text;
    }
    let room = (pixels * 10 / CHARACTER).saturating_sub(1);
    let mut used = 0;
    let kept = text.chars().take_while(|char| {
        used += if char.is_ascii() { 1 } else { 2 };
        used <= room
    });
    let mut kept: String = kept.collect();
    if room > 0 {
        kept.push('\u{2026}');
    }
    kept
}

/// Text that XML can hold.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .map(|char| if char.is_control() || "\u{fffe}\u{ffff}".contains(char) { '\u{fffd}' } else { char })
        .collect()
}

/// Text of several lines that XML can hold.
pub(super) fn clean_lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(clean).collect();
    lines.join("\n")
}

/// `words` in lines at most `pixels` wide each; a word that is wider has a line of its own.
pub(super) fn wrap(text: &str, pixels: u32) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if width(line) + width(word) + width(" ") <= pixels => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn long_text_ends_in_an_ellipsis() {
        assert_eq!(fit("domU1", 100), "domU1");
        assert_eq!(fit("a_domain_with_a_long_name", 67), "a_domain_\u{2026}");
        assert_eq!(fit("bell\u{7}\u{0}", 100), "bell\u{fffd}\u{fffd}");
        assert_eq!(fit("domU1", 5), "");
        assert_eq!(wrap("one two three", 54), ["one two", "three"]);
    }

    proptest! {
        #[test]
        fn what_fits_fits(text in any::<String>(), pixels in 14..400u32) {
            // The ellipsis counts as the one cell that it takes in a monospaced font.
            let cells = |text: &str| text.chars().map(|char| if char.is_ascii() || char == '\u{2026}' { 1 } else { 2 }).sum::<u32>();
            prop_assert!(cells(&fit(&text, pixels)) * CHARACTER <= pixels * 10 || width(&clean(&text)) <= pixels);
            prop_assert!(!fit(&text, pixels).chars().any(char::is_control));
        }
    }
}
