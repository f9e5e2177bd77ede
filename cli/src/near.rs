//! Mistyped names: what was probably meant, and what there is.

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
    let near = known.iter().map(|known| (edits(name, known.as_ref()), known.as_ref())).min()?;
    (near.0 * 3 <= name.len().max(near.1.len())).then_some(near.1)
}

/// Insertions, deletions, replacements and swaps of neighbours from one to the other (optimal string alignment).
fn edits(from: &str, to: &str) -> usize {
    let (from, to) = (from.as_bytes(), to.as_bytes());
    // `rows[i][j]`: edits from the first i bytes to the first j.
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    let cell = |rows: &[Vec<usize>], i: usize, j: usize| rows.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0);
    for (i, a) in from.iter().enumerate() {
        rows.push(vec![i + 1]);
        for (j, b) in to.iter().enumerate() {
            let mut best = (cell(&rows, i, j) + usize::from(a != b)).min(cell(&rows, i, j + 1) + 1);
            best = best.min(cell(&rows, i + 1, j) + 1);
            let swapped = i > 0 && j > 0 && from.get(i - 1) == Some(b) && to.get(j - 1) == Some(a);
            if swapped {
                best = best.min(cell(&rows, i - 1, j - 1) + 1);
            }
            if let Some(row) = rows.last_mut() {
                row.push(best);
            }
        }
    }
    cell(&rows, from.len(), to.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("abc", ""), 3);
        assert_eq!(edits("same", "same"), 0);
        assert_eq!(edits("setpu", "setup"), 1);
    }

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
