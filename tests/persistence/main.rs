//! What survives the process: snapshots and the append-only file, seen from outside.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../common/mod.rs"]
mod common;

mod functions;
mod loading;
mod snapshots;
mod switching;
mod waiting;

use common::{Client, wait_until};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A field of INFO.
fn info(client: &mut Client, field: &str) -> String {
    let text = client.command(&["INFO", "everything"]).text();
    let prefix = format!("{field}:");
    let line = text.lines().find_map(|line| line.strip_prefix(&prefix));
    line.unwrap_or_else(|| panic!("INFO lacks {field}")).trim().to_owned()
}

/// Waits until a field of INFO has a value.
fn wait_for_info(client: &mut Client, field: &str, value: &str) {
    wait_until(&format!("{field} to be {value}"), || info(client, field) == value);
}

/// The names of the files in a directory, but for the log.
fn files(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name != "log");
    names.sort();
    names
}

/// The process ids of a process's children.
fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// Sends a signal to a process.
fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args(["-s", name, &pid.to_string()]).status().unwrap();
    assert!(status.success());
}
