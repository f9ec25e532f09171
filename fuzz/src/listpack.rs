//! The listpack: bytes that somebody else wrote, and random changes against a vector of vectors.
//!
//! Input: what a listpack's elements may be, taken as such under a header that fits, or steps.

use super::input::Input;
use carnelian::ds::listpack::{Element, Listpack, check};

const STEPS_MAX: usize = 200;
/// Elements of the vector, at most.
const COUNT_MAX: usize = 200;

/// Checks one input.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    match input.below(4) {
        0 => foreign(input.rest()),
        1 => framed(input.rest()),
        _ => changes(&mut input, Listpack::new()),
    }
}

/// Bytes as they are.
fn foreign(bytes: &[u8]) {
    if let Ok(list) = Listpack::from_bytes(bytes) {
        assert_eq!(list.as_bytes(), bytes);
        accepted(list, &mut Input::new(bytes));
    }
}

/// Bytes as elements, under a header and before an end mark that fit.
fn framed(elements: &[u8]) {
    let total = u32::try_from(elements.len() + 7).expect("inputs are short");
    let mut bytes = total.to_le_bytes().to_vec();
    bytes.extend([0xff, 0xff]);
    bytes.extend(elements);
    bytes.push(0xff);
    foreign(&bytes);
}

/// What was accepted can be read both ways and changed.
fn accepted(list: Listpack, input: &mut Input<'_>) {
    let forward: Vec<Vec<u8>> = list.iter().map(|element| element.to_vec()).collect();
    let mut backward: Vec<Vec<u8>> = list.rev_iter().map(|element| element.to_vec()).collect();
    backward.reverse();
    assert_eq!((forward.len(), &forward), (list.len(), &backward));
    if let Some(first) = list.first() {
        for text in forward.iter().take(5) {
            let found = list.find(text, first, 0).expect("it was read just now");
            assert!(list.get(found).is(text));
        }
    }
    changes(input, list);
}

fn changes(input: &mut Input<'_>, mut list: Listpack) {
    let mut oracle: Vec<Vec<u8>> = list.iter().map(|element| element.to_vec()).collect();
    for _ in 0..STEPS_MAX {
        if input.is_empty() || oracle.len() > COUNT_MAX {
            break;
        }
        step(&mut list, &mut oracle, input);
        assert_eq!(check(list.as_bytes()), Ok(oracle.len()));
        #[cfg(fuzzing)]
        list.check_invariants();
    }
    assert!(list.iter().eq(oracle.iter().map(Element::from)));
}

fn text_of(input: &mut Input<'_>) -> Vec<u8> {
    match input.below(4) {
        0 => input.number().to_string().into_bytes(),
        1 => i8::from_le_bytes([input.byte()]).to_string().into_bytes(),
        2 => vec![input.byte(); input.below(65_536) / 10],
        _ => {
            let len = input.below(70);
            input.bytes(len).to_vec()
        }
    }
}

fn step(list: &mut Listpack, oracle: &mut Vec<Vec<u8>>, input: &mut Input<'_>) {
    let kind = input.below(8);
    let place = input.below(256);
    let place = if oracle.is_empty() { 0 } else { place % oracle.len() };
    let at = list.seek(i64::try_from(place).expect("small"));
    match (kind, at) {
        (0, _) | (_, None) => {
            let text = text_of(input);
            list.push_front(&text);
            oracle.insert(0, text);
        }
        (1, Some(_)) => {
            let text = text_of(input);
            list.push_back(&text);
            oracle.push(text);
        }
        (2, Some(at)) => {
            let text = text_of(input);
            list.insert_after(at, &text);
            oracle.insert(place + 1, text);
        }
        (3, Some(at)) => {
            let text = text_of(input);
            list.replace(at, &text);
            oracle[place] = text;
        }
        (4, Some(at)) => {
            let behind = list.split_off(at);
            assert_eq!(behind.len(), oracle.len() - place);
            list.append(&behind);
        }
        (5, Some(at)) => {
            let count = input.below(256);
            list.delete_run(at, count);
            oracle.drain(place..oracle.len().min(place + count));
        }
        (_, Some(at)) => {
            list.delete(at);
            oracle.remove(place);
        }
    }
}
