//! A flattened device tree, and more put into one of its nodes (Devicetree Specification 0.4, chapter 5).

/// Tokens of the structure block.
mod token {
    pub(super) const BEGIN_NODE: u32 = 1;
    pub(super) const END_NODE: u32 = 2;
    pub(super) const PROP: u32 = 3;
    pub(super) const NOP: u32 = 4;
    pub(super) const END: u32 = 9;
}

const MAGIC: u32 = 0xd00d_feed;
/// Bytes of the header of version 17.
const HEADER: usize = 40;

/// A node to be put in.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    name: String,
    properties: Vec<(&'static str, Vec<u8>)>,
    children: Vec<Self>,
}

impl Node {
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// With a property whose value is a list of texts.
    pub(super) fn texts(mut self, name: &'static str, texts: &[&str]) -> Self {
        let value = texts.iter().flat_map(|text| text.bytes().chain([0])).collect();
        self.properties.push((name, value));
        self
    }

    /// With a property whose value is a list of cells.
    pub(super) fn cells(mut self, name: &'static str, cells: &[u32]) -> Self {
        self.properties.push((name, cells.iter().flat_map(|cell| cell.to_be_bytes()).collect()));
        self
    }

    /// With a node in it.
    pub(super) fn child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }
}

/// What of the tree cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the device tree of the emulator cannot be read: {0}")]
pub struct TreeError(&'static str);

fn word(bytes: &[u8], at: usize) -> Result<u32, TreeError> {
    let word = bytes.get(at..).and_then(<[u8]>::first_chunk);
    word.map(|word| u32::from_be_bytes(*word)).ok_or(TreeError("it ends too early"))
}

fn offset(bytes: &[u8], at: usize) -> Result<usize, TreeError> {
    usize::try_from(word(bytes, at)?).map_err(|_| TreeError("an offset is too large"))
}

/// Where the body of the node `/name` begins, behind its name, and where its end stands, both in the structure block.
fn find(structure: &[u8], name: &str) -> Result<(usize, usize), TreeError> {
    let mut at = 0;
    let mut depth = 0;
    let mut begin = None;
    loop {
        let token = word(structure, at)?;
        let here = at;
        at += 4;
        match token {
            token::BEGIN_NODE => {
                let rest = structure.get(at..).unwrap_or_default();
                let length = rest.iter().position(|byte| *byte == 0).ok_or(TreeError("a name has no end"))?;
                let found = rest.get(..length) == Some(name.as_bytes());
                at = (at + length + 1).next_multiple_of(4);
                depth += 1;
                if depth == 2 && found {
                    begin = Some(at);
                }
            }
            token::END_NODE => {
                if let (2, Some(begin)) = (depth, begin) {
                    return Ok((begin, here));
                }
                depth -= 1;
            }
            token::PROP => at = (at + 8 + offset(structure, at)?).next_multiple_of(4),
            token::NOP => {}
            token::END => return Err(TreeError("it lacks the node")),
            _ => return Err(TreeError("it has a token that is none")),
        }
    }
}

/// Writes nodes and properties, and keeps their names.
struct Writer {
    structure: Vec<u8>,
    strings: Vec<u8>,
}

impl Writer {
    fn cell(&mut self, value: u32) {
        self.structure.extend(value.to_be_bytes());
    }

    fn padded(&mut self, bytes: &[u8]) {
        self.structure.extend(bytes);
        self.structure.resize(self.structure.len().next_multiple_of(4), 0);
    }

    fn properties(&mut self, node: &Node) {
        for (name, value) in &node.properties {
            self.cell(token::PROP);
            self.cell(value.len() as u32);
            self.cell(self.strings.len() as u32);
            self.strings.extend(name.bytes().chain([0]));
            self.padded(value);
        }
    }

    fn node(&mut self, node: &Node) {
        self.cell(token::BEGIN_NODE);
        let name: Vec<u8> = node.name.bytes().chain([0]).collect();
        self.padded(&name);
        self.properties(node);
        node.children.iter().for_each(|child| self.node(child));
        self.cell(token::END_NODE);
    }
}

/// The tree `blob` with the properties and the children of `more` in the node `/name` that `more` is called like.
pub(super) fn with(blob: &[u8], more: &Node) -> Result<Vec<u8>, TreeError> {
    if word(blob, 0)? != MAGIC {
        return Err(TreeError("it does not begin like one"));
    }
    let part = |from: usize, size: usize| {
        let end = from.checked_add(size).ok_or(TreeError("an offset is too large"))?;
        blob.get(from..end).ok_or(TreeError("it ends too early"))
    };
    let structure = part(offset(blob, 8)?, offset(blob, 36)?)?;
    let strings = part(offset(blob, 12)?, offset(blob, 32)?)?;
    let reserved = {
        let from = offset(blob, 16)?;
        let entries = blob.get(from..).unwrap_or_default().chunks_exact(16);
        let entries = entries.take_while(|entry| entry.iter().any(|byte| *byte != 0)).count();
        part(from, (entries + 1) * 16)?
    };
    let (begin, end) = find(structure, &more.name)?;
    let piece = |range: core::ops::Range<usize>| structure.get(range).unwrap_or_default();
    let mut writer = Writer { structure: piece(0..begin).to_vec(), strings: strings.to_vec() };
    writer.properties(more);
    writer.structure.extend(piece(begin..end));
    more.children.iter().for_each(|child| writer.node(child));
    writer.structure.extend(piece(end..structure.len()));

    let reserved_at = HEADER;
    let structure_at = reserved_at + reserved.len();
    let strings_at = structure_at + writer.structure.len();
    let total = strings_at + writer.strings.len();
    let header = [
        MAGIC,
        total as u32,
        structure_at as u32,
        strings_at as u32,
        reserved_at as u32,
        17,
        16,
        word(blob, 28)?,
        writer.strings.len() as u32,
        writer.structure.len() as u32,
    ];
    let mut out: Vec<u8> = header.into_iter().flat_map(u32::to_be_bytes).collect();
    out.extend(reserved);
    out.extend(writer.structure);
    out.extend(writer.strings);
    Ok(out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// A tree with `/chosen { a = "x"; inner {}; }` and `/other {}`.
    fn tree() -> Vec<u8> {
        let chosen = Node::new("chosen").texts("a", &["x"]).child(Node::new("inner"));
        let root = Node::new("").child(chosen).child(Node::new("other"));
        let mut writer = Writer { structure: Vec::new(), strings: Vec::new() };
        writer.node(&root);
        writer.cell(token::END);
        let (structure, strings) = (writer.structure, writer.strings);
        let at = HEADER + 16;
        let total = at + structure.len() + strings.len();
        let header = [MAGIC, total as u32, at as u32, (at + structure.len()) as u32, HEADER as u32, 17, 16, 0];
        let mut blob: Vec<u8> = header.into_iter().flat_map(u32::to_be_bytes).collect();
        blob.extend((strings.len() as u32).to_be_bytes());
        blob.extend((structure.len() as u32).to_be_bytes());
        blob.extend([0; 16]);
        blob.extend(structure);
        blob.extend(strings);
        blob
    }

    /// The tree as text, one token after the other.
    fn told(blob: &[u8]) -> String {
        let (structure, strings) = (&blob[offset(blob, 8).unwrap()..], &blob[offset(blob, 12).unwrap()..]);
        let text =
            |bytes: &[u8]| String::from_utf8(bytes.iter().copied().take_while(|byte| *byte != 0).collect()).unwrap();
        let (mut at, mut out) = (0, String::new());
        loop {
            let token = word(structure, at).unwrap();
            at += 4;
            match token {
                token::BEGIN_NODE => {
                    let name = text(&structure[at..]);
                    at = (at + name.len() + 1).next_multiple_of(4);
                    out.extend([&name, "{"]);
                }
                token::END_NODE => out += "}",
                token::PROP => {
                    let (length, name) = (offset(structure, at).unwrap(), offset(structure, at + 4).unwrap());
                    let value = format!("{:?}", &structure[at + 8..at + 8 + length]);
                    out.extend([&text(&strings[name..]), "=", &value, ";"]);
                    at = (at + 8 + length).next_multiple_of(4);
                }
                _ => return out,
            }
        }
    }

    #[test]
    fn properties_go_before_the_nodes_of_a_node_and_nodes_behind_them() {
        let more = Node::new("chosen").cells("b", &[1]).child(Node::new("new@1").texts("c", &["y", "z"]));
        let after = with(&tree(), &more).unwrap();
        assert_eq!(told(&tree()), "{chosen{a=[120, 0];inner{}}other{}}");
        let expected = "{chosen{b=[0, 0, 0, 1];a=[120, 0];inner{}new@1{c=[121, 0, 122, 0];}}other{}}";
        assert_eq!(told(&after), expected);
        assert_eq!(offset(&after, 4).unwrap(), after.len());
    }

    #[test]
    fn what_is_no_tree_is_an_error_wherever_it_ends() {
        let blob = tree();
        assert_eq!(with(&blob, &Node::new("absent")), Err(TreeError("it lacks the node")));
        for end in 0..blob.len() {
            // Strings may be cut only as the header says.
            assert!(with(&blob[..end], &Node::new("chosen")).is_err(), "{end}");
        }
    }
}
