//! A vector whose first few elements need no allocation.

use std::ops::Deref;

/// Elements in order, the first `N` of them inline.
#[derive(Clone, Debug)]
pub(super) struct Short<T, const N: usize> {
    len: usize,
    /// The elements while there are at most `N`.
    inline: [T; N],
    /// The elements while there are more.
    spilled: Vec<T>,
}

impl<T: Copy, const N: usize> Short<T, N> {
    /// No elements; `filler` stands where there are none yet.
    #[inline]
    pub(super) fn new(filler: T) -> Short<T, N> {
        Short { len: 0, inline: [filler; N], spilled: Vec::new() }
    }

    /// Adds an element.
    #[inline]
    pub(super) fn push(&mut self, element: T) {
        self.extend(&[element]);
    }

    /// Adds elements.
    #[inline]
    pub(super) fn extend(&mut self, elements: &[T]) {
        let len = self.len + elements.len();
        if len <= N {
            self.inline[self.len..len].copy_from_slice(elements);
        } else {
            self.spill(elements);
        }
        self.len = len;
    }

    #[cold]
    fn spill(&mut self, elements: &[T]) {
        if self.len <= N {
            self.spilled.clear();
            self.spilled.extend_from_slice(&self.inline[..self.len]);
        }
        self.spilled.extend_from_slice(elements);
    }

    /// Removes the last elements, so that `len` are left, unless there are fewer.
    #[inline]
    pub(super) fn truncate(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        if self.len > N {
            self.spilled.truncate(len);
            if len <= N {
                self.inline[..len].copy_from_slice(&self.spilled);
            }
        }
        self.len = len;
    }

    /// The elements, to be changed.
    #[inline]
    pub(super) fn as_mut_slice(&mut self) -> &mut [T] {
        if self.len > N { &mut self.spilled } else { &mut self.inline[..self.len] }
    }

    /// The last element.
    #[inline]
    pub(super) fn last_mut(&mut self) -> Option<&mut T> {
        self.as_mut_slice().last_mut()
    }
}

impl<T, const N: usize> Deref for Short<T, N> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        if self.len > N { &self.spilled } else { &self.inline[..self.len] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    #[test]
    fn it_is_a_vector_whatever_its_length() {
        let mut rng = Rng::seeded(1);
        for _ in 0..200 {
            let (mut short, mut plain) = (Short::<u16, 4>::new(0), Vec::new());
            for n in 0..40 {
                match rng.below(3) {
                    0 => {
                        short.push(n);
                        plain.push(n);
                    }
                    1 => {
                        let more = vec![n; rng.below_usize(4)];
                        short.extend(&more);
                        plain.extend(more);
                    }
                    _ => {
                        let len = rng.below_usize(8);
                        short.truncate(len);
                        plain.truncate(len);
                    }
                }
                assert_eq!(short[..], plain[..]);
                assert_eq!(short.last_mut(), plain.last_mut());
            }
        }
    }
}
