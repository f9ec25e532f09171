//! The file: its header, what stands between the keys, the keys, the checksum.

use super::frame::{header, verify};
use super::pending::{Duplicate, Pending};
use super::value::{self, module_name};
use super::{
    Aux, Dialect, Expired, LoadError, LoadOptions, Loaded, Progress, Reader, Rules, Verified,
};
use crate::base::num;
use crate::persist::rdb::error::Reason;
use crate::persist::rdb::format::opcode;
use crate::persist::rdb::read::Text;
use crate::store::Keyspace;
use crate::value::{Collection, Entry, Hash, Heap, NewValue};
use bytes::Bytes;
use std::io::Read;

/// Bytes of the shortest key with its value.
const KEY_BYTES_MIN: u64 = 3;
/// How many names of keys without elements are kept.
const EMPTY_KEYS_MAX: usize = 10;
/// An expiry that is none.
const NO_EXPIRY: i64 = -1;

/// What was said about the key that follows.
#[derive(Clone, Copy, Debug, Default)]
struct Attributes {
    expiry_ms: Option<i64>,
    idle_s: Option<u64>,
    frequency: Option<u8>,
}

/// A snapshot that is being loaded.
pub(super) struct File<'a, 'p, R> {
    reader: &'a mut Reader<'p, R>,
    keyspace: &'a mut Keyspace,
    options: &'a LoadOptions<'a>,
    progress: &'a Progress,
    rules: Rules,
    pending: Pending,
    attributes: Attributes,
    /// The key whose value is being read.
    key: Vec<u8>,
    is_in_value: bool,
    reading: &'static str,
    keys_until_sleep: i32,
    loaded: Loaded,
}

impl<'a, 'p, R: Read> File<'a, 'p, R> {
    pub(super) fn new(
        reader: &'a mut Reader<'p, R>,
        keyspace: &'a mut Keyspace,
        options: &'a LoadOptions<'a>,
        progress: &'a Progress,
    ) -> Self {
        let (encodings, sanitize) = (options.encodings, options.sanitize);
        Self {
            reader,
            keyspace,
            options,
            progress,
            rules: Rules { encodings, sanitize, dialect: Dialect::Redis },
            pending: Pending::new(options.duplicates),
            attributes: Attributes::default(),
            key: Vec::new(),
            is_in_value: false,
            reading: "the header",
            keys_until_sleep: 0,
            loaded: Loaded {
                version: 0,
                keys: 0,
                expired: 0,
                expired_fields: 0,
                empty: 0,
                empty_keys: Vec::new(),
                aux: Aux::default(),
                libraries: Vec::new(),
                verified: Verified::No,
                bytes_read: 0,
            },
        }
    }

    pub(super) fn load(mut self) -> Result<Loaded, LoadError> {
        let from = self.reader.offset();
        match self.read_all() {
            Ok(()) => {
                self.loaded.keys = self.pending.added();
                self.loaded.bytes_read = self.reader.offset() - from;
                Ok(self.loaded)
            }
            Err(reason) => Err(LoadError {
                offset: self.reader.offset(),
                reading: self.reading,
                key: self.is_in_value.then_some(self.key),
                reason,
            }),
        }
    }

    fn read_all(&mut self) -> Result<(), Reason> {
        let header = header(self.reader)?;
        (self.loaded.version, self.rules.dialect) = (header.version, header.dialect);
        loop {
            self.reading = "the type of an item";
            match self.reader.byte()? {
                opcode::EOF => break,
                code if code >= opcode::SLOT_IMPORT => self.item(code)?,
                code => self.key_and_value(code)?,
            }
        }
        let flushed = self.pending.flush(self.keyspace, self.progress);
        self.noted(flushed)?;
        self.reading = "the end";
        self.loaded.verified = verify(self.reader, &header)?;
        Ok(())
    }

    /// What is no key.
    fn item(&mut self, code: u8) -> Result<(), Reason> {
        match code {
            opcode::EXPIRE_TIME => {
                let at_s = i32::from_le_bytes(self.reader.array()?);
                let is_set = i64::from(at_s) != NO_EXPIRY;
                self.attributes.expiry_ms = is_set.then(|| i64::from(at_s) * 1000);
            }
            opcode::EXPIRE_TIME_MS => {
                let at_ms = self.reader.i64()?;
                self.attributes.expiry_ms = (at_ms != NO_EXPIRY).then_some(at_ms);
            }
            opcode::FREQ => self.attributes.frequency = Some(self.reader.byte()?),
            opcode::IDLE => self.attributes.idle_s = Some(self.reader.number()?),
            opcode::SELECT_DB => self.select()?,
            opcode::RESIZE_DB => self.resize()?,
            opcode::AUX => self.aux()?,
            opcode::FUNCTION => {
                self.reading = "a library of functions";
                let source = self.reader.text()?.to_vec();
                self.loaded.libraries.push(Bytes::from(source));
            }
            opcode::FUNCTION_PRE_GA => {
                let text = "Pre-release function format not supported.";
                return Err(Reason::Unsupported(text.into()));
            }
            opcode::MODULE_AUX => {
                self.reading = "data of a module";
                let text = format!(
                    "The RDB file contains AUX module data I can't load: no matching module '{}'",
                    module_name(self.reader.number()?)
                );
                return Err(Reason::Unsupported(text.into()));
            }
            opcode::SLOT_INFO => {
                // A slot, its keys, those that expire: hints on the sizes of tables.
                for _ in 0..3 {
                    self.reader.number()?;
                }
            }
            _ => {
                let text = "The RDB file contains a slot import that is not finished";
                return Err(Reason::Unsupported(text.into()));
            }
        }
        Ok(())
    }

    fn select(&mut self) -> Result<(), Reason> {
        self.reading = "the number of a database";
        let (found, databases) = (self.reader.number()?, self.keyspace.len());
        let db = usize::try_from(found).ok().filter(|&db| db < databases);
        let db = db.ok_or(Reason::UnknownDatabase { found, databases })?;
        let selected = self.pending.select(db, self.keyspace, self.progress);
        self.noted(selected)
    }

    /// Makes a table as large as its keys will need, if the input can hold so many.
    fn resize(&mut self) -> Result<(), Reason> {
        self.reading = "the sizes of a database";
        let (keys, _volatile) = (self.reader.number()?, self.reader.number()?);
        if let Some(bytes) = self.options.input_bytes {
            let left = bytes.saturating_sub(self.reader.offset());
            let keys = usize::try_from(keys.min(left / KEY_BYTES_MIN)).unwrap_or(0);
            self.keyspace.reserve(self.pending.db(), keys);
        }
        Ok(())
    }

    fn aux(&mut self) -> Result<(), Reason> {
        self.reading = "a text about the file";
        let name = self.reader.text()?.to_vec();
        let text = self.reader.text()?.to_vec();
        let number = || num::parse_i64(&text);
        let size = || num::parse_u64(&text);
        let aux = &mut self.loaded.aux;
        match name.as_slice() {
            b"redis-ver" | b"valkey-ver" => aux.server_version = Some(text),
            b"redis-bits" => aux.bits = size(),
            b"ctime" => aux.created_s = number(),
            b"used-mem" => aux.used_memory_bytes = size(),
            b"repl-stream-db" => aux.repl_stream_db = number(),
            b"repl-id" => aux.repl_id = text.try_into().ok(),
            b"repl-offset" => aux.repl_offset = number(),
            b"aof-base" | b"aof-preamble" => aux.is_aof_base = number().is_some_and(|n| n != 0),
            // Names that begin with a percent sign are for people, others are for other versions.
            _ => {}
        }
        Ok(())
    }

    #[inline]
    fn key_and_value(&mut self, code: u8) -> Result<(), Reason> {
        self.reading = "a key";
        self.key.clear();
        match self.reader.text()? {
            Text::Lent(bytes) => self.key.extend_from_slice(bytes),
            text @ (Text::Integer(_) | Text::Owned(_)) => self.key = text.to_vec(),
        }
        (self.reading, self.is_in_value) = (value::name_of(code), true);
        let attributes = std::mem::take(&mut self.attributes);
        let value = value::read(self.reader, code, &self.rules)?;
        let now_ms = self.keyspace.now_ms();
        let mut is_expired = attributes.expiry_ms.is_some_and(|at_ms| at_ms < now_ms);
        // Others may have the same data, and have to be told what is left out.
        let is_of_a_stream = self.loaded.aux.repl_id.is_some();
        let drops_expired = self.options.expired == Expired::Drop;
        match value {
            None => self.note_empty(),
            Some(mut value) => {
                if drops_expired && let NewValue::Payload(Heap::Hash(hash)) = &mut value {
                    let names = expire(hash, now_ms);
                    self.loaded.expired_fields += num::u64_of(names.len());
                    is_expired |= hash.is_empty();
                    if !is_expired && is_of_a_stream {
                        self.keyspace.removals.expired_fields(self.pending.db(), &self.key, names);
                    }
                }
                if is_expired && drops_expired {
                    self.loaded.expired += 1;
                    if is_of_a_stream {
                        self.keyspace.removals.expired(self.pending.db(), &self.key);
                    }
                } else {
                    let access =
                        self.keyspace.policy().restored(attributes.idle_s, attributes.frequency);
                    let entry = Entry::new(&self.key, value, access, attributes.expiry_ms);
                    let hash = self.keyspace.key(&self.key).hash;
                    let pushed = self.pending.push(hash, entry, self.keyspace, self.progress);
                    self.noted(pushed)?;
                }
            }
        }
        self.is_in_value = false;
        if self.options.key_delay_us != 0 {
            self.delay();
        }
        Ok(())
    }

    #[cold]
    fn note_empty(&mut self) {
        self.loaded.empty += 1;
        if self.loaded.empty_keys.len() < EMPTY_KEYS_MAX {
            self.loaded.empty_keys.push(self.key.clone());
        }
    }

    /// Remembers which key was there twice: it may be one of those before.
    fn noted(&mut self, result: Result<(), Duplicate>) -> Result<(), Reason> {
        result.map_err(|Duplicate { key, reason }| {
            (self.key, self.is_in_value) = (key, true);
            reason
        })
    }

    #[cold]
    fn delay(&mut self) {
        match u64::try_from(self.options.key_delay_us) {
            Ok(micros) => (self.options.sleep)(micros),
            Err(_) => {
                self.keys_until_sleep -= 1;
                if self.keys_until_sleep <= 0 {
                    (self.options.sleep)(1);
                    self.keys_until_sleep = self.options.key_delay_us.saturating_neg();
                }
            }
        }
    }
}

/// Removes the fields that have expired; gives their names.
fn expire(hash: &mut Hash, now_ms: i64) -> Vec<Box<[u8]>> {
    let mut names = Vec::new();
    if hash.as_ref().next_expiry().is_some_and(|at_ms| at_ms <= now_ms) {
        hash.expire(now_ms, usize::MAX, |name| names.push(name.into()));
    }
    names
}
