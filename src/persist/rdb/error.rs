//! Why bytes could not be loaded.

use std::borrow::Cow;
use std::fmt;
use std::io;

/// What is wrong, without where.
#[derive(Debug)]
pub enum Reason {
    /// The input could not be read.
    Io(io::Error),
    /// It ends too soon.
    Truncated,
    /// Somebody asked to stop.
    Cancelled,
    /// There is no memory for it.
    OutOfMemory {
        /// Bytes asked for.
        bytes: u64,
    },
    /// It does not begin as a snapshot does.
    WrongSignature,
    /// A version of the format that is newer than this program, or none.
    UnknownVersion {
        /// As it is written.
        found: String,
    },
    /// The checksum of what was read is another one than that at the end.
    WrongChecksum {
        /// That of what was read.
        computed: u64,
        /// That at the end.
        found: u64,
    },
    /// A database of a server that has more of them.
    UnknownDatabase {
        /// Its number.
        found: u64,
        /// How many there are here.
        databases: usize,
    },
    /// A key that is there twice.
    DuplicateKey {
        /// Its database.
        db: usize,
    },
    /// Bytes that are not what they should be.
    Corrupt(Cow<'static, str>),
    /// Something that is well formed, and that this server does not have.
    Unsupported(Cow<'static, str>),
}

impl Reason {
    /// Corrupt, for a reason of fixed text.
    pub(super) const fn corrupt(what: &'static str) -> Self {
        Self::Corrupt(Cow::Borrowed(what))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Truncated => f.write_str("Unexpected EOF reading RDB file"),
            Self::Cancelled => f.write_str("Loading was cancelled"),
            Self::OutOfMemory { bytes } => write!(f, "No memory for a string of {bytes} bytes"),
            Self::WrongSignature => f.write_str("Wrong signature trying to load DB from file"),
            Self::UnknownVersion { found } => {
                write!(f, "Can't handle RDB format version {found}")
            }
            Self::WrongChecksum { computed, found } => {
                write!(f, "Wrong RDB checksum expected: ({computed:x}) but got ({found:x})")
            }
            Self::UnknownDatabase { found, databases } => write!(
                f,
                "Data file was created with a Redis server configured to handle more than \
                 {databases} databases (it has a database {found})"
            ),
            Self::DuplicateKey { db } => write!(f, "RDB has duplicated key in DB {db}"),
            Self::Corrupt(what) | Self::Unsupported(what) => f.write_str(what),
        }
    }
}

/// Why a snapshot was not loaded, and where.
#[derive(Debug)]
pub struct LoadError {
    /// Bytes in front of the place.
    pub offset: u64,
    /// What was being read there: `a key`, `a hash as a listpack`.
    pub reading: &'static str,
    /// The key whose value it was.
    pub key: Option<Vec<u8>>,
    /// What is wrong.
    pub reason: Reason,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at offset {}, reading {}", self.reason, self.offset, self.reading)?;
        if let Some(key) = &self.key {
            write!(f, " of key '{}'", key.escape_ascii())?;
        }
        f.write_str(")")
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        if let Reason::Io(error) = &self.reason { Some(error) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_where_and_what() {
        let reason = Reason::corrupt("Zset ziplist integrity check failed.");
        let error = LoadError {
            offset: 17,
            reading: "a sorted set as a ziplist",
            key: Some(b"k\n".to_vec()),
            reason,
        };
        assert_eq!(
            error.to_string(),
            "Zset ziplist integrity check failed. (at offset 17, reading a sorted set as a \
             ziplist of key 'k\\n')"
        );
    }
}
