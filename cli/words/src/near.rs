//! Mistyped names: what was probably meant, and what there is.

use strsim::osa_distance;

/// Names longer than this are not compared: nobody mistyped them.
const COMPARED: usize = 32;

/// `there are a, b`, behind the one that was probably meant if one is near: for errors on one line.
#[must_use]
pub fn there_are(name: &str, known: &[impl AsRef<str>]) -> String {
    let near = nearest(name, known).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    format!("{near}there are {}", joined(known))
}

/// What is known, nearest first if something is near.
#[must_use]
pub fn known_names(what: &str, name: &str, known: &[impl AsRef<str>]) -> String {
    let all = if known.is_empty() { "none".to_owned() } else { joined(known) };
    match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`? Known {what}: {all}"),
        None => format!("known {what}: {all}"),
    }
}

fn joined(known: &[impl AsRef<str>]) -> String {
    known.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ")
}

/// The known name that takes the fewest edits, if they are few for its length.
fn nearest<'a>(name: &str, known: &'a [impl AsRef<str>]) -> Option<&'a str> {
    if name.len() > COMPARED {
        return None;
    }
    let near = known.iter().map(|known| (osa_distance(name, known.as_ref()), known.as_ref())).min()?;
    (near.0 * 3 <= name.len().max(near.1.len())).then_some(near.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_names_are_proposed() {
        let known = ["board".to_owned(), "pes".to_owned()];
        assert_eq!(nearest("bord", &known), Some("board"));
        assert_eq!(nearest("x", &known), None);
        assert_eq!(known_names("keys", "bord", &known), "did you mean `board`? Known keys: board, pes");
        assert_eq!(there_are("bord", &known), "did you mean `board`? there are board, pes");
        assert_eq!(there_are("x", &known), "there are board, pes");
    }
}
