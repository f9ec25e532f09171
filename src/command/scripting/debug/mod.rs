//! EVAL of a client that has said SCRIPT DEBUG: a conversation, as `redis-cli --ldb` leads it.
//!
//! A second process, which has everything as it is at that moment, runs the script and talks to the client;
//! what it changes is gone with it. With SCRIPT DEBUG SYNC the server itself does so, and serves nobody else
//! meanwhile. Either way the connection ends with the session.

mod human;
mod talk;

use super::eval;
use super::run::Access;
use crate::command::host::Side;
use crate::command::{Context, Error, Outcome, Server};
use crate::session::SessionFlags;
use std::io;
pub(super) use talk::{Debugger, Next};

/// SCRIPT DEBUG YES | SYNC | NO
pub(super) fn choose(ctx: &mut Context<'_>) -> Outcome {
    const MODES: SessionFlags = SessionFlags::DEBUG.union(SessionFlags::DEBUG_SYNC);
    if !ctx.session.output.is_empty() {
        return Err(Error::fixed("ERR SCRIPT DEBUG must be called outside a pipeline"));
    }
    let mode = if ctx.is_word(2, "no") {
        SessionFlags::empty()
    } else if ctx.is_word(2, "yes") {
        SessionFlags::DEBUG
    } else if ctx.is_word(2, "sync") {
        MODES
    } else {
        return Err(Error::fixed("ERR Use SCRIPT DEBUG YES/SYNC/NO"));
    };
    ctx.session.flags.remove(MODES);
    ctx.session.flags.insert(mode);
    ctx.ok()
}

/// Whether a client debugs the scripts that it runs now.
pub(super) fn is_wanted(ctx: &Context<'_>) -> bool {
    let flags = ctx.session.flags;
    flags.contains(SessionFlags::DEBUG) && !flags.contains(SessionFlags::DENY_BLOCKING)
}

/// Runs a script for a client that debugs it.
///
/// # Errors
/// There can be no second process. What the script ends with is sent by itself.
pub(super) fn run(ctx: &mut Context<'_>, access: Access) -> Outcome {
    let client = ctx.session.index;
    let is_apart = !ctx.session.flags.contains(SessionFlags::DEBUG_SYNC);
    if is_apart {
        let Some(bystander) = &mut ctx.server.bystander else { return Err(NOBODY) };
        match bystander.fork(client) {
            Err(error) => {
                let text = format!("ERR Fork() failed: can't run EVAL in debugging mode: {error}");
                return Err(Error::new(text));
            }
            Ok(Side::Parent) => {
                ctx.effects_none();
                ctx.server.close(ctx.session);
                return Ok(());
            }
            // What it changes is nobody's business.
            Ok(Side::Child) => drop(ctx.server.effects.mute()),
        }
        tracing::warn!("Redis forked for debugging eval");
    } else {
        tracing::warn!("Redis synchronous debugging eval session started");
    }
    let sent = send_replies(ctx);
    let mut debugger = Debugger::new(client, ctx.args.at(1), (ctx.server.ticks)());
    if sent.is_err() {
        debugger.leave_alone();
    }
    ctx.server.scripting.debugger = Some(Box::new(debugger));
    let outcome = eval::run_text(ctx, access);
    if let Some(mut debugger) = ctx.server.scripting.debugger.take() {
        debugger.end(ctx.server);
    }
    if let Err(error) = outcome {
        ctx.server.stats.count_error(error.code());
        ctx.session.output.error(error.line());
    }
    if is_apart {
        // If this fails, the client has gone.
        let _ = send_replies(ctx);
        if let Some(bystander) = &mut ctx.server.bystander {
            bystander.leave();
        }
    }
    tracing::warn!("Redis synchronous debugging eval session ended");
    ctx.session.close_after_replies();
    Ok(())
}

const NOBODY: Error = Error::fixed("ERR Scripts cannot be debugged here");

/// Sends what the client is to get by now.
fn send_replies(ctx: &mut Context<'_>) -> io::Result<()> {
    let output = &mut ctx.session.output;
    let bytes: Vec<u8> = output.pieces().flatten().copied().collect();
    output.advance(bytes.len());
    send(ctx.server, ctx.session.index, &bytes)
}

fn send(server: &mut Server, client: usize, bytes: &[u8]) -> io::Result<()> {
    match &mut server.bystander {
        Some(bystander) => bystander.send(client, bytes),
        None => Err(io::ErrorKind::NotConnected.into()),
    }
}
