//! The device tree that a hypervisor gives a guest: two nodes are looked up (Devicetree Specification 0.4, chapter 5).

const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROP: u32 = 3;
const NOP: u32 = 4;

/// A tree in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tree(*const u8);

/// What a guest asks of a node.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Node {
    compatible: &'static [u8],
    reg: &'static [u8],
    interrupts: &'static [u8],
}

impl Node {
    /// The address of entry `n` of `reg`, with two cells for addresses and for sizes, as Xen's trees have them.
    pub(crate) fn reg(&self, n: usize) -> Option<u64> {
        let entry = self.reg.chunks_exact(16).nth(n)?;
        entry.first_chunk().map(|address| u64::from_be_bytes(*address))
    }

    /// The number of its first interrupt, which has to be a private one of the PE (GIC's binding: kind 1, number, flags).
    pub(crate) fn private_interrupt(&self) -> Option<u32> {
        let mut cells =
            self.interrupts.chunks_exact(4).filter_map(<[u8]>::first_chunk).map(|cell| u32::from_be_bytes(*cell));
        match (cells.next()?, cells.next()?) {
            (1, number) => Some(16 + number),
            _ => None,
        }
    }
}

impl Tree {
    /// The tree at an address.
    ///
    /// # Safety
    ///
    /// A tree stands there, and stays.
    pub(crate) const unsafe fn at(address: usize) -> Self {
        Self(address as *const u8)
    }

    fn bytes(self, at: u32, length: u32) -> &'static [u8] {
        // SAFETY: the promise of `at`; offsets and lengths are the tree's own.
        unsafe { core::slice::from_raw_parts(self.0.add(at as usize), length as usize) }
    }

    fn word(self, at: u32) -> u32 {
        self.bytes(at, 4).first_chunk().map_or(0, |word| u32::from_be_bytes(*word))
    }

    /// The bytes of a text.
    fn text(self, at: u32) -> &'static [u8] {
        let length = (0..).find(|n| self.bytes(at + n, 1) == [0]).unwrap_or(0);
        self.bytes(at, length)
    }

    /// The first node that is compatible with `wanted`.
    pub(crate) fn find(self, wanted: &str) -> Option<Node> {
        let (mut at, strings) = (self.word(8), self.word(12));
        let mut node = Node::default();
        loop {
            let token = self.word(at);
            at += 4;
            if matches!(token, BEGIN_NODE | END_NODE) {
                // A node's properties are over where a node in it begins, or where it ends.
                if node.compatible.split(|byte| *byte == 0).any(|name| name == wanted.as_bytes()) {
                    return Some(node);
                }
                node = Node::default();
            }
            match token {
                BEGIN_NODE => at += (self.text(at).len() as u32 + 1).next_multiple_of(4),
                PROP => {
                    let length = self.word(at);
                    let value = self.bytes(at + 8, length);
                    match self.text(strings + self.word(at + 4)) {
                        b"compatible" => node.compatible = value,
                        b"reg" => node.reg = value,
                        b"interrupts" => node.interrupts = value,
                        _ => {}
                    }
                    at += 8 + length.next_multiple_of(4);
                }
                END_NODE | NOP => {}
                _ => return None,
            }
        }
    }
}
