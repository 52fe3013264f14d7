//! Several values of one name, as a request may bring them.

/// So many are looked at. No history brings more.
const MOST: usize = 4;

/// In the order of the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Several<T>([Option<T>; MOST]);

impl<T: Copy> Default for Several<T> {
    fn default() -> Self {
        Self([None; MOST])
    }
}

impl<T: Copy> Several<T> {
    pub(crate) fn push(&mut self, value: T) {
        if let Some(free) = self.0.iter_mut().find(|place| place.is_none()) {
            *free = Some(value);
        }
    }

    pub(crate) fn first(&self) -> Option<T> {
        self.0[0]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0[0].is_none()
    }

    pub(crate) fn has_several(&self) -> bool {
        self.0[1].is_some()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = T> {
        self.0.iter().copied().flatten()
    }
}

impl<T: Copy> From<Option<T>> for Several<T> {
    fn from(value: Option<T>) -> Self {
        let mut several = Self::default();
        several.0[0] = value;
        several
    }
}
