//! Keys with their values in one allocation: random changes against plain fields.
//!
//! Input: steps, each a byte that says what happens and what that takes.

use super::input::Input;
use carnelian::ds::entry::{EMBEDDED_LEN_MAX, NewValue};
use carnelian::resp::SHARED_LEN_MIN;
use carnelian::value::{self, Entry, Heap, HeapRef, Str, Text, ValueRef, string};

/// Steps of one run.
const STEPS_MAX: usize = 200;
/// Strings grow no longer, bytes.
const LEN_MAX: usize = SHARED_LEN_MIN + 100;

/// What an entry should hold, and what replies that share its value should go on holding.
struct Model {
    key: Vec<u8>,
    value: Value,
    access: u32,
    expiry: Option<i64>,
    replies: Vec<Reply>,
}

/// A reply's reference to a value, and what it refers to.
type Reply = (Box<dyn AsRef<[u8]>>, Vec<u8>);

#[derive(Debug, PartialEq, Eq)]
enum Value {
    Integer(i64),
    Embedded(Vec<u8>),
    Raw(Vec<u8>),
    Text(Vec<u8>),
}

/// Checks one sequence of changes.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut model = Model {
        key: bytes_of(&mut input),
        value: value_of(&mut input),
        access: 0,
        expiry: expiry_of(&mut input),
        replies: Vec::new(),
    };
    let mut entry = Entry::new(&model.key, new_value(&model.value), 0, model.expiry);
    check(&entry, &model);
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        entry = step(entry, &mut model, &mut input);
        check(&entry, &model);
    }
}

/// A number in decimal, or as many bytes as the first one says, around the limits of a short key, of
/// an embedded value and of a shared one; all are the second one but the last.
fn bytes_of(input: &mut Input<'_>) -> Vec<u8> {
    let len = match input.below(256) {
        len @ 0..=63 => len,
        len @ 64..=127 => len + 150,
        len @ 128..=191 => EMBEDDED_LEN_MAX + len - 160,
        len @ 192..=223 => (len - 190) * 40,
        len @ 224..=239 => SHARED_LEN_MIN + len - 232,
        _ => return input.number().to_string().into_bytes(),
    };
    let mut bytes = vec![input.byte(); len];
    if let Some(last) = bytes.last_mut() {
        *last = !*last;
    }
    bytes
}

fn expiry_of(input: &mut Input<'_>) -> Option<i64> {
    (input.below(2) == 1).then(|| input.number())
}

fn value_of(input: &mut Input<'_>) -> Value {
    let kind = input.below(4);
    if kind == 0 {
        return Value::Integer(input.number());
    }
    let bytes = bytes_of(input);
    match kind {
        1 if bytes.len() <= EMBEDDED_LEN_MAX => Value::Embedded(bytes),
        2 if bytes.len() <= EMBEDDED_LEN_MAX => Value::Raw(bytes),
        _ => Value::Text(bytes),
    }
}

fn new_value(value: &Value) -> NewValue<'_, Heap> {
    match value {
        Value::Integer(n) => NewValue::Integer(*n),
        Value::Embedded(bytes) => NewValue::Embedded(bytes),
        Value::Raw(bytes) => NewValue::EmbeddedRaw(bytes),
        Value::Text(bytes) => NewValue::Payload(Heap::Text(Box::new(Text::copied(bytes)))),
    }
}

fn step(mut entry: Entry, model: &mut Model, input: &mut Input<'_>) -> Entry {
    match input.below(11) {
        0 => {
            model.key = bytes_of(input);
            entry.with_key(&model.key)
        }
        1 => {
            model.value = value_of(input);
            entry.with_value(new_value(&model.value))
        }
        2 => {
            model.expiry = expiry_of(input);
            entry.with_expiry(model.expiry)
        }
        3 => {
            let n = input.number();
            let done = entry.overwrite_integer(n);
            assert_eq!(done, matches!(model.value, Value::Integer(_)));
            if done {
                model.value = Value::Integer(n);
            }
            entry
        }
        4 => {
            let bytes = bytes_of(input);
            let before = entry.allocated_bytes();
            if entry.overwrite_embedded(&bytes) {
                assert!(matches!(model.value, Value::Embedded(_) | Value::Raw(_)));
                assert_eq!(entry.allocated_bytes(), before);
                model.value = Value::Embedded(bytes);
            } else if let Value::Embedded(old) | Value::Raw(old) = &model.value {
                assert!(bytes.len() != old.len(), "what is as long fits");
            }
            entry
        }
        5 => {
            model.access = u32::from_le_bytes([input.byte(), input.byte(), input.byte(), 0]);
            entry.set_access(model.access | 0xab00_0000);
            entry
        }
        6 => {
            let taken = entry.take_payload();
            assert_eq!(taken.is_some(), matches!(model.value, Value::Text(_)));
            if let Some(Heap::Text(text)) = taken {
                assert_eq!(Value::Text(text.as_slice().to_vec()), model.value);
                model.value = Value::Integer(0);
            }
            entry
        }
        7 => append(entry, model, input),
        8 => {
            let bytes = bytes_of(input);
            if string::overwrite(&mut entry, &bytes) == string::Overwritten::Yes {
                let integer = string_of(&Value::Embedded(bytes.clone())).parse::<i64>();
                model.value = match (&model.value, integer) {
                    (Value::Integer(_), Ok(n)) => Value::Integer(n),
                    _ => Value::Embedded(bytes),
                };
            }
            entry
        }
        9 => value::copy_of(&entry, &model.key, model.access, model.expiry),
        _ => {
            reply_with(&mut entry, model);
            entry
        }
    }
}

/// GET, as the command does it: long text is shared with the reply.
fn reply_with(entry: &mut Entry, model: &mut Model) {
    if let Some(Heap::Text(text)) = entry.payload_mut().as_deref_mut() {
        let bytes = text.as_slice().to_vec();
        match text.share() {
            Some(shared) => model.replies.push((Box::new(shared), bytes)),
            None => assert!(bytes.len() < SHARED_LEN_MIN),
        }
    }
}

/// APPEND, as the command does it.
fn append(entry: Entry, model: &mut Model, input: &mut Input<'_>) -> Entry {
    let more = bytes_of(input);
    let mut all = match &model.value {
        Value::Integer(n) => n.to_string().into_bytes(),
        Value::Embedded(bytes) | Value::Raw(bytes) | Value::Text(bytes) => bytes.clone(),
    };
    all.extend_from_slice(&more);
    all.truncate(LEN_MAX);
    let was_text = matches!(model.value, Value::Text(_));
    let (entry, len) = string::modify(entry, |bytes| {
        bytes.extend_from_slice(&more);
        bytes.truncate(LEN_MAX);
        bytes.len()
    });
    assert_eq!(len, all.len());
    model.value =
        if was_text || all.len() > EMBEDDED_LEN_MAX { Value::Text(all) } else { Value::Raw(all) };
    entry
}

fn string_of(value: &Value) -> String {
    match value {
        Value::Integer(n) => n.to_string(),
        Value::Embedded(bytes) | Value::Raw(bytes) | Value::Text(bytes) => {
            bytes.iter().copied().map(char::from).collect()
        }
    }
}

fn check(entry: &Entry, model: &Model) {
    assert_eq!(entry.key(), model.key);
    assert_eq!(entry.access(), model.access);
    assert_eq!(entry.expiry(), model.expiry);
    let found = match entry.value() {
        ValueRef::Integer(n) => Value::Integer(n),
        ValueRef::Embedded(bytes) if entry.is_marked_raw() => Value::Raw(bytes.to_vec()),
        ValueRef::Embedded(bytes) => Value::Embedded(bytes.to_vec()),
        ValueRef::Payload(HeapRef::Text(text)) => Value::Text(text.as_slice().to_vec()),
        ValueRef::Payload(other) => unreachable!("nobody made {other:?}"),
    };
    assert_eq!(found, model.value);
    let string = Str::of(entry).expect("all of them are strings");
    assert_eq!(string.len(), string.to_vec().len());
    let own = match &model.value {
        Value::Integer(_) | Value::Text(_) => 8,
        Value::Embedded(bytes) | Value::Raw(bytes) => bytes.len(),
    };
    assert!(entry.allocated_bytes() >= 8 + model.key.len() + own);
    assert!(value::memory_bytes(entry, 5) >= entry.allocated_bytes());
    for (shared, bytes) in &model.replies {
        assert_eq!(shared.as_ref().as_ref(), bytes);
    }
}
