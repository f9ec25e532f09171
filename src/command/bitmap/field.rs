//! Integers of any width inside a string: BITFIELD and BITFIELD_RO.

use super::{Grown, Unit, change, parse_offset};
use crate::base::bits::{Field, Overflow};
use crate::base::num;
use crate::command::error::printed;
use crate::command::spec::{
    Arg, ArgType, BeginSearch, Categories, FindKeys, Flags, Group, KeyFlags, KeySpec,
};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::resp::Output;
use crate::store::Event;
use crate::value::Str;

const BAD_TYPE: Error = Error::fixed(
    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
);
const BAD_OVERFLOW: Error = Error::fixed("ERR Invalid OVERFLOW type specified");
const READ_ONLY: Error = Error::fixed("ERR BITFIELD_RO only supports the GET subcommand");

/// BITFIELD key [GET type offset | [OVERFLOW behaviour] (SET | INCRBY) type offset value ...]
pub(super) static BITFIELD: Command =
    Command { spec: BITFIELD_SPEC, handler: Some(bit_field), subcommands: &[] };

const BITFIELD_SPEC: Spec = Spec {
    name: "bitfield",
    summary: "Reads and writes integers of any width inside a string.",
    complexity: "O(1) for each operation.",
    since: "3.2.0",
    group: Group::Bitmap,
    arity: -2,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    categories: Categories::BITMAP,
    keys: &[KeySpec {
        begin: BeginSearch::Index(1),
        find: FindKeys::Range { last: 0, step: 1, limit: 0 },
        flags: KeyFlags::RW
            .union(KeyFlags::ACCESS)
            .union(KeyFlags::UPDATE)
            .union(KeyFlags::VARIABLE_FLAGS),
        notes: "RO if every operation is a GET.",
    }],
    args: &[
        Arg::key("key", 0),
        Arg::one_of(
            "operation",
            &[
                Arg::block(
                    "get-block",
                    &[Arg::new("encoding", ArgType::String), Arg::new("offset", ArgType::Integer)],
                )
                .token("GET"),
                Arg::block(
                    "write",
                    &[
                        Arg::one_of(
                            "overflow-block",
                            &[
                                Arg::flag("wrap", "WRAP"),
                                Arg::flag("sat", "SAT"),
                                Arg::flag("fail", "FAIL"),
                            ],
                        )
                        .token("OVERFLOW")
                        .optional(),
                        Arg::one_of(
                            "write-operation",
                            &[
                                Arg::block(
                                    "set-block",
                                    &[
                                        Arg::new("encoding", ArgType::String),
                                        Arg::new("offset", ArgType::Integer),
                                        Arg::new("value", ArgType::Integer),
                                    ],
                                )
                                .token("SET"),
                                Arg::block(
                                    "incrby-block",
                                    &[
                                        Arg::new("encoding", ArgType::String),
                                        Arg::new("offset", ArgType::Integer),
                                        Arg::new("increment", ArgType::Integer),
                                    ],
                                )
                                .token("INCRBY"),
                            ],
                        ),
                    ],
                ),
            ],
        )
        .optional()
        .multiple(),
    ],
    ..Spec::EMPTY
};

/// BITFIELD_RO key [GET type offset ...]
pub(super) static BITFIELD_RO: Command =
    Command { spec: BITFIELD_RO_SPEC, handler: Some(bit_field_ro), subcommands: &[] };

const BITFIELD_RO_SPEC: Spec = Spec {
    name: "bitfield_ro",
    summary: "Reads integers of any width inside a string.",
    complexity: "O(1) for each operation.",
    since: "6.0.0",
    group: Group::Bitmap,
    arity: -2,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::BITMAP,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::key("key", 0),
        Arg::block(
            "get-block",
            &[Arg::new("encoding", ArgType::String), Arg::new("offset", ArgType::Integer)],
        )
        .token("GET")
        .optional()
        .multiple_token(),
    ],
    ..Spec::EMPTY
};

/// What is done to one field.
#[derive(Clone, Copy, Debug)]
struct Operation {
    field: Field,
    /// Its first bit.
    offset: u64,
    action: Action,
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Get,
    Set(i64, Overflow),
    Add(i64, Overflow),
}

impl Operation {
    /// Whether it may change the string.
    const fn writes(&self) -> bool {
        match self.action {
            Action::Get => false,
            Action::Set(..) | Action::Add(..) => true,
        }
    }

    /// The bytes a string has to have to hold the field.
    fn len_min(&self) -> usize {
        num::usize_of((self.offset + self.field.bits()).div_ceil(8))
    }

    /// Performs it and replies; returns whether it wrote something else than there was.
    fn perform(&self, bytes: &mut [u8], out: &mut Output) -> Wrote {
        let old = self.field.read(bytes, self.offset);
        let (new, reply) = match self.action {
            Action::Get => {
                out.integer(old);
                return Wrote::Nothing;
            }
            Action::Set(value, overflow) => {
                let new = self.field.fit(value, overflow);
                (new, new.map(|_| old))
            }
            Action::Add(increment, overflow) => {
                let new = self.field.add(old, increment, overflow);
                (new, new)
            }
        };
        match reply {
            Some(reply) => out.integer(reply),
            None => out.null(),
        }
        match new {
            None => Wrote::Nothing,
            Some(new) if new == old => Wrote::Same,
            Some(new) => {
                self.field.write(bytes, self.offset, new);
                Wrote::Other
            }
        }
    }
}

/// What an operation left in its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrote {
    /// Nothing was written.
    Nothing,
    /// What was there.
    Same,
    /// Something else.
    Other,
}

/// The operations a command names, and the OVERFLOW in force for the next ones.
struct Parser<'c, 'a> {
    ctx: &'c Context<'a>,
    at: usize,
    overflow: Overflow,
}

impl Parser<'_, '_> {
    /// The next operation; `None` at the end.
    fn next(&mut self) -> Result<Option<Operation>, Error> {
        while self.at < self.ctx.args.len() {
            let following = self.ctx.args.len() - self.at - 1;
            if self.is_word("overflow") && following >= 1 {
                self.overflow = self.overflow()?;
                self.at += 2;
            } else if self.is_word("get") && following >= 2 {
                return self.operation(3, |_, _| Ok(Action::Get)).map(Some);
            } else if self.is_word("set") && following >= 3 {
                return self.operation(4, |value, how| Ok(Action::Set(value?, how))).map(Some);
            } else if self.is_word("incrby") && following >= 3 {
                return self.operation(4, |value, how| Ok(Action::Add(value?, how))).map(Some);
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(None)
    }

    fn is_word(&self, word: &str) -> bool {
        self.ctx.is_word(self.at, word)
    }

    fn overflow(&self) -> Result<Overflow, Error> {
        let kinds =
            [("wrap", Overflow::Wrap), ("sat", Overflow::Saturate), ("fail", Overflow::Fail)];
        let found = kinds.iter().find(|(word, _)| self.ctx.is_word(self.at + 1, word));
        found.map(|&(_, overflow)| overflow).ok_or(BAD_OVERFLOW)
    }

    /// Reads type and offset, and what `action` needs of the argument after them.
    fn operation(
        &mut self,
        arg_count: usize,
        action: impl FnOnce(Result<i64, Error>, Overflow) -> Result<Action, Error>,
    ) -> Result<Operation, Error> {
        let args = self.ctx.args;
        let field = Field::parse(printed(args.at(self.at + 1))).ok_or(BAD_TYPE)?;
        let (text, unit) = match args.at(self.at + 2) {
            [b'#', index @ ..] => (index, Unit::Fields(field.bits())),
            offset => (offset, Unit::Bits),
        };
        let offset = parse_offset(text, unit, self.ctx.server.config.proto_max_bulk_len)?;
        let value = match args.get(self.at + 3) {
            Some(_) => self.ctx.integer(self.at + 3),
            None => Err(Error::SYNTAX),
        };
        self.at += arg_count;
        Ok(Operation { field, offset, action: action(value, self.overflow)? })
    }
}

fn parse(ctx: &Context<'_>) -> Result<Vec<Operation>, Error> {
    let mut parser = Parser { ctx, at: 2, overflow: Overflow::Wrap };
    let mut operations = Vec::with_capacity(ctx.args.len() / 3);
    while let Some(operation) = parser.next()? {
        operations.push(operation);
    }
    Ok(operations)
}

fn bit_field(ctx: &mut Context<'_>) -> Outcome {
    let operations = parse(ctx)?;
    if operations.iter().any(Operation::writes) {
        write(ctx, &operations)
    } else {
        read(ctx, &operations)
    }
}

fn bit_field_ro(ctx: &mut Context<'_>) -> Outcome {
    let operations = parse(ctx)?;
    if operations.iter().any(Operation::writes) {
        return Err(READ_ONLY);
    }
    read(ctx, &operations)
}

fn read(ctx: &mut Context<'_>, operations: &[Operation]) -> Outcome {
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let out = &mut ctx.session.output;
    let mut reply = |bytes: &[u8]| {
        out.array(operations.len());
        for operation in operations {
            out.integer(operation.field.read(bytes, operation.offset));
        }
    };
    match ctx.server.keyspace.read(scope, key) {
        Some(entry) => Str::of(&entry).ok_or(Error::WRONG_TYPE)?.with_bytes(reply),
        None => reply(b""),
    }
    Ok(())
}

fn write(ctx: &mut Context<'_>, operations: &[Operation]) -> Outcome {
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let (keyspace, out) = (&mut ctx.server.keyspace, &mut ctx.session.output);
    let writing = operations.iter().filter(|operation| operation.writes());
    let len_min = writing.map(Operation::len_min).max().unwrap_or(0);
    let mut has_grown = Grown::No;
    let changes = change(keyspace, scope, key, len_min, |bytes, grown| {
        has_grown = grown;
        out.array(operations.len());
        let is_change = |wrote: &Wrote| match wrote {
            Wrote::Nothing => false,
            Wrote::Same => grown == Grown::Yes,
            Wrote::Other => true,
        };
        operations.iter().map(|operation| operation.perform(bytes, out)).filter(is_change).count()
    })?;
    keyspace.dirty += num::u64_of(changes);
    if changes > 0 {
        keyspace.note(scope.db, key, Event::string("setbit"));
    }
    if has_grown == Grown::Yes {
        // Room was made even if no operation came to anything. Redis counts no change then, nor do we,
        // but here it is repeated elsewhere all the same.
        ctx.effects_always();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};
    use crate::config::Config;

    const OFFSET: &str = "-ERR bit offset is not an integer or out of range";
    const SYNTAX: &str = "-ERR syntax error";
    const INTEGER: &str = "-ERR value is not an integer or out of range";
    const TYPE: &str = "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.";

    #[test]
    fn fields_are_read_set_and_incremented() {
        check(
            "BITFIELD k SET u8 0 255 INCRBY i5 100 1 GET u4 0; STRLEN k; BITFIELD k GET i8 0 GET u63 1",
            "[:0 :1 :15] :14 [:-1 :9151314442816847872]",
        );
        check(
            "BITFIELD k SET i64 0 -9223372036854775808 GET i64 0 GET u1 0",
            "[:0 :-9223372036854775808 :1]",
        );
        check(
            "SET k 12; BITFIELD k GET u8 #0 GET u8 #1 GET u8 #2 INCRBY u8 #1 1; GET k",
            "+OK [:49 :50 :0 :51] $13",
        );
    }

    #[test]
    fn overflow_is_set_for_what_follows() {
        check(
            "BITFIELD k SET u2 0 3 INCRBY u2 0 1 OVERFLOW SAT SET u2 0 9 INCRBY u2 0 1 OVERFLOW fail INCRBY u2 0 1 GET u2 0 OVERFLOW WRAP INCRBY u2 0 3",
            "[:0 :0 :0 :3 $_ :3 :2]",
        );
        check(
            "BITFIELD k OVERFLOW SAT INCRBY i8 0 -1000 INCRBY i8 0 1000; BITFIELD k SET u8 0 -1",
            "[:-128 :127] [:127]",
        );
        check("BITFIELD k OVERFLOW FAIL SET u8 0 256; GET k", "[$_] $\\x00");
        check("BITFIELD k OVERFLOW FAIL OVERFLOW SAT; BITFIELD k; EXISTS k", "[] [] :0");
    }

    #[test]
    fn reading_makes_no_string() {
        check("BITFIELD k GET u8 0; BITFIELD_RO k GET i64 4294967295; EXISTS k", "[:0] [:0] :0");
        let mut bench = Bench::new();
        bench.check("SET k a; BITFIELD k GET u8 0; BITFIELD_RO k; BITFIELD x", "+OK [:97] [] []");
        assert_eq!((bench.server.keyspace.hits, bench.server.keyspace.misses), (2, 1));
    }

    #[test]
    fn only_what_changed_counts_as_a_change() {
        let mut bench = Bench::new();
        for (line, reply, changes) in [
            ("BITFIELD k SET u8 0 1", "[:0]", 1),
            ("BITFIELD k SET u8 0 1 INCRBY u8 0 0", "[:1 :1]", 0),
            ("BITFIELD k OVERFLOW FAIL INCRBY u2 1000 10", "[$_]", 0),
            ("BITFIELD k SET u8 0 5 SET u8 0 6 GET u8 0", "[:1 :5 :6]", 2),
            ("BITFIELD k SET u8 2000 0 SET u8 0 6", "[:0 :6]", 2),
        ] {
            let before = bench.server.keyspace.dirty;
            bench.check(line, reply);
            assert_eq!(bench.server.keyspace.dirty - before, changes, "{line}");
        }
    }

    #[test]
    fn malformed_operations_are_refused_before_anything_happens() {
        for (arguments, error) in [
            ("GET", SYNTAX),
            ("GET u8", SYNTAX),
            ("SET u8 0", SYNTAX),
            ("INCRBY u8 0", SYNTAX),
            ("OVERFLOW", SYNTAX),
            ("FOO u8 0", SYNTAX),
            ("OVERFLOW foo GET", "-ERR Invalid OVERFLOW type specified"),
            ("GET u64 0", TYPE),
            ("GET I8 0", TYPE),
            ("SET i65 a a", TYPE),
            ("GET u8 -1", OFFSET),
            ("GET u8 #", OFFSET),
            ("GET u8 #-1", OFFSET),
            ("GET u8 4294967296", OFFSET),
            ("GET u8 #536870912", OFFSET),
            ("GET u8 #9223372036854775807", OFFSET),
            ("SET u8 a a", OFFSET),
            ("SET u8 0 a", INTEGER),
            ("SET u8 0 9223372036854775808", INTEGER),
        ] {
            check(&format!("BITFIELD k SET u8 0 1 {arguments}; EXISTS k"), &format!("{error} :0"));
        }
        let read_only = "-ERR BITFIELD_RO only supports the GET subcommand";
        check(
            "BITFIELD_RO k SET u8 0 1; BITFIELD_RO k SET u8 0 a",
            &format!("{read_only} {INTEGER}"),
        );
    }

    #[test]
    fn a_field_may_start_at_the_last_bit() {
        let config = Config { proto_max_bulk_len: 1 << 20, ..Config::default() };
        let mut bench = Bench::with(config);
        bench.check("BITFIELD k SET i64 8388607 -1; STRLEN k; BITCOUNT k", "[:0] :1048584 :64");
        bench.check("BITFIELD k GET u1 8388608", OFFSET);
    }
}
