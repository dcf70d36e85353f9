//! Values that a copy shares until the copy or the original changes them.

use std::sync::Arc;

/// A value that is owned or shared with copies. It is shared from the first copy until a change.
#[derive(Clone, Debug)]
pub(super) enum Shared<T> {
    Own(T),
    Shared(Arc<T>),
}

impl<T: Clone + Default> Shared<T> {
    #[inline]
    pub(super) fn get(&self) -> &T {
        match self {
            Self::Own(value) => value,
            Self::Shared(value) => value,
        }
    }

    /// Returns the value for a change, as a copy if others still share it.
    #[inline]
    pub(super) fn get_mut(&mut self) -> &mut T {
        if let Self::Shared(_) = self {
            self.take_back();
        }
        match self {
            Self::Own(value) => value,
            // `take_back` leaves the value unshared, so this arm is never reached.
            Self::Shared(value) => Arc::make_mut(value),
        }
    }

    #[cold]
    fn take_back(&mut self) {
        if let Self::Shared(value) = std::mem::replace(self, Self::Own(T::default())) {
            *self = Self::Own(Arc::unwrap_or_clone(value));
        }
    }

    /// Returns the value, shared with the caller.
    pub(super) fn share(&mut self) -> Arc<T> {
        match self {
            Self::Shared(value) => Arc::clone(value),
            Self::Own(value) => {
                let value = Arc::new(std::mem::take(value));
                *self = Self::Shared(Arc::clone(&value));
                value
            }
        }
    }
}
