//! A domain's table of channels, and the index of its free ports.
//!
//! Xen looks for a free port by walking all of them from 0. [`FreePorts`] gives the same numbers from three levels
//! of bitmaps at a cost that does not grow with the table: at most five words are looked at. Only a new bucket may
//! cost more, when the table has to move to double its room.

use alloc::vec::Vec;

use crate::abi::{self, PORTS_PER_BUCKET};
use crate::port::{Channel, State};
use crate::{Errno, Port};

/// Channels of a domain, in buckets of 64.
#[derive(Debug)]
pub(crate) struct PortTable {
    channels: Vec<Channel>,
    free: FreePorts,
    /// Ports in use, Xen's included, port 0 not.
    active: u32,
    /// Ports in use that Xen owns.
    xen: u32,
    /// Highest number this domain may ever have, inclusive.
    max_port: u32,
}

impl PortTable {
    /// One bucket, port 0 reserved.
    pub(crate) fn new(max_port: u32) -> Result<Self, Errno> {
        let mut table = Self {
            channels: Vec::new(),
            free: FreePorts::new(),
            active: 0,
            xen: 0,
            max_port: max_port.min(abi::MAX_PORT_LIMIT),
        };
        table.grow()?;
        if let Some(zero) = table.get_mut(Port(0)) {
            zero.state = State::Reserved;
        }
        table.free.take(0);
        Ok(table)
    }

    /// Ports below this are valid, in the sense of the ABI: their bucket exists.
    pub(crate) fn valid(&self) -> u32 {
        u32::try_from(self.channels.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn active(&self) -> u32 {
        self.active
    }

    pub(crate) fn xen(&self) -> u32 {
        self.xen
    }

    pub(crate) fn max_port(&self) -> u32 {
        self.max_port
    }

    #[inline]
    pub(crate) fn get(&self, port: Port) -> Option<&Channel> {
        self.channels.get(port.0 as usize)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, port: Port) -> Option<&mut Channel> {
        self.channels.get_mut(port.0 as usize)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Port, &Channel)> {
        (0..).map(Port).zip(&self.channels)
    }

    /// Lowest free port of the existing buckets that is not below `from`.
    pub(crate) fn next_free(&self, from: u32) -> Option<Port> {
        self.free.next(from).map(Port)
    }

    /// Adds buckets until `port` is valid.
    pub(crate) fn grow_to(&mut self, port: Port) -> Result<(), Errno> {
        while self.valid() <= port.0 {
            self.grow()?;
        }
        Ok(())
    }

    fn grow(&mut self) -> Result<(), Errno> {
        let len = self.channels.len();
        self.channels.try_reserve(PORTS_PER_BUCKET as usize).map_err(|_| Errno::ENOMEM)?;
        self.free.grow()?;
        self.channels.resize(len + PORTS_PER_BUCKET as usize, Channel::FREE);
        Ok(())
    }

    /// Puts a free port to use. The FIFO fields stay as an earlier owner left them.
    pub(crate) fn open(&mut self, port: Port, opened: Opened) {
        if let Some(channel) = self.channels.get_mut(port.0 as usize) {
            channel.state = opened.state;
            channel.vcpu = opened.vcpu;
            channel.xen = opened.xen;
            self.free.take(port.0);
            self.active += 1;
            self.xen += u32::from(opened.xen.is_some());
        }
    }

    /// The reverse of [`PortTable::open`].
    pub(crate) fn release(&mut self, port: Port) {
        if let Some(channel) = self.channels.get_mut(port.0 as usize) {
            self.active = self.active.saturating_sub(1);
            self.xen = self.xen.saturating_sub(u32::from(channel.xen.is_some()));
            channel.state = State::Free;
            channel.vcpu = crate::Vcpu(0);
            channel.xen = None;
            channel.closings = channel.closings.wrapping_add(1);
            self.free.give(port.0);
        }
    }

    /// Forgets `port` and all above: a kill that was preempted there has closed them. `port` starts a bucket.
    pub(crate) fn truncate(&mut self, port: Port) {
        self.channels.truncate(port.0 as usize);
        self.free.truncate(port.0);
    }
}

/// What [`PortTable::open`] makes of a port.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opened {
    pub(crate) state: State,
    pub(crate) vcpu: crate::Vcpu,
    pub(crate) xen: Option<crate::XenHandler>,
}

/// Set of free ports: a bit per port, and above it a bit per word that is not zero, twice.
#[derive(Debug)]
struct FreePorts {
    leaves: Vec<u64>,
    middle: [u64; 32],
    top: u64,
}

// 32 middle words of 64 leaves of 64 ports cover the largest table; a leaf is a bucket.
const _: () = assert!(32 * 64 * 64 == abi::FIFO_PORTS && PORTS_PER_BUCKET == 64);

impl FreePorts {
    const fn new() -> Self {
        Self { leaves: Vec::new(), middle: [0; 32], top: 0 }
    }

    fn grow(&mut self) -> Result<(), Errno> {
        self.leaves.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let leaf = self.leaves.len();
        self.leaves.push(u64::MAX);
        self.mark(leaf, true);
        Ok(())
    }

    /// The bits above stay: where they lead to a leaf that is gone, none has a free port.
    fn truncate(&mut self, ports: u32) {
        self.leaves.truncate((ports / 64) as usize);
    }

    fn take(&mut self, port: u32) {
        let leaf = (port / 64) as usize;
        if let Some(word) = self.leaves.get_mut(leaf) {
            *word &= !(1 << (port % 64));
            if *word == 0 {
                self.mark(leaf, false);
            }
        }
    }

    fn give(&mut self, port: u32) {
        let leaf = (port / 64) as usize;
        if let Some(word) = self.leaves.get_mut(leaf) {
            *word |= 1 << (port % 64);
            self.mark(leaf, true);
        }
    }

    /// Says in the upper levels whether a leaf has a free port.
    fn mark(&mut self, leaf: usize, any: bool) {
        let (index, bit) = (leaf / 64, 1u64 << (leaf % 64));
        if let Some(word) = self.middle.get_mut(index) {
            *word = if any { *word | bit } else { *word & !bit };
            let bit = 1u64 << index;
            self.top = if *word == 0 { self.top & !bit } else { self.top | bit };
        }
    }

    fn next(&self, from: u32) -> Option<u32> {
        let leaf = (from / 64) as usize;
        if let Some(bit) = first_from(*self.leaves.get(leaf)?, from % 64) {
            return Some(from / 64 * 64 + bit);
        }
        let leaf = self.next_leaf(u32::try_from(leaf).ok()? + 1)?;
        let bit = self.leaves.get(leaf as usize)?.trailing_zeros();
        Some(leaf * 64 + bit)
    }

    /// First leaf from `from` up that has a free port.
    fn next_leaf(&self, from: u32) -> Option<u32> {
        let index = from / 64;
        if let Some(bit) = first_from(*self.middle.get(index as usize)?, from % 64) {
            return Some(index * 64 + bit);
        }
        let index = first_from(self.top, index + 1)?;
        let bit = self.middle.get(index as usize)?.trailing_zeros();
        Some(index * 64 + bit)
    }
}

/// Lowest set bit of `word` that is not below `from`.
fn first_from(word: u64, from: u32) -> Option<u32> {
    let rest = word & u64::MAX.checked_shl(from)?;
    (rest != 0).then(|| rest.trailing_zeros())
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::{Vcpu, XenHandler};

    fn ipi() -> Opened {
        Opened { state: State::Ipi, vcpu: Vcpu(1), xen: None }
    }

    #[test]
    fn port_zero_is_reserved_and_not_counted() {
        let table = PortTable::new(10).unwrap();
        assert_eq!((table.valid(), table.active(), table.max_port()), (64, 0, 10));
        assert_eq!(table.get(Port(0)).map(|c| c.state), Some(State::Reserved));
        assert_eq!(table.next_free(0), Some(Port(1)));
    }

    #[test]
    fn no_limit_is_cut_to_31_bits() {
        assert_eq!(PortTable::new(u32::MAX).unwrap().max_port(), 0x7FFF_FFFF);
    }

    #[test]
    fn release_resets_the_vcpu_and_keeps_the_latch() {
        let mut table = PortTable::new(10).unwrap();
        table.open(Port(3), Opened { xen: Some(XenHandler::DEFAULT), ..ipi() });
        assert_eq!((table.active(), table.xen()), (1, 1));
        table.get_mut(Port(3)).unwrap().latched = true;
        table.release(Port(3));
        assert_eq!((table.active(), table.xen()), (0, 0));
        let channel = table.get(Port(3)).unwrap();
        assert_eq!((channel.state, channel.vcpu, channel.latched), (State::Free, Vcpu(0), true));
    }

    #[test]
    fn a_search_never_goes_back() {
        let mut table = PortTable::new(u32::MAX).unwrap();
        table.grow_to(Port(64 * 64)).unwrap();
        (2..64 * 64).for_each(|port| table.open(Port(port), ipi()));
        assert_eq!(table.next_free(2), Some(Port(64 * 64)), "port 1 is in the same middle word as what was asked for");
    }

    #[test]
    fn the_whole_fifo_range_can_be_filled() {
        let mut table = PortTable::new(u32::MAX).unwrap();
        table.grow_to(Port(abi::FIFO_PORTS - 1)).unwrap();
        assert_eq!(table.valid(), abi::FIFO_PORTS);
        for port in 1..abi::FIFO_PORTS {
            assert_eq!(table.next_free(1), Some(Port(port)));
            table.open(Port(port), ipi());
        }
        assert_eq!(table.next_free(1), None);
        table.release(Port(70_000));
        assert_eq!(table.next_free(1), Some(Port(70_000)));
    }

    proptest! {
        #[test]
        fn the_free_index_agrees_with_a_set(ops in prop::collection::vec((0u8..4, 0u32..9000), 1..400)) {
            let mut free = FreePorts::new();
            let mut plain = BTreeSet::new();
            let mut len = 0;
            for (op, port) in ops {
                match op {
                    0 if len < 9000 => {
                        for _ in 0..=port % 40 {
                            free.grow().unwrap();
                            plain.extend(len..len + 64);
                            len += 64;
                        }
                    }
                    1 => {
                        free.take(port);
                        plain.remove(&port);
                    }
                    2 if port < len => {
                        free.give(port);
                        plain.insert(port);
                    }
                    3 if port % 16 == 0 => {
                        let cut = (port / 64 * 64).min(len);
                        free.truncate(cut);
                        plain.retain(|p| *p < cut);
                        len = cut;
                    }
                    _ => {}
                }
                prop_assert_eq!(free.next(port), plain.range(port..).next().copied());
                prop_assert_eq!(free.next(0), plain.first().copied());
            }
        }
    }
}
