//! FUNCTION: libraries of functions.

use super::functions::{Existing, Functions};
use crate::base::glob::{self, Case};
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group};
use crate::command::{Command, Context, Error, Outcome, Server, Spec};
use crate::persist::rdb::{self, Compression, Duplicates};
use crate::resp::{Args, Output, Protocol};
use crate::script::{Api, Called, Interrupt, Level, Replication, ScriptFlags};
use bytes::Bytes;

/// How long a library may take to register its functions, nanoseconds.
const LOAD_NS_MAX: u64 = 500_000_000;

/// FUNCTION
pub(super) static FUNCTION: Command = Command {
    spec: Spec {
        name: "function",
        summary: "Commands about libraries of functions.",
        complexity: "Depends on subcommand.",
        since: "7.0.0",
        group: Group::Scripting,
        arity: -2,
        ..Spec::EMPTY
    },
    handler: None,
    subcommands: &[&DELETE, &DUMP, &FLUSH, &HELP, &KILL, &LIST, &LOAD, &RESTORE, &STATS],
};

const SPEC: Spec = Spec {
    group: Group::Scripting,
    since: "7.0.0",
    categories: Categories::SCRIPTING,
    ..Spec::EMPTY
};
const WRITES: Flags = Flags::NOSCRIPT.union(Flags::WRITE);
const ON_ALL: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];

/// FUNCTION DELETE library-name
static DELETE: Command = Command {
    spec: Spec {
        name: "delete",
        summary: "Deletes a library.",
        complexity: "O(1)",
        arity: 3,
        flags: WRITES,
        args: &[Arg::new("library-name", ArgType::String)],
        tips: ON_ALL,
        ..SPEC
    },
    handler: Some(delete),
    subcommands: &[],
};

/// FUNCTION DUMP
static DUMP: Command = Command {
    spec: Spec {
        name: "dump",
        summary: "Returns all libraries in the form that FUNCTION RESTORE takes.",
        complexity: "O(N), N being the number of functions.",
        arity: 2,
        flags: Flags::NOSCRIPT,
        ..SPEC
    },
    handler: Some(dump),
    subcommands: &[],
};

/// FUNCTION FLUSH [ASYNC | SYNC]
static FLUSH: Command = Command {
    spec: Spec {
        name: "flush",
        summary: "Deletes all libraries.",
        complexity: "O(N), N being the number of functions.",
        arity: -2,
        flags: WRITES,
        args: &[Arg::one_of(
            "flush-type",
            &[Arg::flag("async", "ASYNC"), Arg::flag("sync", "SYNC")],
        )
        .optional()],
        tips: ON_ALL,
        ..SPEC
    },
    handler: Some(flush),
    subcommands: &[],
};

/// FUNCTION HELP
static HELP: Command = Command {
    spec: Spec {
        name: "help",
        summary: "Tells about the subcommands.",
        complexity: "O(1)",
        arity: 2,
        flags: Flags::LOADING.union(Flags::STALE),
        ..SPEC
    },
    handler: Some(help),
    subcommands: &[],
};

/// FUNCTION KILL
static KILL: Command = Command {
    spec: Spec {
        name: "kill",
        summary: "Ends the function that runs, if it has written nothing.",
        complexity: "O(1)",
        arity: 2,
        flags: Flags::NOSCRIPT.union(Flags::ALLOW_BUSY),
        tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
        ..SPEC
    },
    handler: Some(super::running::kill_function),
    subcommands: &[],
};

/// FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE]
static LIST: Command = Command {
    spec: Spec {
        name: "list",
        summary: "Tells about all libraries.",
        complexity: "O(N), N being the number of functions.",
        arity: -2,
        flags: Flags::NOSCRIPT,
        args: &[
            Arg::new("library-name-pattern", ArgType::String).token("LIBRARYNAME").optional(),
            Arg::flag("withcode", "WITHCODE").optional(),
        ],
        tips: &["nondeterministic_output_order"],
        ..SPEC
    },
    handler: Some(list),
    subcommands: &[],
};

/// FUNCTION LOAD [REPLACE] function-code
static LOAD: Command = Command {
    spec: Spec {
        name: "load",
        summary: "Loads a library.",
        complexity: "O(1), the compilation not counted.",
        arity: -3,
        flags: WRITES.union(Flags::DENYOOM),
        args: &[
            Arg::flag("replace", "REPLACE").optional(),
            Arg::new("function-code", ArgType::String),
        ],
        tips: ON_ALL,
        ..SPEC
    },
    handler: Some(load),
    subcommands: &[],
};

/// FUNCTION RESTORE serialized-value [FLUSH | APPEND | REPLACE]
static RESTORE: Command = Command {
    spec: Spec {
        name: "restore",
        summary: "Loads all libraries of a payload.",
        complexity: "O(N), N being the number of functions in the payload.",
        arity: -3,
        flags: WRITES.union(Flags::DENYOOM),
        args: &[
            Arg::new("serialized-value", ArgType::String),
            Arg::one_of(
                "policy",
                &[
                    Arg::flag("flush", "FLUSH"),
                    Arg::flag("append", "APPEND"),
                    Arg::flag("replace", "REPLACE"),
                ],
            )
            .optional(),
        ],
        tips: ON_ALL,
        ..SPEC
    },
    handler: Some(restore),
    subcommands: &[],
};

/// FUNCTION STATS
static STATS: Command = Command {
    spec: Spec {
        name: "stats",
        summary: "Tells about the function that runs.",
        complexity: "O(1)",
        arity: 2,
        flags: Flags::NOSCRIPT.union(Flags::ALLOW_BUSY),
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        ..SPEC
    },
    handler: Some(super::running::stats),
    subcommands: &[],
};

/// The server as a library sees it that registers its functions: there is a log, and an end to its time.
struct Registration {
    ticks: fn() -> u64,
    until_ns: u64,
    output: Output,
}

impl Registration {
    fn new(server: &Server, ns_max: u64) -> Self {
        let ticks = server.ticks;
        Self { ticks, until_ns: ticks().saturating_add(ns_max), output: Output::default() }
    }
}

impl Api for Registration {
    fn call(&mut self, _args: Args<'_>) -> Called {
        Called::Refused
    }
    fn reply(&self) -> &[u8] {
        b"-ERR redis.call can only be called inside a script invocation\r\n"
    }
    fn set_protocol(&mut self, _protocol: Protocol) {}
    fn set_replication(&mut self, _replication: Replication) {}
    fn log(&mut self, level: Level, text: &[u8]) {
        super::run::write_log(level, text);
    }
    fn may_execute(&mut self, _args: Args<'_>) -> Option<bool> {
        None
    }
    fn interrupt(&mut self) -> Interrupt {
        if (self.ticks)() > self.until_ns { Interrupt::Killed } else { Interrupt::GoOn }
    }
    fn output(&mut self) -> &mut Output {
        &mut self.output
    }
}

/// Notes that the libraries are others now.
fn changed(server: &mut Server, functions: Box<Functions>) {
    server.persistence.libraries = functions.sources();
    server.scripting.put_functions(functions);
    server.keyspace.dirty += 1;
}

fn load(ctx: &mut Context<'_>) -> Outcome {
    let last = ctx.args.len() - 1;
    let mut existing = Existing::Refuse;
    for index in 2..last {
        if !ctx.is_word(index, "replace") {
            return Err(Error::new([b"ERR Unknown option given: ", ctx.args.at(index)].concat()));
        }
        existing = Existing::Replace;
    }
    let code = Bytes::copy_from_slice(ctx.args.at(last));
    let mut functions = ctx.server.scripting.take_functions();
    let loaded = functions.load(&code, existing, &mut Registration::new(ctx.server, LOAD_NS_MAX));
    match loaded {
        Ok(name) => {
            changed(ctx.server, functions);
            ctx.session.output.bulk(&name);
            Ok(())
        }
        Err(error) => {
            ctx.server.scripting.put_functions(functions);
            Err(error)
        }
    }
}

fn delete(ctx: &mut Context<'_>) -> Outcome {
    let mut functions = ctx.server.scripting.take_functions();
    if !functions.delete(ctx.args.at(2)) {
        ctx.server.scripting.put_functions(functions);
        return Err(Error::fixed("ERR Library not found"));
    }
    changed(ctx.server, functions);
    ctx.ok()
}

/// What Redis says of arguments that fit no form of the subcommand.
fn wrong_arguments(ctx: &Context<'_>) -> Error {
    let word = String::from_utf8_lossy(ctx.args.at(1)).into_owned();
    Error::new(format!(
        "ERR unknown subcommand or wrong number of arguments for '{word}'. Try FUNCTION HELP."
    ))
}

fn flush(ctx: &mut Context<'_>) -> Outcome {
    let is_later = match ctx.args.len() {
        2 => ctx.server.config.lazyfree_lazy_user_flush,
        3 if ctx.is_word(2, "async") => true,
        3 if ctx.is_word(2, "sync") => false,
        3 => return Err(Error::fixed("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")),
        _ => return Err(wrong_arguments(ctx)),
    };
    let functions = ctx.server.scripting.take_functions();
    if is_later {
        ctx.server.host.drop_later(functions);
    } else {
        drop(functions);
    }
    let functions = ctx.server.scripting.new_functions();
    changed(ctx.server, functions);
    ctx.ok()
}

fn list(ctx: &mut Context<'_>) -> Outcome {
    let (mut pattern, mut with_code) = (None, false);
    let mut index = 2;
    while let Some(word) = ctx.args.get(index) {
        if !with_code && ctx.is_word(index, "withcode") {
            with_code = true;
        } else if pattern.is_none() && ctx.is_word(index, "libraryname") {
            index += 1;
            let given = ctx.args.get(index);
            pattern = Some(given.ok_or(Error::fixed("ERR library name argument was not given"))?);
        } else {
            return Err(Error::new([b"ERR Unknown argument ", word].concat()));
        }
        index += 1;
    }
    let functions = ctx.server.scripting.take_functions();
    let is_meant =
        |name: &[u8]| pattern.is_none_or(|pattern| glob::matches(pattern, name, Case::Insensitive));
    let meant: Vec<_> = functions.libraries.iter().filter(|(name, _)| is_meant(name)).collect();
    let out = &mut ctx.session.output;
    out.array(meant.len());
    for (name, library) in meant {
        out.map(if with_code { 4 } else { 3 });
        out.text("library_name");
        out.bulk(name);
        out.text("engine");
        out.text("LUA");
        out.text("functions");
        out.array(library.functions.len());
        for function in &library.functions {
            out.map(3);
            out.text("name");
            out.bulk(&function.name);
            out.text("description");
            match &function.description {
                Some(text) => out.bulk(text),
                None => out.null(),
            }
            out.text("flags");
            put_flags(out, function.flags);
        }
        if with_code {
            out.text("library_code");
            out.bulk_shared(&library.code);
        }
    }
    ctx.server.scripting.put_functions(functions);
    Ok(())
}

fn put_flags(out: &mut Output, flags: ScriptFlags) {
    let names = ScriptFlags::NAMES.iter().filter(|&&(_, flag)| flags.contains(flag));
    out.set(names.clone().count());
    names.for_each(|(name, _)| out.simple(name));
}

fn dump(ctx: &mut Context<'_>) -> Outcome {
    let compression =
        if ctx.server.config.rdbcompression { Compression::Lzf } else { Compression::None };
    let payload = rdb::dump_libraries(&ctx.server.persistence.libraries, compression);
    ctx.session.output.bulk_shared(&Bytes::from(payload));
    Ok(())
}

fn restore(ctx: &mut Context<'_>) -> Outcome {
    const WRONG_POLICY: Error = Error::fixed(
        "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
    );
    if ctx.args.len() > 4 {
        return Err(wrong_arguments(ctx));
    }
    let (keeps, existing) = match ctx.args.get(3).map(<[u8]>::to_ascii_lowercase).as_deref() {
        None | Some(b"append") => (true, Existing::Refuse),
        Some(b"replace") => (true, Existing::Replace),
        Some(b"flush") => (false, Existing::Refuse),
        Some(_) => return Err(WRONG_POLICY),
    };
    let verify = ctx.server.verify;
    let codes = rdb::restore_libraries(ctx.args.at(2), verify).map_err(|error| match error {
        rdb::RestoreError::WrongFooter => {
            Error::fixed("ERR DUMP payload version or checksum are wrong")
        }
        rdb::RestoreError::BadFormat(_) => Error::fixed("ERR given type is not a function"),
    })?;
    let kept = if keeps { Kept::All } else { Kept::None };
    let functions = joined(ctx.server, kept, &codes, existing)?;
    if keeps {
        ctx.effects_none();
    } else {
        ctx.effects_as(&[b"FUNCTION", b"FLUSH"]);
    }
    for code in &codes {
        ctx.effects_as(&[b"FUNCTION", b"LOAD", b"REPLACE", code]);
    }
    changed(ctx.server, functions);
    ctx.ok()
}

/// What becomes of the libraries that are there when others are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    All,
    None,
}

/// Those that are there with others, all of them or nothing: what is there is loaded anew beside it.
fn joined(
    server: &Server,
    kept: Kept,
    codes: &[Bytes],
    existing: Existing,
) -> Result<Box<Functions>, Error> {
    let mut functions = server.scripting.new_functions();
    let mut api = Registration::new(server, LOAD_NS_MAX);
    if kept == Kept::All {
        for code in &server.persistence.libraries {
            functions.load(code, Existing::Refuse, &mut api)?;
        }
    }
    for code in codes {
        functions.load(code, existing, &mut api).map_err(unquoted)?;
    }
    Ok(functions)
}

/// FUNCTION RESTORE names libraries without quotes.
fn unquoted(error: Error) -> Error {
    let line = error.line();
    if line.starts_with(b"ERR Library '") {
        return Error::new(line.iter().copied().filter(|&byte| byte != b'\'').collect::<Vec<_>>());
    }
    error
}

impl Server {
    /// Loads the libraries that came with the data. One that cannot be loaded is kept as it is, and the
    /// log says so.
    pub fn load_libraries(&mut self) {
        if self.persistence.libraries.is_empty() {
            return self.scripting.drop_functions();
        }
        let mut functions = self.scripting.new_functions();
        let mut api = Registration::new(self, u64::MAX);
        for code in &self.persistence.libraries {
            if let Err(error) = functions.load(code, Existing::Replace, &mut api) {
                let text = String::from_utf8_lossy(error.line()).into_owned();
                tracing::warn!("Failed to load a library of functions: {text}");
            }
        }
        self.scripting.put_functions(functions);
    }

    /// Adds libraries to those that are there.
    ///
    /// # Errors
    /// One of them cannot be loaded, or is there already and not to be replaced. Then nothing has changed.
    pub fn add_libraries(&mut self, codes: &[Bytes], duplicates: Duplicates) -> Result<(), Error> {
        let existing = match duplicates {
            Duplicates::Refuse => Existing::Refuse,
            Duplicates::Replace => Existing::Replace,
        };
        let functions = joined(self, Kept::All, codes, existing)?;
        changed(self, functions);
        Ok(())
    }
}

fn help(ctx: &mut Context<'_>) -> Outcome {
    ctx.help(&[
        "LOAD [REPLACE] <FUNCTION CODE>",
        "    Create a new library with the given library name and code.",
        "DELETE <LIBRARY NAME>",
        "    Delete the given library.",
        "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
        "    Return general information on all the libraries:",
        "    * Library name",
        "    * The engine used to run the Library",
        "    * Library description",
        "    * Functions list",
        "    * Library code (if WITHCODE is given)",
        "    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
        "STATS",
        "    Return information about the current function running:",
        "    * Function name",
        "    * Command used to run the function",
        "    * Duration in MS that the function is running",
        "    If no function is running, return nil",
        "    In addition, returns a list of available engines.",
        "KILL",
        "    Kill the current running function.",
        "FLUSH [ASYNC|SYNC]",
        "    Delete all the libraries.",
        "    When called without the optional mode argument, the behavior is determined by the",
        "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
        "    * ASYNC: Asynchronously flush the libraries.",
        "    * SYNC: Synchronously flush the libraries.",
        "DUMP",
        "    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE command",
        "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
        "    Restore the libraries represented by the given payload, it is possible to give a restore policy to",
        "    control how to handle existing libraries (default APPEND):",
        "    * FLUSH: delete all existing libraries.",
        "    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.",
        "    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old",
        "      libraries with the new libraries (notice that even on this option there is a chance of failure",
        "      in case of functions name collision with another library).",
    ])
}
