//! Records that are hypercalls: the argument block as the guest writes it, the trap, and what comes back in the block.

use super::super::event;
use super::super::live::StepError;
use super::live::LiveSystem;
use super::record::Record;
use evtchn::abi;
use evtchn::op::{Block, Kind, Op, Output, Shape};
use serde_json::{Map, Value, json};
use sim_core::convention::{XENMEM_ADD_TO_PHYSMAP, nr};
use sim_core::layout::PAGE_SIZE;
use sim_core::platform::Width;

/// What stands in output fields before the call.
const UNWRITTEN: u32 = 0xa5a5_5a5a;
/// A pointer to memory that nobody owns.
const NOWHERE: u64 = 0xdea_d000_0000;
/// A frame that the guest names and nobody owns.
const BAD_FRAME: u64 = 0x0dea_d000;
/// `HVMOP_get_param`.
const HVMOP_GET_PARAM: u64 = 1;
/// More ports than a domain can have.
const MANY_PORTS: u64 = 200_000;
/// More array pages than a domain can have.
const MANY_PAGES: u64 = 400;

/// What came.
pub(super) type Got = (i64, Map<String, Value>);

fn low(value: u64) -> u32 {
    value as u32
}

fn high(value: u64) -> u32 {
    (value >> 32) as u32
}

fn short(value: u64) -> u32 {
    u32::from(value as u16)
}

/// Outputs by the names that records have: those of members behind those of what they are in.
fn flat(of: &str, value: Value, into: &mut Map<String, Value>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let name = if of.is_empty() { name } else { format!("{of}.{name}") };
                flat(&name, value, into);
            }
        }
        value => {
            into.insert(of.into(), value);
        }
    }
}

impl LiveSystem {
    /// A guest's hypercall; `None` if the record is not one.
    pub(super) fn call(&mut self, record: &Record) -> Result<Option<Got>, StepError> {
        let nothing = |rc| (rc, Map::new());
        Ok(Some(match record.op.as_str() {
            "VCPUOP_register_vcpu_info" => nothing(self.register_info(record)?),
            "XENMEM_add_to_physmap" => nothing(self.place_shared_info(record)?),
            "raw" => nothing(self.raw(record)?),
            "HVMOP_get_param" => self.get_param(record)?,
            "alloc_until_fail" => self.alloc_until(record, MANY_PORTS)?,
            "alloc_until" => self.alloc_until(record, record.number("limit")?)?,
            "expand_until_fail" => self.expand_until_fail(record)?,
            name => match Shape::named(name) {
                Some(shape) => self.event_record(record, shape)?,
                None => return Ok(None),
            },
        }))
    }

    /// An operation of `event_channel_op` with the record's arguments.
    fn event_record(&mut self, record: &Record, shape: &Shape) -> Result<Got, StepError> {
        let mut numbers = Vec::with_capacity(shape.arguments.len());
        for argument in shape.arguments {
            numbers.push(match argument.kind {
                Kind::Frame => self.frame(record, argument.name)?,
                _ => record.number(argument.name)?,
            });
        }
        let Some(op) = shape.op(&numbers) else {
            return Err(StepError::Step(format!("{:?} without its arguments", record.op)));
        };
        let (rc, output) = self.event(record, &op)?;
        let mut out = Map::new();
        if let Some(output) = output {
            flat("", event::output(&op, output), &mut out);
        }
        Ok((rc, out))
    }

    /// The words of a block, the first of the guest's argument memory.
    fn write_block(&mut self, record: &Record, block: impl IntoIterator<Item = u32>) -> Result<u64, StepError> {
        let arguments = self.guest(record.domain)?.arguments(record.vcpu);
        for (address, word) in (arguments..).step_by(4).zip(block) {
            self.store(address, Width::Word, word.into())?;
        }
        Ok(arguments)
    }

    fn read_block(&mut self, arguments: u64) -> Result<Block, StepError> {
        let mut block = Block::default();
        for (address, word) in (arguments..).step_by(4).zip(&mut block.0) {
            *word = low(self.load(address, Width::Word)?);
        }
        Ok(block)
    }

    /// An operation of `event_channel_op`: its result, and its outputs if the hypervisor wrote any. What the operation does not
    /// read is as it would be on a guest's stack.
    fn event(&mut self, record: &Record, op: &Op) -> Result<(i64, Option<Output>), StepError> {
        let block = op.emit(op.shape().unwritten(UNWRITTEN));
        let arguments = self.write_block(record, block.0)?;
        let rc = self.event_op(op.command(), arguments)?;
        let after = self.read_block(arguments)?;
        Ok((rc, (after != block).then(|| op.output(&after))))
    }

    /// A send outside the records.
    pub(super) fn send(&mut self, record: &Record, port: u32) -> Result<i64, StepError> {
        Ok(self.event(record, &Op::Send { port })?.0)
    }

    /// A frame as the guest names it: a number, or one of its own pages.
    fn frame(&mut self, record: &Record, key: &str) -> Result<u64, StepError> {
        if let Some(frame) = record.input.get(key).and_then(Value::as_u64) {
            return Ok(frame);
        }
        let guest = self.guest(record.domain)?;
        let page = match record.text_of(key) {
            "cb0" => guest.block_page(0),
            "cb1" => guest.block_page(1),
            "arr0" => guest.array_page(0),
            "arr1" => guest.array_page(1),
            "arr2" => guest.array_page(2),
            "arr3" => guest.array_page(3),
            "vi0" => guest.info_page(0),
            "vi1" => guest.info_page(1),
            "bad" => return Ok(BAD_FRAME),
            other => return Err(StepError::Step(format!("{key:?} names a page {other:?}"))),
        };
        Ok(page / PAGE_SIZE)
    }

    fn expand_until_fail(&mut self, record: &Record) -> Result<Got, StepError> {
        let array_gfn = self.guest(record.domain)?.array_page(0) / PAGE_SIZE;
        // Five pages were handed over one by one before.
        let mut pages = 5_u64;
        let mut rc = 0;
        while rc == 0 && pages < MANY_PAGES {
            (rc, _) = self.event(record, &Op::ExpandArray { array_gfn })?;
            pages += u64::from(rc == 0);
        }
        Ok((rc, Map::from_iter([("pages".to_owned(), json!(pages))])))
    }

    fn alloc_until(&mut self, record: &Record, limit: u64) -> Result<Got, StepError> {
        let op = Op::AllocUnbound { dom: abi::DOMID_SELF, remote_dom: abi::DOMID_SELF };
        let (mut count, mut last) = (0_u64, 0);
        while count < limit {
            let (0, Some(Output::Port(port))) = self.event(record, &op)? else { break };
            (count, last) = (count + 1, port.0);
        }
        Ok((0, Map::from_iter([("count".to_owned(), json!(count)), ("last_port".to_owned(), json!(last))])))
    }

    fn register_info(&mut self, record: &Record) -> Result<i64, StepError> {
        let (frame, offset, vcpu) = (self.frame(record, "mfn")?, record.word("offset")?, record.word("vcpuid")?);
        let arguments = self.write_block(record, [low(frame), high(frame), offset, 0])?;
        let cmd = u64::from(abi::VCPUOP_REGISTER_VCPU_INFO);
        let rc = self.hypercall(nr::VCPU_OP, [cmd, vcpu.into(), arguments, 0, 0])?;
        if let (0, Some(info)) = (rc, self.guest(record.domain)?.infos.get_mut(vcpu as usize)) {
            *info = Some(frame * PAGE_SIZE + u64::from(offset));
        }
        Ok(rc)
    }

    fn place_shared_info(&mut self, record: &Record) -> Result<i64, StepError> {
        let page = self.guest(record.domain)?.shared_info();
        let (index, frame) = (record.number("idx")?, page / PAGE_SIZE);
        let block =
            [short(record.number("domid")?), record.word("space")?, low(index), high(index), low(frame), high(frame)];
        let arguments = self.write_block(record, block)?;
        let rc = self.hypercall(nr::MEMORY_OP, [XENMEM_ADD_TO_PHYSMAP.into(), arguments, 0, 0, 0])?;
        if rc == 0 {
            let [first, _] = &mut self.guest(record.domain)?.infos;
            // A vCPU that registered its own keeps it.
            first.get_or_insert(page);
        }
        Ok(rc)
    }

    fn get_param(&mut self, record: &Record) -> Result<Got, StepError> {
        let arguments = self.write_block(record, [u32::from(abi::DOMID_SELF), record.word("index")?, 0, 0, 0, 0])?;
        let rc = self.hypercall(nr::HVM_OP, [HVMOP_GET_PARAM, arguments, 0, 0, 0])?;
        let Block([_, _, first, second, ..]) = self.read_block(arguments)?;
        let value = u64::from(first) | u64::from(second) << 32;
        Ok((rc, Map::from_iter([("value".to_owned(), json!(format!("{value:#x}")))])))
    }

    /// Pointers nobody can follow and commands nobody has.
    fn raw(&mut self, record: &Record) -> Result<i64, StepError> {
        let (number, cmd) = (record.number("nr")?, record.number("cmd")?);
        let what = record.text_of("arg");
        let first = match what {
            "NULL" => None,
            "unmapped" => Some(NOWHERE),
            what if what.starts_with("dom=SELF") => {
                Some(self.write_block(record, [abi::DOMID_SELF.into(), 0, 0, 0, 0, 0])?)
            }
            what if what.starts_with("dom=5") => Some(self.write_block(record, [5, 0, 0, 0, 0, 0])?),
            what if what.starts_with("zeros") => Some(self.write_block(record, [0; 6])?),
            other => return Err(StepError::Step(format!("a pointer {other:?}"))),
        };
        let pointer = first.unwrap_or(0);
        Ok(self.hypercall(number, [cmd, pointer, 0, 0, 0])?)
    }
}
