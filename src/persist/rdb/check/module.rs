//! The data of modules, which says of itself how long it is.
//!
//! ```text
//! 0                 the end
//! 1 or 2 length     a number with or without a sign
//! 3 4 bytes         a float
//! 4 8 bytes         a double
//! 5 string          bytes
//! ```

use crate::persist::rdb::error::Reason;
use crate::persist::rdb::read::Reader;
use std::io::Read;

const END: u64 = 0;
const SIGNED: u64 = 1;
const UNSIGNED: u64 = 2;
const FLOAT: u64 = 3;
const DOUBLE: u64 = 4;
const BYTES: u64 = 5;

/// Skips whether the data stands in front of the keys or behind them.
pub(super) fn skip_when<R: Read>(reader: &mut Reader<'_, R>) -> Result<(), Reason> {
    let (opcode, _when) = (reader.number()?, reader.number()?);
    if opcode == UNSIGNED { Ok(()) } else { Err(Reason::corrupt("bad when_opcode")) }
}

/// Skips the data up to its end.
pub(super) fn skip<R: Read>(reader: &mut Reader<'_, R>) -> Result<(), Reason> {
    loop {
        match reader.number()? {
            END => return Ok(()),
            SIGNED | UNSIGNED => {
                reader.number()?;
            }
            FLOAT => {
                reader.array::<4>()?;
            }
            DOUBLE => {
                reader.array::<8>()?;
            }
            BYTES => {
                reader.text()?;
            }
            opcode => {
                let text = format!("Unknown opcode {opcode} in the data of a module");
                return Err(Reason::Corrupt(text.into()));
            }
        }
    }
}
