//! Checking a snapshot: every item is read, every value is looked at as closely as `sanitize-dump-payload
//! yes` asks, and nothing is kept.
//!
//! Values are read by the code that loads them. What stands between them is read here, because a check
//! goes on where a load does not: over databases that a server may not have, over keys that are there twice
//! and over the data of modules. All of that is as in `redis-check-rdb`; so are the names in [`Doing`] and
//! [`Kind`].

mod kinds;
mod module;
mod stats;

pub use kinds::Kind;
pub use stats::{Shown, Statistics};

use super::error::Reason;
use super::format::{kind, opcode};
use super::load::frame::{header, verify};
use super::load::value::{self, module_name};
use super::load::{Dialect, Encodings, Rules, Sanitize, Verified};
use super::read::{Reader, Verify};
use crate::persist::Progress;
use crate::value::Entry;
use std::fmt;
use std::io::Read;

/// An expiry that is none.
const NO_EXPIRY: i64 = -1;

/// How a snapshot is checked.
#[derive(Clone, Copy, Debug)]
pub struct CheckOptions {
    /// The limits of the encodings that values are read into.
    pub encodings: Encodings,
    /// The time that expiries are compared with, Unix milliseconds.
    pub now_ms: i64,
}

/// Something in the file that is worth a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note<'a> {
    /// A text about the file.
    Aux {
        /// Its name.
        name: &'a [u8],
        /// The text.
        text: &'a [u8],
    },
    /// Data of a module.
    ModuleAux {
        /// The module's name.
        name: &'a str,
    },
    /// The keys that follow are in this database.
    Database(u64),
    /// A key that a load leaves out, since its collection has no elements.
    Empty {
        /// The key.
        key: &'a [u8],
    },
    /// What became of the checksum.
    Checksum(Verified),
}

/// A key that was read.
#[derive(Debug)]
pub struct CheckedKey<'a> {
    /// Its database.
    pub db: u64,
    /// The key.
    pub key: &'a [u8],
    /// How its value is written; see [`Kind`].
    pub kind: Kind,
    /// The key with its value; `None` if the value is a module's.
    pub entry: Option<&'a Entry>,
    /// When it expires, Unix milliseconds.
    pub expiry_ms: Option<i64>,
    /// Bytes of the file it takes, with what is said about it.
    pub file_bytes: u64,
}

/// Who is told what a check finds.
pub trait Observer {
    /// Something was read; `offset` is behind it.
    fn note(&mut self, offset: u64, note: Note<'_>);

    /// A key was read.
    fn key(&mut self, key: &CheckedKey<'_>);
}

/// What a check was reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// The header.
    Start,
    /// What comes next.
    Type,
    /// When a key expires.
    Expiry,
    /// A key.
    Key,
    /// A value.
    Value,
    /// The number of a database, the sizes of tables.
    Length,
    /// A text about the file.
    Aux,
    /// Data of a module.
    ModuleAux,
    /// A library of functions.
    Functions,
    /// The checksum.
    Checksum,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "start",
            Self::Type => "read-type",
            Self::Expiry => "read-expire",
            Self::Key => "read-key",
            Self::Value => "read-object-value",
            Self::Length => "read-len",
            Self::Aux => "read-aux",
            Self::ModuleAux => "read-module-aux",
            Self::Functions => "read-functions",
            Self::Checksum => "check-sum",
        })
    }
}

/// What was counted, up to the end or the error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Keys, that with the error as well.
    pub keys: u64,
    /// Keys with an expiry.
    pub expires: u64,
    /// Keys whose time has come.
    pub already_expired: u64,
}

/// Where a snapshot is wrong, and why.
#[derive(Debug)]
pub struct CheckError {
    /// Bytes in front of the place.
    pub offset: u64,
    /// What was being read.
    pub doing: Doing,
    /// The key whose value it was.
    pub key: Option<Vec<u8>>,
    /// How that key's value is written, if as much was read.
    pub kind: Option<Kind>,
    /// What is wrong.
    pub reason: Reason,
}

/// What a check found.
#[derive(Debug)]
pub struct Checked {
    /// What was counted.
    pub counts: Counts,
    /// Bytes of the snapshot, or the error.
    pub end: Result<u64, CheckError>,
}

/// Reads a snapshot to its end or its first error.
pub fn check<R: Read, O: Observer>(
    input: R,
    options: &CheckOptions,
    observer: &mut O,
    progress: &Progress,
) -> Checked {
    let mut check = Check {
        reader: Reader::new(input, Verify::Checksum, progress),
        rules: Rules {
            encodings: options.encodings,
            sanitize: Sanitize::Yes,
            dialect: Dialect::Redis,
        },
        now_ms: options.now_ms,
        observer,
        progress,
        doing: Doing::Start,
        db: 0,
        key: Vec::new(),
        kind: None,
        item: 0,
        expiry_ms: None,
        counts: Counts::default(),
    };
    let end = check.read_all().map_err(|reason| CheckError {
        offset: check.reader.offset(),
        doing: check.doing,
        key: (check.doing == Doing::Value).then(|| check.key.clone()),
        kind: check.kind,
        reason,
    });
    Checked { counts: check.counts, end: end.map(|()| check.reader.offset()) }
}

/// A snapshot that is being checked.
struct Check<'a, 'p, R, O> {
    reader: Reader<'p, R>,
    rules: Rules,
    now_ms: i64,
    observer: &'a mut O,
    progress: &'p Progress,
    doing: Doing,
    db: u64,
    key: Vec<u8>,
    kind: Option<Kind>,
    /// Where the present key began, with what is said about it.
    item: u64,
    expiry_ms: Option<i64>,
    counts: Counts,
}

impl<R: Read, O: Observer> Check<'_, '_, R, O> {
    fn read_all(&mut self) -> Result<(), Reason> {
        let header = header(&mut self.reader)?;
        self.rules.dialect = header.dialect;
        self.item = self.reader.offset();
        loop {
            self.doing = Doing::Type;
            match self.reader.byte()? {
                opcode::EOF => break,
                code if code >= opcode::SLOT_IMPORT => self.item(code)?,
                code => self.key_and_value(code)?,
            }
        }
        self.doing = Doing::Checksum;
        let verified = verify(&mut self.reader, &header)?;
        self.note(Note::Checksum(verified));
        Ok(())
    }

    fn note(&mut self, note: Note<'_>) {
        self.observer.note(self.reader.offset(), note);
    }

    /// What is no key.
    fn item(&mut self, code: u8) -> Result<(), Reason> {
        match code {
            opcode::EXPIRE_TIME => {
                self.doing = Doing::Expiry;
                let at_s = i64::from(i32::from_le_bytes(self.reader.array()?));
                self.expiry_ms = (at_s != NO_EXPIRY).then_some(at_s * 1000);
            }
            opcode::EXPIRE_TIME_MS => {
                self.doing = Doing::Expiry;
                let at_ms = self.reader.i64()?;
                self.expiry_ms = (at_ms != NO_EXPIRY).then_some(at_ms);
            }
            opcode::FREQ => {
                self.reader.byte()?;
            }
            opcode::IDLE => {
                self.reader.number()?;
            }
            _ => {
                self.between_keys(code)?;
                self.item = self.reader.offset();
            }
        }
        Ok(())
    }

    /// What says nothing about the next key.
    fn between_keys(&mut self, code: u8) -> Result<(), Reason> {
        match code {
            opcode::SELECT_DB => {
                self.doing = Doing::Length;
                self.db = self.reader.number()?;
                self.note(Note::Database(self.db));
            }
            opcode::RESIZE_DB => self.numbers(2)?,
            opcode::SLOT_INFO => self.numbers(3)?,
            opcode::AUX => {
                self.doing = Doing::Aux;
                let name = self.reader.text()?.to_vec();
                let text = self.reader.text()?.to_vec();
                self.note(Note::Aux { name: &name, text: &text });
            }
            opcode::FUNCTION => {
                self.doing = Doing::Functions;
                self.reader.text()?;
            }
            opcode::FUNCTION_PRE_GA => {
                self.doing = Doing::Functions;
                let text = "Pre-release function format not supported.";
                return Err(Reason::Unsupported(text.into()));
            }
            opcode::MODULE_AUX => {
                self.doing = Doing::ModuleAux;
                let id = self.reader.number()?;
                module::skip_when(&mut self.reader)?;
                self.note(Note::ModuleAux { name: &module_name(id) });
                module::skip(&mut self.reader)?;
            }
            _ => return Err(unknown(code)),
        }
        Ok(())
    }

    fn numbers(&mut self, count: usize) -> Result<(), Reason> {
        self.doing = Doing::Length;
        (0..count).try_for_each(|_| self.reader.number().map(|_| ()))
    }

    fn key_and_value(&mut self, code: u8) -> Result<(), Reason> {
        let kind = Kind::of(code, self.rules.dialect).ok_or_else(|| unknown(code))?;
        (self.kind, self.doing) = (Some(kind), Doing::Key);
        self.key.clear();
        self.reader.text()?.with_bytes(|bytes| self.key.extend_from_slice(bytes));
        self.doing = Doing::Value;
        self.counts.keys += 1;
        if code == kind::MODULE_2 {
            let _type = self.reader.number()?;
            module::skip(&mut self.reader)?;
            self.read_key(kind, None);
        } else if let Some(value) = value::read(&mut self.reader, code, &self.rules)? {
            let entry = Entry::new(&self.key, value, 0, self.expiry_ms);
            self.read_key(kind, Some(&entry));
        } else {
            let key = std::mem::take(&mut self.key);
            self.note(Note::Empty { key: &key });
        }
        (self.kind, self.expiry_ms) = (None, None);
        self.item = self.reader.offset();
        self.progress.add_keys(1);
        Ok(())
    }

    /// Counts a key and tells of it.
    fn read_key(&mut self, kind: Kind, entry: Option<&Entry>) {
        if let Some(at_ms) = self.expiry_ms {
            self.counts.expires += 1;
            self.counts.already_expired += u64::from(at_ms < self.now_ms);
        }
        self.observer.key(&CheckedKey {
            db: self.db,
            key: &self.key,
            kind,
            entry,
            expiry_ms: self.expiry_ms,
            file_bytes: self.reader.offset() - self.item,
        });
    }
}

fn unknown(code: u8) -> Reason {
    Reason::Corrupt(format!("Invalid object type: {code}").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::crc64::crc64;
    use crate::base::hash::HashKey;
    use crate::config::Config;

    /// Everything an observer is told, as lines.
    #[derive(Default)]
    struct Told(Vec<String>);

    impl Observer for Told {
        fn note(&mut self, offset: u64, note: Note<'_>) {
            self.0.push(format!("{offset} {note:?}"));
        }

        fn key(&mut self, key: &CheckedKey<'_>) {
            self.0.push(format!(
                "db{} {} {} {:?} {} bytes",
                key.db,
                key.key.escape_ascii(),
                key.kind.name,
                key.expiry_ms,
                key.file_bytes
            ));
        }
    }

    /// A snapshot of these items, with its checksum.
    fn file(items: &[&[u8]]) -> Vec<u8> {
        let mut bytes = [b"REDIS0010", items.concat().as_slice(), &[opcode::EOF]].concat();
        bytes.extend(crc64(&bytes).to_le_bytes());
        bytes
    }

    fn checked(bytes: &[u8]) -> (Checked, Vec<String>) {
        let encodings = Encodings::of(&Config::default(), HashKey::new(1, 2), 5000);
        let options = CheckOptions { encodings, now_ms: 5000 };
        let mut told = Told::default();
        let checked = check(bytes, &options, &mut told, &Progress::new());
        (checked, told.0)
    }

    const SMALL_SET: &[u8] = b"\x02\x01s\x02\x01a\x01b";
    const MODULE: &[u8] = b"\x81\x85\xe9\x65\xa2\xdc\xa9\x78\x03";
    const MODULE_DATA: &[u8] = b"\x02\x05\x01\x05\x03abcd\x04abcdefgh\x05\x03abc\x00";

    #[test]
    fn every_item_is_told_with_its_place() {
        let aux = [&[opcode::MODULE_AUX], MODULE, b"\x02\x02", MODULE_DATA].concat();
        let module = [&[kind::MODULE_2, 1, b'm'], MODULE, MODULE_DATA].concat();
        let bytes = file(&[
            b"\xfa\x04name\x02ab",
            &aux,
            b"\xfe\x40\x63\xfb\x02\x01",
            b"\xfc\x10\x27\0\0\0\0\0\0\xf9\x05\x00\x01k\x01v",
            b"\xfd\x01\0\0\0\x00\x01l\x01v",
            SMALL_SET,
            &module,
            b"\x04\x01e\x00",
        ]);
        let (checked, told) = checked(&bytes);
        assert_eq!(checked.counts, Counts { keys: 5, expires: 2, already_expired: 1 });
        assert_eq!(checked.end.expect("well formed"), num_of(bytes.len()));
        let told: Vec<&str> = told.iter().map(String::as_str).collect();
        let (key, last) = (bytes.len() - 9, bytes.len());
        let expected = [
            "18 Aux { name: [110, 97, 109, 101], text: [97, 98] }".to_owned(),
            "30 ModuleAux { name: \"hellotype\" }".to_owned(),
            "57 Database(99)".to_owned(),
            "db99 k string Some(10000) 16 bytes".to_owned(),
            "db99 l string Some(1000) 10 bytes".to_owned(),
            "db99 s set-hashtable None 8 bytes".to_owned(),
            "db99 m module-value None 36 bytes".to_owned(),
            format!("{key} Empty {{ key: [101] }}"),
            format!("{last} Checksum(Yes)"),
        ];
        assert_eq!(told, expected);
    }

    fn num_of(len: usize) -> u64 {
        crate::base::num::u64_of(len)
    }

    #[test]
    fn what_differs_by_a_bit_or_ends_early_is_found() {
        let bytes = file(&[b"\xfe\x00\xfb\x02\x00", b"\x00\x01k\x03abc", SMALL_SET]);
        assert!(checked(&bytes).0.end.is_ok());
        for at in 0..bytes.len() {
            assert!(checked(&bytes[..at]).0.end.is_err(), "{at} bytes");
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                assert!(checked(&changed).0.end.is_err(), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn an_error_says_what_was_read() {
        let error = |items: &[&[u8]]| checked(&file(items)).0.end.expect_err("wrong");
        let unknown = error(&[SMALL_SET, &[99]]);
        assert_eq!((unknown.offset, unknown.doing, unknown.kind), (18, Doing::Type, None));
        assert_eq!(unknown.reason.to_string(), "Invalid object type: 99");
        let twice = error(&[b"\x02\x01s\x02\x01a\x01a"]);
        assert_eq!((twice.offset, twice.doing), (17, Doing::Value));
        assert_eq!(twice.key.as_deref(), Some(&b"s"[..]));
        assert_eq!(twice.kind.map(|kind| kind.name), Some("set-hashtable"));
        let module = [&[kind::MODULE_2, 1, b'm'], MODULE, b"\x09\x00"].concat();
        let text = error(&[&module]).reason.to_string();
        assert_eq!(text, "Unknown opcode 9 in the data of a module");
        let aux = [&[opcode::MODULE_AUX], MODULE, b"\x05\x02"].concat();
        assert_eq!(error(&[&aux]).reason.to_string(), "bad when_opcode");
    }
}
