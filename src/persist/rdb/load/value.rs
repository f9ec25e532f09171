//! Values: strings, and which reader each type has.

use super::rules::{Dialect, Rules};
use super::{collection, packed, stream};
use crate::persist::rdb::error::Reason;
use crate::persist::rdb::format::kind;
use crate::persist::rdb::read::{Reader, Text};
use crate::value::{self, Heap, NewValue, string};
use std::io::Read;

/// What an early version of hashes with expiring fields keeps expiries relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiries {
    /// The Unix time 0.
    Absolute,
    /// The earliest of them, which is in front.
    Relative,
}

/// What a kind of value is called in errors.
pub(in crate::persist::rdb) const fn name_of(code: u8) -> &'static str {
    match code {
        kind::STRING => "a string",
        kind::LIST => "a list",
        kind::SET => "a set",
        kind::ZSET => "a sorted set with scores as text",
        kind::HASH => "a hash",
        kind::ZSET_2 => "a sorted set",
        kind::MODULE_PRE_GA | kind::MODULE_2 => "a module's value",
        kind::HASH_ZIPMAP => "a hash as a zipmap",
        kind::LIST_ZIPLIST => "a list as a ziplist",
        kind::SET_INTSET => "a set of integers",
        kind::ZSET_ZIPLIST => "a sorted set as a ziplist",
        kind::HASH_ZIPLIST => "a hash as a ziplist",
        kind::LIST_QUICKLIST => "a list as ziplists",
        kind::STREAM_LISTPACKS | kind::STREAM_LISTPACKS_2 | kind::STREAM_LISTPACKS_3 => "a stream",
        kind::HASH_LISTPACK => "a hash as a listpack",
        kind::ZSET_LISTPACK => "a sorted set as a listpack",
        kind::LIST_QUICKLIST_2 => "a list as listpacks",
        kind::SET_LISTPACK => "a set as a listpack",
        kind::HASH_METADATA_PRE_GA | kind::HASH_METADATA => "a hash with expiring fields",
        kind::HASH_LISTPACK_EX_PRE_GA | kind::HASH_LISTPACK_EX => {
            "a hash with expiring fields as a listpack"
        }
        _ => "a value of a type there is not",
    }
}

/// A value of the given type; `None` for a collection without elements, which old versions wrote by
/// mistake.
#[inline]
pub(in crate::persist::rdb) fn read<'r, R: Read>(
    reader: &'r mut Reader<'_, R>,
    code: u8,
    rules: &Rules,
) -> Result<Option<NewValue<'r, Heap>>, Reason> {
    if code == kind::STRING {
        return Ok(Some(string(reader.text()?)));
    }
    Ok(read_collection(reader, code, rules)?.map(NewValue::Payload))
}

#[inline]
fn string(text: Text<'_>) -> NewValue<'_, Heap> {
    match text {
        Text::Integer(n) => NewValue::Integer(n),
        Text::Lent(bytes) => string::new_value(bytes),
        Text::Owned(bytes) => NewValue::Payload(Heap::Text(Box::new(value::Text::Owned(bytes)))),
    }
}

fn read_collection<R: Read>(
    reader: &mut Reader<'_, R>,
    code: u8,
    rules: &Rules,
) -> Result<Option<Heap>, Reason> {
    use kind::*;
    match code {
        LIST => collection::list(reader, rules),
        SET => collection::set(reader, rules),
        ZSET => collection::sorted_set(reader, rules, collection::text_score),
        ZSET_2 => collection::sorted_set(reader, rules, Reader::f64),
        HASH => collection::hash(reader, rules),
        LIST_QUICKLIST => packed::list_of_ziplists(reader, rules),
        LIST_QUICKLIST_2 => packed::list_of_listpacks(reader, rules),
        HASH_METADATA => collection::expiring_hash(reader, rules, Expiries::Relative),
        HASH_LISTPACK_EX => {
            // When the first field expires: the listpack says that as well.
            let _earliest_ms = reader.i64()?;
            packed::value(reader, code, rules)
        }
        HASH_METADATA_PRE_GA => match rules.dialect {
            Dialect::Redis => collection::expiring_hash(reader, rules, Expiries::Absolute),
            Dialect::Valkey => collection::valkey_hash(reader, rules),
        },
        HASH_ZIPMAP
        | LIST_ZIPLIST
        | SET_INTSET
        | ZSET_ZIPLIST
        | HASH_ZIPLIST
        | HASH_LISTPACK
        | ZSET_LISTPACK
        | SET_LISTPACK
        | HASH_LISTPACK_EX_PRE_GA => packed::value(reader, code, rules),
        STREAM_LISTPACKS | STREAM_LISTPACKS_2 | STREAM_LISTPACKS_3 => {
            stream::stream(reader, code, rules)
        }
        MODULE_2 => {
            let text = format!(
                "The RDB file contains module data I can't load: no matching module type '{}'",
                module_name(reader.number()?)
            );
            Err(Reason::Unsupported(text.into()))
        }
        MODULE_PRE_GA => Err(Reason::Unsupported("Pre-release module format not supported".into())),
        _ => Err(Reason::Corrupt(format!("Unknown RDB encoding type {code}").into())),
    }
}

/// The name in a module type's number: nine characters of six bits, above ten bits of a version.
pub(in crate::persist::rdb) fn module_name(id: u64) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let character = |nth: u32| {
        let bits = id >> (10 + 6 * (8 - nth)) & 0x3f;
        char::from(ALPHABET[crate::base::num::usize_of(bits)])
    };
    (0..9).map(character).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_known_by_its_name() {
        // `hellotype`, version 0, of the example module in Redis's sources.
        let id = "hellotype".bytes().fold(0u64, |id, byte| id << 6 | u64::from(byte - b'a' + 26));
        assert_eq!(module_name(id << 10 | 5), "hellotype");
        assert_eq!(module_name(u64::MAX), "_________");
    }
}
