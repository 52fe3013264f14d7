//! A list that grows at its front. A vector would bring the code that makes one larger: in the
//! built module that is more than all that is done with it.

use alloc::boxed::Box;
use core::{
    iter,
    ops::{Deref, DerefMut},
};

/// One place in a list, or of none yet.
pub(super) struct Node<T> {
    value: T,
    next: Option<Box<Self>>,
}

impl<T> Node<T> {
    pub(super) fn new(value: T) -> Box<Self> {
        Box::new(Self { value, next: None })
    }
}

impl<T> Deref for Node<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Node<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

pub(super) struct List<T>(Option<Box<Node<T>>>);

impl<T> List<T> {
    pub(super) const fn new() -> Self {
        Self(None)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn push(&mut self, mut node: Box<Node<T>>) {
        node.next = self.0.take();
        self.0 = Some(node);
    }

    /// Takes out the latest.
    pub(super) fn pop(&mut self) -> Option<Box<Node<T>>> {
        self.take(|_| true)
    }

    /// Takes out the latest that is meant.
    pub(super) fn take(&mut self, is_meant: impl Fn(&T) -> bool) -> Option<Box<Node<T>>> {
        let mut link = &mut self.0;
        while link.as_ref().is_some_and(|node| !is_meant(node)) {
            link = &mut link.as_mut()?.next;
        }
        let mut node = link.take()?;
        *link = node.next.take();
        Some(node)
    }

    /// The latest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        iter::successors(self.0.as_deref(), |node| node.next.as_deref()).map(|node| &node.value)
    }

    pub(super) fn for_each(&mut self, act: impl Fn(&mut T)) {
        let mut next = self.0.as_deref_mut();
        while let Some(node) = next {
            act(&mut node.value);
            next = node.next.as_deref_mut();
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use super::*;

    fn list() -> List<u8> {
        let mut list = List::new();
        for number in 1..=4 {
            list.push(Node::new(number));
        }
        list
    }

    fn left(list: &List<u8>) -> Vec<u8> {
        list.iter().copied().collect()
    }

    #[test]
    fn the_latest_comes_first() {
        let mut list = list();
        assert_eq!(left(&list), [4, 3, 2, 1]);
        let order: Vec<u8> = core::iter::from_fn(|| list.pop().map(|node| **node)).collect();
        assert_eq!(order, [4, 3, 2, 1]);
        assert!(list.is_empty() && list.pop().is_none());
    }

    #[test]
    fn what_is_taken_out_leaves_the_rest_in_its_order() {
        for (wanted, rest) in [(4, vec![3, 2, 1]), (3, vec![4, 2, 1]), (1, vec![4, 3, 2])] {
            let mut list = list();
            let taken = list.take(|number| *number == wanted);
            assert_eq!(taken.map(|node| **node), Some(wanted));
            assert_eq!(left(&list), rest);
        }
        let mut list = list();
        assert!(list.take(|number| *number > 4).is_none());
        list.for_each(|number| *number *= 2);
        assert_eq!(left(&list), [8, 6, 4, 2]);
    }
}
