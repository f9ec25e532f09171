//! Commands on keys whatever their values, and on databases as wholes.

mod copy;
mod delete;
mod expire;
mod flush;
mod keys;
mod lookup;
mod object;
mod rename;
mod scan;
mod ttl;

use super::{Command, Context, Error};
use crate::store::Free;

/// The family.
pub static COMMANDS: &[&Command] = &[
    &copy::COPY,
    &copy::MOVE,
    &delete::DEL,
    &delete::UNLINK,
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
    &scan::SCAN,
    &ttl::EXPIRETIME,
    &ttl::PEXPIRETIME,
    &ttl::PTTL,
    &ttl::TTL,
];

const NOT_A_32_BIT_INTEGER: Error =
    Error::fixed("ERR value is out of range, value must between -2147483648 and 2147483647");

/// The number of a database, given as argument `index`.
///
/// # Errors
/// No integer, none of 32 bits, or no such database.
fn database(ctx: &Context<'_>, index: usize) -> Result<usize, Error> {
    let number = i32::try_from(ctx.integer(index)?).map_err(|_| NOT_A_32_BIT_INTEGER)?;
    existing_database(ctx, number)
}

/// The database of a number.
///
/// # Errors
/// There is no such database.
fn existing_database(ctx: &Context<'_>, number: i32) -> Result<usize, Error> {
    let databases = ctx.server.keyspace.len();
    let found = usize::try_from(number).ok().filter(|&number| number < databases);
    found.ok_or(Error::DB_INDEX_OUT_OF_RANGE)
}

/// Where a value is freed that a command replaces (`lazyfree-lazy-server-del`).
fn free_replaced(ctx: &Context<'_>) -> Free {
    if ctx.server.config.lazyfree_lazy_server_del { Free::Elsewhere } else { Free::Here }
}
