//! Held against the rules of the specification.
