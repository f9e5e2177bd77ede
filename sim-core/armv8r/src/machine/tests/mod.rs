//! Programs of words.
