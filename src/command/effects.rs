//! What commands changed, as commands that repeat the change elsewhere: in the append-only file, on
//! replicas.
//!
//! While nobody listens this costs one branch for each command. While somebody does, [`run`] records a
//! command that changed something (`Keyspace::dirty` says so) with its arguments as they came, unless
//! its handler said what stands for it: [`Context::effects_as`] and its kin. Keys that expired are
//! recorded as DEL, fields as HDEL, in front of the command that found them.
//!
//! All that one command of a client changed is a unit; a unit of several commands is wrapped in MULTI and
//! EXEC, so that whoever repeats it does all of it or nothing. Units nest: the commands that a command
//! executes (EXEC, scripts) belong to its own unit, as long as they are executed within its handler.
//!
//! Invariant: outside of a unit the bytes are whole commands, every MULTI with its EXEC, and each command
//! is for the database that the last SELECT before it names.

use super::context::Context;
use super::server::Server;
use super::{Handler, Outcome};
use crate::base::num;
use crate::config::Config;
use crate::resp::Args;
use crate::store::{Keyspace, What, Why};
use std::borrow::Cow;
use std::ops::Range;

const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

/// Room that is kept from turn to turn, bytes.
const KEPT_BYTES_MAX: usize = 1 << 20;

const DEL: &[u8] = b"DEL";
const UNLINK: &[u8] = b"UNLINK";

/// Who wants to know what commands change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// The append-only file.
    AppendOnlyFile,
    /// Replicas, or what is kept for them.
    Replicas,
}

impl Listener {
    const fn bit(self) -> u8 {
        match self {
            Self::AppendOnlyFile => 1,
            Self::Replicas => 2,
        }
    }
}

/// How the commands of a unit are held together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Binding {
    /// Several commands are wrapped in MULTI and EXEC.
    #[default]
    Whole,
    /// Each stands for itself.
    Loose,
}

/// What stands for the command that is being executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    /// The command itself, if it changed something.
    #[default]
    IfChanged,
    /// The command itself.
    Always,
    /// What its handler has recorded, or nothing.
    Said,
}

/// The unit that is being recorded.
#[derive(Debug, Default)]
struct Unit {
    /// Units within units.
    depth: usize,
    /// Where it starts in the bytes.
    start: usize,
    /// Its commands, SELECT not counted.
    commands: usize,
    binding: Binding,
}

/// From where on something is recorded for one listener alone: a turn, a place in its bytes, and the database
/// of the last SELECT before it.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    turn: u64,
    at: usize,
    db: usize,
}

/// That somebody listens who is told nothing for a while.
#[derive(Debug)]
#[must_use = "it is told again when this is given back"]
pub struct Muted;

/// What commands changed and nobody has taken yet.
#[derive(Debug, Default)]
pub struct Effects {
    is_wanted: bool,
    listeners: u8,
    bytes: Vec<u8>,
    /// What of them is for replicas alone, in order.
    not_logged: Vec<Range<usize>>,
    /// What of them is for the append-only file alone, in order.
    not_streamed: Vec<Range<usize>>,
    /// How often they were taken.
    turns: u64,
    /// The database that the last SELECT names.
    db: Option<usize>,
    unit: Unit,
    form: Form,
    /// Words of the last command that are still to come.
    words_missing: usize,
}

impl Effects {
    /// Whether somebody listens. While nobody does nothing may be recorded.
    #[inline]
    pub const fn wanted(&self) -> bool {
        self.is_wanted
    }

    /// What was recorded: whole commands, as RESP.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether replicas are among those who listen.
    #[inline]
    pub const fn feeds_replicas(&self) -> bool {
        self.listeners & Listener::Replicas.bit() != 0
    }

    /// What was recorded, without what is for replicas alone.
    pub fn bytes_for_log(&self) -> Cow<'_, [u8]> {
        without(&self.bytes, &self.not_logged)
    }

    /// What was recorded, without what is for the append-only file alone.
    pub fn bytes_for_replicas(&self) -> Cow<'_, [u8]> {
        without(&self.bytes, &self.not_streamed)
    }

    /// Whether replicas are to be told everything.
    #[inline]
    pub const fn is_for_all(&self) -> bool {
        self.not_streamed.is_empty()
    }

    /// How long [`Effects::bytes_for_log`] is.
    pub fn log_len(&self) -> usize {
        self.bytes.len() - self.not_logged.iter().map(Range::len).sum::<usize>()
    }

    /// How long [`Effects::bytes_for_replicas`] is.
    pub fn stream_len(&self) -> usize {
        self.bytes.len() - self.not_streamed.iter().map(Range::len).sum::<usize>()
    }

    /// Whether a unit is being recorded that has a command already.
    pub const fn is_within_unit(&self) -> bool {
        self.unit.depth > 0 && self.unit.commands > 0
    }

    /// What was recorded for the append-only file before the unit that is being recorded.
    pub fn whole_units_for_log(&self) -> Cow<'_, [u8]> {
        let len = if self.unit.depth == 0 { self.bytes.len() } else { self.unit.start };
        let whole = self.not_logged.partition_point(|left_out| left_out.end <= len);
        without(&self.bytes[..len], &self.not_logged[..whole])
    }

    /// Bytes of memory that what was recorded takes.
    pub const fn allocated_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Takes what was recorded for a moment.
    pub fn lend(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Ends [`Effects::lend`]. Nothing was recorded meanwhile.
    pub fn give_back(&mut self, bytes: Vec<u8>) {
        debug_assert!(self.bytes.is_empty(), "nothing is executed meanwhile");
        self.bytes = bytes;
    }

    /// Takes what was recorded, if it is not to be copied.
    pub fn take(&mut self) -> Vec<u8> {
        debug_assert_eq!(self.unit.depth, 0, "a unit is taken as a whole");
        std::mem::take(&mut self.bytes)
    }

    /// The number of the turn whose changes are being recorded, from 1.
    #[inline]
    pub const fn turn(&self) -> u64 {
        self.turns + 1
    }

    /// Ends the turn: forgets what was recorded and keeps its allocation, unless that is large. A command
    /// may do so before it records anything: BGREWRITEAOF, behind what others changed in the same turn.
    pub fn clear(&mut self) {
        let is_whole = self.unit.depth == 0 || self.unit.commands == 0;
        debug_assert!(is_whole, "a unit is taken as a whole");
        self.turns += 1;
        self.bytes.clear();
        self.not_logged.clear();
        self.not_streamed.clear();
        self.unit.start = 0;
        self.bytes.shrink_to(KEPT_BYTES_MAX);
    }

    /// Records nothing until [`Effects::unmute`], which is given what this gives.
    pub fn mute(&mut self) -> Option<Muted> {
        std::mem::take(&mut self.is_wanted).then_some(Muted)
    }

    /// See [`Effects::mute`].
    pub fn unmute(&mut self, muted: Option<Muted>) {
        self.is_wanted |= muted.is_some();
    }

    /// The database that the last SELECT names.
    pub const fn selected_db(&self) -> Option<usize> {
        self.db
    }

    /// Makes the next command begin with SELECT: somebody new listens from here on.
    pub fn forget_db(&mut self) {
        self.db = None;
    }

    /// Begins a unit.
    #[inline]
    fn begin(&mut self) {
        if self.unit.depth == 0 {
            let start = self.bytes.len();
            self.unit = Unit { start, ..Unit::default() };
        }
        self.unit.depth += 1;
    }

    /// Ends a unit.
    #[inline]
    fn end(&mut self) {
        self.check_complete();
        self.unit.depth -= 1;
        let Unit { depth, commands, binding, .. } = self.unit;
        if depth == 0 && commands > 1 && binding == Binding::Whole {
            self.wrap();
        }
    }

    /// Forgets what the unit has recorded so far: the server ends in its midst.
    pub fn forget_unit(&mut self) {
        if self.unit.depth > 0 {
            let start = self.unit.start;
            self.bytes.truncate(start);
            self.not_logged.retain(|left_out| left_out.end <= start);
            self.not_streamed.retain(|left_out| left_out.end <= start);
            self.unit.commands = 0;
            self.db = None;
        }
    }

    /// Leaves the commands of the unit, if no other unit is around it, without MULTI and EXEC.
    fn loosen(&mut self) {
        if self.unit.depth == 1 {
            self.unit.binding = Binding::Loose;
        }
    }

    /// Puts MULTI and EXEC around the unit. Rare, and the unit is near the end of the bytes.
    #[cold]
    fn wrap(&mut self) {
        let start = self.unit.start;
        self.bytes.splice(start..start, MULTI.iter().copied());
        let left_out = self.not_logged.iter_mut().chain(&mut self.not_streamed);
        for left_out in left_out.filter(|left_out| left_out.start >= start) {
            *left_out = left_out.start + MULTI.len()..left_out.end + MULTI.len();
        }
        self.bytes.extend_from_slice(EXEC);
    }

    /// Records a command of `len` words for a database; the words are to follow.
    #[inline]
    pub fn command(&mut self, db: usize, len: usize) -> &mut Self {
        debug_assert!(self.is_wanted && self.unit.depth > 0);
        self.select_ahead(db);
        self.unit.commands += 1;
        self.head(len)
    }

    /// Adds a word of the command.
    #[inline]
    pub fn word(&mut self, word: &[u8]) -> &mut Self {
        self.words_missing -= 1;
        let len = num::u64_of(word.len());
        if len < 10 {
            self.bytes.extend_from_slice(&[b'$', b'0' + num::low_u8(len), b'\r', b'\n']);
        } else {
            self.bytes.push(b'$');
            num::write_u64(&mut self.bytes, len);
            self.bytes.extend_from_slice(b"\r\n");
        }
        self.bytes.extend_from_slice(word);
        self.bytes.extend_from_slice(b"\r\n");
        self
    }

    /// Adds a number as a word of the command.
    #[inline]
    pub fn number(&mut self, n: i64) -> &mut Self {
        self.word(itoa::Buffer::new().format(n).as_bytes())
    }

    /// Adds a count as a word of the command.
    #[inline]
    pub fn count(&mut self, n: usize) -> &mut Self {
        self.word(itoa::Buffer::new().format(n).as_bytes())
    }

    /// Adds words of the command.
    #[inline]
    pub fn words<'w>(&mut self, words: impl IntoIterator<Item = &'w [u8]>) -> &mut Self {
        for word in words {
            self.word(word);
        }
        self
    }

    #[inline]
    fn head(&mut self, len: usize) -> &mut Self {
        self.check_complete();
        self.words_missing = len;
        let len = num::u64_of(len);
        if len < 10 {
            self.bytes.extend_from_slice(&[b'*', b'0' + num::low_u8(len), b'\r', b'\n']);
        } else {
            self.bytes.push(b'*');
            num::write_u64(&mut self.bytes, len);
            self.bytes.extend_from_slice(b"\r\n");
        }
        self
    }

    /// Records SELECT if the last one names another database.
    #[inline]
    fn select_ahead(&mut self, db: usize) {
        if self.db != Some(db) {
            self.select(db);
            if self.unit.commands == 0 {
                // It holds for what follows the unit, too.
                self.unit.start = self.bytes.len();
            }
        }
    }

    /// Where something begins that is to be recorded for one listener alone, by a client with this database:
    /// see [`Effects::keep_for`].
    pub fn mark(&mut self, db: usize) -> Mark {
        if self.is_wanted {
            self.select_ahead(db);
        }
        Mark { turn: self.turn(), at: self.bytes.len(), db }
    }

    /// Leaves what was recorded since a mark to one listener.
    pub fn keep_for(&mut self, listener: Listener, mark: Mark) {
        let from = if mark.turn == self.turn() { mark.at } else { 0 };
        if self.bytes.len() == from {
            return;
        }
        let left_out = match listener {
            Listener::AppendOnlyFile => &mut self.not_streamed,
            Listener::Replicas => &mut self.not_logged,
        };
        left_out.retain(|earlier| earlier.end <= from);
        left_out.push(from..self.bytes.len());
        if self.db != Some(mark.db) {
            self.forget_db(); // the other has not heard of it
        }
    }

    #[cold]
    fn select(&mut self, db: usize) {
        self.db = Some(db);
        self.head(2).word(b"SELECT").number(num::i64_of(db));
    }

    /// Records a command as it came: most are copied as they lie in the buffer.
    fn verbatim(&mut self, db: usize, args: Args<'_>) {
        let words = self.command(db, args.len());
        match args.wire() {
            Some(wire) => {
                words.bytes.extend_from_slice(wire);
                words.words_missing = 0;
            }
            None => _ = words.words(args.from(0)),
        }
    }

    /// Records a command of `len` words for replicas alone.
    fn for_replicas<'w>(
        &mut self,
        db: usize,
        len: usize,
        words: impl IntoIterator<Item = &'w [u8]>,
    ) {
        self.select_ahead(db);
        let start = self.bytes.len();
        self.command(db, len).words(words);
        self.not_logged.push(start..self.bytes.len());
    }

    fn check_complete(&self) {
        debug_assert_eq!(self.words_missing, 0, "a command has as many words as it says");
    }
}

/// Bytes without these ranges.
fn without<'b>(bytes: &'b [u8], ranges: &[Range<usize>]) -> Cow<'b, [u8]> {
    if ranges.is_empty() {
        return Cow::Borrowed(bytes);
    }
    let mut left = Vec::new();
    let mut from = 0;
    for range in ranges {
        left.extend_from_slice(&bytes[from..range.start]);
        from = range.end;
    }
    left.extend_from_slice(&bytes[from..]);
    Cow::Owned(left)
}

/// Takes commands for a client's database.
#[derive(Debug)]
pub struct Recorder<'a> {
    effects: &'a mut Effects,
    db: usize,
}

impl Recorder<'_> {
    /// Records a command of `len` words, which are to follow.
    #[inline]
    pub fn add(&mut self, len: usize) -> &mut Effects {
        self.effects.command(self.db, len)
    }
}

/// Executes a command's code and records what it changed.
pub(super) fn run(handler: Handler, ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    ctx.server.record_earlier_removals();
    ctx.server.effects.begin();
    let (turn, recorded) = (ctx.server.effects.turn(), ctx.server.effects.bytes.len());
    let dirty = ctx.server.keyspace.dirty;
    let outer = std::mem::take(&mut ctx.server.effects.form);
    let outcome = handler(ctx);
    ctx.server.record_removals_in_unit();
    let Server { effects, keyspace, .. } = ctx.server;
    let is_recorded = match std::mem::replace(&mut effects.form, outer) {
        Form::IfChanged => keyspace.dirty > dirty, // a snapshot sets it back
        Form::Always => true,
        Form::Said => false,
    };
    if is_recorded && effects.is_wanted {
        effects.verbatim(ctx.session.db, args);
    }
    let recorded = if effects.turn() == turn { recorded } else { 0 };
    if effects.bytes.len() != recorded {
        ctx.session.changed_in_turn = effects.turn();
        effects.end();
        if effects.feeds_replicas() {
            let waiting = num::u64_of(effects.stream_len());
            ctx.session.changed_at_offset = ctx.server.replication.history.offset() + waiting;
        }
    } else {
        effects.end();
    }
    outcome
}

impl Server {
    /// Records from now on what commands change.
    pub fn listen(&mut self, listener: Listener) {
        self.effects.listeners |= listener.bit();
        self.effects.is_wanted = true;
        self.effects.forget_db();
        self.keyspace.removals.start();
    }

    /// Ends [`Server::listen`]. What was recorded for the last listener is forgotten.
    pub fn stop_listening(&mut self, listener: Listener) {
        self.effects.listeners &= !listener.bit();
        if self.effects.listeners == 0 {
            self.effects.is_wanted = false;
            self.effects.bytes = Vec::new();
            self.effects.not_logged = Vec::new();
            self.effects.not_streamed = Vec::new();
            self.effects.unit = Unit { depth: self.effects.unit.depth, ..Unit::default() };
            self.keyspace.removals.stop();
        }
    }

    /// Records what expired without a command, each key for itself, and tells who listens.
    #[inline]
    pub fn record_removals(&mut self) {
        self.record_earlier_removals();
        if !self.keyspace.events.is_empty() {
            self.tell_events(None);
        }
    }

    /// Records what expired without a command, each key for itself.
    #[inline]
    fn record_earlier_removals(&mut self) {
        if !self.keyspace.removals.is_empty() {
            self.effects.begin();
            self.effects.loosen();
            self.record_removals_in_unit();
            self.effects.end();
        }
    }

    /// Records what expired as part of the unit.
    #[inline]
    fn record_removals_in_unit(&mut self) {
        if !self.keyspace.removals.is_empty() {
            record_removed(&mut self.effects, &mut self.keyspace, &self.config);
        }
    }
}

/// The command that removes a key whose time has come.
pub const fn deletion_of_expired(config: &Config) -> &'static [u8] {
    if config.lazyfree_lazy_expire { UNLINK } else { DEL }
}

/// The command that removes a key that is evicted.
const fn deletion_of_evicted(config: &Config) -> &'static [u8] {
    if config.lazyfree_lazy_eviction { UNLINK } else { DEL }
}

/// The command that removes a key that a command leaves without a value.
pub const fn deletion_of_emptied(config: &Config) -> &'static [u8] {
    if config.lazyfree_lazy_server_del { UNLINK } else { DEL }
}

#[cold]
fn record_removed(effects: &mut Effects, keyspace: &mut Keyspace, config: &Config) {
    for removed in keyspace.removals.take() {
        let delete = match removed.why {
            Why::Expired => deletion_of_expired(config),
            Why::Evicted => deletion_of_evicted(config),
        };
        match removed.what {
            What::Key => {
                effects.command(removed.db, 2).word(delete).word(&removed.key);
            }
            What::Fields(fields) => {
                for field in fields {
                    effects.command(removed.db, 3).word(b"HDEL").word(&removed.key).word(&field);
                }
            }
        }
    }
}

impl Context<'_> {
    /// Records `words` in place of the command. May be called several times.
    pub fn effects_as(&mut self, words: &[&[u8]]) {
        if let Some(mut effects) = self.effects_instead() {
            effects.add(words.len()).words(words.iter().copied());
        }
    }

    /// Records `words` in front of the command.
    pub fn effects_also(&mut self, words: &[&[u8]]) {
        if let Some(mut effects) = self.effects_besides() {
            effects.add(words.len()).words(words.iter().copied());
        }
    }

    /// As [`Context::effects_as`], for commands that are put together word by word. `None` if nobody
    /// listens.
    #[inline]
    pub fn effects_instead(&mut self) -> Option<Recorder<'_>> {
        self.effects_none();
        self.effects_besides()
    }

    /// As [`Context::effects_also`], for commands that are put together word by word. `None` if nobody
    /// listens.
    #[inline]
    pub fn effects_besides(&mut self) -> Option<Recorder<'_>> {
        if !self.server.effects.is_wanted {
            return None;
        }
        self.server.record_removals_in_unit();
        Some(Recorder { effects: &mut self.server.effects, db: self.session.db })
    }

    /// Records the command for replicas alone: it changes nothing that is to be there after a restart.
    pub fn effects_for_replicas(&mut self) {
        let args = self.args;
        self.words_for_replicas(args.len(), args.from(0));
    }

    /// Records `len` words for replicas alone, in place of the command.
    pub fn words_for_replicas<'w>(
        &mut self,
        len: usize,
        words: impl IntoIterator<Item = &'w [u8]>,
    ) {
        if !self.server.effects.is_wanted || !self.server.effects.feeds_replicas() {
            return;
        }
        self.effects_none();
        self.server.record_removals_in_unit();
        self.server.effects.for_replicas(self.session.db, len, words);
    }

    /// Does not record the command, whatever it changed.
    pub fn effects_none(&mut self) {
        self.say(Form::Said);
    }

    /// Records the command even if it changed nothing.
    pub fn effects_always(&mut self) {
        self.say(Form::Always);
    }

    /// Records what the command finds expired as commands that stand for themselves: it may come upon
    /// keys that its arguments do not name.
    pub fn effects_loose(&mut self) {
        self.server.effects.loosen();
    }

    fn say(&mut self, form: Form) {
        if self.server.effects.is_wanted {
            self.server.effects.form = form;
        }
    }
}

#[cfg(test)]
mod tests;
