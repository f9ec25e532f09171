//! The words COMMAND uses for what specs say.

use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, Spec};

/// Flags clients are told of, in the order they are told; the others concern the server alone.
const FLAGS: &[(Flags, &str)] = &[
    (Flags::WRITE, "write"),
    (Flags::READONLY, "readonly"),
    (Flags::DENYOOM, "denyoom"),
    (Flags::ADMIN, "admin"),
    (Flags::PUBSUB, "pubsub"),
    (Flags::NOSCRIPT, "noscript"),
    (Flags::BLOCKING, "blocking"),
    (Flags::LOADING, "loading"),
    (Flags::STALE, "stale"),
    (Flags::SKIP_MONITOR, "skip_monitor"),
    (Flags::SKIP_SLOWLOG, "skip_slowlog"),
    (Flags::ASKING, "asking"),
    (Flags::FAST, "fast"),
    (Flags::NO_AUTH, "no_auth"),
    (Flags::NO_MANDATORY_KEYS, "no_mandatory_keys"),
    (Flags::NO_ASYNC_LOADING, "no_async_loading"),
    (Flags::NO_MULTI, "no_multi"),
    (Flags::MOVABLE_KEYS, "movablekeys"),
    (Flags::ALLOW_BUSY, "allow_busy"),
];

/// ACL categories, in the order Redis lists them.
const CATEGORIES: &[(Categories, &str)] = &[
    (Categories::KEYSPACE, "@keyspace"),
    (Categories::READ, "@read"),
    (Categories::WRITE, "@write"),
    (Categories::SET, "@set"),
    (Categories::SORTEDSET, "@sortedset"),
    (Categories::LIST, "@list"),
    (Categories::HASH, "@hash"),
    (Categories::STRING, "@string"),
    (Categories::BITMAP, "@bitmap"),
    (Categories::HYPERLOGLOG, "@hyperloglog"),
    (Categories::GEO, "@geo"),
    (Categories::STREAM, "@stream"),
    (Categories::PUBSUB, "@pubsub"),
    (Categories::ADMIN, "@admin"),
    (Categories::FAST, "@fast"),
    (Categories::SLOW, "@slow"),
    (Categories::BLOCKING, "@blocking"),
    (Categories::DANGEROUS, "@dangerous"),
    (Categories::CONNECTION, "@connection"),
    (Categories::TRANSACTION, "@transaction"),
    (Categories::SCRIPTING, "@scripting"),
];

const KEY_FLAGS: &[(KeyFlags, &str)] = &[
    (KeyFlags::RO, "RO"),
    (KeyFlags::RW, "RW"),
    (KeyFlags::OW, "OW"),
    (KeyFlags::RM, "RM"),
    (KeyFlags::ACCESS, "access"),
    (KeyFlags::UPDATE, "update"),
    (KeyFlags::INSERT, "insert"),
    (KeyFlags::DELETE, "delete"),
    (KeyFlags::NOT_KEY, "not_key"),
    (KeyFlags::INCOMPLETE, "incomplete"),
    (KeyFlags::VARIABLE_FLAGS, "variable_flags"),
];

/// The names of a command's flags.
pub(super) fn flags(flags: Flags) -> Vec<&'static str> {
    FLAGS.iter().filter(|(flag, _)| flags.contains(*flag)).map(|&(_, name)| name).collect()
}

/// The names of a key's flags.
pub(super) fn key_flags(flags: KeyFlags) -> Vec<&'static str> {
    KEY_FLAGS.iter().filter(|(flag, _)| flags.contains(*flag)).map(|&(_, name)| name).collect()
}

/// The names of categories, each with its `@`.
pub(super) fn categories(categories: Categories) -> Vec<&'static str> {
    let given = CATEGORIES.iter().filter(|(category, _)| categories.contains(*category));
    given.map(|&(_, name)| name).collect()
}

/// The category of a name without `@`, in any case.
pub(super) fn category(name: &[u8]) -> Option<Categories> {
    let is = |known: &&(Categories, &str)| known.1.as_bytes()[1..].eq_ignore_ascii_case(name);
    CATEGORIES.iter().find(is).map(|&(category, _)| category)
}

/// All categories of a command: those of its spec and those that follow from its flags.
pub(super) fn all_categories(spec: &Spec) -> Categories {
    let mut all = spec.categories;
    let has = |flag| spec.flags.contains(flag);
    all.set(Categories::WRITE, all.contains(Categories::WRITE) || has(Flags::WRITE));
    let reads = has(Flags::READONLY) && !all.contains(Categories::SCRIPTING);
    all.set(Categories::READ, all.contains(Categories::READ) || reads);
    if has(Flags::ADMIN) {
        all |= Categories::ADMIN | Categories::DANGEROUS;
    }
    if has(Flags::PUBSUB) {
        all |= Categories::PUBSUB;
    }
    if has(Flags::BLOCKING) {
        all |= Categories::BLOCKING;
    }
    all | if has(Flags::FAST) { Categories::FAST } else { Categories::SLOW }
}

/// The name of a documentation group.
pub(super) const fn group(group: Group) -> &'static str {
    match group {
        Group::Generic => "generic",
        Group::String => "string",
        Group::List => "list",
        Group::Set => "set",
        Group::SortedSet => "sorted-set",
        Group::Hash => "hash",
        Group::Pubsub => "pubsub",
        Group::Transactions => "transactions",
        Group::Connection => "connection",
        Group::Server => "server",
        Group::Scripting => "scripting",
        Group::Hyperloglog => "hyperloglog",
        Group::Cluster => "cluster",
        Group::Sentinel => "sentinel",
        Group::Geo => "geo",
        Group::Stream => "stream",
        Group::Bitmap => "bitmap",
        Group::Module => "module",
    }
}

/// The name of an argument's type.
pub(super) const fn arg_type(kind: ArgType) -> &'static str {
    match kind {
        ArgType::String => "string",
        ArgType::Integer => "integer",
        ArgType::Double => "double",
        ArgType::Key => "key",
        ArgType::Pattern => "pattern",
        ArgType::UnixTime => "unix-time",
        ArgType::PureToken => "pure-token",
        ArgType::OneOf => "oneof",
        ArgType::Block => "block",
    }
}

/// The names of an argument's flags.
pub(super) fn arg_flags(arg: &Arg) -> Vec<&'static str> {
    let flags = [
        (arg.optional, "optional"),
        (arg.multiple, "multiple"),
        (arg.multiple_token, "multiple_token"),
    ];
    flags.into_iter().filter(|&(is_set, _)| is_set).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(flags: Flags, categories_of_its_own: Categories) -> String {
        let spec = Spec { flags, categories: categories_of_its_own, ..Spec::EMPTY };
        categories(all_categories(&spec)).join(" ")
    }

    #[test]
    fn categories_follow_from_flags() {
        let none = Categories::empty();
        assert_eq!(all(Flags::empty(), none), "@slow");
        assert_eq!(all(Flags::FAST | Flags::READONLY, none), "@read @fast");
        assert_eq!(all(Flags::WRITE, Categories::STRING), "@write @string @slow");
        assert_eq!(all(Flags::ADMIN, none), "@admin @slow @dangerous");
        assert_eq!(all(Flags::PUBSUB | Flags::BLOCKING, none), "@pubsub @slow @blocking");
        assert_eq!(all(Flags::READONLY, Categories::SCRIPTING), "@slow @scripting");
    }

    #[test]
    fn every_category_has_a_name() {
        assert_eq!(categories(Categories::all()).len(), CATEGORIES.len());
        assert_eq!(Categories::all().iter().count(), CATEGORIES.len());
        assert_eq!(category(b"SortedSet"), Some(Categories::SORTEDSET));
        assert_eq!(category(b"@string"), None);
        assert_eq!(category(b""), None);
    }

    #[test]
    fn every_flag_of_a_key_has_a_name() {
        assert_eq!(key_flags(KeyFlags::all()).len(), KeyFlags::all().iter().count());
        assert_eq!(key_flags(KeyFlags::RW | KeyFlags::NOT_KEY), ["RW", "not_key"]);
    }

    #[test]
    fn what_concerns_the_server_alone_is_not_told() {
        assert_eq!(flags(Flags::SENTINEL | Flags::PROTECTED | Flags::MAY_REPLICATE), [""; 0]);
        assert_eq!(flags(Flags::MOVABLE_KEYS | Flags::READONLY), ["readonly", "movablekeys"]);
    }
}
