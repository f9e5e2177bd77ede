//! What guests did between two records, unrecorded: they changed memory they share with the hypervisor, or looked after
//! their interrupt controller. Each such act is placed by the last note or dump of its domain and the number of records
//! since; texts and numbers of records are those of the program that made all transcripts.

use super::super::live::StepError;
use super::live::LiveSystem;
use super::record::Record;
use sim_core::layout::PAGE_SIZE;

/// What kind of record a place is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Note,
    Shared,
    Fifo,
}

/// Which port an act is about.
#[derive(Debug, Clone, Copy)]
enum Which {
    /// The one of the domain's next record of that operation.
    Next(&'static str),
    /// The local end of the domain's last successful bind.
    LastBound,
    /// The one the domain closed last.
    LastClosed,
}

/// One thing the guest does.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// Forget every two-level event.
    Clear,
    /// Mask a port in `shared_info`.
    Mask(Which),
    /// Mask port 4000.
    MaskFarPort,
    /// Write a word of mask bits.
    MaskWord(u64, u64),
    /// Forget the events of the first 64 ports, and the first vCPU's selector too.
    DropPending { selector: bool },
    /// Take one two-level event.
    Take(Which),
    /// Switch the event interrupt on.
    GicOn,
    /// Acknowledge an interrupt.
    Ack,
    /// Fill both control blocks' pages with 0.
    ZeroBlocks,
    /// Fill the first event words with 0.
    ZeroWords(u32),
    /// Write an event word.
    Word(Which, u64),
    /// Take the one event of the default queue.
    Consume(Which),
    /// Forget all FIFO events of the first vCPU's queues.
    Drain,
}

use Act::{
    Ack, Clear, Consume, Drain, DropPending, GicOn, Mask, MaskFarPort, MaskWord, Take, Word, ZeroBlocks, ZeroWords,
};
use Kind::{Fifo, Note, Shared};
use Which::{LastBound, LastClosed, Next};

/// Acts at a place: kind and text of the record counted from, records since, and the program if it matters.
type Place = (Kind, &'static str, usize, Option<u32>, &'static [Act]);

/// All of them.
const ACTS: [Place; 46] = [
    (Shared, "after map", 0, Some(PAIR), &[GicOn, Ack, Clear]),
    (Shared, "after map", 0, Some(STATIC), &[GicOn, Ack]),
    (Shared, "after bind_interdomain", 0, None, &[Clear]),
    (Shared, "after send a twice", 0, None, &[Clear]),
    (Shared, "after send la", 0, None, &[Clear]),
    (Note, "== mask/unmask", 0, None, &[Mask(Next("unmask"))]),
    (Shared, "after unmask again", 0, None, &[Clear, Mask(Next("unmask"))]),
    (Shared, "unmask not pending", 5, None, &[MaskFarPort]),
    (Shared, "unmask closed port 4000", 0, None, &[MaskWord(62, 0), Clear]),
    (Shared, "after send ipi0", 0, None, &[Clear]),
    (Shared, "after send ipi0b", 0, None, &[Clear]),
    (Shared, "after send ipi1 (vcpu1 without vcpu_info)", 0, None, &[Clear]),
    (Shared, "send to port bound to vcpu1 (no vcpu_info)", 0, None, &[Clear]),
    (Note, "== lowest free port reuse", 0, None, &[Clear]),
    (Note, "== reset", 4, None, &[MaskWord(1, 0x10)]),
    (Note, "== 2L exhaustion", 0, None, &[MaskWord(1, 0), Clear]),
    (Note, "== register_vcpu_info", 0, None, &[Clear]),
    (Shared, "after register vcpu1", 0, None, &[Clear]),
    (Shared, "send", 0, None, &[Clear]),
    (Note, "== upcall PPI", 0, None, &[GicOn]),
    (Note, "== upcall PPI", 2, None, &[Clear]),
    (Shared, "send again, still pending", 1, None, &[Clear]),
    (Shared, "cleared", 1, None, &[DropPending { selector: false }]),
    (Shared, "cleared", 3, None, &[Clear]),
    (Shared, "cleared", 4, None, &[Ack, DropPending { selector: true }]),
    (Shared, "send with upcall_pending left set", 1, None, &[Clear, Ack]),
    (Note, "== FIFO", 2, None, &[Clear]),
    (Shared, "2L pending before switch", 5, None, &[ZeroBlocks]),
    (Shared, "2L pending before switch", 9, None, &[ZeroBlocks, Clear]),
    (Note, "consume", 0, None, &[Consume(LastBound)]),
    (Fifo, "send a (still pending)", 0, None, &[ZeroWords(8), Drain]),
    (Fifo, "send a on prio 3 after consume", 0, None, &[Word(LastBound, 1 << 30)]),
    (Fifo, "unmask again", 0, None, &[Word(Next("send"), 1 << 28)]),
    (Fifo, "send with BUSY set by guest", 0, None, &[Word(Next("set_priority"), 0)]),
    (Fifo, "prio 0", 1, None, &[ZeroWords(16), ZeroBlocks]),
    (Note, "close while linked", 0, None, &[ZeroWords(16), ZeroBlocks]),
    (Fifo, "closed while pending+linked", 2, None, &[Word(LastClosed, 0)]),
    (Fifo, "after reset", 0, None, &[Clear]),
    (Shared, "2L again after reset", 2, None, &[Clear]),
    (Shared, "vcpu1 gic up", 1, None, &[Clear]),
    (Note, "cleared, now the send makes a 0->1 edge on vcpu1", 0, None, &[Clear]),
    (Shared, "vcpu0 after vcpu1 send", 0, None, &[Clear]),
    (Note, "== bench (2L)", 2, None, &[Clear]),
    (Shared, "first notify from peer", 2, Some(PAIR), &[Take(Next("close"))]),
    (Shared, "own pending right after bind", 6, Some(PAIR), &[Take(Next("close"))]),
    (Shared, "notify on static port", 1, Some(STATIC), &[Take(Next("send"))]),
];

/// Numbers of the program's parts, in the boot argument `t`.
const PAIR: u32 = 3;
const STATIC: u32 = 4;
/// A dump that a vCPU takes right after it has switched its interrupt on.
const GIC_UP: &str = "vcpu1 gic up";
/// What the record of rounds between two domains is called.
const ROUNDS: &str = "ping-pong";
/// More rounds than anybody recorded.
const MOST_ROUNDS: u64 = 100_000;

/// Where a domain is in its program.
#[derive(Debug, Default)]
pub(super) struct Progress {
    program: Option<u32>,
    place: Option<(Kind, String)>,
    since: usize,
    bound: Option<u32>,
    closed: Option<u32>,
}

impl Progress {
    /// Goes past a record.
    fn pass(&mut self, record: &Record) {
        self.since += 1;
        let place = match record.op.as_str() {
            "note" => {
                let text = record.out.get("text").and_then(|text| text.as_str());
                Some((Note, text.unwrap_or_default()))
            }
            "shared_info" => Some((Shared, record.text_of("tag"))),
            "fifo" => Some((Fifo, record.text_of("tag"))),
            _ => None,
        };
        if let Some((kind, text)) = place {
            (self.place, self.since) = (Some((kind, text.to_owned())), 0);
        }
        match record.op.as_str() {
            "boot" => self.program = record.boot_argument("t"),
            "bind_interdomain" if record.rc == 0 => self.bound = record.told("local_port"),
            "close" if record.rc == 0 => self.closed = record.word("port").ok(),
            _ => {}
        }
    }

    fn acts(&self) -> impl Iterator<Item = Act> {
        let here = ACTS.iter().filter(|(kind, text, since, program, _)| {
            let there = self.place.as_ref().is_some_and(|place| place.0 == *kind && place.1 == *text);
            there && self.since == *since && (program.is_none() || *program == self.program)
        });
        here.flat_map(|(.., acts)| acts.iter().copied())
    }

    fn port(&self, which: Which, later: &[Record], domain: u16) -> Option<u32> {
        match which {
            Next(op) => next_port(later, domain, op),
            LastBound => self.bound,
            LastClosed => self.closed,
        }
    }
}

fn next_port(later: &[Record], domain: u16, op: &str) -> Option<u32> {
    later.iter().find(|record| record.domain == domain && record.op == op)?.word("port").ok()
}

impl LiveSystem {
    /// What the guest does before it takes this record.
    pub(super) fn prepare(&mut self, record: &Record) -> Result<(), StepError> {
        if record.op == "shared_info"
            && record.text_of("tag") == GIC_UP
            && let Some(gic) = self.guest(record.domain)?.gic(record.vcpu)
        {
            gic.enabled = true;
        }
        Ok(())
    }

    /// What the guest does after a record, up to its next.
    pub(super) fn between(
        &mut self,
        record: &Record,
        progress: &mut Progress,
        later: &[Record],
    ) -> Result<(), StepError> {
        progress.pass(record);
        for act in progress.acts() {
            self.act(record, act, progress, later)?;
        }
        Ok(())
    }

    fn act(&mut self, record: &Record, act: Act, progress: &Progress, later: &[Record]) -> Result<(), StepError> {
        let domain = record.domain;
        // A transcript that ends early has no next record, and nobody looks at what would come of the act.
        let port = |which| progress.port(which, later, domain);
        match act {
            Clear => self.clear_two_level(domain),
            Mask(which) => port(which).map_or(Ok(()), |port| self.mask_port(domain, port)),
            MaskFarPort => self.mask_port(domain, 4000),
            MaskWord(word, value) => self.set_mask_word(domain, word, value),
            DropPending { selector } => {
                self.set_pending_word(domain, 0, 0)?;
                self.clear_first_info(domain, false, selector)
            }
            Take(which) => port(which).map_or(Ok(()), |port| self.take_port(domain, port)),
            GicOn | Ack => {
                if let Some(gic) = self.guest(domain)?.gic(record.vcpu) {
                    gic.enabled |= matches!(act, GicOn);
                    if matches!(act, Ack) {
                        gic.acknowledge();
                    }
                }
                Ok(())
            }
            ZeroBlocks => {
                self.clear_block(domain, 0, PAGE_SIZE)?;
                self.clear_block(domain, 1, PAGE_SIZE)
            }
            ZeroWords(count) => (0..count).try_for_each(|port| self.set_event_word(domain, port, 0)),
            Word(which, value) => port(which).map_or(Ok(()), |port| self.set_event_word(domain, port, value)),
            Consume(which) => port(which).map_or(Ok(()), |port| self.consume_fifo(domain, port)),
            Drain => {
                self.clear_block(domain, 0, 72)?;
                self.clear_first_info(domain, true, false)
            }
        }
    }

    /// Rounds between two domains, recorded as one: each send of one is answered by the other. Gives what went wrong.
    pub(super) fn rounds(&mut self, record: &Record, later: &[Record]) -> Result<Option<String>, StepError> {
        let what = record.text_of("what");
        let peer = later.iter().find(|other| other.domain != record.domain);
        let (true, Some(peer)) = (what.starts_with(ROUNDS), peer) else {
            return Ok(None);
        };
        let ends = [record, peer].map(|end| (end, next_port(later, end.domain, "close")));
        let [(near, Some(near_port)), (far, Some(far_port))] = ends else {
            return Ok(None);
        };
        for round in 1..=record.number("n")?.min(MOST_ROUNDS) {
            for (from, port, to, other) in [(near, near_port, far, far_port), (far, far_port, near, near_port)] {
                self.run(from.domain, from.vcpu)?;
                let rc = self.send(from, port)?;
                self.run(to.domain, to.vcpu)?;
                if rc != 0 || !self.port_pending(to.domain, other)? {
                    return Ok(Some(format!("in round {round} the send of domain {} gave {rc}", from.domain)));
                }
                self.take_port(to.domain, other)?;
                if let Some(gic) = self.guest(to.domain)?.gic(to.vcpu) {
                    gic.acknowledge();
                }
            }
        }
        Ok(None)
    }
}
