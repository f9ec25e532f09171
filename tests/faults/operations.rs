//! What clients write: random operations on every type of value, each with what it changes.
//!
//! Every client has keys of its own (`c3:…`), in the database of its number, so that its operations
//! alone determine what they hold. Values are numbered by operation; a number is never used twice,
//! so whatever is read back tells which operation wrote it.

use crate::model::{Change, Model};
use crate::rng::Rng;
use crate::wire::Words;

/// String keys of each client.
const STRINGS: usize = 16;
/// Fields of the hash, members of the sorted set.
const FIELDS: usize = 24;
/// Elements from which a list or set is rather shortened.
const ELEMENTS: usize = 60;
/// Databases that the clients spread over.
const DATABASES: usize = 4;
/// Values that take several writes, one in so many unless told otherwise.
const LARGE_ONE_IN: usize = 400;
const LARGE_BYTES: usize = 150_000;
const SMALL_BYTES: usize = 80;
/// Not one repeated: compression must not make a large value small.
const LETTERS: [char; 8] = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
/// Strings are not appended to beyond this length.
const APPEND_BYTES: usize = 600;
/// A time of expiry that no test lives to see: the year 2100.
const EXPIRY_MS: u64 = 4_102_444_800_000;

/// One operation: what is sent, and what it changes once all of it is executed.
pub(crate) struct Operation {
    pub(crate) commands: Vec<Words>,
    pub(crate) changes: Vec<Change>,
}

/// Whether transactions are among the operations.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Transactions {
    Included,
    /// The server does not know MULTI.
    Absent,
}

/// The source of one client's operations.
#[derive(Clone)]
pub(crate) struct Writer {
    client: usize,
    /// The state when all that was drawn is executed.
    pub(crate) state: Model,
    next: u64,
    /// One value in so many is large.
    pub(crate) large_one_in: usize,
    transactions: Transactions,
}

/// The database of a client.
pub(crate) fn database(client: usize) -> usize {
    client % DATABASES
}

impl Writer {
    pub(crate) fn new(client: usize, transactions: Transactions) -> Writer {
        let (state, large_one_in) = (Model::default(), LARGE_ONE_IN);
        Writer { client, state, next: 1, large_one_in, transactions }
    }

    /// The next operation.
    pub(crate) fn draw(&mut self, rng: &mut Rng) -> Operation {
        let transaction = self.transactions == Transactions::Included && rng.chance(6);
        let mut operation = Operation { commands: Vec::new(), changes: Vec::new() };
        if !transaction {
            self.draw_one(rng, &mut operation);
            return operation;
        }
        operation.commands.push(vec![b"MULTI".to_vec()]);
        for _ in 0..rng.between(2, 5) {
            self.draw_one(rng, &mut operation);
        }
        operation.commands.push(vec![b"EXEC".to_vec()]);
        operation
    }

    fn draw_one(&mut self, rng: &mut Rng, out: &mut Operation) {
        let number = self.next;
        self.next += 1;
        let from = out.changes.len();
        let words = match rng.below(24) {
            0..=4 => self.set(rng, number, &mut out.changes),
            5 => self.set_many(rng, number, &mut out.changes),
            6 => self.append(rng, number, &mut out.changes),
            7 => self.rename(rng, &mut out.changes),
            8 => self.expire(rng, number, &mut out.changes),
            9 | 10 => self.count(rng, &mut out.changes),
            11..=13 => self.list(number, rng, &mut out.changes),
            14..=16 => self.hash(rng, number, &mut out.changes),
            17..=19 => self.sorted_set(rng, number, &mut out.changes),
            20..=22 => self.set_of_members(rng, number, &mut out.changes),
            _ => self.delete(rng, &mut out.changes),
        };
        self.state.apply(&out.changes[from..]);
        out.commands.push(words.into_iter().map(String::into_bytes).collect());
    }

    fn key(&self, name: &str) -> String {
        format!("c{}:{name}", self.client)
    }

    fn value(&self, rng: &mut Rng, number: u64) -> String {
        let length = match rng.below(self.large_one_in) {
            0 => rng.below(LARGE_BYTES),
            _ => rng.below(SMALL_BYTES),
        };
        let filler: String = (0..length).map(|_| *rng.pick(&LETTERS)).collect();
        format!("{number}:{filler}")
    }

    fn set(&self, rng: &mut Rng, number: u64, changes: &mut Vec<Change>) -> Vec<String> {
        let name = format!("s{}", rng.below(STRINGS));
        let value = self.value(rng, number);
        put(changes, &name, &value);
        let mut words = vec!["SET".to_owned(), self.key(&name), value];
        if rng.chance(20) {
            let at = (EXPIRY_MS + number).to_string();
            put(changes, &format!("{name}/expiry"), &at);
            words.extend(["PXAT".to_owned(), at]);
        } else {
            changes.push(Change::Remove(format!("{name}/expiry")));
        }
        words
    }

    fn set_many(&self, rng: &mut Rng, number: u64, changes: &mut Vec<Change>) -> Vec<String> {
        let mut words = vec!["MSET".to_owned()];
        let first = rng.below(STRINGS);
        for step in 0..rng.between(2, 4) {
            let name = format!("s{}", (first + step) % STRINGS);
            let value = self.value(rng, number);
            put(changes, &name, &value);
            changes.push(Change::Remove(format!("{name}/expiry")));
            words.extend([self.key(&name), value]);
        }
        words
    }

    fn append(&self, rng: &mut Rng, number: u64, changes: &mut Vec<Change>) -> Vec<String> {
        let name = format!("s{}", rng.below(STRINGS));
        let old = self.state.get(&name).cloned().unwrap_or_default();
        if old.len() > APPEND_BYTES {
            return self.set(rng, number, changes);
        }
        let more = format!("+{number}");
        changes.push(Change::Put(name.clone(), [&old, more.as_bytes()].concat()));
        vec!["APPEND".to_owned(), self.key(&name), more]
    }

    fn rename(&self, rng: &mut Rng, changes: &mut Vec<Change>) -> Vec<String> {
        let from = rng.below(STRINGS);
        let name = format!("s{from}");
        let target = format!("s{}", (from + 1 + rng.below(STRINGS - 1)) % STRINGS);
        let Some(value) = self.state.get(&name) else { return self.count(rng, changes) };
        changes.push(Change::Put(target.clone(), value.clone()));
        changes.push(Change::Remove(name.clone()));
        match self.state.get(&format!("{name}/expiry")) {
            Some(at) => changes.push(Change::Put(format!("{target}/expiry"), at.clone())),
            None => changes.push(Change::Remove(format!("{target}/expiry"))),
        }
        changes.push(Change::Remove(format!("{name}/expiry")));
        vec!["RENAME".to_owned(), self.key(&name), self.key(&target)]
    }

    fn expire(&self, rng: &mut Rng, number: u64, changes: &mut Vec<Change>) -> Vec<String> {
        let name = format!("s{}", rng.below(STRINGS));
        let expiry = format!("{name}/expiry");
        if rng.chance(50) {
            changes.push(Change::Remove(expiry));
            return vec!["PERSIST".to_owned(), self.key(&name)];
        }
        let at = (EXPIRY_MS + number).to_string();
        if self.state.get(&name).is_some() {
            put(changes, &expiry, &at);
        }
        vec!["PEXPIREAT".to_owned(), self.key(&name), at]
    }

    fn count(&self, rng: &mut Rng, changes: &mut Vec<Change>) -> Vec<String> {
        let old = self.state.get("n").map_or(0, |text| {
            String::from_utf8_lossy(text).parse::<i64>().expect("a counter holds a number")
        });
        if rng.chance(50) {
            put(changes, "n", &(old + 1).to_string());
            return vec!["INCR".to_owned(), self.key("n")];
        }
        let step = i64::try_from(rng.between(2, 1000)).expect("a small number");
        put(changes, "n", &(old + step).to_string());
        vec!["INCRBY".to_owned(), self.key("n"), step.to_string()]
    }

    fn list(&self, number: u64, rng: &mut Rng, changes: &mut Vec<Change>) -> Vec<String> {
        let held: Vec<&str> = self.state.starting_with("l/").collect();
        if held.len() > rng.below(2 * ELEMENTS) {
            changes.push(Change::Remove(held[0].to_owned()));
            return vec!["LPOP".to_owned(), self.key("l")];
        }
        let mut words = vec!["RPUSH".to_owned(), self.key("l")];
        for part in 0..rng.between(1, 3) {
            // Padded, so that the order of names is the order of numbers.
            let element = format!("{number:012}.{part}");
            put(changes, &format!("l/{element}"), "");
            words.push(element);
        }
        words
    }

    fn hash(&self, rng: &mut Rng, number: u64, changes: &mut Vec<Change>) -> Vec<String> {
        let field = format!("f{}", rng.below(FIELDS));
        if rng.chance(20) {
            changes.push(Change::Remove(format!("h/{field}")));
            return vec!["HDEL".to_owned(), self.key("h"), field];
        }
        let mut words = vec!["HSET".to_owned(), self.key("h")];
        for field in [field, format!("g{}", rng.below(FIELDS))] {
            put(changes, &format!("h/{field}"), &number.to_string());
            words.extend([field, number.to_string()]);
        }
        words
    }

    fn sorted_set(&self, rng: &mut Rng, number: u64, changes: &mut Vec<Change>) -> Vec<String> {
        let member = format!("m{}", rng.below(FIELDS));
        if rng.chance(20) {
            changes.push(Change::Remove(format!("z/{member}")));
            return vec!["ZREM".to_owned(), self.key("z"), member];
        }
        put(changes, &format!("z/{member}"), &number.to_string());
        vec!["ZADD".to_owned(), self.key("z"), number.to_string(), member]
    }

    fn set_of_members(&self, rng: &mut Rng, number: u64, changes: &mut Vec<Change>) -> Vec<String> {
        let held: Vec<&str> = self.state.starting_with("e/").collect();
        if held.len() > rng.below(2 * ELEMENTS) {
            let fact = *rng.pick(&held);
            changes.push(Change::Remove(fact.to_owned()));
            return vec!["SREM".to_owned(), self.key("e"), fact["e/".len()..].to_owned()];
        }
        put(changes, &format!("e/{number}"), "");
        vec!["SADD".to_owned(), self.key("e"), number.to_string()]
    }

    fn delete(&self, rng: &mut Rng, changes: &mut Vec<Change>) -> Vec<String> {
        // A whole collection now and then, mostly a string.
        let name = match rng.below(20) {
            0 => "l".to_owned(),
            1 => "h".to_owned(),
            2 => "z".to_owned(),
            3 => "e".to_owned(),
            _ => format!("s{}", rng.below(STRINGS)),
        };
        let members = format!("{name}/");
        changes.extend(self.state.starting_with(&members).map(|fact| Change::Remove(fact.into())));
        changes.push(Change::Remove(name.clone()));
        let command = if rng.chance(50) { "DEL" } else { "UNLINK" };
        vec![command.to_owned(), self.key(&name)]
    }
}

fn put(changes: &mut Vec<Change>, fact: &str, value: &str) {
    changes.push(Change::Put(fact.to_owned(), value.as_bytes().to_vec()));
}
