//! A case as a file that `mpusim replay` takes, and the command that does so.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use mpu_model::{Pmsa, SyncRule};
use serde_json::{Map, Value, json};

use super::case::Case;
use super::play::{Course, header};
use crate::replay::format::{Actor, Op, Outcome};
use crate::replay::{self, Options, Outcome as Replayed};
use crate::words;

/// The lines of the file: what each step should give, by the model.
pub(super) fn lines(case: &Case, course: &Course, name: &str, seed: u64) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string(&header(case, name, seed))?;
    for played in &course.steps {
        text.push('\n');
        text.push_str(&line(played.step.actor, &played.step.op, &played.step.expected)?);
    }
    if course.steps.is_empty() {
        // The system alone is what fails, and a file has a step.
        text.push('\n');
        text.push_str(&line(Actor::Hypervisor, &Op::KeyE {}, &Outcome::default())?);
    }
    if let Some(dump) = &course.dump {
        let expected = Outcome { out: dump.clone(), ..Outcome::default() };
        text.push('\n');
        text.push_str(&line(Actor::Hypervisor, &Op::Dump {}, &expected)?);
    }
    text.push('\n');
    Ok(text)
}

fn line(actor: Actor, op: &Op, expected: &Outcome) -> Result<String, serde_json::Error> {
    let (domain, vcpu) = match actor {
        Actor::Hypervisor => (-1, 0),
        Actor::Guest { domain, vcpu } => (i32::from(domain), vcpu),
    };
    // One key, the operation, with its arguments.
    let tagged: Map<String, Value> = serde_json::from_value(serde_json::to_value(op)?)?;
    let (name, mut arguments) = tagged.into_iter().next().unwrap_or_default();
    if let Some(arguments) = arguments.as_object_mut() {
        arguments.retain(|_, value| !value.is_null());
    }
    let out = if expected.out.is_null() { json!({}) } else { expected.out.clone() };
    let mut line = json!({ "d": domain, "v": vcpu, "op": name, "in": arguments, "rc": expected.rc, "out": out });
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
    let replayed = catch_unwind(AssertUnwindSafe(|| replay::file(Path::new("case"), text, &options)));
    match replayed {
        Ok(Ok(result)) => !matches!(result.outcome, Replayed::Ok),
        Ok(Err(_)) => false,
        // A panic is what was looked for.
        Err(_) => true,
    }
}

/// The command that replays the file.
pub(super) fn command(case: &Case, file: &Path) -> String {
    let sync = match case.setting.sync {
        SyncRule::DsbThenContextSync => "dsb+cse",
        SyncRule::ContextSyncOnly => "cse",
    };
    let arch = match case.setting.pmsa {
        Pmsa::V64 => "pmsav8-64",
        Pmsa::V32 => "pmsav8-32",
    };
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
