//! Keeps the contexts as the configuration and the files say, and says when certificates expire.
//!
//! Files that have changed are read by a thread of its own, since a passphrase may take long to try;
//! CONFIG SET waits, because its reply says whether all is well. Connections keep what they began with.

use super::{Contexts, Shared, Watch, build, is_wanted, pem};
use crate::command::host::{CertificateFact, CertificateFacts};
use crate::command::server::Now;
use crate::config::Config;
use std::thread::{self, JoinHandle};

/// How long before its end a certificate is spoken of, seconds.
const EXPIRY_NOTICE_S: i64 = 30 * 86_400;
/// How often it is, seconds.
const EXPIRY_REPEATED_S: i64 = 86_400;

/// See the module.
#[derive(Debug, Default)]
pub struct Keeper {
    shared: Shared,
    watch: Watch,
    next_look_ms: u64,
    next_notice_s: i64,
    reading: Option<JoinHandle<Result<Contexts, String>>>,
}

impl Keeper {
    /// One that keeps what is shared.
    #[must_use]
    pub fn new(shared: Shared) -> Self {
        Self { shared, ..Self::default() }
    }

    /// Follows the configuration: reads the files again.
    ///
    /// # Errors
    /// What is wrong; all stays as it was.
    pub fn adopt(&mut self, config: &Config) -> Result<(), String> {
        if !is_wanted(config) {
            return Ok(());
        }
        let watch = Watch::new(pem::files(config));
        let built = build(config)?;
        self.reading = None; // by the old configuration
        self.watch = watch;
        self.replace(built);
        Ok(())
    }

    fn replace(&mut self, contexts: Contexts) {
        self.shared.replace(Some(contexts));
        self.next_notice_s = 0;
    }

    /// The certificates in use.
    #[must_use]
    pub fn facts(&self) -> CertificateFacts {
        self.shared.borrow().as_ref().map(|contexts| contexts.facts.clone()).unwrap_or_default()
    }

    /// To be called now and then.
    pub fn look(&mut self, config: &Config, now: Now) {
        if !is_wanted(config) || self.shared.borrow().is_none() {
            return;
        }
        if now.unix_s() >= self.next_notice_s {
            self.next_notice_s = now.unix_s() + EXPIRY_REPEATED_S;
            notice(&self.facts(), now.unix_s());
        }
        if self.reading.as_ref().is_some_and(JoinHandle::is_finished) {
            self.finish_reading();
        }
        let interval_ms = u64::from(config.tls_auto_reload_interval) * 1000;
        if interval_ms == 0 || now.mono_ms() < self.next_look_ms || self.reading.is_some() {
            return;
        }
        self.next_look_ms = now.mono_ms() + interval_ms;
        if self.watch.has_changed() {
            let config = config.clone();
            let reader = thread::Builder::new().name("certificates".to_owned());
            match reader.spawn(move || build(&config)) {
                Ok(reading) => self.reading = Some(reading),
                Err(error) => tracing::warn!("Certificates cannot be read again: {error}"),
            }
        }
    }

    fn finish_reading(&mut self) {
        let Some(reading) = self.reading.take() else { return };
        match reading.join() {
            Ok(Ok(contexts)) => {
                self.replace(contexts);
                tracing::info!("Certificates have changed and count for new connections");
            }
            Ok(Err(reason)) => {
                tracing::warn!("Changed certificates are not used, the old ones are: {reason}");
            }
            Err(_) => tracing::warn!("Changed certificates could not be read"),
        }
    }
}

/// Speaks of certificates that expire soon.
fn notice(facts: &CertificateFacts, now_s: i64) {
    let named = [
        ("tls-cert-file", &facts.server),
        ("tls-client-cert-file", &facts.client),
        ("tls-ca-cert-file or tls-ca-cert-dir", &facts.authority),
    ];
    for (directive, fact) in named {
        let Some(CertificateFact { serial, expires_at_s }) = fact else { continue };
        let left_s = expires_at_s - now_s;
        if left_s <= 0 {
            tracing::warn!("The certificate of {directive} (serial {serial}) has expired");
        } else if left_s <= EXPIRY_NOTICE_S {
            let days = left_s / 86_400;
            tracing::warn!(
                "The certificate of {directive} (serial {serial}) expires in {days} days"
            );
        }
    }
}
