//! What clients sent, until it is handed on.

use super::{CLIENTS_GATHERED_MAX, GATHERED_BYTES_MAX, READ_BYTES, TAIL_BYTES_MAX};
use crate::node::Received;
use std::rc::Rc;

/// What clients sent.
#[derive(Debug)]
pub(super) struct Input {
    /// Where it is read into: what was received and not handed on yet, then room for one more read.
    pub(super) buffer: Box<[u8]>,
    /// What was received and not handed on yet.
    pub(super) received: Vec<Received>,
}

impl Default for Input {
    fn default() -> Self {
        let len = GATHERED_BYTES_MAX + TAIL_BYTES_MAX + READ_BYTES;
        let buffer = vec![0; len].into_boxed_slice();
        Self { buffer, received: Vec::with_capacity(CLIENTS_GATHERED_MAX) }
    }
}

/// What clients send, to add to it.
#[inline]
pub(super) fn own(input: &mut Rc<Input>) -> &mut Input {
    Rc::get_mut(input)
        .expect("it is shared only while it is handed on, and then another one is in its place")
}
