//! Numbers of the format. Facts from Redis's `rdb.h` and Valkey's, and from their files.

/// The version that is written: Redis 7.0 reads it.
pub const VERSION_WRITTEN: u32 = 10;
/// The version that is written if fields of hashes have an expiry: Redis 7.4 reads it.
pub const VERSION_FIELD_EXPIRY: u32 = 12;
/// The newest version of Redis that is read.
pub const VERSION_MAX: u32 = 12;
/// The version of Valkey 9, in files that begin with `VALKEY`.
pub const VERSION_VALKEY: u32 = 80;

/// What the bytes before an item say.
pub mod opcode {
    /// Valkey: state of a slot import.
    pub const SLOT_IMPORT: u8 = 243;
    /// Sizes of a cluster slot's tables: hints.
    pub const SLOT_INFO: u8 = 244;
    /// A library of functions.
    pub const FUNCTION: u8 = 245;
    /// A library of functions, as release candidates of 7.0 wrote it.
    pub const FUNCTION_PRE_GA: u8 = 246;
    /// Data of a module beside the keys.
    pub const MODULE_AUX: u8 = 247;
    /// Idle time of the key that follows, seconds.
    pub const IDLE: u8 = 248;
    /// Access frequency of the key that follows, one byte.
    pub const FREQ: u8 = 249;
    /// A name and a text about the file.
    pub const AUX: u8 = 250;
    /// Numbers of keys and of volatile keys of the database: hints.
    pub const RESIZE_DB: u8 = 251;
    /// Expiry of the key that follows, Unix milliseconds.
    pub const EXPIRE_TIME_MS: u8 = 252;
    /// Expiry of the key that follows, Unix seconds.
    pub const EXPIRE_TIME: u8 = 253;
    /// The database of what follows.
    pub const SELECT_DB: u8 = 254;
    /// The end; a checksum follows from version 5 on.
    pub const EOF: u8 = 255;
}

/// Types of values with their encodings.
pub mod kind {
    /// A string.
    pub const STRING: u8 = 0;
    /// A list: count, elements.
    pub const LIST: u8 = 1;
    /// A set: count, members.
    pub const SET: u8 = 2;
    /// A sorted set: count, members each with its score as text.
    pub const ZSET: u8 = 3;
    /// A hash: count, fields each with its value.
    pub const HASH: u8 = 4;
    /// A sorted set: count, members each with its score as eight bytes.
    pub const ZSET_2: u8 = 5;
    /// A module's value, as early modules wrote it.
    pub const MODULE_PRE_GA: u8 = 6;
    /// A module's value.
    pub const MODULE_2: u8 = 7;
    /// A hash as a zipmap.
    pub const HASH_ZIPMAP: u8 = 9;
    /// A list as a ziplist.
    pub const LIST_ZIPLIST: u8 = 10;
    /// A set as an intset.
    pub const SET_INTSET: u8 = 11;
    /// A sorted set as a ziplist.
    pub const ZSET_ZIPLIST: u8 = 12;
    /// A hash as a ziplist.
    pub const HASH_ZIPLIST: u8 = 13;
    /// A list as ziplists.
    pub const LIST_QUICKLIST: u8 = 14;
    /// A stream of Redis 5.
    pub const STREAM_LISTPACKS: u8 = 15;
    /// A hash as a listpack.
    pub const HASH_LISTPACK: u8 = 16;
    /// A sorted set as a listpack.
    pub const ZSET_LISTPACK: u8 = 17;
    /// A list as listpacks and single elements.
    pub const LIST_QUICKLIST_2: u8 = 18;
    /// A stream of Redis 7.0.
    pub const STREAM_LISTPACKS_2: u8 = 19;
    /// A set as a listpack.
    pub const SET_LISTPACK: u8 = 20;
    /// A stream of Redis 7.2.
    pub const STREAM_LISTPACKS_3: u8 = 21;
    /// A hash with expiring fields, as release candidates of 7.4 wrote it; in Valkey's files [`VALKEY_HASH_2`].
    pub const HASH_METADATA_PRE_GA: u8 = 22;
    /// A hash with expiring fields as a listpack, as release candidates of 7.4 wrote it.
    pub const HASH_LISTPACK_EX_PRE_GA: u8 = 23;
    /// A hash with expiring fields.
    pub const HASH_METADATA: u8 = 24;
    /// A hash with expiring fields as a listpack.
    pub const HASH_LISTPACK_EX: u8 = 25;
    /// Valkey's hash with expiring fields.
    pub const VALKEY_HASH_2: u8 = 22;
}

/// What a length begins with, and what stands in its place before a string.
pub mod encoding {
    /// Added to the first of two bytes, the higher one.
    pub const LEN_14_BITS: u8 = 0b0100_0000;
    /// Four bytes follow, the highest first.
    pub const LEN_32_BITS: u8 = 0b1000_0000;
    /// Eight bytes follow, the highest first.
    pub const LEN_64_BITS: u8 = 0b1000_0001;
    /// An integer of one byte follows.
    pub const INTEGER_8: u8 = 0b1100_0000;
    /// An integer of two bytes follows, the lowest first.
    pub const INTEGER_16: u8 = 0b1100_0001;
    /// An integer of four bytes follows, the lowest first.
    pub const INTEGER_32: u8 = 0b1100_0010;
    /// Two lengths follow, and then compressed bytes.
    pub const LZF: u8 = 0b1100_0011;
}

/// What the node of a list is.
pub mod node {
    /// One element.
    pub const PLAIN: u8 = 1;
    /// A listpack.
    pub const PACKED: u8 = 2;
}
