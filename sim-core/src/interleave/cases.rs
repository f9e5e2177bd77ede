//! The races that are played.

use super::call::Call;
use super::crew::{Tool, Work};
use super::programs::{self, Handler, guest};
use super::schedule::Who;
use super::system::{CONTROL, NoSystem, PES, RECEIVER, SECOND, SENDER, System, domain_of};
use crate::hyp::strategy::{Builtin, Strategy};
use evtchn::abi::fifo::MASKED;

/// What each PE does.
pub(super) type Works = [Work; PES];

/// A race.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What `--case` takes.
    pub name: &'static str,
    /// Who races with whom.
    pub about: &'static str,
    /// Too large for every schedule of it: they are drawn.
    pub large: bool,
    /// It moves `shared_info`, which only placement `guest-ram` leaves to guests.
    moves_shared_info: bool,
    set_up: fn(&mut System) -> Result<Works, NoSystem>,
}

/// Every case, in the order in which they are played.
pub const CASES: &[Case] = &[
    small("fifo-link", "a send that links to the tail of a queue, and the guest that takes the tail off", fifo_link),
    small("unmask-send", "a guest that unmasks by itself, and a send to the port", unmask_send),
    small("fifo-unmask-send", "the same with event words", fifo_unmask_send),
    small("unmask-call-send", "EVTCHNOP_unmask, and a send to the port", unmask_call_send),
    small("fifo-unmask-call-send", "the same with event words", fifo_unmask_call_send),
    small("mask-raise", "a guest that masks a port, and the raise of its event", mask_raise),
    small("fifo-mask-raise", "the same with event words", fifo_mask_raise),
    small("close-raise", "a port that closes between route and raise", close_raise),
    small("fifo-close-raise", "the same with event words", fifo_close_raise),
    small("reopen-raise", "a port that closes and opens as another between route and raise", reopen_raise),
    small("register-raise", "register_vcpu_info between route and raise", register_raise),
    Case {
        moves_shared_info: true,
        ..small("shared-info-raise", "shared_info that moves between route and raise", shared_info_raise)
    },
    small("kill-raise", "the receiver's end between route and raise", kill_raise),
    small("kill-sender-raise", "the sender's end between route and raise", kill_sender_raise),
    small(
        "kill-other-raise",
        "another domain's end between route and raise of an event for the sender itself",
        kill_other_raise,
    ),
    small(
        "replace-raise",
        "the receiver's end, and another domain in its place, between route and raise",
        replace_raise,
    ),
    small("new-pages", "pages handed over, and two other PEs on their way to them", new_pages),
    Case { large: true, ..small("storm", "senders, two handlers, masks and moves, two-level", storm) },
    Case { large: true, ..small("fifo-storm", "the same with event words and queues", fifo_storm) },
];

const fn small(name: &'static str, about: &'static str, set_up: fn(&mut System) -> Result<Works, NoSystem>) -> Case {
    Case { name, about, large: false, moves_shared_info: false, set_up }
}

impl Case {
    /// The case of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        CASES.iter().find(|case| case.name == name)
    }

    /// Whether it can be played under a strategy.
    #[must_use]
    pub fn suits(&self, strategy: &Builtin) -> bool {
        // Strategies that stand on a placement reach no RAM, so they cannot clear a new domain's.
        let placed = strategy.placement().is_some();
        !(placed && (self.moves_shared_info || self.name == "replace-raise"))
    }

    pub(super) fn set_up(&self, system: &mut System) -> Result<Works, NoSystem> {
        (self.set_up)(system)
    }
}

/// The receiver ready for events of the two-level ABI; the others only send.
fn two_level(system: &mut System) -> Result<(), NoSystem> {
    system.place_shared_info(RECEIVER)?;
    system.register(RECEIVER)?;
    system.register(SECOND)
}

/// The receiver ready for events of the FIFO ABI.
fn fifo(system: &mut System) -> Result<(), NoSystem> {
    two_level(system)?;
    system.control_block(RECEIVER)?;
    system.control_block(SECOND)?;
    system.event_words(RECEIVER)
}

/// A port of the receiver's and the one that sends to it: the sender's, the receiver's.
fn port(system: &mut System) -> Result<(u32, u32), NoSystem> {
    let ports = system.channel(SENDER, RECEIVER)?;
    system.quiet(RECEIVER)?;
    system.quiet(SECOND)?;
    Ok(ports)
}

/// Nothing is done.
fn idle() -> Work {
    toolstack([])
}

/// Sends to this port of the PE's own, once.
fn send(system: &mut System, pe: Who, port: u32) -> Work {
    let send = system.prepare(pe, Call::Send(port));
    guest(move |env| async move {
        let _ = env.act(send).await;
    })
}

/// Runs the upcall handler so many times.
fn handles(system: &System, pe: Who, times: usize, words: bool) -> Result<Work, NoSystem> {
    let handler = Handler::of(system, pe, words)?;
    Ok(guest(move |env| async move {
        for _ in 0..times {
            handler.run(&env).await;
        }
    }))
}

fn fifo_link(system: &mut System) -> Result<Works, NoSystem> {
    fifo(system)?;
    let (first, _) = port(system)?;
    let (next, _) = port(system)?;
    system.call(SENDER, Call::Send(first))?;
    Ok([send(system, SENDER, next), handles(system, RECEIVER, 1, true)?, idle(), idle()])
}

fn masked(system: &mut System, words: bool) -> Result<(u32, u32), NoSystem> {
    if words {
        fifo(system)?;
    } else {
        two_level(system)?;
    }
    let (here, there) = port(system)?;
    if words {
        system.set_bits(system.home(RECEIVER)?.event_words + u64::from(there) * 4, MASKED);
    } else {
        system.mask(RECEIVER, there)?;
    }
    Ok((here, there))
}

fn unmask_send(system: &mut System) -> Result<Works, NoSystem> {
    let (here, there) = masked(system, false)?;
    let call = system.prepare(RECEIVER, Call::Unmask(there));
    let home = system.home(RECEIVER)?;
    let unmask = guest(move |env| async move { programs::unmask(&env, home, there, call).await });
    Ok([send(system, SENDER, here), unmask, idle(), idle()])
}

fn fifo_unmask_send(system: &mut System) -> Result<Works, NoSystem> {
    let (here, there) = masked(system, true)?;
    let call = system.prepare(RECEIVER, Call::Unmask(there));
    let home = system.home(RECEIVER)?;
    let unmask = guest(move |env| async move { programs::fifo_unmask(&env, home, there, call).await });
    Ok([send(system, SENDER, here), unmask, idle(), idle()])
}

fn unmasks_by_call(system: &mut System, words: bool) -> Result<Works, NoSystem> {
    let (here, there) = masked(system, words)?;
    let call = system.prepare(RECEIVER, Call::Unmask(there));
    let unmask = guest(move |env| async move {
        let _ = env.act(call).await;
    });
    Ok([send(system, SENDER, here), unmask, handles(system, SECOND, 1, words)?, idle()])
}

fn unmask_call_send(system: &mut System) -> Result<Works, NoSystem> {
    unmasks_by_call(system, false)
}

fn fifo_unmask_call_send(system: &mut System) -> Result<Works, NoSystem> {
    unmasks_by_call(system, true)
}

fn mask_raise(system: &mut System) -> Result<Works, NoSystem> {
    two_level(system)?;
    let (here, there) = port(system)?;
    let (home, handler) = (system.home(RECEIVER)?, Handler::of(system, RECEIVER, false)?);
    let mask = guest(move |env| async move {
        programs::mask(&env, home, there).await;
        handler.run(&env).await;
    });
    Ok([send(system, SENDER, here), mask, idle(), idle()])
}

fn fifo_mask_raise(system: &mut System) -> Result<Works, NoSystem> {
    fifo(system)?;
    let (here, there) = port(system)?;
    let (home, handler) = (system.home(RECEIVER)?, Handler::of(system, RECEIVER, true)?);
    let mask = guest(move |env| async move {
        programs::fifo_mask(&env, home, there).await;
        handler.run(&env).await;
    });
    Ok([send(system, SENDER, here), mask, idle(), idle()])
}

fn closes(system: &mut System, words: bool) -> Result<Works, NoSystem> {
    if words {
        fifo(system)?;
    } else {
        two_level(system)?;
    }
    let (here, there) = port(system)?;
    let close = system.prepare(SECOND, Call::Close(there));
    let close = guest(move |env| async move {
        let _ = env.act(close).await;
    });
    Ok([send(system, SENDER, here), handles(system, RECEIVER, 1, words)?, close, idle()])
}

fn close_raise(system: &mut System) -> Result<Works, NoSystem> {
    closes(system, false)
}

fn fifo_close_raise(system: &mut System) -> Result<Works, NoSystem> {
    closes(system, true)
}

fn reopen_raise(system: &mut System) -> Result<Works, NoSystem> {
    two_level(system)?;
    let (here, there) = port(system)?;
    let close = system.prepare(SECOND, Call::Close(there));
    let open = Call::AllocUnbound { domain: domain_of(SECOND), remote: domain_of(CONTROL) };
    let open = system.prepare(SECOND, open);
    let reopen = guest(move |env| async move {
        let _ = env.act(close).await;
        let _ = env.act(open).await;
    });
    Ok([send(system, SENDER, here), idle(), reopen, idle()])
}

fn register_raise(system: &mut System) -> Result<Works, NoSystem> {
    system.place_shared_info(RECEIVER)?;
    let (here, _) = port(system)?;
    let home = system.home(RECEIVER)?;
    let register = Call::Register { vcpu: home.vcpu, address: home.vcpu_info };
    let register = system.prepare(RECEIVER, register);
    let handler = Handler::of(system, RECEIVER, false)?;
    let register = guest(move |env| async move {
        let _ = env.act(register).await;
        handler.run(&env).await;
    });
    Ok([send(system, SENDER, here), register, idle(), idle()])
}

fn shared_info_raise(system: &mut System) -> Result<Works, NoSystem> {
    system.register(RECEIVER)?;
    system.register(SECOND)?;
    let (here, _) = port(system)?;
    let place = system.prepare(SECOND, Call::PlaceSharedInfo(system.home(SECOND)?.shared_info));
    let place = guest(move |env| async move {
        let _ = env.act(place).await;
    });
    Ok([send(system, SENDER, here), idle(), place, idle()])
}

fn toolstack(tools: impl Into<alloc::collections::VecDeque<Tool>>) -> Work {
    Work::Toolstack(tools.into())
}

fn kills(system: &mut System, victim: usize) -> Result<Works, NoSystem> {
    fifo(system)?;
    let (first, _) = port(system)?;
    let (next, _) = port(system)?;
    system.call(SENDER, Call::Send(first))?;
    let kill = toolstack([Tool::Kill(victim)]);
    Ok([send(system, SENDER, next), handles(system, RECEIVER, 1, true)?, idle(), kill])
}

fn kill_raise(system: &mut System) -> Result<Works, NoSystem> {
    kills(system, domain_of(RECEIVER))
}

fn kill_sender_raise(system: &mut System) -> Result<Works, NoSystem> {
    kills(system, domain_of(SENDER))
}

fn kill_other_raise(system: &mut System) -> Result<Works, NoSystem> {
    two_level(system)?;
    system.register(SENDER)?;
    let port = system.call(SENDER, Call::BindIpi(0))?;
    system.quiet(SENDER)?;
    Ok([send(system, SENDER, port), idle(), idle(), toolstack([Tool::Kill(domain_of(RECEIVER))])])
}

fn replace_raise(system: &mut System) -> Result<Works, NoSystem> {
    two_level(system)?;
    let (here, there) = port(system)?;
    let domain = domain_of(RECEIVER);
    let mut tools = alloc::collections::VecDeque::from([Tool::Kill(domain), Tool::Create(domain)]);
    // The new domain has a port of that number too.
    for _ in 0..there {
        let open = Call::AllocUnbound { domain, remote: domain_of(CONTROL) };
        tools.push_back(Tool::Call(system.prepare(CONTROL, open)));
    }
    Ok([send(system, SENDER, here), idle(), idle(), toolstack(tools)])
}

fn new_pages(system: &mut System) -> Result<Works, NoSystem> {
    system.place_shared_info(RECEIVER)?;
    let (first, _) = port(system)?;
    let (second, port) = system.channel(CONTROL, RECEIVER)?;
    system.call(RECEIVER, Call::BindVcpu { port, vcpu: 1 })?;
    system.quiet(RECEIVER)?;
    let registers = |system: &mut System, pe: Who| -> Result<Work, NoSystem> {
        let home = system.home(pe)?;
        let register = system.prepare(pe, Call::Register { vcpu: home.vcpu, address: home.vcpu_info });
        Ok(guest(move |env| async move {
            let _ = env.act(register).await;
        }))
    };
    let (one, two) = (registers(system, RECEIVER)?, registers(system, SECOND)?);
    Ok([send(system, SENDER, first), one, two, send(system, CONTROL, second)])
}

/// Two senders to two ports each, one of them told to the second vCPU; the receiver masks, unmasks, moves a port and handles.
fn storms(system: &mut System, words: bool) -> Result<Works, NoSystem> {
    if words {
        fifo(system)?;
    } else {
        two_level(system)?;
    }
    let ports = [(SENDER, RECEIVER), (SENDER, SECOND), (CONTROL, RECEIVER), (CONTROL, RECEIVER)];
    let mut bound = [(0, 0); 4];
    for (place, (from, to)) in bound.iter_mut().zip(ports) {
        *place = system.channel(from, to)?;
    }
    let [(a, masks), (b, moves), (c, urgent), (d, _)] = bound;
    if words {
        system.call(RECEIVER, Call::SetPriority { port: urgent, priority: 0 })?;
    }
    system.quiet(RECEIVER)?;
    system.quiet(SECOND)?;
    let mut sends = |pe: Who, ports: [u32; 3]| {
        let sends = ports.map(|port| system.prepare(pe, Call::Send(port)));
        guest(move |env| async move {
            for send in sends {
                let _ = env.act(send).await;
            }
        })
    };
    let (one, two) = (sends(SENDER, [a, b, a]), sends(CONTROL, [c, d, c]));
    let unmask = system.prepare(RECEIVER, Call::Unmask(masks));
    let (home, handler) = (system.home(RECEIVER)?, Handler::of(system, RECEIVER, words)?);
    let first = guest(move |env| async move {
        if words {
            programs::fifo_mask(&env, home, masks).await;
        } else {
            programs::mask(&env, home, masks).await;
        }
        handler.run(&env).await;
        if words {
            programs::fifo_unmask(&env, home, masks, unmask).await;
        } else {
            programs::unmask(&env, home, masks, unmask).await;
        }
        handler.run(&env).await;
    });
    let move_it = system.prepare(SECOND, Call::BindVcpu { port: moves, vcpu: 0 });
    let handler = Handler::of(system, SECOND, words)?;
    let second = guest(move |env| async move {
        handler.run(&env).await;
        let _ = env.act(move_it).await;
        handler.run(&env).await;
    });
    Ok([one, first, second, two])
}

fn storm(system: &mut System) -> Result<Works, NoSystem> {
    storms(system, false)
}

fn fifo_storm(system: &mut System) -> Result<Works, NoSystem> {
    storms(system, true)
}
