//! Taking a snapshot without another thread or a file: for tests, and for machines that are made up.

use crate::command::host::{Arrived, Intake, Plan};
use crate::command::persist::load_received;
use crate::config::Config;
use crate::persist::Progress;
use crate::store::Keyspace;
use std::sync::Arc;

/// Loads a snapshot when it is complete.
#[derive(Debug, Default)]
pub struct AtOnce {
    plan: Option<(Plan, Config)>,
    bytes: Vec<u8>,
    /// What takes the file's place.
    stored: Vec<u8>,
    arrived: Option<Result<Arrived, String>>,
}

impl AtOnce {
    fn load(bytes: &[u8], keyspace: Keyspace, config: &Config) -> Result<Arrived, String> {
        let len = u64::try_from(bytes.len()).ok();
        let loaded = load_received(bytes, keyspace, len, config, &Progress::new(), &|_| ());
        loaded.map(|loaded| Arrived::Loaded(Box::new(loaded)))
    }
}

impl Intake for AtOnce {
    fn begin(&mut self, plan: Plan, config: &Config) -> Result<Arc<Progress>, String> {
        self.cancel();
        match plan {
            Plan::LoadStored(keyspace) => {
                self.arrived = Some(Self::load(&self.stored, keyspace, config));
            }
            Plan::Store | Plan::Load(_) => self.plan = Some((plan, config.clone())),
        }
        Ok(Arc::new(Progress::new()))
    }

    fn give(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn end(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.arrived = self.plan.take().map(|(plan, config)| match plan {
            Plan::Load(keyspace) => Self::load(&bytes, keyspace, &config),
            Plan::Store | Plan::LoadStored(_) => {
                self.stored = bytes;
                Ok(Arrived::Stored)
            }
        });
    }

    fn poll(&mut self, _: &Config) -> Option<Result<Arrived, String>> {
        self.arrived.take()
    }

    fn cancel(&mut self) {
        self.plan = None;
        self.bytes.clear();
        self.arrived = None;
    }
}
