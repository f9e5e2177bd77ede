//! Names, as files give them: what reports tell things apart by.

use super::error::Problem;
use toml::Spanned;
use words::shown;

/// Refuses a name that is empty, or that does not show as one line of characters.
pub(crate) fn check(name: &Spanned<String>) -> Result<(), Problem> {
    let text = name.get_ref();
    let help = "names are how reports tell things apart; give one of printed characters on one line";
    if text.trim().is_empty() {
        return Err(Problem::new("the name is empty").at(name.span(), "expected a name").help(help));
    }
    match text.chars().find(|char| shown::is_hidden(*char)) {
        None => Ok(()),
        Some('\n' | '\r' | '\u{2028}' | '\u{2029}') => {
            let problem = Problem::new("the name has a line end in it");
            Err(problem.at(name.span(), "expected a name on one line").help(help))
        }
        Some(char) => {
            let title = format!("the name has a character in it that is not printed: U+{:04X}", u32::from(char));
            Err(Problem::new(title).at(name.span(), "expected printed characters").help(help))
        }
    }
}
