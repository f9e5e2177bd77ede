//! A case as a file that `mpusim replay` takes, and the command that does so.

use super::case::Case;
use super::play::{Course, Played, header};
use conformance::format::{Actor, Op, Outcome};
use conformance::{Options, Outcome as Replayed, wording as told};
use mpu_model::{Pmsa, SyncRule};
use serde_json::json;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// The lines of the file: what each step should give, by the model.
pub(super) fn lines(case: &Case, course: &Course, name: &str, seed: u64) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string(&header(case, name, seed))?;
    for (number, (actor, op, expected)) in (1..).zip(steps(course)) {
        text.push('\n');
        text.push_str(&line(number, actor, op, &expected)?);
    }
    text.push('\n');
    Ok(text)
}

/// The steps of the file, with what each should give.
fn steps(course: &Course) -> Vec<(Actor, &Op, Outcome)> {
    let played = course.steps.iter().map(|Played { step, .. }| (step.actor, &step.op, step.expected.clone()));
    let mut steps: Vec<_> = played.collect();
    if steps.is_empty() {
        // The system alone is what fails, and a file has a step.
        steps.push((Actor::Hypervisor, &Op::KeyE {}, Outcome::default()));
    }
    if let Some(dump) = &course.dump {
        steps.push((Actor::Hypervisor, &Op::Dump {}, Outcome { out: dump.clone(), ..Outcome::default() }));
    }
    steps
}

/// The same in words, each with its number in the file.
pub(super) fn in_words(course: &Course) -> Vec<String> {
    let told =
        |(number, (actor, op, expected)): (usize, _)| format!("{number:>4}  {}", told::step(actor, op, &expected));
    (1..).zip(steps(course)).map(told).collect()
}

fn line(number: usize, actor: Actor, op: &Op, expected: &Outcome) -> Result<String, serde_json::Error> {
    let (domain, vcpu) = match actor {
        Actor::Hypervisor => (-1, 0),
        Actor::Guest { domain, vcpu } => (i32::from(domain), vcpu),
    };
    let (name, mut arguments) = op.told();
    arguments.retain(|_, value| !value.is_null());
    let out = if expected.out.is_null() { json!({}) } else { expected.out.clone() };
    let mut line =
        json!({ "n": number, "d": domain, "v": vcpu, "op": name, "in": arguments, "rc": expected.rc, "out": out });
    if let Some(line) = line.as_object_mut() {
        for (key, pairs) in [("k", &expected.injected), ("w", &expected.woken)] {
            if !pairs.is_empty() {
                line.insert(key.into(), json!(pairs));
            }
        }
    }
    serde_json::to_string(&line)
}

/// Whether a replay of these lines goes wrong too.
pub(super) fn shows(case: &Case, text: &str) -> bool {
    let options = Options { setting: case.setting.clone(), skip_unsupported: false };
    let replayed = catch_unwind(AssertUnwindSafe(|| conformance::file(Path::new("case"), text, &options)));
    match replayed {
        Ok(Ok(result)) => !matches!(result.outcome, Replayed::Ok),
        Ok(Err(_)) => false,
        // A panic is what was looked for.
        Err(_) => true,
    }
}

const fn sync(case: &Case) -> &'static str {
    match case.setting.sync {
        SyncRule::DsbThenContextSync => "dsb+cse",
        SyncRule::ContextSyncOnly => "cse",
    }
}

const fn arch(case: &Case) -> &'static str {
    match case.setting.pmsa {
        Pmsa::V64 => "pmsav8-64",
        Pmsa::V32 => "pmsav8-32",
    }
}

/// What the case is played on, in words.
pub(super) fn setting(case: &Case) -> String {
    let pes = if case.setting.pes == 1 { "1 PE".to_owned() } else { format!("{} PEs", case.setting.pes) };
    let placement = words::placement(case.setting.placement);
    format!("{} on {pes}, {}, placement {placement}, writes in force after {}", case.strategy, arch(case), sync(case))
}

/// The command that replays the file.
pub(super) fn command(case: &Case, file: &Path) -> String {
    let (sync, arch) = (sync(case), arch(case));
    format!(
        "mpusim replay {} --strategy {} --pes {} --placement {} --sync {sync} --arch {arch}",
        file.display(),
        case.strategy,
        case.setting.pes,
        words::placement(case.setting.placement),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop")]
mod tests {
    use super::super::source::Seeded;
    use super::super::{Recipe, generate, guarded};
    use super::*;

    #[test]
    fn a_file_shows_what_a_replay_of_it_can_tell_and_nothing_else() {
        let told = |strategy| {
            let case = generate::case(&mut Seeded::new(1, 1), &Recipe::new(strategy, &[], 64).unwrap());
            let course = guarded(&case, &mut None);
            (course.wrong.is_some(), shows(&case, &lines(&case, &course, "case", 1).unwrap()))
        };
        assert_eq!(told("naive"), (true, true));
        assert_eq!(told("map-page"), (false, false));
    }
}
