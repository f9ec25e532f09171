//! One value by itself, as DUMP replies and RESTORE takes: its type, the value, two bytes of the
//! format's version and eight of the checksum of all that.

use super::save_value::Layout;
use super::write::{Compression, Writer};
use crate::base::crc64::crc64;
use crate::base::num;
use crate::value::Entry;

/// Appends the value of an entry to `out`, in the oldest version of the format that holds it. O(bytes).
pub fn dump(entry: &Entry, compression: Compression, out: &mut Vec<u8>) {
    let start = out.len();
    let layout = Layout::of(entry);
    let mut writer = Writer::in_memory(std::mem::take(out), compression);
    writer.byte(layout.kind());
    layout.write(&mut writer).expect("memory takes everything");
    *out = writer.into_buffer();
    out.extend_from_slice(&num::low_u16(u64::from(layout.version())).to_le_bytes());
    let checksum = crc64(&out[start..]);
    out.extend_from_slice(&checksum.to_le_bytes());
}
