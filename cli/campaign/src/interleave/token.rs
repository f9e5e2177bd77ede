//! A schedule as text: `CASE/STRATEGY/PICKS`. Picks are the numbers of the PEs that went, one for each decision among several,
//! up to the last that was not simply whoever went before. One more than the last PE is an interrupt that comes in at a check point.

use super::schedule::{Candidate, Pick, Who};
use core::fmt::{self, Write};
use core::str::FromStr;

/// A schedule of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The case's name.
    pub case: String,
    /// The strategy, as `--strategy` takes it.
    pub strategy: String,
    /// Who went.
    pub picks: Vec<Who>,
}

/// Why a text is no token, or a token no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It has not three parts.
    #[error("{text:?} is no token; expected CASE/STRATEGY/PICKS as a failure prints it, e.g. fifo-link/pin/0011")]
    Form {
        /// What was given.
        text: String,
    },
    /// A pick is no number of a PE.
    #[error("{found:?} at pick {at} is no PE; expected digits")]
    Pick {
        /// Which pick, from 1.
        at: usize,
        /// What stands there.
        found: char,
    },
    /// Who was to go could not.
    #[error("at pick {at} PE {who} cannot go; expected one of {can:?}")]
    CannotGo {
        /// Which pick, from 1.
        at: usize,
        /// Who was to go.
        who: Who,
        /// Who could.
        can: Vec<Who>,
    },
    /// The case was over before.
    #[error("the case is over after {decisions} picks, and there are {picks}; the token is of another case or version")]
    TooLong {
        /// Decisions there were.
        decisions: usize,
        /// Picks there are.
        picks: usize,
    },
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/", self.case, self.strategy)?;
        self.picks.iter().try_for_each(|who| match u32::try_from(*who).ok().and_then(|who| char::from_digit(who, 10)) {
            Some(digit) => f.write_char(digit),
            None => Err(fmt::Error),
        })
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let form = || TokenError::Form { text: text.to_owned() };
        let (case, rest) = text.split_once('/').ok_or_else(form)?;
        let (strategy, picks) = rest.split_once('/').ok_or_else(form)?;
        let digit = |(at, found): (usize, char)| {
            found.to_digit(10).map(|digit| digit as usize).ok_or(TokenError::Pick { at: at.saturating_add(1), found })
        };
        let picks = picks.chars().enumerate().map(digit).collect::<Result<_, _>>()?;
        Ok(Self { case: case.to_owned(), strategy: strategy.to_owned(), picks })
    }
}

/// Goes as a token says; behind its last pick nobody is let in any more.
#[derive(Clone, Debug)]
pub struct Replay<'a> {
    picks: &'a [Who],
    decisions: usize,
    wrong: Option<TokenError>,
}

impl<'a> Replay<'a> {
    /// Of these picks.
    #[must_use]
    pub const fn new(picks: &'a [Who]) -> Self {
        Self { picks, decisions: 0, wrong: None }
    }

    /// Once the case is over: whether the token was one of it.
    pub fn finish(self) -> Result<(), TokenError> {
        match self.wrong {
            Some(wrong) => Err(wrong),
            None if self.decisions < self.picks.len() => {
                Err(TokenError::TooLong { decisions: self.decisions, picks: self.picks.len() })
            }
            None => Ok(()),
        }
    }
}

impl Pick for Replay<'_> {
    fn pick(&mut self, can: &[Candidate]) -> Option<usize> {
        if self.wrong.is_some() {
            return None;
        }
        if can.len() < 2 {
            return Some(0);
        }
        let Some(who) = self.picks.get(self.decisions).copied() else {
            self.decisions = self.decisions.saturating_add(1);
            return Some(0);
        };
        self.decisions += 1;
        let place = can.iter().position(|candidate| candidate.who == who);
        if place.is_none() {
            let can = can.iter().map(|candidate| candidate.who).collect();
            self.wrong = Some(TokenError::CannotGo { at: self.decisions, who, can });
        }
        place
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop")]
mod tests {
    use super::super::schedule::Footprint;
    use super::*;
    use std::string::ToString;
    use std::vec;

    #[test]
    fn a_token_reads_as_it_prints() {
        for text in ["fifo-link/pin/0011", "kill-raise/map-page:2/", "storm/switch-view:lazy/3120"] {
            let token: Token = text.parse().unwrap();
            assert_eq!(token.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_token_is_refused_with_a_reason() {
        let says = |text: &str| text.parse::<Token>().unwrap_err().to_string();
        assert!(says("fifo-link").contains("expected CASE/STRATEGY/PICKS"));
        assert!(says("fifo-link/pin/01x").contains("'x' at pick 3"), "{}", says("fifo-link/pin/01x"));
    }

    #[test]
    fn picks_that_cannot_be_are_named() {
        let can: Vec<Candidate> = [0, 2].map(|who| Candidate { who, footprint: Footprint::Own }).into();
        let mut replay = Replay::new(&[2, 1]);
        assert_eq!((replay.pick(&can), replay.pick(&can)), (Some(1), None));
        assert_eq!(replay.finish(), Err(TokenError::CannotGo { at: 2, who: 1, can: vec![0, 2] }));
        let mut replay = Replay::new(&[0, 0]);
        assert_eq!((replay.pick(&can), replay.pick(&can[..1])), (Some(0), Some(0)));
        assert_eq!(replay.finish(), Err(TokenError::TooLong { decisions: 1, picks: 2 }));
    }
}
