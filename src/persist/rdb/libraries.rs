//! Libraries of functions by themselves, as FUNCTION DUMP replies and FUNCTION RESTORE takes: each as in a
//! snapshot, then the footer of DUMP.

use super::error::{LoadError, Reason};
use super::format::{VERSION_WRITTEN, opcode};
use super::read::{Reader, Verify};
use super::restore::{RestoreError, verified};
use super::write::{Compression, Writer};
use crate::base::crc64::crc64;
use crate::base::num;
use crate::persist::Progress;
use bytes::Bytes;

/// The sources of libraries as a payload. O(bytes).
///
/// # Panics
/// Never: memory takes everything.
pub fn dump_libraries(sources: &[Bytes], compression: Compression) -> Vec<u8> {
    let mut writer = Writer::in_memory(Vec::new(), compression);
    for source in sources {
        writer.byte(opcode::FUNCTION);
        writer.string(source).expect("memory takes everything");
    }
    let mut out = writer.into_buffer();
    out.extend_from_slice(&num::low_u16(u64::from(VERSION_WRITTEN)).to_le_bytes());
    let checksum = crc64(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

/// The sources of the libraries in a payload.
///
/// # Errors
/// See [`RestoreError`].
pub fn restore_libraries(payload: &[u8], verify: Verify) -> Result<Vec<Bytes>, RestoreError> {
    let (body, _) = verified(payload, verify).ok_or(RestoreError::WrongFooter)?;
    let progress = Progress::new();
    let mut reader = Reader::with_buffer(body, Verify::Nothing, &progress, body.len());
    let mut sources = Vec::new();
    while reader.offset() < num::u64_of(body.len()) {
        let source = reader.byte().and_then(|code| match code {
            opcode::FUNCTION => Ok(Bytes::from(reader.text()?.to_vec())),
            _ => Err(Reason::corrupt("No library of functions")),
        });
        sources.push(source.map_err(|reason| {
            let offset = reader.offset();
            let reading = "a library of functions";
            RestoreError::BadFormat(LoadError { offset, reading, key: None, reason })
        })?);
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Read off Redis 7.0.15.
    #[test]
    fn payloads_are_redis_s() {
        let source = "#!lua name=a\nredis.register_function(\"f\",function(k,a) return {k,a} end)";
        let payload = dump_libraries(&[Bytes::from(source)], Compression::Lzf);
        let footer = b"\n\x00\x0f\xb3'\x8a\xe4L\xf4\x83";
        assert_eq!(payload, [b"\xf5@H", source.as_bytes(), footer].concat());
        let restored = restore_libraries(&payload, Verify::Checksum);
        assert_eq!(restored.expect("it is whole"), [source.as_bytes()]);
        let empty = dump_libraries(&[], Compression::None);
        assert_eq!(empty, b"\n\x00]\x9b\\@\x0f\x7f\xa2\xda");
        assert!(restore_libraries(&payload[1..], Verify::Checksum).is_err());
        assert!(restore_libraries(&payload[..payload.len() - 1], Verify::Nothing).is_err());
    }
}
