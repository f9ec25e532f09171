//! A hash as a listpack: for few and short fields.
//!
//! Redis's layouts: name and value in turn, or, once a field has had an expiry, name, value and
//! expiry in Unix milliseconds in turn. Invariant of the latter: fields are sorted by expiry, and
//! those that do not expire, whose expiry is 0, stand behind all others.

use super::table::{FieldTtl, Stored};
use super::{FIELD_EXPIRY_MAX, NewValue};
use crate::ds::listpack::{Cursor, Element, Listpack};

/// What the third element says of a field that does not expire.
const NEVER: i64 = 0;

/// How many elements a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Name and value.
    Plain,
    /// Name, value and expiry.
    Expiring,
}

impl Form {
    pub(super) const fn elements(self) -> usize {
        match self {
            Self::Plain => 2,
            Self::Expiring => 3,
        }
    }
}

/// A field in a listpack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packed<'a> {
    pub(super) name: Element<'a>,
    pub(super) value: Element<'a>,
    pub(super) expiry: Option<i64>,
}

/// All fields, first to last.
pub(super) fn fields(pack: &Listpack, form: Form) -> impl Iterator<Item = Packed<'_>> {
    fields_of(pack.iter(), form)
}

fn fields_of<'a>(
    mut elements: impl Iterator<Item = Element<'a>>,
    form: Form,
) -> impl Iterator<Item = Packed<'a>> {
    std::iter::from_fn(move || {
        let (name, value) = (elements.next()?, elements.next()?);
        let expiry = match form {
            Form::Plain => None,
            Form::Expiring => expiry_of(elements.next()?),
        };
        Some(Packed { name, value, expiry })
    })
}

fn expiry_of(element: Element<'_>) -> Option<i64> {
    element.integer().filter(|&at_ms| at_ms != NEVER)
}

/// The place of the name. O(fields).
pub(super) fn find(pack: &Listpack, form: Form, name: &[u8]) -> Option<Cursor> {
    pack.find(name, pack.first()?, form.elements() - 1)
}

/// The field whose name is at `at`.
pub(super) fn field_at(pack: &Listpack, form: Form, at: Cursor) -> Packed<'_> {
    fields_of(pack.iter_from(at), form).next().expect("a name has a value")
}

/// The field at an index below their number. O(fields).
pub(super) fn nth(pack: &Listpack, form: Form, index: usize) -> Option<Packed<'_>> {
    let elements = crate::base::num::i64_of(index * form.elements());
    pack.seek(elements).map(|at| field_at(pack, form, at))
}

/// Gives a field a value; a new one goes to the end.
pub(super) fn set(
    pack: &mut Listpack,
    form: Form,
    name: &[u8],
    value: NewValue<'_>,
    ttl: FieldTtl,
) -> Stored {
    let value = Element::Bytes(value.as_slice());
    let Some(at) = find(pack, form, name) else {
        push(pack, form, Packed { name: Element::Bytes(name), value, expiry: None });
        return Stored::Added;
    };
    let expires = field_at(pack, form, at).expiry.is_some();
    if expires && ttl == FieldTtl::Clear {
        pack.delete_run(at, form.elements());
        push(pack, form, Packed { name: Element::Bytes(name), value, expiry: None });
    } else {
        let value_at = pack.next(at).expect("a name has a value");
        pack.replace(value_at, value);
    }
    Stored::Replaced
}

/// Adds a field that does not expire, or that does not expire before those that do.
fn push(pack: &mut Listpack, form: Form, field: Packed<'_>) {
    let expiry = Element::Integer(field.expiry.unwrap_or(NEVER));
    pack.push_back_all(&[field.name, field.value, expiry][..form.elements()]);
}

/// Takes the field whose name is at `at` out.
pub(super) fn remove(pack: &mut Listpack, form: Form, at: Cursor) {
    pack.delete_run(at, form.elements());
}

/// The same fields with room for their expiries.
pub(super) fn with_expiries(pack: &Listpack) -> Listpack {
    let mut expiring = Listpack::new();
    let elements: Vec<Element<'_>> = fields(pack, Form::Plain)
        .flat_map(|field| [field.name, field.value, Element::Integer(NEVER)])
        .collect();
    expiring.push_back_all(&elements);
    expiring
}

/// Gives the field at `at` another expiry or none, and the place that goes with it.
pub(super) fn set_expiry(pack: &mut Listpack, at: Cursor, expiry: Option<i64>) {
    let field = field_at(pack, Form::Expiring, at);
    if field.expiry == expiry {
        return;
    }
    let (name, value) = (field.name.to_vec(), field.value.to_vec());
    pack.delete_run(at, Form::Expiring.elements());
    let (name, value) = (Element::Bytes(&name), Element::Bytes(&value));
    match expiry.and_then(|at_ms| Some((at_ms, first_after(pack, at_ms)?))) {
        Some((at_ms, next)) => {
            pack.insert_all_before(next, &[name, value, Element::Integer(at_ms)]);
        }
        None => push(pack, Form::Expiring, Packed { name, value, expiry }),
    }
}

/// The first field that does not expire before or with `at_ms`.
fn first_after(pack: &Listpack, at_ms: i64) -> Option<Cursor> {
    let mut at = pack.first()?;
    loop {
        let field = field_at(pack, Form::Expiring, at);
        if field.expiry.is_none_or(|other| other > at_ms) {
            return Some(at);
        }
        for _ in 0..Form::Expiring.elements() {
            at = pack.next(at)?;
        }
    }
}

/// When the next field expires. O(1).
pub(super) fn next_expiry(pack: &Listpack) -> Option<i64> {
    fields(pack, Form::Expiring).next()?.expiry
}

/// Removes the fields that have expired and gives the name of each to `gone`; returns how many. O(bytes).
pub(super) fn expire(pack: &mut Listpack, now_ms: i64, mut gone: impl FnMut(&[u8])) -> usize {
    let is_due = |field: &Packed<'_>| field.expiry.is_some_and(|at_ms| at_ms <= now_ms);
    let mut due = 0;
    for field in fields(pack, Form::Expiring).take_while(is_due) {
        gone(&field.name.to_vec());
        due += 1;
    }
    if due > 0 {
        pack.delete_range(0, due * Form::Expiring.elements());
    }
    due
}

/// Whether elements in threes are what the module promises of a listpack with expiries.
pub(super) fn is_sorted(pack: &Listpack) -> bool {
    /// Sorts fields that do not expire behind all others.
    const NEVER_LAST: i64 = FIELD_EXPIRY_MAX + 1;
    let mut last = 1;
    for element in pack.iter().skip(2).step_by(Form::Expiring.elements()) {
        let Some(at_ms) = element.integer() else { return false };
        let at_ms = match at_ms {
            NEVER => NEVER_LAST,
            NEVER_LAST => return false,
            at_ms => at_ms,
        };
        if !(last..=NEVER_LAST).contains(&at_ms) {
            return false;
        }
        last = at_ms;
    }
    pack.len().is_multiple_of(Form::Expiring.elements())
}

/// Checks what the module promises of a listpack with expiries.
#[cfg(any(test, fuzzing))]
pub(super) fn check_sorted(pack: &Listpack) {
    let expiries: Vec<i64> =
        fields(pack, Form::Expiring).map(|field| field.expiry.unwrap_or(i64::MAX)).collect();
    assert!(expiries.is_sorted(), "{expiries:?}");
    assert_eq!(pack.len(), expiries.len() * Form::Expiring.elements());
}
