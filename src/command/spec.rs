//! What a command is, apart from its code: one literal feeds COMMAND, COMMAND DOCS, COMMAND GETKEYS,
//! ACL categories, cluster routing and the documentation.
//!
//! A spec stands beside its handler in the family's file. Everything here is `'static` data, so the
//! table of all commands costs nothing at run time.

use super::secrets::Secrets;
pub use crate::acl::Categories;
use crate::base::num;
use bitflags::bitflags;

bitflags! {
    /// What the dispatcher, ACL, replication and clients need to know before a command runs.
    /// The names COMMAND INFO prints are in [`Flags::names`].
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Flags: u32 {
        /// May modify the keyspace.
        const WRITE = 1 << 0;
        /// Reads keys and never modifies them.
        const READONLY = 1 << 1;
        /// Refused when memory is over `maxmemory` and nothing can be evicted.
        const DENYOOM = 1 << 2;
        /// Administration.
        const ADMIN = 1 << 3;
        /// Publishes or subscribes.
        const PUBSUB = 1 << 4;
        /// Not allowed in scripts.
        const NOSCRIPT = 1 << 5;
        /// May block the client.
        const BLOCKING = 1 << 6;
        /// Served while the data set is loading.
        const LOADING = 1 << 7;
        /// Served by a replica with stale data.
        const STALE = 1 << 8;
        /// Not shown to MONITOR.
        const SKIP_MONITOR = 1 << 9;
        /// Not logged in the slow log.
        const SKIP_SLOWLOG = 1 << 10;
        /// Accepted by a node that imports a slot, without ASKING.
        const ASKING = 1 << 11;
        /// O(1) or O(log n).
        const FAST = 1 << 12;
        /// Served before authentication.
        const NO_AUTH = 1 << 13;
        /// May replicate even though it is not a write.
        const MAY_REPLICATE = 1 << 14;
        /// Not allowed inside MULTI.
        const NO_MULTI = 1 << 15;
        /// Keys cannot be told from the key specs alone.
        const MOVABLE_KEYS = 1 << 16;
        /// Allowed while the server is busy with a script.
        const ALLOW_BUSY = 1 << 17;
        /// Refused while an asynchronous load is under way.
        const NO_ASYNC_LOADING = 1 << 18;
        /// Only served by Sentinel.
        const ONLY_SENTINEL = 1 << 19;
        /// Also served by Sentinel.
        const SENTINEL = 1 << 20;
        /// Its key specs may find no key, and that is no error.
        const NO_MANDATORY_KEYS = 1 << 21;
        /// Refused unless `enable-debug-command` or `enable-module-command` allows it.
        const PROTECTED = 1 << 22;
        /// May touch, and so expire, keys that are not among its arguments.
        const TOUCHES_ARBITRARY_KEYS = 1 << 23;
        /// For the servers themselves, not for users; COMMAND DOCS says `syscmd`.
        const SYSTEM = 1 << 24;
    }
}

/// The group a command is documented under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum Group {
    Generic,
    String,
    List,
    Set,
    SortedSet,
    Hash,
    Pubsub,
    Transactions,
    Connection,
    Server,
    Scripting,
    Hyperloglog,
    Cluster,
    Sentinel,
    Geo,
    Stream,
    Bitmap,
    Module,
}

bitflags! {
    /// What a command does with the keys one key spec finds.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct KeyFlags: u16 {
        /// Reads the value, never changes it.
        const RO = 1 << 0;
        /// Reads and changes the value.
        const RW = 1 << 1;
        /// Overwrites the value whatever it was.
        const OW = 1 << 2;
        /// Removes the key.
        const RM = 1 << 3;
        /// Returns or copies user data.
        const ACCESS = 1 << 4;
        /// Changes existing user data.
        const UPDATE = 1 << 5;
        /// Adds user data.
        const INSERT = 1 << 6;
        /// Deletes user data on purpose.
        const DELETE = 1 << 7;
        /// Looks like a key but is not (a shard channel).
        const NOT_KEY = 1 << 8;
        /// The spec may miss keys.
        const INCOMPLETE = 1 << 9;
        /// The flags depend on other arguments.
        const VARIABLE_FLAGS = 1 << 10;
    }
}

/// Where a key spec starts to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeginSearch {
    /// At a fixed argument.
    Index(i32),
    /// At the argument after a keyword, looked for from `start_from` (negative: from the end, backwards).
    Keyword {
        /// The keyword, upper case.
        keyword: &'static str,
        /// First argument looked at.
        start_from: i32,
    },
    /// Cannot be told.
    Unknown,
}

/// Which arguments after the start are keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindKeys {
    /// A range relative to the start: `last` (negative: from the end), `step`, `limit` (0 or 1: none;
    /// 2: the first half…).
    Range {
        /// Index of the last key relative to the first; negative counts from the end.
        last: i32,
        /// Distance between keys.
        step: i32,
        /// Divides what remains.
        limit: i32,
    },
    /// A count of keys, then the keys; both relative to the start.
    KeyNum {
        /// Index of the count.
        count: i32,
        /// Index of the first key.
        first: i32,
        /// Distance between keys.
        step: i32,
    },
    /// Cannot be told.
    Unknown,
}

/// One rule for finding keys among the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySpec {
    /// Where to start.
    pub begin: BeginSearch,
    /// What is a key from there on.
    pub find: FindKeys,
    /// What happens to those keys.
    pub flags: KeyFlags,
    /// Shown by COMMAND INFO when not empty.
    pub notes: &'static str,
}

impl KeySpec {
    /// Keys at fixed positions: `first`, then every `step` up to `last` (relative to `first`; negative:
    /// from the end).
    pub const fn range(first: i32, last: i32, step: i32, flags: KeyFlags) -> Self {
        let find = FindKeys::Range { last, step, limit: 0 };
        Self { begin: BeginSearch::Index(first), find, flags, notes: "" }
    }

    /// The keys behind argument `at`, which says how many they are.
    pub const fn counted(at: i32, flags: KeyFlags) -> Self {
        let find = FindKeys::KeyNum { count: 0, first: 1, step: 1 };
        Self { begin: BeginSearch::Index(at), find, flags, notes: "" }
    }
}

/// The type of a documented argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum ArgType {
    String,
    Integer,
    Double,
    Key,
    Pattern,
    UnixTime,
    PureToken,
    OneOf,
    Block,
}

/// One argument of the documented grammar.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    /// Its name, unique among its siblings.
    pub name: &'static str,
    /// What the usage line shows; empty: the name.
    pub display: &'static str,
    /// Its type.
    pub kind: ArgType,
    /// The literal token before it; empty if none.
    pub token: &'static str,
    /// Index into the command's key specs: for [`ArgType::Key`], and for patterns that make key names.
    pub key_spec: Option<u8>,
    /// May be left out.
    pub optional: bool,
    /// May be repeated.
    pub multiple: bool,
    /// The token is repeated with it.
    pub multiple_token: bool,
    /// The version that introduced it; empty: with the command.
    pub since: &'static str,
    /// The version that deprecated it; empty: not deprecated.
    pub deprecated_since: &'static str,
    /// Members of a [`ArgType::OneOf`] or [`ArgType::Block`].
    pub members: &'static [Arg],
}

impl Arg {
    /// A mandatory argument without a token; the rest by functional update.
    pub const fn new(name: &'static str, kind: ArgType) -> Self {
        Self {
            name,
            display: "",
            kind,
            token: "",
            key_spec: None,
            optional: false,
            multiple: false,
            multiple_token: false,
            since: "",
            deprecated_since: "",
            members: &[],
        }
    }
    /// A key found by key spec `index`.
    pub const fn key(name: &'static str, index: u8) -> Self {
        Self::new(name, ArgType::Key).key_spec(index)
    }
    /// A bare token.
    pub const fn flag(name: &'static str, token: &'static str) -> Self {
        Self::new(name, ArgType::PureToken).token(token)
    }
    /// One of several.
    pub const fn one_of(name: &'static str, members: &'static [Arg]) -> Self {
        let mut arg = Self::new(name, ArgType::OneOf);
        arg.members = members;
        arg
    }
    /// Several in a row.
    pub const fn block(name: &'static str, members: &'static [Arg]) -> Self {
        let mut arg = Self::new(name, ArgType::Block);
        arg.members = members;
        arg
    }
    /// Stands for keys that key spec `index` describes.
    pub const fn key_spec(mut self, index: u8) -> Self {
        self.key_spec = Some(index);
        self
    }
    /// Shown under another name, which siblings may share.
    pub const fn display(mut self, text: &'static str) -> Self {
        self.display = text;
        self
    }
    /// Preceded by a token.
    pub const fn token(mut self, token: &'static str) -> Self {
        self.token = token;
        self
    }
    /// May be left out.
    pub const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }
    /// May be repeated.
    pub const fn multiple(mut self) -> Self {
        self.multiple = true;
        self
    }
    /// May be repeated together with its token.
    pub const fn multiple_token(mut self) -> Self {
        self.multiple = true;
        self.multiple_token = true;
        self
    }
    /// Introduced after the command itself.
    pub const fn since(mut self, version: &'static str) -> Self {
        self.since = version;
        self
    }
    /// Deprecated since.
    pub const fn deprecated(mut self, version: &'static str) -> Self {
        self.deprecated_since = version;
        self
    }
}

/// A deprecated command's notice.
#[derive(Clone, Copy, Debug)]
pub struct Deprecation {
    /// The version.
    pub since: &'static str,
    /// What to use instead, as a phrase.
    pub replaced_by: &'static str,
}

/// Everything known about a command except its code.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Lower case; for a subcommand its own word only ("get" of CONFIG GET).
    pub name: &'static str,
    /// What it does, one sentence.
    pub summary: &'static str,
    /// Cost, as COMMAND DOCS prints it.
    pub complexity: &'static str,
    /// The Redis version that introduced it.
    pub since: &'static str,
    /// Documentation group.
    pub group: Group,
    /// Number of arguments with the name (and the subcommand's word); negative: at least that many.
    pub arity: i32,
    /// See [`Flags`].
    pub flags: Flags,
    /// Categories beyond the implied ones (read, write, fast, slow, admin, dangerous, blocking follow
    /// from the flags).
    pub categories: Categories,
    /// Where its keys are.
    pub keys: &'static [KeySpec],
    /// Its grammar.
    pub args: &'static [Arg],
    /// (version, change) pairs.
    pub history: &'static [(&'static str, &'static str)],
    /// Hints for clients and proxies.
    pub tips: &'static [&'static str],
    /// If deprecated, since when and in whose favour.
    pub deprecated: Option<Deprecation>,
    /// The argument that names a member or field of the key's value, so that it can be loaded ahead; 0
    /// if none does.
    pub member_at: usize,
    /// Which arguments are never to be shown.
    pub secrets: Secrets,
}

impl Spec {
    /// The starting point for literals: `Spec { name: …, ..Spec::EMPTY }`.
    pub const EMPTY: Self = Self {
        name: "",
        summary: "",
        complexity: "",
        since: "1.0.0",
        group: Group::Generic,
        arity: 1,
        flags: Flags::empty(),
        categories: Categories::empty(),
        keys: &[],
        args: &[],
        history: &[],
        tips: &[],
        deprecated: None,
        member_at: 0,
        secrets: Secrets::None,
    };

    /// Whether it may be run with so many arguments, its name included.
    #[inline]
    #[must_use]
    pub fn takes(&self, count: usize) -> bool {
        let least = num::usize_of_u32(self.arity.unsigned_abs());
        count == least || self.arity < 0 && count > least
    }

    /// All its categories: its own and those that follow from its flags.
    #[must_use]
    pub fn all_categories(&self) -> Categories {
        let mut all = self.categories;
        let has = |flag| self.flags.contains(flag);
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
}
