//! The elements, what they are sorted by, and their order.

use super::NOT_DOUBLES;
use super::options::{Kind, Options, Order};
use super::pattern::Pattern;
use crate::base::text_sort::{self, Keyed};
use crate::base::{float, num};
use crate::command::error::printed;
use crate::command::host::{Collation, Host};
use crate::command::server::Server;
use crate::command::{Context, Error, Outcome};
use crate::ds::listpack::Element;
use crate::ds::{quicklist, skiplist};
use crate::session::SessionFlags;
use crate::value::{ListRef, SetRef, SortedSetRef, Type, type_of};
use std::cmp::Ordering;
use std::ops::Range;

/// Texts in one buffer.
#[derive(Debug, Default)]
struct Texts(Vec<u8>);

/// A text in a buffer: its place and length.
#[derive(Clone, Copy, Debug)]
struct Text {
    at: usize,
    len: usize,
}

impl Texts {
    fn add(&mut self, element: Element<'_>) -> Text {
        let at = self.0.len();
        element.write_text(&mut self.0);
        Text { at, len: self.0.len() - at }
    }

    /// Adds what a text is compared by.
    fn add_key(&mut self, host: &dyn Host, text: &[u8]) -> Text {
        let at = self.0.len();
        host.put_collation_key(text, &mut self.0);
        Text { at, len: self.0.len() - at }
    }

    fn get(&self, text: Text) -> &[u8] {
        &self.0[text.at..text.at + text.len]
    }
}

/// What an element is sorted by.
#[derive(Clone, Copy, Debug)]
enum Weight {
    /// A number, never NaN.
    Number(f64),
    /// A text.
    Text(Text),
    /// The text it should be sorted by does not exist.
    Missing,
}

#[derive(Debug)]
struct Item {
    text: Text,
    weight: Weight,
}

/// Where weights come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weighing {
    /// The elements themselves.
    Elements(Kind),
    /// What BY names.
    By(Kind),
}

/// The elements to be sorted.
#[derive(Debug)]
pub(super) struct Gathered {
    texts: Texts,
    items: Vec<Item>,
    /// Those of `items` that are wanted, once they are in order.
    range: Range<usize>,
    /// What they are to be sorted by; `None` if they are in order already.
    pub(super) weighing: Option<Weighing>,
}

impl Gathered {
    /// Copies the elements at the key.
    ///
    /// # Errors
    /// It holds another type than a list, a set or a sorted set.
    pub(super) fn of(ctx: &mut Context<'_>, options: &Options<'_>) -> Result<Self, Error> {
        let mut gathered = Self {
            texts: Texts::default(),
            items: Vec::new(),
            range: 0..0,
            weighing: match options.by {
                None => Some(Weighing::Elements(options.kind)),
                Some(Pattern::Key { .. }) => Some(Weighing::By(options.kind)),
                Some(Pattern::Element | Pattern::Nothing) => None,
            },
        };
        let (scope, key) = (ctx.scope(), ctx.key(1));
        let Some(entry) = ctx.server.keyspace.read(scope, key) else { return Ok(gathered) };
        let wrong = || Error::WRONG_TYPE;
        match type_of(&entry) {
            Type::List => {
                gathered.take_list(ListRef::of(&entry).ok_or_else(wrong)?, options);
            }
            Type::Set => {
                let is_watched =
                    options.store.is_some() || ctx.session.flags.contains(SessionFlags::SCRIPT);
                if is_watched && gathered.weighing.is_none() {
                    // What is stored, or seen by a script, does not depend on the order of a table.
                    gathered.weighing = Some(Weighing::Elements(Kind::Text));
                }
                let set = SetRef::of(&entry).ok_or_else(wrong)?;
                gathered.range = options.range(set.len());
                set.iter().for_each(|member| gathered.add(member));
            }
            Type::SortedSet => {
                gathered.take_sorted(SortedSetRef::of(&entry).ok_or_else(wrong)?, options);
            }
            Type::String | Type::Hash | Type::Stream => return Err(Error::WRONG_TYPE),
        }
        Ok(gathered)
    }

    fn add(&mut self, element: Element<'_>) {
        let text = self.texts.add(element);
        self.items.push(Item { text, weight: Weight::Missing });
    }

    /// Takes those elements of a list that are needed: if nothing is sorted, only those wanted.
    fn take_list(&mut self, list: ListRef<'_>, options: &Options<'_>) {
        let len = list.len();
        self.range = options.range(len);
        if self.weighing.is_some() {
            let forward = quicklist::Direction::Forward;
            return list.for_each(0, len, forward, |element| self.add(element));
        }
        if self.range.is_empty() {
            self.range = 0..0;
            return;
        }
        let count = self.range.len();
        let (first, direction) = match options.order {
            Order::Forward => (self.range.start, quicklist::Direction::Forward),
            Order::Backward => (len - 1 - self.range.start, quicklist::Direction::Backward),
        };
        list.for_each(first, count, direction, |element| self.add(element));
        self.range = 0..count;
    }

    /// As [`Gathered::take_list`].
    fn take_sorted(&mut self, set: SortedSetRef<'_>, options: &Options<'_>) {
        let len = set.len();
        self.range = options.range(len);
        if self.weighing.is_some() {
            return set.iter().for_each(|(member, _)| self.add(member));
        }
        let Range { start, end } = self.range;
        let (ranks, direction) = match options.order {
            Order::Forward => (start..end, skiplist::Direction::Forward),
            Order::Backward => (len - end..len - start, skiplist::Direction::Backward),
        };
        set.range(ranks, direction).for_each(|(member, _)| self.add(member));
        self.range = 0..end - start;
    }

    /// Finds what each element is sorted by.
    ///
    /// # Errors
    /// Text where there should be a number.
    pub(super) fn weigh(
        &mut self,
        ctx: &mut Context<'_>,
        options: &Options<'_>,
        weighing: Weighing,
    ) -> Outcome {
        let scope = ctx.scope();
        let collation = options.collation(ctx);
        let Server { keyspace, host, .. } = &mut *ctx.server;
        let mut all_valid = true;
        let mut weigh_number = |found: Element<'_>| {
            let number = number(found);
            all_valid &= number.is_some();
            Weight::Number(number.unwrap_or(0.0))
        };
        for index in 0..self.items.len() {
            let text = self.items[index].text;
            self.items[index].weight = match (weighing, options.by) {
                (Weighing::Elements(Kind::Text), _) => Weight::Text(match collation {
                    Collation::Bytes => text,
                    Collation::Keys => {
                        let element = self.texts.get(text).to_vec();
                        self.texts.add_key(host.as_ref(), &element)
                    }
                }),
                (Weighing::Elements(Kind::Numbers), _) => {
                    weigh_number(Element::Bytes(self.texts.get(text)))
                }
                (Weighing::By(kind), Some(pattern)) => {
                    // The element is copied, since the text it is sorted by goes to the same buffer.
                    let element = self.texts.get(text).to_vec();
                    pattern.look_up(keyspace, scope, &element, |found| match (kind, found) {
                        (Kind::Numbers, Some(found)) => weigh_number(found),
                        (Kind::Numbers, None) => Weight::Number(0.0),
                        (Kind::Text, Some(found)) => Weight::Text(match collation {
                            Collation::Bytes => self.texts.add(found),
                            Collation::Keys => {
                                found.with_text(|found| self.texts.add_key(host.as_ref(), found))
                            }
                        }),
                        (Kind::Text, None) => Weight::Missing,
                    })
                }
                (Weighing::By(_), None) => unreachable!("weighing by what BY names needs a BY"),
            };
        }
        if all_valid { Ok(()) } else { Err(NOT_DOUBLES) }
    }

    /// Puts the elements in order, as far as they are wanted.
    pub(super) fn sort(&mut self, ctx: &Context<'_>, options: &Options<'_>) {
        if self.range.is_empty() {
            return;
        }
        let by_bytes = options.collation(ctx) == Collation::Bytes;
        if by_bytes && self.weighing == Some(Weighing::Elements(Kind::Text)) && self.is_whole() {
            return self.sort_by_bytes(options.order);
        }
        let Self { texts, items, range, .. } = self;
        let compare = |a: &Item, b: &Item| {
            let order = match (a.weight, b.weight) {
                (Weight::Number(left), Weight::Number(right)) => {
                    let order = left.partial_cmp(&right).unwrap_or(Ordering::Equal);
                    order.then_with(|| texts.get(a.text).cmp(texts.get(b.text)))
                }
                (Weight::Text(left), Weight::Text(right)) => texts.get(left).cmp(texts.get(right)),
                (Weight::Missing, Weight::Missing) => Ordering::Equal,
                (Weight::Missing, Weight::Number(_) | Weight::Text(_)) => Ordering::Less,
                (Weight::Number(_) | Weight::Text(_), Weight::Missing) => Ordering::Greater,
                (Weight::Number(_), Weight::Text(_)) => Ordering::Less,
                (Weight::Text(_), Weight::Number(_)) => Ordering::Greater,
            };
            match options.order {
                Order::Forward => order,
                Order::Backward => order.reverse(),
            }
        };
        if range.len() == items.len() {
            // Elements that are equal stay in the order they have.
            return items.sort_by(compare);
        }
        // Only a part is wanted: what lies outside is told apart from it but not sorted.
        let mut part = &mut items[..];
        if range.end < part.len() {
            part.select_nth_unstable_by(range.end - 1, compare);
            part = &mut part[..range.end];
        }
        if range.start > 0 {
            part.select_nth_unstable_by(range.start, compare);
            part = &mut part[range.start..];
        }
        part.sort_by(compare);
    }

    /// Whether all elements are wanted.
    fn is_whole(&self) -> bool {
        self.range.len() == self.items.len()
    }

    /// Puts all elements in the order of their own bytes.
    fn sort_by_bytes(&mut self, order: Order) {
        let Self { texts, items, .. } = self;
        let mut keyed: Vec<Keyed<Text>> =
            items.iter().map(|item| Keyed { word: 0, item: item.text }).collect();
        text_sort::sort(&mut keyed, |text| texts.get(text));
        if order == Order::Backward {
            keyed.reverse();
        }
        for (item, keyed) in items.iter_mut().zip(keyed) {
            *item = Item { text: keyed.item, weight: Weight::Text(keyed.item) };
        }
    }

    /// The elements wanted.
    pub(super) fn chosen(&self) -> Range<usize> {
        self.range.clone()
    }

    /// Their texts.
    pub(super) fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.items[self.range.clone()].iter().map(|item| self.texts.get(item.text))
    }
}

/// The number that an element or a value is, as C's `strtod` reads it.
fn number(found: Element<'_>) -> Option<f64> {
    match found {
        Element::Integer(n) => Some(num::f64_of(n)),
        Element::Bytes(bytes) => parse(printed(bytes)),
    }
}

/// Blanks in front are skipped, nothing at all is 0, and a number too small for a normal double is out
/// of range unless it is written in hexadecimal digits, and so is exact.
fn parse(text: &[u8]) -> Option<f64> {
    if text.is_empty() {
        return Some(0.0);
    }
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
    let number = float::parse_f64(&text[blanks..])?;
    let is_hexadecimal = text.iter().any(|byte| byte.eq_ignore_ascii_case(&b'x'));
    (!number.is_subnormal() || is_hexadecimal).then_some(number)
}
