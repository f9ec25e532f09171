//! Reading: one element, or a walk in either direction.

use super::node::{Node, Opened};
use super::{Place, Quicklist};
use crate::base::num;
use crate::ds::listpack::{Element, Listpack};
use std::ops::ControlFlow;

/// Which way a walk goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Toward the back.
    Forward,
    /// Toward the front.
    Backward,
}

impl Quicklist {
    /// What `f` makes of the element at `index`. O(nodes), from the nearer end.
    pub fn with<R>(&self, index: usize, f: impl FnOnce(Element<'_>) -> R) -> Option<R> {
        if index >= self.len() {
            return None;
        }
        let Place { node, offset } = self.locate(index);
        Some(self.nodes[node].with(offset, f))
    }

    /// Shows `f` the elements from the one at `index` on, until it breaks. O(nodes + elements shown).
    #[inline]
    pub fn visit(
        &self,
        index: usize,
        direction: Direction,
        mut f: impl FnMut(Element<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if index >= self.len() {
            return ControlFlow::Continue(());
        }
        let Place { node, offset } = self.locate(index);
        let first = &self.nodes[node];
        match direction {
            Direction::Forward => {
                visit_node(first, offset, direction, &mut f)?;
                let mut rest = self.nodes.range(node + 1..);
                rest.try_for_each(|node| visit_node(node, 0, direction, &mut f))
            }
            Direction::Backward => {
                visit_node(first, offset, direction, &mut f)?;
                let mut rest = self.nodes.range(..node).rev();
                rest.try_for_each(|node| visit_node(node, node.len() - 1, direction, &mut f))
            }
        }
    }
}

/// Shows `f` the elements of a node from the one at `offset` on.
#[inline]
fn visit_node(
    node: &Node,
    offset: usize,
    direction: Direction,
    f: &mut impl FnMut(Element<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    match node.open() {
        Opened::Packed(listpack) => visit_packed(&listpack, offset, direction, f),
        Opened::Plain(text) => f(Element::Bytes(&text)),
    }
}

/// Shows `f` the elements of a listpack from the one at index `offset` on, until it breaks.
#[inline]
pub fn visit_packed(
    listpack: &Listpack,
    offset: usize,
    direction: Direction,
    f: &mut impl FnMut(Element<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let Some(at) = listpack.seek(num::i64_of(offset)) else { return ControlFlow::Continue(()) };
    match direction {
        Direction::Forward => listpack.iter_from(at).try_for_each(f),
        Direction::Backward => listpack.rev_iter_from(at).try_for_each(f),
    }
}
