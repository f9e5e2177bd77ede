//! Records that are hypercalls: the argument block as the guest writes it, the trap, and what comes back in the block.

use super::super::rig::Trouble;
use super::record::Record;
use super::rig::Rig;
use evtchn::abi::{self, op};
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

type Words = [u32; 6];

/// A block of at most six words; the rest is as it would be on a guest's stack.
fn words<const N: usize>(given: [u32; N]) -> Words {
    let mut words = [UNWRITTEN; 6];
    for (to, from) in words.iter_mut().zip(given) {
        *to = from;
    }
    words
}

fn low(value: u64) -> u32 {
    value as u32
}

fn high(value: u64) -> u32 {
    (value >> 32) as u32
}

fn short(value: u64) -> u32 {
    u32::from(value as u16)
}

/// An output, if the hypervisor wrote it.
fn put(out: &mut Map<String, Value>, name: &str, value: u32) {
    if value != UNWRITTEN {
        out.insert(name.into(), json!(value));
    }
}

impl Rig {
    /// A guest's hypercall; `None` if the record is not one.
    pub(super) fn call(&mut self, record: &Record) -> Result<Option<Got>, Trouble> {
        let nothing = Map::new();
        let rc = match record.op.as_str() {
            "close" => self.port_call(record, op::CLOSE)?,
            "send" => self.port_call(record, op::SEND)?,
            "unmask" => self.port_call(record, op::UNMASK)?,
            "bind_vcpu" => self.event(record, op::BIND_VCPU, words([record.word("port")?, record.word("vcpu")?]))?.0,
            "set_priority" => {
                let block = words([record.word("port")?, record.word("priority")?]);
                self.event(record, op::SET_PRIORITY, block)?.0
            }
            "reset" => self.event(record, op::RESET, words([short(record.number("dom")?)]))?.0,
            "expand_array" => {
                let frame = self.frame(record, "array_gfn")?;
                self.expand(record, frame)?
            }
            "VCPUOP_register_vcpu_info" => self.register_info(record)?,
            "XENMEM_add_to_physmap" => self.place_shared_info(record)?,
            "raw" => self.raw(record)?,
            _ => return self.telling_call(record),
        };
        Ok(Some((rc, nothing)))
    }

    /// Hypercalls that give more than a result.
    fn telling_call(&mut self, record: &Record) -> Result<Option<Got>, Trouble> {
        Ok(Some(match record.op.as_str() {
            "alloc_unbound" => {
                let block = words([short(record.number("dom")?) | short(record.number("remote_dom")?) << 16]);
                self.event_for(record, op::ALLOC_UNBOUND, block, (1, "port"))?
            }
            "bind_interdomain" => {
                let block = words([short(record.number("remote_dom")?), record.word("remote_port")?]);
                self.event_for(record, op::BIND_INTERDOMAIN, block, (2, "local_port"))?
            }
            "bind_virq" => {
                let block = words([record.word("virq")?, record.word("vcpu")?]);
                self.event_for(record, op::BIND_VIRQ, block, (2, "port"))?
            }
            "bind_pirq" => {
                let block = words([record.word("pirq")?, record.word("flags")?]);
                self.event_for(record, op::BIND_PIRQ, block, (2, "port"))?
            }
            "bind_ipi" => self.event_for(record, op::BIND_IPI, words([record.word("vcpu")?]), (1, "port"))?,
            "status" => self.status(record)?,
            "init_control" => self.init_control(record)?,
            "HVMOP_get_param" => self.get_param(record)?,
            "alloc_until_fail" => self.alloc_until(record, MANY_PORTS)?,
            "alloc_until" => self.alloc_until(record, record.number("limit")?)?,
            "expand_until_fail" => self.expand_until_fail(record)?,
            _ => return Ok(None),
        }))
    }

    fn write_block(&mut self, record: &Record, block: Words) -> Result<u64, Trouble> {
        let arguments = self.guest(record.domain)?.arguments(record.vcpu);
        for (address, word) in (arguments..).step_by(4).zip(block) {
            self.store(address, Width::Word, word.into())?;
        }
        Ok(arguments)
    }

    fn read_block(&mut self, arguments: u64) -> Result<Words, Trouble> {
        let mut block = Words::default();
        for (address, word) in (arguments..).step_by(4).zip(&mut block) {
            *word = low(self.load(address, Width::Word)?);
        }
        Ok(block)
    }

    fn event(&mut self, record: &Record, cmd: u32, block: Words) -> Result<(i64, Words), Trouble> {
        let arguments = self.write_block(record, block)?;
        let rc = self.event_op(cmd, arguments)?;
        Ok((rc, self.read_block(arguments)?))
    }

    fn event_for(&mut self, record: &Record, cmd: u32, block: Words, at: (usize, &str)) -> Result<Got, Trouble> {
        let (rc, after) = self.event(record, cmd, block)?;
        let mut out = Map::new();
        if let Some(word) = after.get(at.0) {
            put(&mut out, at.1, *word);
        }
        Ok((rc, out))
    }

    fn port_call(&mut self, record: &Record, cmd: u32) -> Result<i64, Trouble> {
        Ok(self.event(record, cmd, words([record.word("port")?]))?.0)
    }

    /// A send outside the records.
    pub(super) fn send(&mut self, record: &Record, port: u32) -> Result<i64, Trouble> {
        Ok(self.event(record, op::SEND, words([port]))?.0)
    }

    fn status(&mut self, record: &Record) -> Result<Got, Trouble> {
        let block = words([short(record.number("dom")?), record.word("port")?]);
        let (rc, [_, _, status, vcpu, first, second]) = self.event(record, op::STATUS, block)?;
        let mut out = Map::new();
        if rc != 0 {
            return Ok((rc, out));
        }
        put(&mut out, "status", status);
        put(&mut out, "vcpu", vcpu);
        match status {
            abi::stat::UNBOUND => put(&mut out, "u.unbound.dom", first & 0xffff),
            abi::stat::INTERDOMAIN => {
                put(&mut out, "u.interdomain.dom", first & 0xffff);
                put(&mut out, "u.interdomain.port", second);
            }
            abi::stat::VIRQ => put(&mut out, "u.virq", first),
            _ => {}
        }
        Ok((rc, out))
    }

    fn init_control(&mut self, record: &Record) -> Result<Got, Trouble> {
        let frame = self.frame(record, "control_gfn")?;
        let block = words([low(frame), high(frame), record.word("offset")?, record.word("vcpu")?]);
        let (rc, [.., bits, _]) = self.event(record, op::INIT_CONTROL, block)?;
        let mut out = Map::new();
        if bits != UNWRITTEN {
            out.insert("link_bits".into(), json!(bits & 0xff));
        }
        Ok((rc, out))
    }

    /// A frame as the guest names it: a number, or one of its own pages.
    fn frame(&mut self, record: &Record, key: &str) -> Result<u64, Trouble> {
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
            other => return Err(Trouble::Step(format!("{key:?} names a page {other:?}"))),
        };
        Ok(page / PAGE_SIZE)
    }

    fn expand(&mut self, record: &Record, frame: u64) -> Result<i64, Trouble> {
        Ok(self.event(record, op::EXPAND_ARRAY, words([low(frame), high(frame)]))?.0)
    }

    fn expand_until_fail(&mut self, record: &Record) -> Result<Got, Trouble> {
        let frame = self.guest(record.domain)?.array_page(0) / PAGE_SIZE;
        // Five pages were handed over one by one before.
        let mut pages = 5_u64;
        let mut rc = 0;
        while rc == 0 && pages < MANY_PAGES {
            rc = self.expand(record, frame)?;
            pages += u64::from(rc == 0);
        }
        Ok((rc, Map::from_iter([("pages".to_owned(), json!(pages))])))
    }

    fn alloc_until(&mut self, record: &Record, limit: u64) -> Result<Got, Trouble> {
        let own = u32::from(abi::DOMID_SELF);
        let (mut count, mut last) = (0_u64, 0);
        while count < limit {
            let (rc, [_, port, ..]) = self.event(record, op::ALLOC_UNBOUND, words([own | own << 16]))?;
            if rc != 0 {
                break;
            }
            (count, last) = (count + 1, port);
        }
        Ok((0, Map::from_iter([("count".to_owned(), json!(count)), ("last_port".to_owned(), json!(last))])))
    }

    fn register_info(&mut self, record: &Record) -> Result<i64, Trouble> {
        let (frame, offset, vcpu) = (self.frame(record, "mfn")?, record.word("offset")?, record.word("vcpuid")?);
        let arguments = self.write_block(record, words([low(frame), high(frame), offset, 0]))?;
        let cmd = u64::from(abi::VCPUOP_REGISTER_VCPU_INFO);
        let rc = self.hypercall(nr::VCPU_OP, [cmd, vcpu.into(), arguments, 0, 0])?;
        if let (0, Some(info)) = (rc, self.guest(record.domain)?.infos.get_mut(vcpu as usize)) {
            *info = Some(frame * PAGE_SIZE + u64::from(offset));
        }
        Ok(rc)
    }

    fn place_shared_info(&mut self, record: &Record) -> Result<i64, Trouble> {
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

    fn get_param(&mut self, record: &Record) -> Result<Got, Trouble> {
        let arguments = self.write_block(record, [u32::from(abi::DOMID_SELF), record.word("index")?, 0, 0, 0, 0])?;
        let rc = self.hypercall(nr::HVM_OP, [HVMOP_GET_PARAM, arguments, 0, 0, 0])?;
        let [_, _, first, second, ..] = self.read_block(arguments)?;
        let value = u64::from(first) | u64::from(second) << 32;
        Ok((rc, Map::from_iter([("value".to_owned(), json!(format!("{value:#x}")))])))
    }

    /// Pointers nobody can follow and commands nobody has.
    fn raw(&mut self, record: &Record) -> Result<i64, Trouble> {
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
            other => return Err(Trouble::Step(format!("a pointer {other:?}"))),
        };
        let pointer = first.unwrap_or(0);
        Ok(self.hypercall(number, [cmd, pointer, 0, 0, 0])?)
    }
}
