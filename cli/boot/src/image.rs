//! What the file of an image holds.

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An executable.
    Elf,
    /// A kernel with the header of an arm64 Image.
    Arm64Image,
    /// Bytes for an address.
    Raw,
}

/// Bytes for an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where the first byte goes.
    pub address: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// How much memory it takes, its bytes among it; the rest is zero.
    pub size: u64,
}

/// An image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// What it was.
    pub format: Format,
    /// What goes where.
    pub pieces: Vec<Piece>,
    /// Where it starts.
    pub entry: u64,
}
