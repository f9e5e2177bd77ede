//! A program for a domain whose RAM lies elsewhere: addresses in it move along. Raw hypercalls stay as they are, for nobody
//! knows which of their arguments are addresses.

use super::{Op, Part, Step};
use alloc::rc::Rc;

/// Steps with every address that they name as `to` has it.
pub fn moved(steps: &[Step], to: &impl Fn(u64) -> u64) -> Rc<[Step]> {
    let step = |step: &Step| Step { id: step.id, op: op(&step.op, to), expect: step.expect };
    steps.iter().map(step).collect()
}

fn op(op: &Op, to: &impl Fn(u64) -> u64) -> Op {
    match op {
        Op::InitControl { at } => Op::InitControl { at: at.map(to) },
        Op::ExpandArray { at } => Op::ExpandArray { at: at.map(to) },
        Op::Read { address, width } => Op::Read { address: to(*address), width: *width },
        Op::Write { address, width, value } => Op::Write { address: to(*address), width: *width, value: *value },
        Op::Execute { address } => Op::Execute { address: to(*address) },
        Op::Repeat { times, steps } => Op::Repeat { times: *times, steps: moved(steps, to) },
        Op::Mix { times, seed, parts } => {
            let part = |part: &Part| Part { weight: part.weight, steps: moved(&part.steps, to) };
            Op::Mix { times: *times, seed: *seed, parts: parts.iter().map(part).collect() }
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::StepId;
    use crate::platform::Width;

    fn step(op: Op) -> Step {
        Step { id: StepId(3), op, expect: None }
    }

    #[test]
    fn addresses_move_at_every_depth_and_nothing_else_does() {
        let at =
            |address| [step(Op::InitControl { at: Some(address) }), step(Op::Read { address, width: Width::Word })];
        let steps = |address| {
            let parts = [Part { weight: 2, steps: at(address).into() }];
            let inner = [
                step(Op::Write { address, width: Width::Byte, value: 0x10 }),
                step(Op::Mix { times: 5, seed: 1, parts: parts.into() }),
                step(Op::ExpandArray { at: None }),
            ];
            let raw = Op::Hypercall { imm: 0, nr: 1, args: [0x10; 5] };
            [step(Op::Repeat { times: 4, steps: inner.into() }), step(raw), step(Op::Execute { address })]
        };
        let to = |address| if address == 0x10 { 0x4010 } else { address };
        assert_eq!(*moved(&steps(0x10), &to), steps(0x4010));
    }
}
