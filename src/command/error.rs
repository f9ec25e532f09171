//! Error replies, with Redis's texts: clients match on them.

use crate::store::WrongType;
use std::borrow::Cow;

/// An error reply: its line without the leading `-` and without a line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Cow<'static, [u8]>);

impl From<WrongType> for Error {
    fn from(_: WrongType) -> Self {
        Self::WRONG_TYPE
    }
}

impl Error {
    /// The key holds another type.
    pub const WRONG_TYPE: Self =
        Self::fixed("WRONGTYPE Operation against a key holding the wrong kind of value");
    /// Arguments that fit no form of the command.
    pub const SYNTAX: Self = Self::fixed("ERR syntax error");
    /// No 64-bit integer.
    pub const NOT_AN_INTEGER: Self = Self::fixed("ERR value is not an integer or out of range");
    /// No 32-bit integer, though one of 64 bits.
    pub const NOT_A_32_BIT_INTEGER: Self =
        Self::fixed("ERR value is out of range, value must between -2147483648 and 2147483647");
    /// No double.
    pub const NOT_A_FLOAT: Self = Self::fixed("ERR value is not a valid float");
    /// The key does not exist.
    pub const NO_SUCH_KEY: Self = Self::fixed("ERR no such key");
    /// An index beyond the end.
    pub const INDEX_OUT_OF_RANGE: Self = Self::fixed("ERR index out of range");
    /// A database number that there is not.
    pub const DB_INDEX_OUT_OF_RANGE: Self = Self::fixed("ERR DB index is out of range");
    /// Source and destination are one.
    pub const SAME_OBJECT: Self = Self::fixed("ERR source and destination objects are the same");
    /// A string that would be longer than `proto-max-bulk-len`.
    pub const STRING_TOO_LONG: Self =
        Self::fixed("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    /// More memory in use than `maxmemory` allows.
    pub const OUT_OF_MEMORY: Self =
        Self::fixed("OOM command not allowed when used memory > 'maxmemory'.");
    /// A replica without its primary is not to serve what it has.
    pub const STALE: Self = Self::fixed(
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    );
    /// Not authenticated.
    pub const NO_AUTH: Self = Self::fixed("NOAUTH Authentication required.");

    /// An error of fixed text, its code included.
    pub const fn fixed(line: &'static str) -> Self {
        Self(Cow::Borrowed(line.as_bytes()))
    }

    /// An error whose text was put together, its code included.
    pub fn new(line: impl Into<Vec<u8>>) -> Self {
        Self(Cow::Owned(line.into()))
    }

    /// `wrong number of arguments for 'name' command`; `name` is the full one, `config|get`.
    pub fn arity(name: &str) -> Self {
        Self::new(format!("ERR wrong number of arguments for '{name}' command"))
    }

    /// An expire time that is out of range for the command.
    pub fn invalid_expire(name: &str) -> Self {
        Self::new(format!("ERR invalid expire time in '{name}' command"))
    }

    /// The line.
    pub fn line(&self) -> &[u8] {
        &self.0
    }

    /// The code before the first space, for `errorstat_CODE`.
    pub fn code(&self) -> &[u8] {
        self.0.split(|&byte| byte == b' ').next().unwrap_or_default()
    }
}

/// What an error text repeats of an argument: as in Redis, whose texts are C strings, it ends before
/// the first zero byte.
pub fn printed(arg: &[u8]) -> &[u8] {
    arg.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// What a handler returns: it has written its reply, or there is an error to write.
pub type Outcome = Result<(), Error>;
