//! What guests do to memory on their own, in the order in which well-behaved guests do it.

use super::actors::Work;
use super::schedule::Who;
use super::system::{NoSystem, System};
use core::future::Future;
use evtchn::abi::fifo::{BUSY, MASKED, PENDING};
use evtchn::abi::shared_info;
use sim_core::guest::asynch::{AsyncGuest, Env};
use sim_core::guest::consumer::{Consumer, HandlerStep};
use sim_core::guest::fifo::{self, Structures};
use sim_core::guest::{Action, AtomicOp, Home, Input};
use sim_core::platform::Width;

/// An actor that runs this program, and this handler at each event interrupt that it takes.
pub(super) fn guest<F, H>(program: impl FnOnce(Env) -> F, handler: impl FnMut(Env) -> H + 'static) -> Work
where
    F: Future<Output = ()> + 'static,
    H: Future<Output = ()> + 'static,
{
    Work::Guest(AsyncGuest::new(program, handler))
}

/// The upcall handler of a vCPU, which is a guest's own of this crate.
#[derive(Clone)]
pub(super) struct Handler {
    home: Home,
    vcpu_info: u64,
    structures: Option<Structures>,
}

impl Handler {
    /// Of the vCPU on a PE, where its structures are now or will be; `words`: of the FIFO ABI.
    pub(super) fn of(system: &System, pe: Who, words: bool) -> Result<Self, NoSystem> {
        let home = system.home(pe)?;
        let mut structures = Structures::new(home.control_block);
        structures.add(home.event_words);
        Ok(Self { home, vcpu_info: home.vcpu_info, structures: words.then_some(structures) })
    }

    /// Runs it once.
    pub(super) async fn run(&self, env: &Env) {
        match &self.structures {
            None => {
                let mut handler = Consumer::new(self.home, self.vcpu_info);
                drive(env, |input| handler.resume(input)).await;
            }
            Some(structures) => {
                let mut handler = fifo::Consumer::new(structures.clone(), self.vcpu_info);
                drive(env, |input| handler.resume(input)).await;
            }
        }
    }
}

async fn drive(env: &Env, mut resume: impl FnMut(Input) -> HandlerStep) {
    let mut input = Input::Interrupt;
    while let HandlerStep::Act(action) = resume(input) {
        input = match env.act(action).await {
            Ok(value) => Input::Value(value),
            Err(abort) => Input::Abort { esr: abort.esr, far: abort.far },
        };
    }
}

/// The 64-bit word of a port in an array of `shared_info`, and the port's bit in it.
fn bit(home: Home, array: u32, port: u32) -> (u64, u64) {
    (home.shared_info + u64::from(array) + u64::from(port / 64 * 8), 1 << (port % 64))
}

async fn change(env: &Env, address: u64, width: Width, op: AtomicOp) -> u64 {
    env.act(Action::Atomic { address, width, op }).await.unwrap_or(0)
}

/// Masks a port.
pub(super) async fn mask(env: &Env, home: Home, port: u32) {
    let (mask, bit) = bit(home, shared_info::MASK, port);
    change(env, mask, Width::Double, AtomicOp::Or(bit)).await;
}

/// Unmasks a port. An event that is pending by then is left to the hypervisor: masked again, then `call`, which is
/// `EVTCHNOP_unmask`, since that does nothing for a port that is not masked.
pub(super) async fn unmask(env: &Env, home: Home, port: u32, call: Action) {
    let (mask, bit) = bit(home, shared_info::MASK, port);
    let (pending, _) = self::bit(home, shared_info::PENDING, port);
    change(env, mask, Width::Double, AtomicOp::And(!bit)).await;
    if env.load(pending, Width::Double).await.unwrap_or(0) & bit != 0 {
        change(env, mask, Width::Double, AtomicOp::Or(bit)).await;
        let _ = env.act(call).await;
    }
}

fn word(home: Home, port: u32) -> u64 {
    home.event_words + u64::from(port) * 4
}

/// Masks a port of the FIFO ABI.
pub(super) async fn fifo_mask(env: &Env, home: Home, port: u32) {
    change(env, word(home, port), Width::Word, AtomicOp::Or(MASKED.into())).await;
}

/// Unmasks a port of the FIFO ABI while its word is neither pending nor busy; else `call`, which is `EVTCHNOP_unmask`.
pub(super) async fn fifo_unmask(env: &Env, home: Home, port: u32, call: Action) {
    let address = word(home, port);
    let mut seen = env.load(address, Width::Word).await.unwrap_or(0) as u32;
    while seen & MASKED != 0 {
        if seen & (PENDING | BUSY) != 0 {
            let _ = env.act(call).await;
            return;
        }
        let op = AtomicOp::CompareExchange { current: seen.into(), new: (seen & !MASKED).into() };
        let found = change(env, address, Width::Word, op).await as u32;
        if found == seen {
            return;
        }
        seen = found;
    }
}
