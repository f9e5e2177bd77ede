//! A colour for each owner, the same in every picture of a scenario.
//!
//! Domains take the nine colours of Paul Tol's scheme *muted*, which people with the common kinds of colour blindness can
//! tell apart (<https://sronpersonalpages.nl/~pault/>), in the order of the scenario; from the tenth domain on with a
//! band of a second colour at the left edge. What belongs to the hypervisor is grey.

use sim_core::layout::Owner;

/// The colours of domains.
const DOMAINS: [&str; 9] =
    ["#88ccee", "#ddcc77", "#cc6677", "#44aa99", "#332288", "#999933", "#aa4499", "#117733", "#882255"];

/// How an owner looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Colour {
    /// The area.
    pub(super) fill: &'static str,
    /// The band at the left edge.
    pub(super) band: Option<&'static str>,
    /// Text on it.
    pub(super) ink: &'static str,
}

/// The colour of an owner.
pub(super) fn of(owner: Owner) -> Colour {
    let (fill, band) = match owner {
        Owner::Text => ("#c3c9cf", None),
        Owner::Rodata => ("#d8dce0", None),
        Owner::Data | Owner::Stack(_) => ("#adb5bd", None),
        Owner::Heap => ("#e9ecef", None),
        Owner::Pool(None) => ("#d3cbb8", None),
        Owner::Uart => ("#646c74", None),
        Owner::Gic => ("#343a40", None),
        Owner::Shared(index) => ("#ffffff", DOMAINS.get(index % DOMAINS.len()).copied()),
        Owner::Ram(domain) | Owner::Granted(domain) | Owner::ReadOnly(domain) | Owner::Pool(Some(domain)) => {
            domain_colour(domain.get())
        }
        // Nothing is there but a trap.
        Owner::Emulated(_) => ("#f1e3d3", None),
        Owner::Passthrough(_) => ("#cfd8e3", None),
        Owner::Nobody => ("#ffffff", None),
    };
    Colour { fill, band, ink: ink(fill) }
}

fn domain_colour(domain: usize) -> (&'static str, Option<&'static str>) {
    let count = DOMAINS.len();
    let round = domain / count % count;
    let fill = DOMAINS.get(domain % count).copied().unwrap_or("#ffffff");
    let band = (round > 0).then(|| DOMAINS.get((domain + round) % count).copied()).flatten();
    (fill, band)
}

/// Black or white, whichever is told from `fill` better.
fn ink(fill: &str) -> &'static str {
    if luminance(fill) > 179 { "#000000" } else { "#ffffff" }
}

/// The relative luminance of WCAG 2 in thousandths, with squares in place of its gamma curve.
fn luminance(colour: &str) -> u32 {
    let channel = |at: usize| {
        let text = colour.get(at..at + 2).unwrap_or("00");
        u32::from_str_radix(text, 16).map_or(0, |value| value * value)
    };
    (213 * channel(1) + 715 * channel(3) + 72 * channel(5)) / (255 * 255)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::layout::Position;
    use std::collections::HashSet;

    #[test]
    fn eighty_one_domains_look_different() {
        let seen: HashSet<Colour> = Position::all().take(81).map(|domain| of(Owner::Ram(domain))).collect();
        assert_eq!(seen.len(), 81);
        assert_eq!(of(Owner::Ram(Position::new(3))), of(Owner::Pool(Some(Position::new(3)))), "one owner, one colour");
    }

    /// WCAG 2 asks for a contrast of 4.5 in small text.
    #[test]
    fn text_can_be_read_on_every_colour() {
        let hypervisor = [Owner::Text, Owner::Rodata, Owner::Data, Owner::Heap, Owner::Pool(None)];
        let others =
            [Owner::Uart, Owner::Gic, Owner::Shared(0), Owner::Emulated(0), Owner::Passthrough(0), Owner::Nobody];
        for owner in hypervisor.into_iter().chain(others).chain(Position::all().take(9).map(Owner::Ram)) {
            let colour = of(owner);
            let (fill, ink) = (exact_luminance(colour.fill), exact_luminance(colour.ink));
            let contrast = (fill.max(ink) + 0.05) / (fill.min(ink) + 0.05);
            assert!(contrast >= 4.5, "{owner:?}: {colour:?} has a contrast of {contrast:.2}");
        }
    }

    fn exact_luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap_or(0)) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }
}
