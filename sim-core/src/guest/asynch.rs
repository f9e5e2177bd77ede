//! Guests written as `async` Rust.
//!
//! ```
//! # use sim_core::guest::asynch::{AsyncGuest, Env};
//! # use sim_core::guest::Guest;
//! let guest = AsyncGuest::new(
//!     |env: Env| async move {
//!         env.compute(100).await;
//!     },
//!     |env: Env| async move {
//!         let intid = env.acknowledge().await;
//!         env.end_of_interrupt(intid).await;
//!     },
//! );
//! # let _: Box<dyn Guest> = Box::new(guest);
//! ```

use super::{Action, CPU_OFF, Guest, Input, hypercall};
use crate::platform::Width;
use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::Cell;
use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// What the guest and the machine hand each other.
#[derive(Debug, Default)]
struct Mailbox {
    action: Cell<Option<Action>>,
    input: Cell<Option<Input>>,
}

/// An access that the guest's own handler saw refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("abort taken to EL1: ESR_EL1={esr:#x} FAR_EL1={far:#x}")]
pub struct Abort {
    /// `ESR_EL1`.
    pub esr: u64,
    /// `FAR_EL1`.
    pub far: u64,
}

/// The PE as an `async` guest sees it. Every method is one action and takes effect when awaited.
#[derive(Clone, Debug, Default)]
pub struct Env {
    mailbox: Rc<Mailbox>,
}

impl Env {
    /// Performs any action.
    pub async fn act(&self, action: Action) -> Result<u64, Abort> {
        self.mailbox.action.set(Some(action));
        let input = poll_fn(|_| match self.mailbox.input.take() {
            Some(input) if self.mailbox.action.get().is_none() => Poll::Ready(input),
            _ => Poll::Pending,
        });
        match input.await {
            Input::Value(value) => Ok(value),
            Input::Abort { esr, far } => Err(Abort { esr, far }),
            Input::Interrupt => Ok(0),
        }
    }

    /// A hypercall; gives x0.
    pub async fn hypercall(&self, nr: u64, args: [u64; 5]) -> i64 {
        self.act(hypercall(nr, args)).await.map_or(-1, u64::cast_signed)
    }

    /// A load.
    pub async fn load(&self, address: u64, width: Width) -> Result<u64, Abort> {
        self.act(Action::Load { address, width }).await
    }

    /// A store.
    pub async fn store(&self, address: u64, width: Width, value: u64) -> Result<(), Abort> {
        self.act(Action::Store { address, width, value }).await.map(drop)
    }

    /// Works for this many cycles.
    pub async fn compute(&self, cycles: u64) {
        let _ = self.act(Action::Compute(cycles)).await;
    }

    /// `WFI`.
    pub async fn wait_for_interrupt(&self) {
        let _ = self.act(Action::WaitForInterrupt).await;
    }

    /// Opens or masks PSTATE.I.
    pub async fn interrupts(&self, open: bool) {
        let _ = self.act(Action::Interrupts(open)).await;
    }

    /// Acknowledges the pending interrupt; gives its INTID.
    pub async fn acknowledge(&self) -> u64 {
        self.act(Action::Acknowledge).await.unwrap_or(crate::platform::intid::SPURIOUS)
    }

    /// Ends an interrupt.
    pub async fn end_of_interrupt(&self, intid: u64) {
        let _ = self.act(Action::EndOfInterrupt(intid)).await;
    }
}

type Program = Pin<Box<dyn Future<Output = ()>>>;

/// A vCPU that runs an `async` program, and another at each interrupt.
pub struct AsyncGuest {
    env: Env,
    main: Program,
    handler: Option<Program>,
    on_interrupt: Box<dyn FnMut(Env) -> Program>,
}

impl AsyncGuest {
    /// A vCPU that runs `main` and then turns itself off; `on_interrupt` makes the handler of each interrupt.
    pub fn new<M, H>(main: impl FnOnce(Env) -> M, mut on_interrupt: impl FnMut(Env) -> H + 'static) -> Self
    where
        M: Future<Output = ()> + 'static,
        H: Future<Output = ()> + 'static,
    {
        let env = Env::default();
        Self {
            main: Box::pin(main(env.clone())),
            handler: None,
            on_interrupt: Box::new(move |env| Box::pin(on_interrupt(env))),
            env,
        }
    }

    fn poll(program: &mut Program) -> Poll<()> {
        program.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }
}

impl fmt::Debug for AsyncGuest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncGuest").field("in_handler", &self.handler.is_some()).finish_non_exhaustive()
    }
}

impl Guest for AsyncGuest {
    fn resume(&mut self, input: Input) -> Action {
        if input == Input::Interrupt {
            // The program waits at an action of its own meanwhile; its input comes when the handler is done.
            self.handler = Some((self.on_interrupt)(self.env.clone()));
        } else {
            self.env.mailbox.input.set(Some(input));
        }
        let program = self.handler.as_mut().unwrap_or(&mut self.main);
        let done = Self::poll(program).is_ready();
        match self.env.mailbox.action.take() {
            Some(action) if !done => action,
            _ if self.handler.take().is_some() => Action::ReturnFromInterrupt,
            // A program that is over, or one that awaits something that is no action of this PE, can never go on.
            _ => CPU_OFF,
        }
    }
}
