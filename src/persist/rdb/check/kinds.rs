//! What the types of values are called, as `redis-check-rdb` and `valkey-check-rdb` call them.

use crate::persist::rdb::format::kind;
use crate::persist::rdb::load::Dialect;

/// A type of values with its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its number in the file.
    pub code: u8,
    /// What it is called.
    pub name: &'static str,
}

impl Kind {
    /// The type of a number; `None` if there is none.
    pub(super) fn of(code: u8, dialect: Dialect) -> Option<Self> {
        let name = match dialect {
            Dialect::Redis => redis_name(code),
            Dialect::Valkey if code == kind::VALKEY_HASH_2 => Some("hash-volatile-items"),
            Dialect::Valkey if code > kind::VALKEY_HASH_2 => None,
            Dialect::Valkey => redis_name(code),
        };
        name.map(|name| Self { code, name })
    }
}

const fn redis_name(code: u8) -> Option<&'static str> {
    Some(match code {
        kind::STRING => "string",
        kind::LIST => "list-linked",
        kind::SET => "set-hashtable",
        kind::ZSET => "zset-v1",
        kind::HASH => "hash-hashtable",
        kind::ZSET_2 => "zset-v2",
        kind::MODULE_PRE_GA => "module-pre-release",
        kind::MODULE_2 => "module-value",
        kind::HASH_ZIPMAP => "hash-zipmap",
        kind::LIST_ZIPLIST => "list-ziplist",
        kind::SET_INTSET => "set-intset",
        kind::ZSET_ZIPLIST => "zset-ziplist",
        kind::HASH_ZIPLIST => "hash-ziplist",
        kind::LIST_QUICKLIST => "quicklist",
        kind::STREAM_LISTPACKS => "stream",
        kind::HASH_LISTPACK => "hash-listpack",
        kind::ZSET_LISTPACK => "zset-listpack",
        kind::LIST_QUICKLIST_2 => "quicklist-v2",
        kind::STREAM_LISTPACKS_2 => "stream-v2",
        kind::SET_LISTPACK => "set-listpack",
        kind::STREAM_LISTPACKS_3 => "stream-v3",
        kind::HASH_METADATA_PRE_GA => "hash-hashtable-md-pre-release",
        kind::HASH_LISTPACK_EX_PRE_GA => "hash-listpack-md-pre-release",
        kind::HASH_METADATA => "hash-hashtable-md",
        kind::HASH_LISTPACK_EX => "hash-listpack-md",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_another_type_in_the_other_dialect() {
        let kind_name = |code, dialect| Kind::of(code, dialect).map(|kind| kind.name);
        assert_eq!(kind_name(22, Dialect::Redis), Some("hash-hashtable-md-pre-release"));
        assert_eq!(kind_name(22, Dialect::Valkey), Some("hash-volatile-items"));
        assert_eq!(kind_name(25, Dialect::Redis), Some("hash-listpack-md"));
        assert_eq!(kind_name(25, Dialect::Valkey), None);
        assert_eq!(kind_name(8, Dialect::Redis), None);
        assert_eq!(kind_name(26, Dialect::Redis), None);
    }
}
