//! Hashes: names with values, and fields that may expire on their own.
//!
//! Small ones are listpacks, in Redis's bytes; others are tables. A field that has expired is there
//! until somebody removes it: readers pass the time in and do not see it.
#![expect(
    unsafe_code,
    reason = "thin_payload! expands to the packing of Hash; none is written here"
)]

mod deadlines;
mod load;
mod pack;
mod table;

pub use crate::ds::dict::field::NewValue;
pub use load::FIELD_EXPIRY_MAX;
pub use table::{FieldTtl, Removed, Stored, Table};

use super::{Collection, Entry, Heap, HeapRef, ValueRef};
use crate::base::hash::HashKey;
use crate::base::num;
use crate::base::rng::Rng;
use crate::ds::dict;
use crate::ds::dict::Field;
use crate::ds::dict::field::{FieldRef, SHARED_LEN_MIN};
use crate::ds::entry::thin_payload;
use crate::ds::listpack::{self, Digits, Element, Listpack};
use crate::resp::Output;
use bytes::Bytes;
use pack::{Form, Packed};

thin_payload! {
    /// A hash in one of its encodings.
    Hash, HashRef {
        /// Few and short fields, none of which ever expired.
        Pack(Listpack) = 8,
        /// Few and short fields, some of which may expire.
        ExpiringPack(Listpack) = 9,
        /// Any.
        Table(Box<Table>) = 10,
    }
}

const _: () = assert!(SHARED_LEN_MIN == crate::resp::SHARED_LEN_MIN);

/// What decides how a field is stored.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Most fields of a listpack.
    pub entries_max: usize,
    /// Longest name or value in a listpack, bytes.
    pub value_bytes_max: usize,
    /// The secret under which a table hashes names.
    pub hash_key: HashKey,
    /// The time, Unix milliseconds: a field that has expired counts as new.
    pub now_ms: i64,
}

/// A value as it is kept.
#[derive(Clone, Copy, Debug)]
pub enum Scalar<'a> {
    /// An integer, to be printed.
    Integer(i64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Many bytes, which replies may share.
    Shared(&'a Bytes),
}

/// One field.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// Its name.
    pub name: Scalar<'a>,
    /// Its value.
    pub value: Scalar<'a>,
    /// When it expires, Unix milliseconds.
    pub expiry: Option<i64>,
}

impl<'a> Scalar<'a> {
    /// Writes it as a bulk string.
    #[inline]
    pub fn reply(self, out: &mut Output) {
        match self {
            Self::Integer(n) => out.bulk_integer(n),
            Self::Bytes(bytes) => out.bulk(bytes),
            Self::Shared(bytes) => out.bulk_shared(bytes),
        }
    }

    /// Its text; that of an integer is written into `digits`.
    #[inline]
    pub fn text<'b>(&self, digits: &'b mut Digits) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Self::Integer(n) => Element::Integer(*n).text(digits),
            Self::Bytes(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }

    /// Its length in bytes.
    pub fn len(self) -> usize {
        match self {
            Self::Integer(n) => num::digits_signed(n),
            Self::Bytes(bytes) => bytes.len(),
            Self::Shared(bytes) => bytes.len(),
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Where its bytes are: another place for each field of a table. `None` of an integer.
    pub fn address(self) -> Option<*const u8> {
        match self {
            Self::Integer(_) => None,
            Self::Bytes(bytes) => Some(bytes.as_ptr()),
            Self::Shared(bytes) => Some(bytes.as_ptr()),
        }
    }
}

impl<'a> From<Element<'a>> for Scalar<'a> {
    #[inline]
    fn from(element: Element<'a>) -> Self {
        match element {
            Element::Integer(n) => Self::Integer(n),
            Element::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

impl<'a> From<Packed<'a>> for Named<'a> {
    #[inline]
    fn from(field: Packed<'a>) -> Self {
        Self { name: field.name.into(), value: field.value.into(), expiry: field.expiry }
    }
}

impl<'a> From<FieldRef<'a>> for Named<'a> {
    #[inline]
    fn from(field: FieldRef<'a>) -> Self {
        Self { name: Scalar::Bytes(field.name), value: field.into(), expiry: field.expiry }
    }
}

impl Named<'_> {
    /// Whether its time has not come.
    #[inline]
    pub fn is_live(&self, now_ms: i64) -> bool {
        self.expiry.is_none_or(|at_ms| at_ms > now_ms)
    }
}

impl<'a> HashRef<'a> {
    /// The hash in an entry; `None` if the entry holds another type.
    #[inline]
    pub fn of(entry: &'a Entry) -> Option<Self> {
        if let ValueRef::Payload(HeapRef::Hash(hash)) = entry.value() { Some(hash) } else { None }
    }

    /// Fields, those included that have expired and were not removed yet.
    pub fn len(self) -> usize {
        match self {
            Self::Pack(pack) => pack.len() / Form::Plain.elements(),
            Self::ExpiringPack(pack) => pack.len() / Form::Expiring.elements(),
            Self::Table(table) => table.len(),
        }
    }

    /// Whether there are none, which is so only while a hash is made.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Fields that have not expired. O(fields) in a listpack with expiries; in a table O(1 + those that
    /// have expired since it was last asked for).
    pub fn live_len(self, now_ms: i64) -> usize {
        match self {
            Self::Pack(_) => self.len(),
            Self::ExpiringPack(_) => self.iter().filter(|field| field.is_live(now_ms)).count(),
            Self::Table(table) => table.live_len(now_ms),
        }
    }

    /// When the next field expires, Unix milliseconds. O(1).
    #[inline]
    pub fn next_expiry(self) -> Option<i64> {
        match self {
            Self::Pack(_) => None,
            Self::ExpiringPack(pack) => pack::next_expiry(pack),
            Self::Table(table) => table.next_expiry(),
        }
    }

    /// The field of this name, unless it has expired. O(1), in a listpack O(fields).
    #[inline]
    pub fn find(self, name: &[u8], now_ms: i64) -> Option<Named<'a>> {
        let packed = |pack, form| {
            pack::find(pack, form, name).map(|at| Named::from(pack::field_at(pack, form, at)))
        };
        let field = match self {
            Self::Pack(pack) => packed(pack, Form::Plain),
            Self::ExpiringPack(pack) => packed(pack, Form::Expiring),
            Self::Table(table) => table.find(name).map(Named::from),
        };
        field.filter(|field| field.is_live(now_ms))
    }

    /// All fields, those included that have expired and were not removed yet.
    pub fn iter(self) -> impl Iterator<Item = Named<'a>> {
        let (packed, table) = match self {
            Self::Pack(pack) => (Some(pack::fields(pack, Form::Plain)), None),
            Self::ExpiringPack(pack) => (Some(pack::fields(pack, Form::Expiring)), None),
            Self::Table(table) => (None, Some(table.iter())),
        };
        let packed = packed.into_iter().flatten().map(Named::from);
        packed.chain(table.into_iter().flatten().map(|field| Named::from(field.parts())))
    }

    /// A random field that has not expired. O(1) expected, in a listpack O(fields).
    pub fn random(self, rng: &mut Rng, now_ms: i64) -> Option<Named<'a>> {
        let (pack, form) = match self {
            Self::Pack(pack) => (pack, Form::Plain),
            Self::ExpiringPack(pack) => (pack, Form::Expiring),
            Self::Table(table) => return table.random(rng, now_ms).map(Named::from),
        };
        let (len, live) = (self.len(), self.live_len(now_ms));
        if live == 0 {
            return None;
        }
        // Those that have expired stand in front.
        pack::nth(pack, form, len - live + rng.below_usize(live)).map(Named::from)
    }

    /// The encoding's name, as OBJECT ENCODING prints it.
    pub const fn encoding(self) -> &'static str {
        match self {
            Self::Pack(_) => "listpack",
            Self::ExpiringPack(_) => "listpackex",
            Self::Table(_) => "hashtable",
        }
    }

    /// Bytes of memory, those of a table's fields estimated from `samples` of them.
    pub fn memory_bytes(self, samples: usize) -> usize {
        match self {
            Self::Pack(pack) | Self::ExpiringPack(pack) => pack.allocated_bytes(),
            Self::Table(table) => table.memory_bytes(samples),
        }
    }

    /// Steps that freeing it takes, about.
    pub fn free_effort(self) -> usize {
        match self {
            Self::Pack(_) | Self::ExpiringPack(_) => 1,
            Self::Table(table) => table.len(),
        }
    }

    /// An equal hash in the same encoding. O(fields).
    #[must_use]
    pub fn duplicate(self) -> Hash {
        match self {
            Self::Pack(pack) => Hash::Pack(pack.clone()),
            Self::ExpiringPack(pack) => Hash::ExpiringPack(pack.clone()),
            Self::Table(table) => Hash::Table(Box::new(table.duplicate())),
        }
    }
}

impl Hash {
    /// A hash without fields.
    #[must_use]
    pub fn new() -> Self {
        Self::Pack(Listpack::new())
    }

    /// The hash, to be read.
    #[inline]
    pub fn as_ref(&self) -> HashRef<'_> {
        match self {
            Self::Pack(pack) => HashRef::Pack(pack),
            Self::ExpiringPack(pack) => HashRef::ExpiringPack(pack),
            Self::Table(table) => HashRef::Table(table),
        }
    }

    /// Gives a field a value. O(1), in a listpack O(bytes).
    #[inline]
    pub fn set(
        &mut self,
        name: &[u8],
        value: NewValue<'_>,
        ttl: FieldTtl,
        rules: &Rules,
    ) -> Stored {
        if let Self::Table(table) = self {
            return table.set(name, value, ttl, rules.now_ms);
        }
        self.fit([name, value.as_slice()].into_iter(), rules);
        let stored = match self {
            Self::Pack(pack) => pack::set(pack, Form::Plain, name, value, ttl),
            Self::ExpiringPack(pack) => pack::set(pack, Form::Expiring, name, value, ttl),
            Self::Table(table) => return table.set(name, value, ttl, rules.now_ms),
        };
        if self.as_ref().len() > rules.entries_max {
            self.become_table(rules);
        }
        stored
    }

    /// Makes the hash a table if these names and values, to be set in turn, do not go into a
    /// listpack by their number, their lengths or their sum.
    pub fn fit<'a>(&mut self, texts: impl ExactSizeIterator<Item = &'a [u8]>, rules: &Rules) {
        let (Self::Pack(pack) | Self::ExpiringPack(pack)) = self else { return };
        let many = texts.len() / 2 > rules.entries_max;
        let mut bytes = 0;
        let fits = !many
            && texts.into_iter().all(|text| {
                bytes += listpack::encoded_len(text);
                text.len() <= rules.value_bytes_max
            });
        if !fits || !pack.is_safe_to_add(bytes) {
            self.become_table(rules);
        }
    }

    fn become_table(&mut self, rules: &Rules) {
        let mut table = Table::new(rules.hash_key);
        let (mut name, mut value) = (Digits::new(), Digits::new());
        for field in self.as_ref().iter() {
            let value = NewValue::Copied(field.value.text(&mut value));
            table.add(field.name.text(&mut name), value, field.expiry);
        }
        *self = Self::Table(Box::new(table));
    }

    /// Takes a field out; whether there was one that had not expired.
    pub fn remove(&mut self, name: &[u8], now_ms: i64) -> Removed {
        let (pack, form) = match self {
            Self::Pack(pack) => (pack, Form::Plain),
            Self::ExpiringPack(pack) => (pack, Form::Expiring),
            Self::Table(table) => return table.remove(name, now_ms),
        };
        let Some(at) = pack::find(pack, form, name) else { return Removed::No };
        let is_live = Named::from(pack::field_at(pack, form, at)).is_live(now_ms);
        pack::remove(pack, form, at);
        if is_live { Removed::Yes } else { Removed::No }
    }

    /// Makes room for expiries: as in Redis, a listpack has it from the first attempt on.
    pub fn allow_expiries(&mut self) {
        if let Self::Pack(pack) = self {
            *self = Self::ExpiringPack(pack::with_expiries(pack));
        }
    }

    /// Gives a field that there is another expiry, Unix milliseconds, or none.
    pub fn set_expiry(&mut self, name: &[u8], expiry: Option<i64>) {
        if expiry.is_some() {
            self.allow_expiries();
        }
        match self {
            Self::Pack(_) => {}
            Self::ExpiringPack(pack) => {
                if let Some(at) = pack::find(pack, Form::Expiring, name) {
                    pack::set_expiry(pack, at, expiry);
                }
            }
            Self::Table(table) => _ = table.set_expiry(name, expiry),
        }
    }

    /// Removes fields that have expired, of a table up to `max`, and gives the name of each to `gone`;
    /// returns how many.
    pub fn expire(&mut self, now_ms: i64, max: usize, gone: impl FnMut(&[u8])) -> usize {
        match self {
            Self::Pack(_) => 0,
            Self::ExpiringPack(pack) => pack::expire(pack, now_ms, gone),
            Self::Table(table) => table.expire(now_ms, max, gone),
        }
    }

    /// Checks what the modules promise.
    #[cfg(any(test, fuzzing))]
    pub fn check_invariants(&self) {
        match self {
            Self::Pack(pack) => {
                pack.check_invariants();
                assert_eq!(pack.len() % Form::Plain.elements(), 0);
            }
            Self::ExpiringPack(pack) => {
                pack.check_invariants();
                pack::check_sorted(pack);
            }
            Self::Table(table) => table.check_invariants(),
        }
    }
}

impl Default for Hash {
    fn default() -> Self {
        Self::new()
    }
}

impl Collection for Hash {
    fn of_mut(value: &mut Heap) -> Option<&mut Self> {
        if let Heap::Hash(hash) = value { Some(hash) } else { None }
    }

    fn into_heap(self) -> Heap {
        Heap::Hash(self)
    }

    fn is_empty(&self) -> bool {
        self.as_ref().is_empty()
    }
}

/// Walks through a table in steps, see [`dict::Dict::scan`].
pub fn scan_table<'a>(table: &'a Table, cursor: u64, mut f: impl FnMut(Named<'a>)) -> u64 {
    table.scan(cursor, |field: dict::Ref<'a, Field>| f(field.parts().into()))
}

#[cfg(test)]
mod tests;
