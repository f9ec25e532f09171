//! ACL LOG.

use super::{ADMIN_FLAGS, wrong_arguments};
use crate::base::num;
use crate::command::spec::{Arg, ArgType, Group};
use crate::command::{Command, Context, Error, Outcome, Spec};

/// ACL LOG [count | RESET]
pub(super) static LOG: Command = Command { spec: LOG_SPEC, handler: Some(log), subcommands: &[] };

const LOG_SPEC: Spec = Spec {
    name: "log",
    summary: "Shows what was refused to whom.",
    complexity: "O(N), N being the number of entries shown.",
    since: "6.0.0",
    group: Group::Server,
    arity: -2,
    flags: ADMIN_FLAGS,
    args: &[Arg::one_of(
        "operation",
        &[Arg::new("count", ArgType::Integer), Arg::flag("reset", "RESET")],
    )
    .optional()],
    history: &[("7.2.0", "Number of the entry and times.")],
    ..Spec::EMPTY
};

/// Entries shown if nobody says how many.
const COUNT: usize = 10;

fn log(ctx: &mut Context<'_>) -> Outcome {
    let count = match ctx.args.len() {
        2 => COUNT,
        3 if ctx.is_word(2, "RESET") => {
            ctx.server.acl_log.clear();
            return ctx.ok();
        }
        3 => match ctx.integer(2)? {
            count if count < 0 => 0,
            count => usize::try_from(count).map_err(|_| Error::NOT_AN_INTEGER)?,
        },
        _ => return Err(wrong_arguments(ctx.args.at(1))),
    };
    let entries = ctx.server.acl_log.iter();
    let now_ms = ctx.server.now.unix_ms();
    let out = &mut ctx.session.output;
    out.array(entries.len().min(count));
    for entry in entries.take(count) {
        out.map(10);
        out.text("count");
        out.integer(num::i64_clamped(entry.count));
        out.text("reason");
        out.text(entry.reason.name());
        out.text("context");
        out.text(entry.context.name());
        out.text("object");
        out.bulk(&entry.object);
        out.text("username");
        out.bulk(&entry.username);
        out.text("age-seconds");
        out.double(num::f64_of(now_ms - entry.updated_ms) / 1000.0);
        out.text("client-info");
        out.bulk(&entry.client);
        out.text("entry-id");
        out.integer(num::i64_clamped(entry.id));
        out.text("timestamp-created");
        out.integer(entry.created_ms);
        out.text("timestamp-last-updated");
        out.integer(entry.updated_ms);
    }
    Ok(())
}
