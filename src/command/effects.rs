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
use crate::resp::Args;
use crate::store::{Keyspace, What, Why};

const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

/// Who wants to know what commands change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// The append-only file.
    AppendOnlyFile,
}

impl Listener {
    const fn bit(self) -> u8 {
        match self {
            Self::AppendOnlyFile => 1,
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

/// What commands changed and nobody has taken yet.
#[derive(Debug, Default)]
pub struct Effects {
    is_wanted: bool,
    listeners: u8,
    bytes: Vec<u8>,
    /// The database that the last SELECT names.
    db: Option<usize>,
    unit: Unit,
    form: Form,
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

    /// Takes what was recorded, if it is not to be copied.
    pub fn take(&mut self) -> Vec<u8> {
        debug_assert_eq!(self.unit.depth, 0, "a unit is taken as a whole");
        std::mem::take(&mut self.bytes)
    }

    /// Forgets what was recorded and keeps its allocation.
    pub fn clear(&mut self) {
        debug_assert_eq!(self.unit.depth, 0, "a unit is taken as a whole");
        self.bytes.clear();
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
        self.unit.depth -= 1;
        let Unit { depth, commands, binding, .. } = self.unit;
        if depth == 0 && commands > 1 && binding == Binding::Whole {
            self.wrap();
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
        self.bytes.extend_from_slice(EXEC);
    }

    /// Records a command of `len` words for a database; the words are to follow.
    #[inline]
    pub fn command(&mut self, db: usize, len: usize) -> Words<'_> {
        debug_assert!(self.is_wanted);
        if self.db != Some(db) {
            self.select(db);
        }
        self.unit.commands += 1;
        self.bytes.push(b'*');
        num::write_u64(&mut self.bytes, num::u64_of(len));
        self.bytes.extend_from_slice(b"\r\n");
        Words { bytes: &mut self.bytes, missing: len }
    }

    #[cold]
    fn select(&mut self, db: usize) {
        self.db = Some(db);
        self.bytes.extend_from_slice(b"*2\r\n");
        Words { bytes: &mut self.bytes, missing: 2 }.word(b"SELECT").number(num::i64_of(db));
    }

    /// Records a command as it came.
    fn verbatim(&mut self, db: usize, args: Args<'_>) {
        let mut words = self.command(db, args.len());
        for arg in args.from(0) {
            words.word(arg);
        }
    }
}

/// Takes the words of a command: as many as were announced.
#[derive(Debug)]
pub struct Words<'a> {
    bytes: &'a mut Vec<u8>,
    missing: usize,
}

impl Words<'_> {
    /// Adds a word.
    #[inline]
    pub fn word(&mut self, word: &[u8]) -> &mut Self {
        self.missing -= 1;
        self.bytes.push(b'$');
        num::write_u64(self.bytes, num::u64_of(word.len()));
        self.bytes.extend_from_slice(b"\r\n");
        self.bytes.extend_from_slice(word);
        self.bytes.extend_from_slice(b"\r\n");
        self
    }

    /// Adds a number as a word.
    #[inline]
    pub fn number(&mut self, n: i64) -> &mut Self {
        self.word(itoa::Buffer::new().format(n).as_bytes())
    }
}

impl Drop for Words<'_> {
    fn drop(&mut self) {
        debug_assert_eq!(self.missing, 0, "a command has as many words as it says");
    }
}

/// Executes a command's code and records what it changed.
pub(super) fn run(handler: Handler, ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    ctx.server.record_removals();
    ctx.server.effects.begin();
    let dirty = ctx.server.keyspace.dirty;
    let outer = std::mem::take(&mut ctx.server.effects.form);
    let outcome = handler(ctx);
    ctx.server.record_removals_in_unit();
    let Server { effects, keyspace, .. } = ctx.server;
    let is_recorded = match std::mem::replace(&mut effects.form, outer) {
        Form::IfChanged => keyspace.dirty != dirty,
        Form::Always => true,
        Form::Said => false,
    };
    if is_recorded && effects.is_wanted {
        effects.verbatim(ctx.session.db, args);
    }
    effects.end();
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
            self.effects.unit = Unit { depth: self.effects.unit.depth, ..Unit::default() };
            self.keyspace.removals.stop();
        }
    }

    /// Records what expired without a command, each key for itself.
    #[inline]
    pub fn record_removals(&mut self) {
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
            let delete: &[u8] = if self.config.lazyfree_lazy_expire { b"UNLINK" } else { b"DEL" };
            record_removed(&mut self.effects, &mut self.keyspace, delete);
        }
    }
}

#[cold]
fn record_removed(effects: &mut Effects, keyspace: &mut Keyspace, delete: &[u8]) {
    for removed in keyspace.removals.take() {
        match (removed.why, removed.what) {
            (Why::Expired, What::Key) => {
                effects.command(removed.db, 2).word(delete).word(&removed.key);
            }
            (Why::Expired, What::Fields(fields)) => {
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
        self.effects_none();
        self.effects_also(words);
    }

    /// Records `words` in front of the command.
    pub fn effects_also(&mut self, words: &[&[u8]]) {
        if let Some(mut recorded) = self.effect(words.len()) {
            for word in words {
                recorded.word(word);
            }
        }
    }

    /// As [`Context::effects_also`], with `len` words to follow; `None` if nobody listens.
    pub fn effect(&mut self, len: usize) -> Option<Words<'_>> {
        if !self.server.effects.is_wanted {
            return None;
        }
        self.server.record_removals_in_unit();
        Some(self.server.effects.command(self.session.db, len))
    }

    /// As [`Context::effects_as`], with `len` words to follow; `None` if nobody listens.
    pub fn effect_instead(&mut self, len: usize) -> Option<Words<'_>> {
        self.effects_none();
        self.effect(len)
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
mod tests {
    use super::*;
    use crate::command::testing::{Bench, recorded};
    use crate::config::Config;

    /// A bench with a listener.
    fn listening(config: Config) -> Bench {
        let mut bench = Bench::with(config);
        bench.server.listen(Listener::AppendOnlyFile);
        bench
    }

    /// What a script leaves, as text.
    #[track_caller]
    fn check(bench: &mut Bench, script: &str, expected: &str) {
        bench.run(script);
        assert_eq!(recorded(&mut bench.server), expected, "{script}");
    }

    #[test]
    fn nothing_is_recorded_while_nobody_listens() {
        let mut bench = Bench::new();
        bench.run("SET k v PX 10; SPOP s");
        bench.pass(10);
        bench.run("GET k");
        assert!(!bench.server.effects.wanted());
        assert!(
            bench.server.effects.bytes().is_empty() && bench.server.keyspace.removals.is_empty()
        );
    }

    #[test]
    fn what_changed_nothing_is_not_recorded() {
        let script =
            "GET k; DEL k; SET k v XX; set k v; DEL k x; SET k; PING; NOPE; INCR k; DECR k";
        check(&mut listening(Config::default()), script, "SELECT 0|set k v|DEL k x|INCR k|DECR k");
    }

    #[test]
    fn a_database_is_selected_when_it_changes() {
        let mut bench = listening(Config::default());
        check(
            &mut bench,
            "INCR a; INCR a; SELECT 3; INCR a; SELECT 0; GET a",
            "SELECT 0|INCR a|INCR a|SELECT 3|INCR a",
        );
        check(&mut bench, "SELECT 3; INCR a", "INCR a");
        bench.server.effects.forget_db();
        check(&mut bench, "INCR a", "SELECT 3|INCR a");
    }

    #[test]
    fn what_expired_is_recorded_with_the_command_that_found_it() {
        let script = "MSET a 1 b 2 c 3; PEXPIREAT a 1000000005; PEXPIREAT b 1000000005";
        let delete = |lazy| {
            let mut bench = listening(Config { lazyfree_lazy_expire: lazy, ..Config::default() });
            bench.run(script);
            bench.server.effects.clear();
            bench
        };
        for (lazy, word) in [(false, "DEL"), (true, "UNLINK")] {
            for (script, expected) in [
                ("GET a; GET b; GET a", "D a|D b"),
                ("MGET a b c", "MULTI|D a|D b|EXEC"),
                ("SET a 1; INCR a", "MULTI|D a|SET a 1|EXEC|INCR a"),
                ("RENAME c a", "MULTI|D a|RENAME c a|EXEC"),
                ("SETNX a 1; EXISTS c", "MULTI|D a|SETNX a 1|EXEC"),
                ("SELECT 1; COPY c x; SELECT 0; COPY a x", "D a"),
            ] {
                let mut bench = delete(lazy);
                bench.pass(5);
                check(
                    &mut bench,
                    script,
                    &expected.replace('D', word).replace("RENUNLINKE", "RENDE"),
                );
            }
        }
    }

    #[test]
    fn a_unit_of_several_commands_is_one_transaction() {
        fn nested(ctx: &mut Context<'_>) -> Outcome {
            ctx.effects_none();
            for _ in 0..2 {
                run(inner, ctx)?;
            }
            Ok(())
        }
        fn inner(ctx: &mut Context<'_>) -> Outcome {
            ctx.server.keyspace.dirty += 1;
            ctx.effects_also(&[b"A", b"1"]);
            Ok(())
        }
        let mut bench = listening(Config::default());
        bench.handle(nested, &["B"]);
        assert_eq!(recorded(&mut bench.server), "MULTI|SELECT 0|A 1|B|A 1|B|EXEC");
        bench.handle(
            |ctx| {
                ctx.effects_loose();
                run(inner, ctx)
            },
            &["B"],
        );
        assert_eq!(recorded(&mut bench.server), "A 1|B|B");
    }

    #[test]
    fn handlers_say_what_stands_for_their_command() {
        let mut bench = listening(Config::default());
        let mut check = |handler: fn(&mut Context<'_>) -> Outcome, expected: &str| {
            bench.handle(handler, &["B", "b"]);
            bench.server.effects.forget_db();
            assert_eq!(recorded(&mut bench.server), expected);
        };
        check(
            |ctx| {
                ctx.effects_always();
                Ok(())
            },
            "SELECT 0|B b",
        );
        check(
            |ctx| {
                ctx.server.keyspace.dirty += 1;
                ctx.effects_none();
                Ok(())
            },
            "",
        );
        check(
            |ctx| {
                ctx.server.keyspace.dirty += 1;
                ctx.effects_as(&[b"X", b""]);
                Ok(())
            },
            "SELECT 0|X ''",
        );
        check(
            |ctx| {
                ctx.effect_instead(2).map(|mut words| {
                    words.word(b"X").number(-7);
                });
                Ok(())
            },
            "SELECT 0|X -7",
        );
    }

    #[test]
    fn the_last_listener_takes_all_with_it() {
        let mut bench = listening(Config::default());
        bench.run("SET k v");
        bench.server.stop_listening(Listener::AppendOnlyFile);
        assert!(!bench.server.effects.wanted() && bench.server.effects.bytes().is_empty());
        bench.run("SET k v");
        assert!(bench.server.effects.take().is_empty());
        bench.server.listen(Listener::AppendOnlyFile);
        check(&mut bench, "INCR i", "SELECT 0|INCR i");
    }
}
