//! A machine on which nothing happens: for a server that only executes a log.

use super::host::{
    AppendOnlyFile, CertificateFacts, ChildEnd, ChildKind, ChildProgress, Collation, CpuUse, Crash,
    Facts, Forked, Host, MemoryUse, NewFile, Relocations, Write,
};
use super::persist::Loaded;
use crate::config::{Config, Trigger};
use crate::ds::relocate::{Nothing, Relocator};
use crate::store::Keyspace;
use std::any::Any;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

/// The machine of a server without clients. Commands that ask for something else than data get an
/// error or nothing.
#[derive(Debug, Default)]
pub struct QuietHost {
    facts: Facts,
    relocator: Nothing,
}

fn nothing<T>() -> io::Result<T> {
    Err(ErrorKind::Unsupported.into())
}

impl Host for QuietHost {
    fn memory(&mut self) -> MemoryUse {
        MemoryUse::default()
    }
    fn allocated(&mut self) -> u64 {
        0
    }
    fn cpu(&self) -> CpuUse {
        CpuUse::default()
    }
    fn facts(&self) -> &Facts {
        &self.facts
    }
    fn certificates(&self) -> CertificateFacts {
        CertificateFacts::default()
    }
    fn apply(&mut self, _trigger: Trigger, _config: &Config) -> Result<(), String> {
        Err("the server is loading".to_owned())
    }
    fn read_file(&mut self, _path: &Path) -> io::Result<Vec<u8>> {
        nothing()
    }
    fn replace_file(&mut self, _path: &Path, _bytes: &[u8]) -> io::Result<()> {
        nothing()
    }
    fn fill_random(&mut self, _buffer: &mut [u8]) -> io::Result<()> {
        nothing()
    }
    fn open_file(&mut self, _path: &Path) -> io::Result<(Box<dyn io::Read>, u64)> {
        nothing()
    }
    fn write_file(&mut self, _file: NewFile<'_>, _write: &mut Write<'_>) -> io::Result<()> {
        nothing()
    }
    fn write_file_in_child(
        &mut self,
        _kind: ChildKind,
        _file: NewFile<'_>,
        _write: &mut Write<'_>,
    ) -> io::Result<Forked> {
        nothing()
    }
    fn child_progress(&self) -> ChildProgress {
        ChildProgress::default()
    }
    fn take_child_end(&mut self) -> Option<ChildEnd> {
        None
    }
    fn stop_child(&mut self) {}
    fn forget_signal(&mut self) {}
    fn announce_ready(&mut self) {}
    fn load_log(&mut self, _keyspace: Keyspace, _config: &Config) -> Result<Loaded, String> {
        Err("the server is loading".to_owned())
    }
    fn append_only_file(&self) -> Option<&dyn AppendOnlyFile> {
        None
    }
    fn append_only_file_mut(&mut self) -> Option<&mut dyn AppendOnlyFile> {
        None
    }
    fn take_loaded(&mut self) -> Option<Result<Loaded, String>> {
        None
    }
    fn drop_later(&mut self, garbage: Box<dyn Any + Send>) {
        drop(garbage);
    }
    fn drops_pending(&self) -> u64 {
        0
    }
    fn sleeper(&self) -> fn(Duration) {
        |_| ()
    }
    fn relocator(&mut self) -> &mut dyn Relocator {
        &mut self.relocator
    }
    fn relocations(&self) -> Relocations {
        Relocations::default()
    }
    fn purge_memory(&mut self) -> io::Result<()> {
        nothing()
    }
    fn allocator_number(&mut self, _name: &str, _value: Option<i64>) -> io::Result<i64> {
        nothing()
    }
    fn allocator_text(&mut self, _name: &str, _: Option<&str>) -> io::Result<Option<String>> {
        nothing()
    }
    fn allocator_report(&mut self) -> String {
        String::new()
    }
    fn crash(&mut self, _how: Crash) {}
    fn utc_offset_s(&self, _unix_s: i64) -> i32 {
        0
    }
    fn collation(&self) -> Collation {
        Collation::Bytes
    }
    fn put_collation_key(&self, text: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(text);
    }
}
