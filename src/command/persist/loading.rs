//! The data at the start: loaded by another thread, while this one answers.

use super::state::Conditions;
use crate::base::num;
use crate::command::server::{Now, Server, Shutdown};
use crate::config::{Config, SanitizeDumpPayload};
use crate::persist::Progress;
use crate::persist::rdb::{self, Aux, Encodings, Expired, LoadOptions, Sanitize, Verify};
use crate::repl::ReplId;
use crate::store::Keyspace;
use bytes::Bytes;
use std::sync::Arc;

/// When so many keys were left out at the start because they had expired, replicas are not told of each: they
/// are sent everything.
const LEFT_OUT_MAX: usize = 100_000;

/// A load in progress.
#[derive(Debug)]
pub struct Loading {
    /// How far it is.
    pub progress: Arc<Progress>,
    /// Bytes there are to load.
    pub total_bytes: u64,
    /// Since when.
    pub started: Now,
}

/// Data that were loaded.
#[derive(Debug)]
pub struct Loaded {
    /// The data.
    pub keyspace: Keyspace,
    /// Sources of libraries of functions.
    pub libraries: Vec<Bytes>,
    /// Keys that were loaded.
    pub keys: u64,
    /// Keys that had expired.
    pub expired: u64,
    /// Whose data they are, if they say so.
    pub origin: Option<Origin>,
}

/// Where the data of a snapshot stand in a stream of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Whose stream it is.
    pub id: ReplId,
    /// How many bytes of it they have.
    pub offset: u64,
    /// The database that it has selected there.
    pub stream_db: usize,
}

impl Origin {
    /// What a snapshot says of itself.
    pub fn of(aux: &Aux) -> Option<Self> {
        let id = ReplId::parse(&aux.repl_id?)?;
        let offset = u64::try_from(aux.repl_offset?).ok()?;
        let stream_db = aux.repl_stream_db.and_then(|db| usize::try_from(db).ok()).unwrap_or(0);
        Some(Self { id, offset, stream_db })
    }
}

/// How a snapshot of so many bytes is loaded by this configuration.
pub fn load_options<'a>(
    config: &Config,
    keyspace: &Keyspace,
    bytes: u64,
    sleep: &'a dyn Fn(u64),
) -> LoadOptions<'a> {
    let encodings = Encodings::of(config, keyspace.hash_key(), keyspace.now_ms());
    let sanitize = match config.sanitize_dump_payload {
        SanitizeDumpPayload::Yes => Sanitize::Yes,
        SanitizeDumpPayload::No | SanitizeDumpPayload::Clients => Sanitize::No,
    };
    LoadOptions {
        sanitize,
        verify: if config.rdbchecksum { Verify::Checksum } else { Verify::Nothing },
        input_bytes: Some(bytes),
        key_delay_us: config.key_load_delay,
        sleep,
        ..LoadOptions::new(encodings)
    }
}

/// Loads a snapshot that a primary sends, of so many bytes if that is known.
///
/// # Errors
/// What is wrong with it: a sentence for the log.
pub fn load_received<R: std::io::Read>(
    input: R,
    mut keyspace: Keyspace,
    bytes: Option<u64>,
    config: &Config,
    progress: &Progress,
    sleep: &dyn Fn(u64),
) -> Result<Loaded, String> {
    let mut options = load_options(config, &keyspace, bytes.unwrap_or(0), sleep);
    options.input_bytes = bytes;
    // What has expired is still there on the primary, which will say when it is gone.
    options.expired = Expired::Keep;
    let loaded =
        rdb::load(input, &mut keyspace, &options, progress).map_err(|error| error.to_string())?;
    log_loaded(&loaded, keyspace.now_ms() / 1000);
    let origin = Origin::of(&loaded.aux);
    let rdb::Loaded { libraries, keys, expired, .. } = loaded;
    Ok(Loaded { keyspace, libraries, keys, expired, origin })
}

/// Logs what a snapshot says about itself and what it brought.
pub fn log_loaded(loaded: &rdb::Loaded, now_s: i64) {
    let Aux { server_version, created_s, used_memory_bytes, .. } = &loaded.aux;
    if let Some(version) = server_version {
        tracing::info!("Loading RDB produced by version {}", version.escape_ascii());
    }
    if let Some(created_s) = created_s {
        tracing::info!("RDB age {} seconds", now_s.saturating_sub(*created_s).max(0));
    }
    if let Some(bytes) = used_memory_bytes {
        let mib = num::f64_of_u64(*bytes) / (1024.0 * 1024.0);
        tracing::info!("RDB memory usage when created {mib:.2} Mb");
    }
    for key in &loaded.empty_keys {
        tracing::info!("skipping empty key: {}", key.escape_ascii());
    }
    let (keys, expired) = (loaded.keys, loaded.expired);
    let empty = match loaded.empty {
        0 => String::new(),
        empty => format!(", empty keys skipped: {empty}"),
    };
    tracing::info!("Done loading RDB, keys loaded: {keys}, keys expired: {expired}{empty}.");
}

impl Loading {
    /// Bytes loaded.
    pub fn bytes(&self) -> u64 {
        self.progress.bytes().min(self.total_bytes)
    }

    /// Seconds until it is done, at the pace so far.
    pub fn left_s(&self, now: Now) -> u64 {
        let bytes = self.bytes();
        let elapsed_s = now.mono_ms().saturating_sub(self.started.mono_ms()) / 1000;
        if bytes == 0 {
            return 1; // a pessimistic guess, as Redis's
        }
        let left = u128::from(self.total_bytes - bytes) * u128::from(elapsed_s);
        u64::try_from(left / u128::from(bytes)).unwrap_or(u64::MAX)
    }

    /// The part that is loaded, percent.
    pub fn percent(&self) -> f64 {
        num::ratio(self.bytes(), self.total_bytes.max(1)) * 100.0
    }
}

impl Server {
    /// Notes that another thread loads the data.
    pub fn begin_loading(&mut self, progress: Arc<Progress>, total_bytes: u64) {
        self.persistence.loading = Some(Loading { progress, total_bytes, started: self.now });
        self.conditions.insert(Conditions::LOADING);
    }

    /// Takes over the data once they are loaded; called often while they are not.
    pub fn look_after_loading(&mut self) {
        let Some(outcome) = self.host.take_loaded() else { return };
        match outcome {
            Ok(loaded) => {
                self.conditions.remove(Conditions::LOADING);
                self.persistence.loading = None;
                self.adopt_at_start(loaded);
                self.follow_log();
                self.host.announce_ready();
            }
            Err(reason) => {
                // To whoever asks, it is loading to the end: there are no data, and none are to be saved
                // over those that could not be read.
                tracing::warn!("{reason}");
                self.stop(Shutdown { status: 1 });
            }
        }
    }

    /// Takes over the data there are at the start. Replicas that go on with them still have what had expired
    /// and was left out, so that they are told.
    fn adopt_at_start(&mut self, mut loaded: Loaded) {
        let left_out = std::mem::take(&mut loaded.keyspace.removals);
        let origin = loaded.origin.filter(|_| left_out.len() < LEFT_OUT_MAX);
        self.adopt(loaded);
        self.adopt_origin(origin);
        if origin.is_some() {
            self.keyspace.removals.append(left_out);
            self.record_removals();
        }
    }

    /// Takes over data in place of its own.
    pub fn adopt(&mut self, loaded: Loaded) {
        self.keyspace.adopt(loaded.keyspace);
        self.adopt_access_policy();
        self.persistence.libraries = loaded.libraries;
        self.load_libraries();
        self.persistence.loaded_keys = loaded.keys;
        self.persistence.loaded_expired = loaded.expired;
        self.drop_garbage();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hash::HashKey;
    use crate::base::rng::Rng;
    use crate::command::persist::{Ending, Patience, Save, Unsaved};
    use crate::command::testing::{Bench, FakeHost};
    use crate::persist::rdb::SaveOptions;
    use std::path::Path;

    #[test]
    fn nothing_is_executed_or_saved_when_the_data_cannot_be_loaded() {
        let mut host =
            FakeHost { loaded: Some(Err("they are corrupt".into())), ..FakeHost::default() };
        host.files.insert(Path::new("dump.rdb").into(), b"what cannot be read".to_vec());
        let mut bench = Bench::on(host, Config::default());
        bench.server.begin_loading(Arc::new(Progress::new()), 1);
        bench.server.look_after_loading();
        assert_eq!(bench.server.shutdown.map(|shutdown| shutdown.status), Some(1));
        let refused = "-ERR The server is shutting down";
        bench.check("SET k v; SAVE; SHUTDOWN SAVE; PING", &[refused; 4].join(" "));
        // A signal that arrives now.
        bench.server.ask_to_end(Ending {
            save: Save::Yes,
            unsaved: Unsaved::Stay,
            patience: Patience::Some,
        });
        bench.server.end_if_asked();
        assert_eq!(bench.server.shutdown.map(|shutdown| shutdown.status), Some(1));
        let kept = bench.server.host.read_file(Path::new("dump.rdb")).expect("it is still there");
        assert_eq!(kept, b"what cannot be read");
    }

    /// Every type, in small and in large encodings; the last one is of version 12.
    const SCRIPTS: [&str; 2] = [
        "SET int 12345; SET text 'some text'; SET long aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; \
         SET later v PX 5000; RPUSH l a b 3; SADD ints 1 2 70000; SADD s a b; ZADD z 1 a 2.5 b; \
         HSET h f v g w; XADD x 1-1 a b; XGROUP CREATE x group 0; XREADGROUP GROUP group c \
         STREAMS x >; SELECT 3; SET other db; CONFIG SET set-max-listpack-entries 1 \
         hash-max-listpack-entries 1 zset-max-listpack-entries 1 list-max-listpack-size 1; SADD s a b; \
         HSET h f v g w; ZADD z 1 a 2.5 b; RPUSH l a b c",
        "HSET h f v g w; HPEXPIRE h 5000 FIELDS 1 f; SET k v",
    ];

    fn load(config: &Config, bytes: &[u8]) -> Result<rdb::Loaded, rdb::LoadError> {
        let mut keyspace = Keyspace::new(16, HashKey::new(1, 2), Rng::seeded(3));
        let len = num::u64_of(bytes.len());
        let options = load_options(config, &keyspace, len, &|_| ());
        rdb::load(bytes, &mut keyspace, &options, &Progress::new())
    }

    #[test]
    fn a_changed_bit_anywhere_in_a_snapshot_is_found() {
        for script in SCRIPTS {
            let mut bench = Bench::new();
            bench.run(script);
            let libraries = [Bytes::from_static(b"#!lua name=a")];
            let aux = vec![(b"redis-ver".into(), b"7.4.0".into())];
            let options = SaveOptions { aux, libraries: &libraries, ..SaveOptions::default() };
            let mut bytes = Vec::new();
            rdb::save(&bench.server.keyspace, &options, &mut bytes).expect("memory");
            for sanitize in [SanitizeDumpPayload::No, SanitizeDumpPayload::Yes] {
                let config = Config { sanitize_dump_payload: sanitize, ..Config::default() };
                let loaded = load(&config, &bytes).expect("it is as it was written");
                assert_eq!(loaded.verified, rdb::Verified::Yes);
                for at in 0..bytes.len() {
                    for bit in 0..8 {
                        bytes[at] ^= 1 << bit;
                        assert!(load(&config, &bytes).is_err(), "bit {bit} of byte {at}");
                        bytes[at] ^= 1 << bit;
                    }
                }
            }
        }
    }
}
