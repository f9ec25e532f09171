//! Makes a failing sequence short: first fewer steps (delta debugging, after Zeller and
//! Hildebrandt), then shorter arguments.

use std::time::{Duration, Instant};

use crate::daemon::Failure;
use crate::grammar::Step;
use crate::pair::{Difference, Pair};
use crate::side::Protocol;

/// A shorter sequence is nice to have, not worth minutes.
pub(crate) const BUDGET: Duration = Duration::from_secs(30);
/// Arguments that are short enough to read.
const READABLE: usize = 8;

/// The shortest list found within `budget` of which `fails` holds; it holds of `items`.
pub(crate) fn shrink<T: Clone>(
    items: Vec<T>,
    budget: Duration,
    mut fails: impl FnMut(&[T]) -> Result<bool, Failure>,
) -> Result<Vec<T>, Failure> {
    let start = Instant::now();
    let mut items = items;
    let mut pieces = 2;
    while items.len() > 1 && start.elapsed() < budget {
        let size = items.len().div_ceil(pieces);
        let mut shrunk = None;
        for first in (0..items.len()).step_by(size) {
            let mut rest = items.clone();
            rest.drain(first..(first + size).min(items.len()));
            if !rest.is_empty() && fails(&rest)? {
                shrunk = Some(rest);
                break;
            }
        }
        match shrunk {
            Some(rest) => {
                items = rest;
                pieces = (pieces - 1).max(2);
            }
            None if size == 1 => break,
            None => pieces = (pieces * 2).min(items.len()),
        }
    }
    Ok(items)
}

/// Shortens the sequence that led to `difference`, for twice `budget` at most; the steps and the difference that they show.
pub(crate) fn minimise(
    pair: &mut Pair,
    steps: &[Step],
    protocol: Protocol,
    difference: &Difference,
    budget: Duration,
) -> Result<(Vec<Step>, Difference), Failure> {
    let end = (difference.place + 1).min(steps.len());
    let signature = difference.signature();
    let mut last = difference.clone();
    let mut fails = |steps: &[Step]| {
        let found = pair.play(steps, protocol)?;
        let same = found.filter(|found| found.signature() == signature);
        Ok(same.map(|found| last = found).is_some())
    };
    let steps = steps[..end].to_vec();
    if !fails(&steps)? {
        // It depends on time or on something before: shown as it was met.
        return Ok((steps, last));
    }
    let mut steps = shrink(steps, budget, &mut fails)?;
    shorten_words(&mut steps, budget, &mut fails)?;
    Ok((steps, last))
}

fn shorten_words(
    steps: &mut Vec<Step>,
    budget: Duration,
    fails: &mut impl FnMut(&[Step]) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let start = Instant::now();
    while start.elapsed() < budget {
        let mut shortened = false;
        for candidate in shorter(steps) {
            if start.elapsed() < budget && fails(&candidate)? {
                *steps = candidate;
                shortened = true;
                break;
            }
        }
        if !shortened {
            break;
        }
    }
    Ok(())
}

/// The same steps with one long word halved, for each long word.
fn shorter(steps: &[Step]) -> Vec<Vec<Step>> {
    let mut candidates = Vec::new();
    for (place, step) in steps.iter().enumerate() {
        let Step::Commands(commands) = step else { continue };
        for (number, command) in commands.iter().enumerate() {
            for (index, word) in command.words.iter().enumerate().skip(1) {
                if word.len() <= READABLE {
                    continue;
                }
                let mut candidate = steps.to_vec();
                if let Step::Commands(commands) = &mut candidate[place] {
                    commands[number].words[index].truncate(word.len() / 2);
                }
                candidates.push(candidate);
            }
        }
    }
    candidates
}
