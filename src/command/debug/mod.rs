//! DEBUG: tools for tests, off unless `enable-debug-command` allows them.
//!
//! Each tool is one row of [`TOOLS`]. What concerns a capability that is not here yet is absent.

mod digest;
mod reload;
mod reply;
mod structure;

use super::buffers::ReplyBuffers;
use super::host::Crash;
use super::scripting::Callable;
use super::server::{ActiveExpire, PeriodicWork};
use super::spec::{Flags, Group};
use super::{Command, Context, Error, Outcome, Spec};
use crate::base::{num, units};
use crate::config::Defaults;
use crate::persist::rdb::Verify;
use crate::value::{self, Str, string};
use std::time::Duration;

/// DEBUG subcommand [arg ...]
pub static DEBUG: Command = Command { spec: DEBUG_SPEC, handler: Some(debug), subcommands: &[] };

const DEBUG_SPEC: Spec = Spec {
    name: "debug",
    summary: "Tools for tests of the server.",
    complexity: "That of the subcommand.",
    group: Group::Server,
    arity: -2,
    flags: Flags::ADMIN
        .union(Flags::NOSCRIPT)
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::PROTECTED)
        .union(Flags::SYSTEM),
    ..Spec::EMPTY
};

/// One tool.
struct Tool {
    name: &'static str,
    /// Least and most arguments behind the name.
    args: (usize, usize),
    run: fn(&mut Context<'_>) -> Outcome,
    help: &'static [&'static str],
}

/// A little less than the 4 GiB that a listpack may have.
const PLAIN_THRESHOLD_MAX: u64 = (1 << 32) - (1 << 20);

const ANY: usize = usize::MAX;

/// The tools, in the order of HELP.
const TOOLS: &[Tool] = &[
    Tool {
        name: "AOF-FLUSH-SLEEP",
        args: (1, 1),
        run: delay_log,
        help: &[
            "AOF-FLUSH-SLEEP <microsec>",
            "    Wait before each write to the append-only file.",
        ],
    },
    Tool {
        name: "ASSERT",
        args: (0, 0),
        run: |ctx| crash(ctx, Crash::Assert),
        help: &["ASSERT", "    Crash by a failed assertion."],
    },
    Tool {
        name: "CONFIG-REWRITE-FORCE-ALL",
        args: (0, 0),
        run: rewrite_config,
        help: &[
            "CONFIG-REWRITE-FORCE-ALL",
            "    Like CONFIG REWRITE, and write the directives that have their defaults too.",
        ],
    },
    Tool {
        name: "DIGEST",
        args: (0, 0),
        run: digest::digest,
        help: &["DIGEST", "    Reply with a digest of all data."],
    },
    Tool {
        name: "DIGEST-VALUE",
        args: (0, ANY),
        run: digest::digest_value,
        help: &["DIGEST-VALUE <key> [<key> ...]", "    Reply with a digest of each value."],
    },
    Tool {
        name: "ERROR",
        args: (1, 1),
        run: |ctx| Err(Error::new(ctx.args.at(2))),
        help: &["ERROR <string>", "    Reply with an error of this text."],
    },
    Tool {
        name: "LOADAOF",
        args: (0, 0),
        run: reload::load_log,
        help: &["LOADAOF", "    Load the append-only file in place of the data."],
    },
    Tool {
        name: "LOG",
        args: (1, 1),
        run: log,
        help: &["LOG <message>", "    Write <message> to the log."],
    },
    Tool {
        name: "HTSTATS",
        args: (1, 2),
        run: structure::table_of_database,
        help: &["HTSTATS <dbid>", "    Describe the table of a database."],
    },
    Tool {
        name: "HTSTATS-KEY",
        args: (1, 2),
        run: structure::table_of_key,
        help: &["HTSTATS-KEY <key>", "    Describe the table of a large value."],
    },
    Tool {
        name: "LISTPACK",
        args: (1, 1),
        run: structure::listpack,
        help: &["LISTPACK <key>", "    Write the elements of a small value to the log."],
    },
    Tool {
        name: "MALLCTL",
        args: (1, 2),
        run: allocator_number,
        help: &["MALLCTL <name> [<value>]", "    Read or set a number of the allocator."],
    },
    Tool {
        name: "MALLCTL-STR",
        args: (1, 2),
        run: allocator_text,
        help: &["MALLCTL-STR <name> [<value>]", "    Read a text of the allocator."],
    },
    Tool {
        name: "OBJECT",
        args: (1, 1),
        run: object,
        help: &["OBJECT <key>", "    Describe how the value of <key> is kept."],
    },
    Tool {
        name: "PANIC",
        args: (0, 0),
        run: |ctx| crash(ctx, Crash::Panic),
        help: &["PANIC", "    Crash by a panic."],
    },
    Tool {
        name: "PAUSE-CRON",
        args: (1, 1),
        run: pause_periodic_work,
        help: &["PAUSE-CRON <0|1>", "    Stop the periodic work, or let it go on."],
    },
    Tool {
        name: "POPULATE",
        args: (1, 3),
        run: populate,
        help: &[
            "POPULATE <count> [<prefix>] [<size>]",
            "    Create <count> strings named <prefix>:<number>, <prefix> being 'key' unless given.",
        ],
    },
    Tool {
        name: "PROTOCOL",
        args: (1, 1),
        run: reply::protocol,
        help: &["PROTOCOL <type>", "    Reply with a test value of a type of the protocol."],
    },
    Tool {
        name: "QUICKLIST",
        args: (1, 2),
        run: structure::quicklist,
        help: &[
            "QUICKLIST <key> [<0|1>]",
            "    Write the nodes of a long list to the log, with their elements if 1.",
        ],
    },
    Tool {
        name: "QUICKLIST-PACKED-THRESHOLD",
        args: (1, 1),
        run: set_plain_threshold,
        help: &[
            "QUICKLIST-PACKED-THRESHOLD <size>",
            "    From which size on elements of lists stand alone in a node; 0 is the default.",
        ],
    },
    Tool {
        name: "RELOAD",
        args: (0, ANY),
        run: reload::reload,
        help: &[
            "RELOAD [MERGE] [NOFLUSH] [NOSAVE]",
            "    Save a snapshot and load it in place of the data. NOSAVE loads the snapshot that is there;",
            "    NOFLUSH adds to the data, with MERGE in place of keys that exist.",
        ],
    },
    Tool {
        name: "REPLICATE",
        args: (1, ANY),
        run: replicate,
        help: &[
            "REPLICATE <word> [<word> ...]",
            "    Send these words to replicas as a command that was executed. Their data may then differ.",
        ],
    },
    Tool {
        name: "REPLYBUFFER",
        args: (2, 2),
        run: reply_buffers,
        help: &[
            "REPLYBUFFER PEAK-RESET-TIME <NEVER|RESET|milliseconds>",
            "    How long reply buffers that are not needed any more are kept.",
            "REPLYBUFFER RESIZING <0|1>",
            "    Whether reply buffers that are not needed any more are freed.",
        ],
    },
    Tool {
        name: "SEGFAULT",
        args: (0, 0),
        run: |ctx| crash(ctx, Crash::Segfault),
        help: &["SEGFAULT", "    Crash by an access to memory that is not there."],
    },
    Tool {
        name: "SET-ACTIVE-EXPIRE",
        args: (1, 1),
        run: set_active_expire,
        help: &["SET-ACTIVE-EXPIRE <0|1>", "    Whether keys expire when nobody asks for them."],
    },
    Tool {
        name: "SET-DISABLE-DENY-SCRIPTS",
        args: (1, 1),
        run: set_callable,
        help: &[
            "SET-DISABLE-DENY-SCRIPTS <0|1>",
            "    Whether scripts may call every command, also those that are not for them.",
        ],
    },
    Tool {
        name: "SET-SKIP-CHECKSUM-VALIDATION",
        args: (1, 1),
        run: skip_checksums,
        help: &[
            "SET-SKIP-CHECKSUM-VALIDATION <0|1>",
            "    Whether checksums of snapshots and RESTORE's payloads are not verified.",
        ],
    },
    Tool {
        name: "SLEEP",
        args: (1, 1),
        run: sleep,
        help: &["SLEEP <seconds>", "    Stop the server for <seconds>; decimals are allowed."],
    },
];

fn debug(ctx: &mut Context<'_>) -> Outcome {
    let word = ctx.args.at(1);
    let given = ctx.args.len() - 2;
    if word.eq_ignore_ascii_case(b"help") && given == 0 {
        let lines: Vec<&str> = TOOLS.iter().flat_map(|tool| tool.help).copied().collect();
        return ctx.help(&lines);
    }
    let tool = TOOLS.iter().find(|tool| tool.name.as_bytes().eq_ignore_ascii_case(word));
    match tool {
        Some(tool) if (tool.args.0..=tool.args.1).contains(&given) => (tool.run)(ctx),
        Some(_) | None => {
            let mut line = b"ERR unknown subcommand or wrong number of arguments for '".to_vec();
            line.extend_from_slice(&word[..word.len().min(128)]);
            line.extend_from_slice(b"'. Try DEBUG HELP.");
            Err(Error::new(line))
        }
    }
}

fn crash(ctx: &mut Context<'_>, how: Crash) -> Outcome {
    ctx.server.host.crash(how);
    ctx.ok()
}

fn log(ctx: &mut Context<'_>) -> Outcome {
    tracing::warn!("DEBUG LOG: {}", ctx.args.at(2).escape_ascii());
    ctx.ok()
}

fn sleep(ctx: &mut Context<'_>) -> Outcome {
    // As in C's strtod, what is no number is zero.
    let seconds = crate::base::float::parse_f64(ctx.args.at(2)).unwrap_or(0.0);
    let micros = num::u64_truncated((seconds * 1e6).clamp(0.0, 1e15));
    (ctx.server.host.sleeper())(Duration::from_micros(micros));
    ctx.ok()
}

fn rewrite_config(ctx: &mut Context<'_>) -> Outcome {
    ctx.server.rewrite_config(Defaults::Written)?;
    ctx.ok()
}

fn reply_buffers(ctx: &mut Context<'_>) -> Outcome {
    if ctx.is_word(2, "resizing") {
        let is_off = ctx.args.at(3) == b"0";
        ctx.server.buffers.keep_for((!is_off).then_some(ReplyBuffers::KEEP_MS));
        return ctx.ok();
    }
    if !ctx.is_word(2, "peak-reset-time") {
        return Err(Error::SYNTAX);
    }
    let keep = if ctx.is_word(3, "never") {
        None
    } else if ctx.is_word(3, "reset") {
        Some(ReplyBuffers::KEEP_MS)
    } else {
        Some(u64::try_from(ctx.integer(3)?).map_err(|_| Error::NOT_AN_INTEGER)?)
    };
    ctx.server.buffers.keep_for(keep);
    ctx.ok()
}

fn delay_log(ctx: &mut Context<'_>) -> Outcome {
    let micros = u64::try_from(ctx.integer(2)?).map_err(|_| Error::NOT_AN_INTEGER)?;
    if let Some(log) = ctx.server.host.append_only_file_mut() {
        log.set_write_delay(micros);
    }
    ctx.ok()
}

fn pause_periodic_work(ctx: &mut Context<'_>) -> Outcome {
    let runs = ctx.args.at(2) == b"0";
    ctx.server.periodic_work = if runs { PeriodicWork::Runs } else { PeriodicWork::Paused };
    ctx.ok()
}

fn set_active_expire(ctx: &mut Context<'_>) -> Outcome {
    let is_off = ctx.args.at(2) == b"0";
    ctx.server.active_expire = if is_off { ActiveExpire::Off } else { ActiveExpire::On };
    ctx.ok()
}

fn set_callable(ctx: &mut Context<'_>) -> Outcome {
    let is_off = ctx.args.at(2) == b"0";
    ctx.server.scripting.callable = if is_off { Callable::Permitted } else { Callable::All };
    ctx.ok()
}

fn set_plain_threshold(ctx: &mut Context<'_>) -> Outcome {
    let size = units::parse_size(ctx.args.at(2)).filter(|&size| size <= PLAIN_THRESHOLD_MAX);
    let size = size.ok_or(Error::fixed(
        "ERR argument must be a memory value bigger than 1 and smaller than 4gb",
    ))?;
    ctx.server.list_plain_from = (size > 0).then(|| num::usize_of(size));
    ctx.ok()
}

fn object(ctx: &mut Context<'_>) -> Outcome {
    let (db, key) = (ctx.session.db, ctx.key(2));
    let policy = ctx.server.keyspace.policy();
    let Some(entry) = ctx.server.keyspace.stored(db, key) else { return Err(Error::NO_SUCH_KEY) };
    let text = format!(
        "Value at:{:p} refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{}",
        entry.as_raw(),
        value::encoding_of(&entry),
        serialized_len(&entry),
        entry.access(),
        policy.idle_s(entry.access()).unwrap_or(0)
    );
    ctx.session.output.simple(&text);
    Ok(())
}

/// Tells replicas of a command that nobody has executed.
fn replicate(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    ctx.words_for_replicas(args.len() - 2, args.from(2));
    ctx.ok()
}

/// Bytes of the value in a snapshot, before compression.
fn serialized_len(entry: &value::Entry) -> usize {
    let Some(string) = Str::of(entry) else { return 0 };
    match string.integer() {
        Some(n) if i8::try_from(n).is_ok() => 2,
        Some(n) if i16::try_from(n).is_ok() => 3,
        Some(n) if i32::try_from(n).is_ok() => 5,
        Some(_) | None => {
            let len = string.len();
            let head = match len {
                0..64 => 1,
                64..16_384 => 2,
                _ => 5,
            };
            head + len
        }
    }
}

fn populate(ctx: &mut Context<'_>) -> Outcome {
    let out_of_range = || Error::fixed("ERR value is out of range, must be positive");
    let positive = |n: i64| u64::try_from(n).map_err(|_| out_of_range());
    let count = positive(ctx.integer(2)?)?;
    let prefix = ctx.args.get(3).unwrap_or(b"key").to_vec();
    let size = match ctx.args.get(4) {
        Some(_) => Some(num::usize_of(positive(ctx.integer(4)?)?)),
        None => None,
    };
    if size.is_some_and(|size| size > ctx.server.config.proto_max_bulk_len) {
        return Err(Error::STRING_TOO_LONG);
    }
    let db = ctx.session.db;
    for n in 0..count {
        let mut name = prefix.clone();
        name.push(b':');
        num::write_u64(&mut name, n);
        let key = ctx.server.keyspace.key(&name);
        if ctx.server.keyspace.peek(db, key).is_some() {
            continue;
        }
        let mut content = format!("value:{n}").into_bytes();
        if let Some(size) = size {
            content.resize(size, 0);
        }
        ctx.server.keyspace.insert(db, key, string::new_value(&content), None);
    }
    ctx.ok()
}

fn skip_checksums(ctx: &mut Context<'_>) -> Outcome {
    let skips = num::parse_i64(ctx.args.at(2)).is_some_and(|n| n != 0);
    ctx.server.verify = if skips { Verify::Nothing } else { Verify::Checksum };
    ctx.ok()
}

fn allocator_number(ctx: &mut Context<'_>) -> Outcome {
    let name = String::from_utf8_lossy(ctx.args.at(2)).into_owned();
    let value = if ctx.args.len() > 3 { Some(ctx.integer(3)?) } else { None };
    let result = ctx.server.host.allocator_number(&name, value);
    let number = result.map_err(|error| Error::new(format!("ERR {error}")))?;
    ctx.reply_integer(number)
}

fn allocator_text(ctx: &mut Context<'_>) -> Outcome {
    let name = String::from_utf8_lossy(ctx.args.at(2)).into_owned();
    let value = ctx.args.get(3).map(|value| String::from_utf8_lossy(value).into_owned());
    let result = ctx.server.host.allocator_text(&name, value.as_deref());
    match result.map_err(|error| Error::new(format!("ERR {error}")))? {
        Some(text) => ctx.session.output.text(&text),
        None => ctx.session.output.ok(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};
    use crate::config::{Config, Permission};

    pub(super) fn bench() -> Bench {
        let config = Config { enable_debug_command: Permission::Yes, ..Config::default() };
        Bench::with(config)
    }

    #[test]
    fn it_is_off_by_default() {
        check(
            "DEBUG DIGEST",
            "-ERR DEBUG command not allowed. If the enable-debug-command option is set to \
             \"local\", you can run it from a local connection, otherwise you need to set this \
             option in the configuration file, and then restart the server.",
        );
    }

    #[test]
    fn populate_creates_what_is_missing() {
        bench().check(
            "SET key:1 mine; DEBUG POPULATE 3; GET key:0; GET key:1; DEBUG POPULATE 1 p 9; GET p:0",
            "+OK +OK $value:0 $mine +OK $value:0\\x00\\x00",
        );
        bench().check(
            "DEBUG POPULATE -1; DEBUG POPULATE x",
            "-ERR value is out of range, must be positive \
             -ERR value is not an integer or out of range",
        );
    }

    #[test]
    fn reply_buffers_are_kept_as_long_as_it_says() {
        bench().check(
            "DEBUG REPLYBUFFER PEAK-RESET-TIME never; DEBUG REPLYBUFFER peak-reset-time 100; \
             DEBUG REPLYBUFFER peak-reset-time reset; DEBUG REPLYBUFFER peak-reset-time x; \
             DEBUG REPLYBUFFER resizing 0; DEBUG REPLYBUFFER resizing 1; DEBUG REPLYBUFFER nope 1",
            "+OK +OK +OK -ERR value is not an integer or out of range +OK +OK -ERR syntax error",
        );
    }

    #[test]
    fn unknown_tools_are_refused() {
        bench().check(
            "DEBUG NOPE; DEBUG SLEEP",
            "-ERR unknown subcommand or wrong number of arguments for 'NOPE'. Try DEBUG HELP. \
             -ERR unknown subcommand or wrong number of arguments for 'SLEEP'. Try DEBUG HELP.",
        );
    }
}
