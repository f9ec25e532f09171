//! The words COMMAND uses for what specs say.

use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags};

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
pub(super) fn categories(categories: Categories) -> Vec<String> {
    categories.names().map(|name| format!("@{name}")).collect()
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
    use crate::command::Spec;

    fn all(flags: Flags, categories_of_its_own: Categories) -> String {
        let spec = Spec { flags, categories: categories_of_its_own, ..Spec::EMPTY };
        categories(spec.all_categories()).join(" ")
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
