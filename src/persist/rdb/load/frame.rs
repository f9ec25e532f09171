//! What frames the items of a snapshot: its header and its checksum.

use super::{Dialect, Reader, Verified};
use crate::persist::rdb::error::Reason;
use crate::persist::rdb::format::{VERSION_MAX, VERSION_VALKEY};
use std::io::Read;

const MAGIC_REDIS: &[u8] = b"REDIS";
const MAGIC_VALKEY: &[u8] = b"VALKEY";
/// Bytes of magic and version together.
const HEADER_LEN: usize = 9;
/// The first version with a checksum.
const VERSION_CHECKSUM: u32 = 5;

/// What a snapshot begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::persist::rdb) struct Header {
    pub(in crate::persist::rdb) version: u32,
    pub(in crate::persist::rdb) dialect: Dialect,
}

/// Reads the header; a version that is not known is an error.
pub(in crate::persist::rdb) fn header<R: Read>(
    reader: &mut Reader<'_, R>,
) -> Result<Header, Reason> {
    let header: [u8; HEADER_LEN] = reader.array()?;
    let (digits, dialect) = if let Some(digits) = header.strip_prefix(MAGIC_REDIS) {
        (digits, Dialect::Redis)
    } else if let Some(digits) = header.strip_prefix(MAGIC_VALKEY) {
        (digits, Dialect::Valkey)
    } else {
        return Err(Reason::WrongSignature);
    };
    let text = String::from_utf8_lossy(digits).into_owned();
    let version: Option<u32> = text.parse().ok();
    let is_known = |version: &u32| match dialect {
        Dialect::Redis => (1..=VERSION_MAX).contains(version),
        Dialect::Valkey => *version == VERSION_VALKEY,
    };
    match version.filter(is_known) {
        Some(version) => Ok(Header { version, dialect }),
        None => {
            let found = version.map_or(text, |version| version.to_string());
            Err(Reason::UnknownVersion { found })
        }
    }
}

/// Reads the checksum that follows the last item, and compares it. There was none in old versions.
pub(in crate::persist::rdb) fn verify<R: Read>(
    reader: &mut Reader<'_, R>,
    header: &Header,
) -> Result<Verified, Reason> {
    if header.version < VERSION_CHECKSUM {
        // Nothing ever followed such a snapshot, so perhaps its version is wrong.
        let is_whole = reader.is_at_end()?;
        let error = Reason::corrupt("There are bytes behind the end");
        return if is_whole { Ok(Verified::No) } else { Err(error) };
    }
    let computed = reader.checksum();
    let found = u64::from_le_bytes(reader.array()?);
    match computed {
        None => Ok(Verified::No),
        Some(_) if found == 0 => Ok(Verified::Disabled),
        Some(computed) if computed == found => Ok(Verified::Yes),
        Some(computed) => Err(Reason::WrongChecksum { computed, found }),
    }
}
