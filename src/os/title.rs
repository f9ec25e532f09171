//! The process title: what `ps` and `/proc/PID/cmdline` show.
//!
//! The kernel shows the bytes where it once laid the arguments, and goes on into the environment
//! behind them if the arguments' last byte is not NUL any more. So the title is written over both,
//! after the environment has been copied elsewhere. Where the two lie is read from
//! `/proc/self/stat`; that needs neither `main`'s arguments nor privileges.

use std::borrow::Cow;
use std::ffi::{CStr, c_char};
use std::fs;
use std::ops::Range;
use std::ptr;

use crate::base::num::usize_of;
use crate::base::template::{self, BadTemplate};

/// What the placeholders of `proc-title-template` stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TitleFields<'a> {
    /// `{title}`: the program as it was called, or what a child does.
    pub title: &'a str,
    /// `{listen-addr}`: see [`listen_address`].
    pub listen_addr: &'a str,
    /// `{server-mode}`: `[cluster]`, `[sentinel]` or nothing.
    pub server_mode: &'a str,
    /// `{port}`.
    pub port: u16,
    /// `{tls-port}`.
    pub tls_port: u16,
    /// `{unixsocket}`.
    pub unixsocket: &'a str,
    /// `{config-file}`.
    pub config_file: &'a str,
}

/// Fills `template` in; spaces at its ends go.
///
/// # Errors
/// If the template names something else or leaves a brace open.
pub fn expand(template: &str, fields: &TitleFields<'_>) -> Result<String, BadTemplate> {
    let [port, tls_port] = [fields.port, fields.tls_port].map(|port| port.to_string());
    let filled = template::expand(template, |name| match name {
        "title" => Some(fields.title),
        "listen-addr" => Some(fields.listen_addr),
        "server-mode" => Some(fields.server_mode),
        "port" => Some(&port),
        "tls-port" => Some(&tls_port),
        "unixsocket" => Some(fields.unixsocket),
        "config-file" => Some(fields.config_file),
        _ => None,
    })?;
    Ok(filled.trim_matches(' ').to_owned())
}

/// The one address that tells this server from others: the first to be bound with its port, or the
/// Unix socket where there is no port.
#[must_use]
pub fn listen_address(bind: &[&str], port: u16, tls_port: u16, unixsocket: &str) -> String {
    let port = if port == 0 { tls_port } else { port };
    if port == 0 {
        return format!("unixsocket:{unixsocket}");
    }
    let address = bind.first().map_or("*", |address| address.trim_start_matches('-'));
    format!("{address}:{port}")
}

/// The memory the kernel shows.
#[derive(Debug)]
pub struct ProcessTitle {
    /// What the program was called by.
    called: String,
    start: *mut c_char,
    /// Bytes of the arguments and, where it lies right behind them, the environment.
    capacity: usize,
}

impl ProcessTitle {
    /// Finds the memory and moves the environment out of it; `None` where that cannot be done, and
    /// then the process keeps its title.
    ///
    /// Call it once, in main, before any thread starts and after the arguments have been read:
    /// `std::env::args` shows the title from then on.
    #[must_use]
    pub fn take() -> Option<ProcessTitle> {
        let called = std::env::args_os().next()?.to_string_lossy().into_owned();
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let (arguments, environment) = areas(&stat)?;
        let mut end = arguments.end;
        if environment.start == arguments.end && move_environment(&environment).is_some() {
            end = environment.end;
        }
        // The last byte stays NUL for ever, so that every string in there keeps an end.
        let capacity = end.checked_sub(arguments.start)?.checked_sub(1)?;
        let start = ptr::with_exposed_provenance_mut(arguments.start);
        Some(ProcessTitle { called, start, capacity })
    }

    /// The program's name as it was called by, which is `{title}`.
    #[must_use]
    pub fn called(&self) -> &str {
        &self.called
    }

    /// Shows `title`, cut to the room there is, and at its first NUL.
    pub fn set(&mut self, title: &str) {
        let title = title.split('\0').next().unwrap_or_default();
        let length = title.len().min(self.capacity);
        // SAFETY: the `capacity` bytes from `start` are the kernel's copy of the arguments and
        // environment, mapped for the life of the process, and nobody refers to them: the
        // environment was moved, and whoever reads `argv` later finds strings that end in the
        // area, whose last byte is never written.
        unsafe { ptr::copy(title.as_ptr(), self.start.cast(), length) };
        // SAFETY: as above; `length` is at most `capacity`.
        let rest = unsafe { self.start.add(length) };
        // SAFETY: as above.
        unsafe { rest.write_bytes(0, self.capacity - length) };
    }
}

/// Where the arguments and the environment lie, from the text of `/proc/self/stat`.
fn areas(stat: &str) -> Option<(Range<usize>, Range<usize>)> {
    /// Fields are counted from 1; the process's name, the second, may hold spaces.
    const ARG_START: usize = 48;
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(ARG_START - 3).map_while(|field| {
        let address: u64 = field.parse().ok()?;
        (address != 0).then(|| usize_of(address))
    });
    let arguments = fields.next()?..fields.next()?;
    let environment = fields.next()?..fields.next()?;
    (arguments.start < arguments.end && environment.start <= environment.end)
        .then_some((arguments, environment))
}

unsafe extern "C" {
    /// The C library's list of the environment's strings, ended by null.
    static mut environ: *mut *mut c_char;
}

/// Copies every string of the environment that lies in `area` to the heap, and the list with them.
/// `None` if the process has other threads, which may be reading it.
fn move_environment(area: &Range<usize>) -> Option<()> {
    if fs::read_dir("/proc/self/task").ok()?.count() != 1 {
        return None;
    }
    // SAFETY: this is the only thread; nobody writes meanwhile.
    let mut entry = unsafe { environ };
    let mut copies = Vec::new();
    while !entry.is_null() {
        // SAFETY: the list goes on up to its null.
        let text = unsafe { *entry };
        if text.is_null() {
            break;
        }
        copies.push(if area.contains(&text.addr()) { copy(text) } else { text });
        // SAFETY: the list goes on up to its null, which this was not.
        entry = unsafe { entry.add(1) };
    }
    copies.push(ptr::null_mut());
    // SAFETY: this is the only thread. The new list and its strings live for ever.
    unsafe { environ = copies.leak().as_mut_ptr() };
    Some(())
}

/// A copy that is never freed of a string of the environment.
fn copy(text: *mut c_char) -> *mut c_char {
    // SAFETY: `text` comes from the environment's list: a string ended by NUL.
    let text = unsafe { CStr::from_ptr(text) };
    Cow::from(text).into_owned().into_raw()
}

#[cfg(test)]
mod tests {
    use super::super::signal::tests::in_child;
    use super::*;

    fn fields() -> TitleFields<'static> {
        TitleFields {
            title: "carnelian-server",
            listen_addr: "*:6379",
            port: 6379,
            config_file: "/etc/redis.conf",
            ..TitleFields::default()
        }
    }

    #[test]
    fn templates_are_filled_in_and_trimmed() {
        let check = |template: &str, expected: Result<&str, BadTemplate>| {
            let title = expand(template, &fields());
            assert_eq!(title.as_deref(), expected.as_ref().map(|text| *text));
        };
        check("{title} {listen-addr} {server-mode}", Ok("carnelian-server *:6379"));
        check("{port} {tls-port} {unixsocket} {config-file}", Ok("6379 0  /etc/redis.conf"));
        check("{server-mode}", Ok(""));
        check("{invalid-var}", Err(BadTemplate));
    }

    #[test]
    fn the_listening_address_is_the_first() {
        let check = |bind: &[&str], port, tls_port, expected: &str| {
            assert_eq!(listen_address(bind, port, tls_port, "/run/s"), expected);
        };
        check(&["127.0.0.1", "-::1"], 6379, 0, "127.0.0.1:6379");
        check(&["-::1"], 0, 6380, "::1:6380");
        check(&["*", "-::*"], 6379, 6380, "*:6379");
        check(&[], 6379, 0, "*:6379");
        check(&["*"], 0, 0, "unixsocket:/run/s");
    }

    #[test]
    fn areas_are_found_behind_a_hostile_name() {
        let zeros = "0 ".repeat(44);
        let stat = format!("1 (a) b) c) S {zeros}100 120 120 200 0\n");
        assert_eq!(areas(&stat), Some((100..120, 120..200)));
        assert_eq!(areas(&format!("1 (a) S {zeros}0 0 0 0 0")), None);
        assert_eq!(areas("1 (a) S 2"), None);
    }

    /// What `/proc/self/cmdline` shows up to the first NUL, in a child that has set `titles`.
    fn shown(titles: &[&str]) -> String {
        let (text, _) = in_child(|| {
            let path = std::env::var_os("PATH");
            let mut title = ProcessTitle::take().unwrap();
            for text in titles {
                title.set(text);
            }
            assert_eq!(std::env::var_os("PATH"), path, "the environment survives");
            let cmdline = fs::read("/proc/self/cmdline").unwrap();
            let end = cmdline.iter().position(|byte| *byte == 0).unwrap_or(cmdline.len());
            assert!(cmdline[end..].iter().all(|byte| *byte == 0), "nothing is left behind it");
            super::super::log::sink::write_all(libc::STDOUT_FILENO, &cmdline[..end]);
        });
        text
    }

    #[test]
    fn a_title_is_shown() {
        assert_eq!(shown(&["carnelian-server *:6379"]), "carnelian-server *:6379");
        assert_eq!(shown(&["a much longer title than the next", "short"]), "short");
        let long = "long title ".repeat(30);
        assert_eq!(shown(&["short", &long]), long);
        assert_eq!(shown(&["cut\0here"]), "cut");
    }
}
