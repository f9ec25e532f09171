//! DEBUG RELOAD: what a restart does to the data.

use crate::command::persist::{self, Loaded};
use crate::command::{Context, Error, Outcome, Server};
use crate::persist::Progress;
use crate::persist::rdb::{self, Duplicates, Verify};
use std::time::Duration;

/// What a reload does.
#[derive(Clone, Copy, Debug)]
struct Reload {
    saves: bool,
    flushes: bool,
    duplicates: Duplicates,
}

pub(super) fn reload(ctx: &mut Context<'_>) -> Outcome {
    const BAD_OPTION: Error =
        Error::fixed("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
    let mut asked = Reload { saves: true, flushes: true, duplicates: Duplicates::Refuse };
    for at in 2..ctx.args.len() {
        if ctx.is_word(at, "MERGE") {
            asked.duplicates = Duplicates::Replace;
        } else if ctx.is_word(at, "NOFLUSH") {
            asked.flushes = false;
        } else if ctx.is_word(at, "NOSAVE") {
            asked.saves = false;
        } else {
            return Err(BAD_OPTION);
        }
    }
    if asked.saves {
        ctx.server.save().map_err(|_| Error::fixed("ERR"))?;
    }
    run(ctx.server, asked)?;
    ctx.effects_none(); // whoever repeats changes has the same data
    tracing::warn!("DB reloaded by DEBUG RELOAD");
    ctx.ok()
}

/// Loads the snapshot. If that fails in place of the data, they stay as they were.
fn run(server: &mut Server, asked: Reload) -> Result<(), Error> {
    const FAILED: Error = Error::fixed("ERR Error trying to load the RDB dump, check server logs.");
    let path = server.config.dbfilename.clone();
    let path = path.as_path();
    let (input, bytes) = server.host.open_file(path).map_err(|error| {
        tracing::warn!("Can't open {}: {error}", path.display());
        FAILED
    })?;
    let mut fresh = server.fresh_keyspace();
    let keyspace = &server.keyspace;
    let sleeper = server.host.sleeper();
    let sleep = |micros| sleeper(Duration::from_micros(micros));
    let mut options = persist::load_options(&server.config, keyspace, bytes, &sleep);
    options.duplicates = asked.duplicates;
    if server.verify == Verify::Nothing {
        options.verify = Verify::Nothing;
    }
    let target = if asked.flushes { &mut fresh } else { &mut server.keyspace };
    let loaded = rdb::load(input, target, &options, &Progress::new()).map_err(|error| {
        tracing::warn!("Can't load {}: {error}", path.display());
        FAILED
    })?;
    persist::log_loaded(&loaded, server.now.unix_s());
    if asked.flushes {
        let rdb::Loaded { libraries, keys, expired, .. } = loaded;
        let dirty = server.keyspace.dirty;
        server.adopt(Loaded { keyspace: fresh, libraries, keys, expired, origin: None });
        server.keyspace.dirty = dirty;
    } else if !loaded.libraries.is_empty() {
        server.add_libraries(&loaded.libraries, asked.duplicates).map_err(|error| {
            tracing::warn!(
                "Can't load {}: {}",
                path.display(),
                String::from_utf8_lossy(error.line())
            );
            FAILED
        })?;
    }
    Ok(())
}

/// DEBUG LOADAOF. If the file cannot be loaded, the data stay as they were.
pub(super) fn load_log(ctx: &mut Context<'_>) -> Outcome {
    const FAILED: Error =
        Error::fixed("ERR Error trying to load the AOF files, check server logs.");
    let server = &mut *ctx.server;
    if server.in_transaction {
        // A part of a transaction is nothing to load.
        return Err(Error::fixed("ERR DEBUG LOADAOF is not possible inside a transaction"));
    }
    server.commit();
    let now = server.now;
    if let Some(log) = server.host.append_only_file_mut() {
        log.flush(now);
    }
    let fresh = server.fresh_keyspace();
    let loaded = server.host.load_log(fresh, &server.config).map_err(|reason| {
        tracing::warn!("{reason}");
        FAILED
    })?;
    server.adopt(loaded);
    server.keyspace.dirty = 0;
    ctx.effects_none(); // it would load itself
    tracing::info!("Append Only File loaded by DEBUG LOADAOF");
    ctx.ok()
}
