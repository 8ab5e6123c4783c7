use std::ops::Deref;

/// What is there only once it is used: a pointer while it is not. Most sessions are idle, and memory for each is what
/// limits their number.
#[derive(Debug)]
pub(crate) struct OnUse<T>(Option<Box<T>>);

/// What an [`OnUse`] looks like that is not used.
pub(crate) trait Unused: Sized + 'static {
    const UNUSED: &'static Self;

    /// One to be used.
    fn new() -> Self;
}

impl<T: Unused> OnUse<T> {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// For what adds to it: made now if it is not there.
    pub(crate) fn use_it(&mut self) -> &mut T {
        self.0.get_or_insert_with(|| Box::new(T::new()))
    }

    /// For what there is nothing to do about if it is not used.
    pub(crate) fn used(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }

    /// Frees its memory.
    pub(crate) fn forget(&mut self) {
        self.0 = None;
    }
}

impl<T: Unused> Deref for OnUse<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::UNUSED)
    }
}
