//! What steps are expected to give.

use super::error::Problem;
use super::raw_step::RawExpect;
use super::table::Key;
use evtchn::Errno;
use sim_core::guest::steps::Op;
use sim_core::outcome::Expected;
use toml::Spanned;
use words::near;

/// An operation, and what it is to give.
pub(super) type Planned = (Op, Option<Expected>);

/// What hypercalls may be expected to return, in the order of their numbers.
const ERRNOS: [Errno; 14] = [
    Errno::EPERM,
    Errno::ENOENT,
    Errno::ESRCH,
    Errno::ENXIO,
    Errno::EAGAIN,
    Errno::ENOMEM,
    Errno::EACCES,
    Errno::EFAULT,
    Errno::EBUSY,
    Errno::EEXIST,
    Errno::EINVAL,
    Errno::ENOSPC,
    Errno::ENOSYS,
    Errno::EOPNOTSUPP,
];

/// Refuses an expectation where there is nothing to expect.
pub(super) fn nothing_to_expect(step: &str, expect: Key<'_, RawExpect>) -> Result<(), Problem> {
    match expect {
        None => Ok(()),
        Some(expect) => {
            Err(Problem::new(format!("step `{step}` gives nothing to expect")).at(expect.span(), "leave `expect` out"))
        }
    }
}

/// A hypercall that is to return 0 unless the file says otherwise.
pub(super) fn called(op: Op, expect: Key<'_, RawExpect>) -> Result<Planned, Problem> {
    Ok((op, Some(expect.map_or(Ok(Expected::Rc(0)), result)?)))
}

/// What a hypercall is expected to return.
pub(super) fn result(expect: &Spanned<RawExpect>) -> Result<Expected, Problem> {
    let at = |problem: Problem| problem.at(expect.span(), "expected a number, or an error such as \"-EINVAL\"");
    match expect.get_ref() {
        RawExpect::Number(number) => i64::try_from(*number)
            .map(Expected::Rc)
            .map_err(|_| at(Problem::new(format!("{number} is not what a hypercall returns")))),
        RawExpect::Word(word) => {
            let named = |errno: &&Errno| word.strip_prefix('-') == Some(errno.name());
            let errno = ERRNOS.iter().find(named).map(|errno| Expected::Rc(errno.rc()));
            errno.ok_or_else(|| {
                let known: Vec<String> = ERRNOS.iter().map(|errno| format!("-{}", errno.name())).collect();
                let problem = at(Problem::new(format!("`{word}` is not what a hypercall returns")));
                problem.help(near::known_names("errors", word, &known))
            })
        }
    }
}

/// Whether an access is to be let through.
pub(super) fn refusal(expect: Key<'_, RawExpect>, step: &str) -> Result<Expected, Problem> {
    /// The words there are.
    const WORDS: [&str; 4] = ["ok", "fault", "stage-1", "stage-2"];
    let Some(expect) = expect else {
        return Ok(Expected::Success);
    };
    let shown = match expect.get_ref() {
        RawExpect::Word(word) => match word.as_str() {
            "ok" => return Ok(Expected::Success),
            "fault" => return Ok(Expected::Fault),
            "stage-1" => return Ok(Expected::StageOne),
            "stage-2" => return Ok(Expected::StageTwo),
            other => other.to_owned(),
        },
        RawExpect::Number(number) => number.to_string(),
    };
    let problem = Problem::new(format!("step `{step}` cannot be expected to give `{shown}`"));
    let problem = problem.at(expect.span(), format!("expected \"{}\"", WORDS.join("\", \"")));
    Err(problem)
}
