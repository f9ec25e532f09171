//! Commands on keys whatever their values, and on databases as wholes.

mod copy;
mod delete;
mod dump;
mod expire;
mod flush;
mod keys;
mod lookup;
mod object;
mod rename;
mod restore;
mod scan;
mod sort;
mod ttl;

use super::Command;

/// The family.
pub static COMMANDS: &[&Command] = &[
    &copy::COPY,
    &copy::MOVE,
    &delete::DEL,
    &delete::UNLINK,
    &dump::DUMP,
    &expire::EXPIRE,
    &expire::EXPIREAT,
    &expire::PERSIST,
    &expire::PEXPIRE,
    &expire::PEXPIREAT,
    &flush::FLUSHALL,
    &flush::FLUSHDB,
    &flush::SWAPDB,
    &keys::KEYS,
    &lookup::DBSIZE,
    &lookup::EXISTS,
    &lookup::RANDOMKEY,
    &lookup::TOUCH,
    &lookup::TYPE,
    &object::OBJECT,
    &rename::RENAME,
    &rename::RENAMENX,
    &restore::RESTORE,
    &restore::RESTORE_ASKING,
    &scan::SCAN,
    &sort::SORT,
    &sort::SORT_RO,
    &ttl::EXPIRETIME,
    &ttl::PEXPIRETIME,
    &ttl::PTTL,
    &ttl::TTL,
];
