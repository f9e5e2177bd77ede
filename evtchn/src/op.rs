//! The operations of `event_channel_op` as typed values: the one place that knows their names, arguments and blocks.
//!
//! An [`Op`] is what a guest asks for. [`Op::emit`] writes it as the argument block that a guest would, [`Op::parse`] reads a
//! block as the hypervisor does, and an [`Output`] is what comes back, written into the block and read out of it
//! ([`Op::output`]). Whoever has operations as text, as JSON or as random numbers goes by [`SHAPES`]: a [`Shape`] has the
//! names of the arguments and what each of them is, in the order in which [`Shape::op`] takes them. An operation that is added
//! here is one for all of these.
//!
//! Layouts are those of `public/event_channel.h` as an arm64 compiler has them. Fields of a block that an operation does not
//! read (outputs, padding, the upper half of a 32-bit word whose lower half is a domain's number) are the guest's.

mod block;

use crate::abi::stat;
use crate::port::{Binding, DomId, Port, PortStatus, Vcpu};
use block::Field;
pub use block::{Block, WORDS};

/// What an operation gives back in its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returns {
    /// Nothing.
    Nothing,
    /// A port, at this byte of the block.
    Port {
        /// The field's name.
        name: &'static str,
        /// Its place.
        at: usize,
    },
    /// What a port is.
    Status,
    /// How many bits a LINK has.
    LinkBits,
}

/// What came back in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Nothing.
    Nothing,
    /// The port that was made.
    Port(Port),
    /// What a port is.
    Status(PortStatus),
    /// How many bits a LINK has.
    LinkBits(u8),
}

/// What an argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A port of the caller's, or of the domain that is named.
    Port,
    /// A port of the remote domain.
    RemotePort,
    /// A domain's id.
    Domain,
    /// A vCPU's number.
    Vcpu,
    /// A virtual interrupt's number.
    Virq,
    /// A guest frame.
    Frame,
    /// Bytes into that frame.
    Offset,
    /// A FIFO queue.
    Priority,
    /// Another number.
    Number,
}

/// An argument from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argument {
    /// The C field's name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
}

/// What an operation looks like from outside.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Its name: that of the command in lower case, without `EVTCHNOP_`.
    pub name: &'static str,
    /// `EVTCHNOP_*`.
    pub command: u32,
    /// Bytes of its argument block.
    pub size: u32,
    /// Its arguments.
    pub arguments: &'static [Argument],
    /// What it gives.
    pub returns: Returns,
    make: fn(&[u64]) -> Option<Op>,
}

impl Shape {
    /// The operation of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        SHAPES.iter().find(|shape| shape.name == name)
    }

    /// The operation of that command.
    #[must_use]
    #[inline]
    pub fn of_command(command: u32) -> Option<&'static Self> {
        SHAPES.get(command as usize)
    }

    /// The operation with these arguments, each cut to the width of its field. `None` if there are not as many as it takes.
    #[must_use]
    pub fn op(&self, arguments: &[u64]) -> Option<Op> {
        (self.make)(arguments)
    }

    /// The index of its first argument of this kind.
    #[must_use]
    pub fn position(&self, kind: Kind) -> Option<usize> {
        self.arguments.iter().position(|argument| argument.kind == kind)
    }

    /// 32-bit words of its argument block, a short last one too.
    #[must_use]
    pub const fn words(&self) -> usize {
        self.size.div_ceil(4) as usize
    }

    /// A block with `fill` in every word from the first output on, and behind its end. The other words are zero.
    #[must_use]
    pub fn unwritten(&self, fill: u32) -> Block {
        let first = match self.returns {
            Returns::Nothing => self.words(),
            Returns::Port { at, .. } => at / 4,
            Returns::Status => field::STATUS / 4,
            Returns::LinkBits => field::LINK_BITS / 4,
        };
        let mut block = Block::default();
        block.0.iter_mut().skip(first).for_each(|word| *word = fill);
        block
    }
}

const fn port(name: &'static str, at: usize) -> Returns {
    Returns::Port { name, at }
}

macro_rules! operations {
    ($(
        $(#[$doc:meta])*
        $name:ident = $constant:ident $command:literal, $text:literal, $size:literal,
        { $($field:ident: $kind:ident $type:ty = $at:literal),* $(,)? } -> $returns:expr;
    )*) => {
        /// An operation of `event_channel_op` with its arguments. Fields have the names of `public/event_channel.h`.
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "fields are those of the C structures")]
        pub enum Op {
            $( $(#[$doc])* $name { $($field: $type),* }, )*
        }

        /// `EVTCHNOP_*`.
        pub mod command {
            $( $(#[$doc])* pub const $constant: u32 = $command; )*
        }

        /// One by one, under the names of the operations.
        #[allow(non_upper_case_globals, reason = "named as what they describe")]
        mod shapes {
            use super::*;
            $( pub(super) const $name: Shape = Shape {
                name: $text,
                command: $command,
                size: $size,
                arguments: &[$( Argument { name: stringify!($field), kind: Kind::$kind } ),*],
                returns: $returns,
                make: |arguments| {
                    let [$($field),*] = arguments else { return None };
                    Some(Op::$name { $($field: <$type as Field>::cut(*$field)),* })
                },
            }; )*
        }

        /// Every operation, in order of its command.
        pub const SHAPES: &[Shape] = &[$( shapes::$name ),*];

        impl Op {
            /// Its command: `EVTCHNOP_*`.
            #[must_use]
            pub const fn command(&self) -> u32 {
                match self { $( Self::$name { .. } => $command, )* }
            }

            /// What it looks like from outside.
            #[must_use]
            pub const fn shape(&self) -> &'static Shape {
                match self { $( Self::$name { .. } => &shapes::$name, )* }
            }

            /// The operation that a block asks for under a command. `None`: no operation has that command.
            #[must_use]
            #[inline]
            pub fn parse(command: u32, block: &Block) -> Option<Self> {
                Some(match command {
                    $( $command => Self::$name { $($field: <$type as Field>::get(block, $at)),* }, )*
                    _ => return None,
                })
            }

            /// The block that asks for it. What it does not read is as `block` has it.
            #[must_use]
            pub fn emit(&self, mut block: Block) -> Block {
                match *self {
                    $( Self::$name { $($field),* } => { $( $field.put(&mut block, $at); )* } )*
                }
                block
            }

            /// Its arguments, in the order of [`Shape::arguments`].
            pub fn arguments(&self) -> impl Iterator<Item = u64> {
                let mut values = [0; MOST_ARGUMENTS];
                let mut count = 0;
                let mut push = |value| {
                    if let Some(place) = values.get_mut(count) {
                        *place = value;
                        count += 1;
                    }
                };
                match *self {
                    $( Self::$name { $($field),* } => { $( push($field.to_number()); )* } )*
                }
                values.into_iter().take(count)
            }
        }
    };
}

/// Bytes of the most frequent operation's block.
pub(crate) const SEND_SIZE: u32 = shapes::Send.size;

/// More arguments than this no operation has.
const MOST_ARGUMENTS: usize = 3;

// Each operation: its command's name and number, its own name, the bytes of its block; arguments with what they are, their width
// and their place; what it gives, and where.
operations! {
    /// Connects a new local port to a port that waits for this domain.
    BindInterdomain = BIND_INTERDOMAIN 0, "bind_interdomain", 12,
        { remote_dom: Domain u16 = 0, remote_port: RemotePort u32 = 4 } -> port("local_port", 8);
    /// Binds a virtual interrupt.
    BindVirq = BIND_VIRQ 1, "bind_virq", 12, { virq: Virq u32 = 0, vcpu: Vcpu u32 = 4 } -> port("port", 8);
    /// Binds a physical interrupt: -EOPNOTSUPP on Arm, which has none.
    BindPirq = BIND_PIRQ 2, "bind_pirq", 12, { pirq: Number u32 = 0, flags: Number u32 = 4 } -> port("port", 8);
    /// Gives a port back.
    Close = CLOSE 3, "close", 4, { port: Port u32 = 0 } -> Returns::Nothing;
    /// Notifies the other end.
    Send = SEND 4, "send", 4, { port: Port u32 = 0 } -> Returns::Nothing;
    /// Asks what a port is.
    Status = STATUS 5, "status", 24, { dom: Domain u16 = 0, port: Port u32 = 4 } -> Returns::Status;
    /// Opens a port that waits for a remote domain.
    AllocUnbound = ALLOC_UNBOUND 6, "alloc_unbound", 8,
        { dom: Domain u16 = 0, remote_dom: Domain u16 = 2 } -> port("port", 4);
    /// Binds an inter-processor interrupt.
    BindIpi = BIND_IPI 7, "bind_ipi", 8, { vcpu: Vcpu u32 = 0 } -> port("port", 4);
    /// Moves a port to another vcpu.
    BindVcpu = BIND_VCPU 8, "bind_vcpu", 8, { port: Port u32 = 0, vcpu: Vcpu u32 = 4 } -> Returns::Nothing;
    /// Clears a mask bit and looks at what waited behind it.
    Unmask = UNMASK 9, "unmask", 4, { port: Port u32 = 0 } -> Returns::Nothing;
    /// Closes every port of a domain.
    Reset = RESET 10, "reset", 2, { dom: Domain u16 = 0 } -> Returns::Nothing;
    /// Hands over a vcpu's FIFO control block; the first one switches the domain to FIFO.
    InitControl = INIT_CONTROL 11, "init_control", 24,
        { control_gfn: Frame u64 = 0, offset: Offset u32 = 8, vcpu: Vcpu u32 = 12 } -> Returns::LinkBits;
    /// Hands over the next page of event words.
    ExpandArray = EXPAND_ARRAY 12, "expand_array", 8, { array_gfn: Frame u64 = 0 } -> Returns::Nothing;
    /// Chooses a port's FIFO queue.
    SetPriority = SET_PRIORITY 13, "set_priority", 8,
        { port: Port u32 = 0, priority: Priority u32 = 4 } -> Returns::Nothing;
    /// Goes on with a reset that was preempted. Meant for the hypervisor itself, but guests' calls are accepted.
    ResetCont = RESET_CONT 14, "reset_cont", 2, { dom: Domain u16 = 0 } -> Returns::Nothing;
}

// `Shape::of_command` takes the command as an index.
#[allow(clippy::indexing_slicing, reason = "at compile time")]
const _: () = {
    let mut command = 0;
    while command < SHAPES.len() {
        assert!(SHAPES[command].command as usize == command);
        assert!(SHAPES[command].arguments.len() <= MOST_ARGUMENTS && SHAPES[command].size as usize <= WORDS * 4);
        command += 1;
    }
};

/// Fields of `evtchn_status` behind its arguments, and of `evtchn_init_control`: byte offsets.
mod field {
    pub(super) const STATUS: usize = 8;
    pub(super) const VCPU: usize = 12;
    /// The domain of a union's member, or its VIRQ.
    pub(super) const FIRST: usize = 16;
    /// The port of a union's member.
    pub(super) const SECOND: usize = 20;
    pub(super) const LINK_BITS: usize = 16;
}

impl Op {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.shape().name
    }

    /// The value of its first argument of this kind.
    #[must_use]
    pub fn value(&self, kind: Kind) -> Option<u64> {
        self.shape().position(kind).and_then(|at| self.arguments().nth(at))
    }

    /// The same about another port of the caller's. One that has no port as an argument stays as it is.
    #[must_use]
    pub fn on(&self, port: u32) -> Self {
        self.shape().position(Kind::Port).map_or(*self, |at| self.with(at, port.into()))
    }

    /// The same with another value for the argument of this index. An index beyond its arguments changes nothing.
    #[must_use]
    pub fn with(&self, argument: usize, value: u64) -> Self {
        let mut values = [0; MOST_ARGUMENTS];
        let mut count = 0;
        for (place, value) in values.iter_mut().zip(self.arguments()) {
            *place = value;
            count += 1;
        }
        if let Some(place) = values.get_mut(argument) {
            *place = value;
        }
        values.get(..count).and_then(|values| self.shape().op(values)).unwrap_or(*self)
    }

    /// Reads what it gave out of the block that a successful call left behind. A status that no port has counts as closed.
    #[must_use]
    pub fn output(&self, block: &Block) -> Output {
        match self.shape().returns {
            Returns::Nothing => Output::Nothing,
            Returns::Port { at, .. } => Output::Port(Port(u32::get(block, at))),
            Returns::LinkBits => Output::LinkBits(block.word(field::LINK_BITS / 4) as u8),
            Returns::Status => {
                let dom = DomId(u16::get(block, field::FIRST));
                let binding = match u32::get(block, field::STATUS) {
                    stat::UNBOUND => Binding::Unbound { dom },
                    stat::INTERDOMAIN => Binding::Interdomain { dom, port: Port(u32::get(block, field::SECOND)) },
                    stat::VIRQ => Binding::Virq(u32::get(block, field::FIRST)),
                    stat::IPI => Binding::Ipi,
                    _ => Binding::Closed,
                };
                Output::Status(PortStatus { binding, vcpu: Vcpu(u32::get(block, field::VCPU)) })
            }
        }
    }

    /// Writes what it gave into its block. Members of a union that say nothing stay as they were given, the padding beside a
    /// short one too.
    pub(crate) fn put(&self, output: Output, block: &mut Block) {
        match (output, self.shape().returns) {
            (Output::Port(port), Returns::Port { at, .. }) => port.0.put(block, at),
            (Output::LinkBits(bits), _) => {
                let others = block.word(field::LINK_BITS / 4) & !0xFF;
                block.set(field::LINK_BITS / 4, others | u32::from(bits));
            }
            (Output::Status(PortStatus { binding, vcpu }), _) => {
                binding.code().put(block, field::STATUS);
                vcpu.0.put(block, field::VCPU);
                match binding {
                    Binding::Closed | Binding::Ipi => {}
                    Binding::Unbound { dom } => dom.0.put(block, field::FIRST),
                    Binding::Interdomain { dom, port } => {
                        dom.0.put(block, field::FIRST);
                        port.0.put(block, field::SECOND);
                    }
                    Binding::Virq(virq) => virq.put(block, field::FIRST),
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// An operation with these arguments, as many of them as it takes.
    fn make(shape: &Shape, arguments: [u64; MOST_ARGUMENTS]) -> Op {
        shape.op(&arguments[..shape.arguments.len()]).unwrap()
    }

    proptest! {
        #[test]
        fn a_block_that_is_written_reads_as_it_was(
            at in 0..SHAPES.len(), arguments: [u64; MOST_ARGUMENTS], before: [u32; WORDS],
        ) {
            let shape = &SHAPES[at];
            let op = make(shape, arguments);
            let block = op.emit(Block(before));
            prop_assert_eq!(Op::parse(shape.command, &block), Some(op));
            prop_assert_eq!(Block::from_bytes(&block.to_bytes()), block);
            prop_assert_eq!(op.shape().name, shape.name);
            let values: Vec<u64> = op.arguments().collect();
            prop_assert_eq!(shape.op(&values), Some(op));
            // Bytes that no argument has are as they were.
            let inverse = op.emit(Block(before.map(|word| !word)));
            let free = block.0.iter().zip(inverse.0).zip(before).all(|((one, other), before)| {
                let arguments = !(one ^ other);
                one & !arguments == before & !arguments
            });
            prop_assert!(free);
        }

        #[test]
        fn what_comes_back_reads_as_it_was(
            at in 0..SHAPES.len(), port: u32, vcpu: u32, dom: u16, kind in 0..5_u8, before: [u32; WORDS],
        ) {
            let op = make(&SHAPES[at], [1, 2, 3]);
            let binding = match kind {
                0 => Binding::Closed,
                1 => Binding::Unbound { dom: DomId(dom) },
                2 => Binding::Interdomain { dom: DomId(dom), port: Port(port) },
                3 => Binding::Virq(port),
                _ => Binding::Ipi,
            };
            let output = match op.shape().returns {
                Returns::Nothing => Output::Nothing,
                Returns::Port { .. } => Output::Port(Port(port)),
                Returns::LinkBits => Output::LinkBits(port as u8),
                Returns::Status => Output::Status(PortStatus { binding, vcpu: Vcpu(vcpu) }),
            };
            let mut block = op.emit(Block(before));
            op.put(output, &mut block);
            prop_assert_eq!(op.output(&block), output);
            prop_assert_eq!(Op::parse(op.command(), &block), Some(op), "arguments stay");
        }
    }

    #[test]
    fn arguments_are_cut_to_their_fields() {
        let alloc = Shape::named("alloc_unbound").unwrap();
        let op = alloc.op(&[0x1_0002, 0xffff_0003]);
        assert_eq!(op, Some(Op::AllocUnbound { dom: 2, remote_dom: 3 }));
        assert_eq!(alloc.op(&[1]), None);
        assert_eq!(alloc.op(&[1, 2, 3]), None);
        assert_eq!(op.unwrap().emit(Block::default()).0, [0x0003_0002, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn arguments_are_found_by_what_they_are() {
        let status = Op::Status { dom: 3, port: 4 };
        assert_eq!([Kind::Domain, Kind::Port, Kind::Vcpu].map(|kind| status.value(kind)), [Some(3), Some(4), None]);
        assert_eq!(status.on(9), Op::Status { dom: 3, port: 9 });
        let bind = Op::BindInterdomain { remote_dom: 1, remote_port: 2 };
        assert_eq!(bind.on(9), bind, "the port is not the caller's");
    }

    #[test]
    fn blocks_that_nobody_wrote_to_say_so_in_outputs_alone() {
        let unwritten = |name| Shape::named(name).unwrap().unwritten(7).0;
        assert_eq!(unwritten("alloc_unbound"), [0, 7, 7, 7, 7, 7]);
        assert_eq!(unwritten("reset"), [0, 7, 7, 7, 7, 7]);
        assert_eq!(unwritten("status"), [0, 0, 7, 7, 7, 7]);
        assert_eq!(unwritten("init_control"), [0, 0, 0, 0, 7, 7]);
        assert_eq!(Shape::named("reset").unwrap().words(), 1);
    }

    #[test]
    fn other_commands_are_no_operations() {
        assert!(Shape::of_command(15).is_none());
        assert!(Shape::named("fly").is_none());
        assert_eq!(Op::parse(u32::MAX, &Block::default()), None);
    }
}
