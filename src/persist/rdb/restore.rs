//! One value in the form that DUMP gives it: its type and bytes as in a snapshot, then two bytes of
//! version and eight of checksum, little endian.

use super::error::{LoadError, Reason};
use super::format::{VERSION_MAX, VERSION_VALKEY};
use super::load::{Dialect, Encodings, Rules, Sanitize, value};
use super::read::{Reader, Verify};
use crate::base::crc64::crc64;
use crate::persist::Progress;
use crate::value::Entry;

const VERSION_LEN: usize = 2;
const CHECKSUM_LEN: usize = 8;

/// How a value is read.
#[derive(Clone, Copy, Debug)]
pub struct RestoreOptions {
    /// How it is kept.
    pub encodings: Encodings,
    /// Whether it is looked at closely.
    pub sanitize: Sanitize,
    /// Whether the checksum is verified.
    pub verify: Verify,
    /// The access clock of the entry.
    pub access: u32,
    /// When the entry expires, Unix milliseconds.
    pub expiry: Option<i64>,
}

/// Why a value could not be read.
#[derive(Debug)]
pub enum RestoreError {
    /// It was written by a newer version, or its checksum is another one.
    WrongFooter,
    /// Its bytes are no value.
    BadFormat(LoadError),
}

/// The entry of a key with the value in `payload`.
///
/// # Errors
/// See [`RestoreError`].
pub fn restore(
    payload: &[u8],
    key: &[u8],
    options: &RestoreOptions,
) -> Result<Entry, RestoreError> {
    let (body, dialect) = verified(payload, options.verify).ok_or(RestoreError::WrongFooter)?;
    let progress = Progress::new();
    let mut reader = Reader::with_buffer(body, Verify::Nothing, &progress, body.len());
    let rules = Rules { encodings: options.encodings, sanitize: options.sanitize, dialect };
    let mut reading = "the type of a value";
    let entry = reader.byte().and_then(|code| {
        reading = value::name_of(code);
        let value = value::read(&mut reader, code, &rules)?;
        let value = value.ok_or(Reason::corrupt("A collection without elements"))?;
        Ok(Entry::new(key, value, options.access, options.expiry))
    });
    entry.map_err(|reason| {
        let offset = reader.offset();
        RestoreError::BadFormat(LoadError { offset, reading, key: Some(key.to_vec()), reason })
    })
}

/// The value's bytes without the footer, if that is right, and whose types they have.
pub(super) fn verified(payload: &[u8], verify: Verify) -> Option<(&[u8], Dialect)> {
    let (summed, &found) = payload.split_last_chunk::<CHECKSUM_LEN>()?;
    let (body, &version) = summed.split_last_chunk::<VERSION_LEN>()?;
    let dialect = match u32::from(u16::from_le_bytes(version)) {
        0..=VERSION_MAX => Dialect::Redis,
        VERSION_VALKEY => Dialect::Valkey,
        _ => return None,
    };
    let is_right = match verify {
        Verify::Nothing => true,
        Verify::Checksum => crc64(summed) == u64::from_le_bytes(found),
    };
    is_right.then_some((body, dialect))
}
