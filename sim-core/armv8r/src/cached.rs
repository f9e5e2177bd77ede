//! What is remembered to save work, beside the state.

/// Something that is remembered and makes no difference: any two are equal, and a copy starts afresh.
#[derive(Debug, Default)]
pub(crate) struct Cached<T>(pub(crate) T);

/// Starts afresh for whoever copies it.
pub(crate) trait Fresh {
    /// Nothing remembered.
    fn fresh(&self) -> Self;
}

impl<T> PartialEq for Cached<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T: Fresh> Clone for Cached<T> {
    fn clone(&self) -> Self {
        Self(self.0.fresh())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_makes_no_difference() {
        assert!(Cached(1) == Cached(2));
    }
}
