//! The quicklist against a deque of vectors.
//!
//! Input: the size of nodes, how many are not compressed, and steps.

use super::input::Input;
use carnelian::ds::listpack::Element;
use carnelian::ds::quicklist::{Direction, End, Fill, Quicklist, Shape};
use std::collections::VecDeque;
use std::ops::ControlFlow;

const STEPS_MAX: usize = 300;
const SIZES: [i32; 6] = [-2, -1, 1, 2, 5, 128];

type Oracle = VecDeque<Vec<u8>>;

/// Checks one sequence of changes.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let fill = Fill::of_directive(SIZES[input.below(SIZES.len())]);
    let mut list = Quicklist::new(Shape { fill, depth: input.below(4) });
    if input.below(4) == 0 {
        list.set_plain_from(Some(input.below(256)));
    }
    let mut oracle = Oracle::new();
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        step(&mut list, &mut oracle, &mut input);
        assert_eq!(list.len(), oracle.len());
        #[cfg(fuzzing)]
        list.check_invariants();
    }
    let mut wanted = oracle.iter();
    let flow = list.visit(0, Direction::Forward, |element| {
        assert_eq!(Some(element), wanted.next().map(Element::from));
        ControlFlow::Continue(())
    });
    assert!(flow.is_continue() && wanted.next().is_none());
    let mut wanted = oracle.iter().rev();
    let last = list.len().saturating_sub(1);
    let flow = list.visit(last, Direction::Backward, |element| {
        assert_eq!(Some(element), wanted.next().map(Element::from));
        ControlFlow::Continue(())
    });
    assert!(flow.is_continue() && wanted.next().is_none());
}

fn text_of(input: &mut Input<'_>) -> Vec<u8> {
    match input.below(4) {
        0 => input.below(40).to_string().into_bytes(),
        1 => vec![input.byte(); input.below(65_536) / 4],
        _ => {
            let len = input.below(20);
            input.bytes(len).to_vec()
        }
    }
}

fn step(list: &mut Quicklist, oracle: &mut Oracle, input: &mut Input<'_>) {
    let kind = input.below(9);
    let place = input.below(65_536) % (oracle.len() + 1);
    match kind {
        0 => {
            let text = text_of(input);
            list.push(End::Front, &text);
            oracle.push_front(text);
        }
        1 => {
            let text = text_of(input);
            list.push(End::Back, &text);
            oracle.push_back(text);
        }
        2 => {
            let popped = list.pop(End::Front, |element| element.to_vec());
            assert_eq!(popped, oracle.pop_front());
        }
        3 => {
            let popped = list.pop(End::Back, |element| element.to_vec());
            assert_eq!(popped, oracle.pop_back());
        }
        4 if place < oracle.len() => {
            let text = text_of(input);
            list.replace(place, &text);
            oracle[place] = text;
        }
        5 => {
            let count = input.below(256);
            let end = oracle.len().min(place + count);
            assert_eq!(list.delete_range(place, count), end - place);
            oracle.drain(place..end);
        }
        6 => {
            let text = text_of(input);
            let before = oracle.len();
            oracle.retain(|found| *found != text);
            let removed = list.remove_matching(&text, usize::MAX, Direction::Forward);
            assert_eq!(removed, before - oracle.len());
        }
        7 => {
            let found = list.with(place, |element| element.to_vec());
            assert_eq!(found.as_ref(), oracle.get(place));
        }
        _ => {
            let text = text_of(input);
            list.insert(place, &text);
            oracle.insert(place, text);
        }
    }
}
