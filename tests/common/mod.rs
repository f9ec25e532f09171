//! What integration tests share: a server of their own, raw connections to it, and one [`check`].
//!
//! Every [`Server`] is a process started from the binary under test, on a free port, in a scratch
//! directory, and ended by its process id when the value is dropped. Nothing here knows what a
//! command means: a reply is rendered as text (see [`Reply`]'s `Display`) and compared as text.

// Each integration test compiles this module for itself and uses a part of it.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "test support: a failed unwrap is a failed test")]

use std::cell::RefCell;
use std::fmt;
use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take to start or a reply to arrive before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

const START_ATTEMPTS: usize = 5;

/// A running `carnelian-server`, ended when dropped.
pub(crate) struct Server {
    child: Child,
    port: u16,
    dir: Rc<TempDir>,
}

impl Server {
    /// Starts a server with the defaults of the tests: no snapshots, DEBUG allowed.
    pub(crate) fn start() -> Server {
        Server::with(&[])
    }

    /// Starts a server with further command-line arguments, such as `["--maxclients", "10"]`.
    pub(crate) fn with(arguments: &[&str]) -> Server {
        Server::with_environment(arguments, &[])
    }

    /// As [`Server::with`], with further environment variables.
    pub(crate) fn with_environment(arguments: &[&str], environment: &[(&str, &str)]) -> Server {
        // Another process may take the free port between asking for it and binding it.
        for _ in 0..START_ATTEMPTS {
            let mut server = Server::spawn(Rc::new(scratch()), arguments, environment);
            if server.wait_until_ready() {
                return server;
            }
        }
        panic!("the server found its port taken {START_ATTEMPTS} times in a row");
    }

    /// Starts a server in a directory with files; it may be loading, or end at once.
    pub(crate) fn starting_in(dir: &Rc<TempDir>, arguments: &[&str]) -> Server {
        Server::spawn(Rc::clone(dir), arguments, &[])
    }

    /// Starts a server in a directory with files and waits until it has loaded them.
    pub(crate) fn in_directory(dir: &Rc<TempDir>, arguments: &[&str]) -> Server {
        for _ in 0..START_ATTEMPTS {
            let mut server = Server::starting_in(dir, arguments);
            if server.wait_until_ready() {
                return server;
            }
        }
        panic!("the server found its port taken {START_ATTEMPTS} times in a row");
    }

    fn spawn(dir: Rc<TempDir>, arguments: &[&str], environment: &[(&str, &str)]) -> Server {
        let port = free_port();
        let log = File::create(dir.path().join("log")).unwrap();
        let child = Command::new(binary())
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--enable-debug-command", "yes", "--dir"])
            .arg(dir.path())
            .args(arguments)
            .envs(environment.iter().copied())
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stderr(log.try_clone().unwrap())
            .stdout(log)
            .spawn()
            .expect("cargo builds the server before its tests");
        Server { child, port, dir }
    }

    /// Kills the process as a power cut would, and starts another one in the same directory.
    pub(crate) fn killed_and_restarted(mut self, arguments: &[&str]) -> Server {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        Server::in_directory(&self.dir, arguments)
    }

    fn wait_until_ready(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = self.log();
            if log.contains("Ready to accept connections") {
                return true;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                if log.contains("Failed listening on port") {
                    return false;
                }
                panic!("the server ended with {status} before it was ready; its log:\n{log}");
            }
            assert!(Instant::now() < deadline, "the server is not ready; its log:\n{log}");
            sleep(Duration::from_millis(2));
        }
    }

    /// The TCP port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The scratch directory, the server's working directory.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Everything the server has written to its standard output and error.
    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(self.dir.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until the log holds `text`.
    pub(crate) fn wait_for_log(&self, text: &str) {
        wait_until(&format!("the log to hold {text:?}"), || self.log().contains(text));
    }

    /// Waits until the process has ended by itself and returns its exit status.
    pub(crate) fn wait_for_exit(&mut self) -> std::process::ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the server runs on; its log:\n{}", self.log());
            sleep(Duration::from_millis(5));
        }
    }

    /// Ends the server as an operator would, its data saved; its directory.
    pub(crate) fn shut_down(mut self) -> Rc<TempDir> {
        self.connect().send_command(&["SHUTDOWN", "SAVE"]);
        self.wait_for_exit();
        Rc::clone(&self.dir)
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> Client {
        Client::to(self.port)
    }

    /// As [`check`], on this server and without emptying it first.
    pub(crate) fn check(&self, script: &str, expected: &str) {
        self.connect().check(script, expected);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server under test. `CARNELIAN_TEST_SERVER=/usr/bin/redis-server cargo test …` judges the
/// tests themselves by a genuine server.
pub(crate) fn binary() -> PathBuf {
    let built = env!("CARGO_BIN_EXE_carnelian-server");
    std::env::var_os("CARNELIAN_TEST_SERVER").map_or(built.into(), PathBuf::from)
}

/// A directory of its own, removed with its last owner.
pub(crate) fn scratch() -> TempDir {
    tempfile::Builder::new().prefix("carnelian-test-").tempdir().unwrap()
}

/// A port that was free a moment ago, and none of those that connections to others start from: one of
/// those may be taken by anybody's next connection.
pub(crate) fn free_port() -> u16 {
    let random = || RandomState::new().hash_one(0);
    let drawn = std::iter::repeat_with(|| 10_000 + u16::try_from(random() % 20_000).unwrap());
    let is_free = |&port: &u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    drawn.take(1000).find(is_free).expect("one in a thousand ports is free")
}

/// Asks every few milliseconds until `condition` holds; fails after [`PATIENCE`].
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        sleep(Duration::from_millis(5));
    }
}

thread_local! {
    // One server for all the checks of a test: every test runs in a thread of its own.
    static SERVER: RefCell<Option<Server>> = const { RefCell::new(None) };
}

/// Runs `script` on an empty server in a fresh RESP2 connection and compares the replies.
///
/// Commands are separated by `;` and their words by spaces; quotes as in redis-cli
/// (`"a\x00b"`, `'a b'`). Replies are separated by one space:
/// `check("SET k v; GET k; GET x; MGET k x", "+OK $v $_ [$v $_]")`.
pub(crate) fn check(script: &str, expected: &str) {
    with_empty_server(|server| server.connect().check(script, expected));
}

/// As [`check`], after `HELLO 3`.
pub(crate) fn check_resp3(script: &str, expected: &str) {
    with_empty_server(|server| {
        let mut client = server.connect();
        client.command(&["HELLO", "3"]);
        client.check(script, expected);
    });
}

fn with_empty_server(test: impl FnOnce(&Server)) {
    SERVER.with_borrow_mut(|slot| {
        let server = slot.get_or_insert_with(Server::start);
        assert_eq!(server.connect().command(&["FLUSHALL"]).to_string(), "+OK");
        test(server);
    });
}

/// One connection, speaking bytes.
pub(crate) struct Client {
    stream: TcpStream,
    input: Vec<u8>,
    consumed: usize,
}

impl Client {
    /// Connects to 127.0.0.1.
    pub(crate) fn to(port: u16) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { stream, input: Vec::new(), consumed: 0 }
    }

    /// The connection itself, for tests that close or stall it.
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends one command, without waiting for its reply.
    pub(crate) fn send_command<W: AsRef<[u8]>>(&mut self, words: &[W]) {
        let bytes = encode(words);
        self.send(&bytes);
    }

    /// Sends one command and reads one reply.
    pub(crate) fn command<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Reply {
        self.send_command(words);
        self.reply()
    }

    /// Sends the commands of `script` (see [`check`]) at once and compares their replies.
    pub(crate) fn check(&mut self, script: &str, expected: &str) {
        let commands = parse_script(script);
        let request: Vec<u8> = commands.iter().flat_map(|words| encode(words)).collect();
        self.send(&request);
        let replies: Vec<String> = commands.iter().map(|_| self.reply().to_string()).collect();
        assert_eq!(replies.join(" "), expected, "in: {script}");
    }

    /// Reads one reply, pushes included.
    pub(crate) fn reply(&mut self) -> Reply {
        let line = self.line();
        let (kind, rest) = line.split_first().expect("a reply line is never empty");
        let text = || String::from_utf8_lossy(rest).into_owned();
        match kind {
            b'+' => Reply::Simple(text()),
            b'-' => Reply::Error(text()),
            b':' => Reply::Integer(text().parse().unwrap()),
            b',' => Reply::Double(text()),
            b'(' => Reply::BigNumber(text()),
            b'#' => Reply::Boolean(rest == b"t"),
            b'_' => Reply::Null,
            b'$' => length(rest).map_or(Reply::NullBulk, |n| Reply::Bulk(self.payload(n))),
            b'!' => Reply::BlobError(self.sized_payload(rest)),
            b'=' => Reply::Verbatim(self.sized_payload(rest)),
            b'*' => length(rest).map_or(Reply::NullArray, |n| Reply::Array(self.replies(n))),
            b'~' => Reply::Set(self.sized_replies(rest, 1)),
            b'>' => Reply::Push(self.sized_replies(rest, 1)),
            b'%' => Reply::Map(self.sized_replies(rest, 2)),
            b'|' => Reply::Attribute(self.sized_replies(rest, 2), Box::new(self.reply())),
            _ => panic!("not a reply: {}", line.escape_ascii()),
        }
    }

    /// Reads until the server closes; the bytes that came before that.
    pub(crate) fn read_to_end(&mut self) -> Vec<u8> {
        let mut bytes = self.input.split_off(self.consumed);
        match self.stream.read_to_end(&mut bytes) {
            Ok(_) => bytes,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => bytes,
            Err(error) => panic!("the server does not close: {error}"),
        }
    }

    fn replies(&mut self, count: usize) -> Vec<Reply> {
        (0..count).map(|_| self.reply()).collect()
    }

    fn sized_replies(&mut self, digits: &[u8], each: usize) -> Vec<Reply> {
        let count = length(digits).expect("only arrays and bulk strings can be null");
        self.replies(count * each)
    }

    fn sized_payload(&mut self, digits: &[u8]) -> Vec<u8> {
        let count = length(digits).expect("only arrays and bulk strings can be null");
        self.payload(count)
    }

    fn payload(&mut self, count: usize) -> Vec<u8> {
        while self.input.len() - self.consumed < count + 2 {
            self.fill();
        }
        let payload = self.input[self.consumed..self.consumed + count].to_vec();
        self.consumed += count;
        assert_eq!(&self.input[self.consumed..self.consumed + 2], b"\r\n", "after the payload");
        self.consumed += 2;
        payload
    }

    fn line(&mut self) -> Vec<u8> {
        loop {
            let rest = &self.input[self.consumed..];
            if let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
                let line = rest[..end].to_vec();
                self.consumed += end + 2;
                return line;
            }
            self.fill();
        }
    }

    fn fill(&mut self) {
        self.input.drain(..self.consumed);
        self.consumed = 0;
        let mut chunk = [0; 1 << 16];
        let count = loop {
            match self.stream.read(&mut chunk) {
                Ok(count) => break count,
                // A wait with a time limit is not taken up again after the process was stopped.
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let half = self.input.escape_ascii();
                    panic!("no reply: {error}; half a reply: \"{half}\"")
                }
            }
        };
        assert!(count > 0, "the server closed the connection instead of replying");
        self.input.extend_from_slice(&chunk[..count]);
    }
}

/// `None` for -1, the length of RESP2's nulls.
fn length(digits: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(digits).unwrap();
    if text == "-1" { None } else { Some(text.parse().unwrap()) }
}

/// A reply of RESP2 or RESP3. Displayed on one line: the type's own byte and the content, nulls
/// of RESP2 as `$_` and `*_`, aggregates in brackets, bytes that do not print as `\xNN`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    /// `+OK`
    Simple(String),
    /// `-ERR …`
    Error(String),
    /// `!ERR …`
    BlobError(Vec<u8>),
    /// `:1`
    Integer(i64),
    /// `$text`
    Bulk(Vec<u8>),
    /// `$_`
    NullBulk,
    /// `[:1 :2]`
    Array(Vec<Reply>),
    /// `*_`
    NullArray,
    /// `_`
    Null,
    /// `,1.5`, digits as sent
    Double(String),
    /// `(123`
    BigNumber(String),
    /// `#t`
    Boolean(bool),
    /// `=txt:text`
    Verbatim(Vec<u8>),
    /// `%[$key :1]`, keys and values in turn
    Map(Vec<Reply>),
    /// `~[:1]`
    Set(Vec<Reply>),
    /// `>[$message …]`
    Push(Vec<Reply>),
    /// `|[$key :1] $reply`
    Attribute(Vec<Reply>, Box<Reply>),
}

impl Reply {
    /// The content of a bulk, simple or verbatim string; panics on other replies.
    pub(crate) fn text(&self) -> String {
        match self {
            Reply::Simple(text) => text.clone(),
            Reply::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Reply::Verbatim(bytes) => String::from_utf8_lossy(&bytes[4..]).into_owned(),
            other => panic!("not a string: {other}"),
        }
    }

    /// The value of an integer reply; panics on other replies.
    pub(crate) fn integer(&self) -> i64 {
        match self {
            Reply::Integer(value) => *value,
            other => panic!("not an integer: {other}"),
        }
    }

    /// The elements of an aggregate; panics on other replies.
    pub(crate) fn elements(&self) -> &[Reply] {
        match self {
            Reply::Array(all) | Reply::Map(all) | Reply::Set(all) | Reply::Push(all) => all,
            other => panic!("not an aggregate: {other}"),
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Simple(text) => write!(f, "+{text}"),
            Reply::Error(text) => write!(f, "-{text}"),
            Reply::BlobError(bytes) => write!(f, "!{}", printable(bytes)),
            Reply::Integer(value) => write!(f, ":{value}"),
            Reply::Bulk(bytes) => write!(f, "${}", printable(bytes)),
            Reply::NullBulk => write!(f, "$_"),
            Reply::Array(elements) => write!(f, "[{}]", join(elements)),
            Reply::NullArray => write!(f, "*_"),
            Reply::Null => write!(f, "_"),
            Reply::Double(digits) => write!(f, ",{digits}"),
            Reply::BigNumber(digits) => write!(f, "({digits}"),
            Reply::Boolean(true) => write!(f, "#t"),
            Reply::Boolean(false) => write!(f, "#f"),
            Reply::Verbatim(bytes) => write!(f, "={}", printable(bytes)),
            Reply::Map(elements) => write!(f, "%[{}]", join(elements)),
            Reply::Set(elements) => write!(f, "~[{}]", join(elements)),
            Reply::Push(elements) => write!(f, ">[{}]", join(elements)),
            Reply::Attribute(elements, reply) => write!(f, "|[{}] {reply}", join(elements)),
        }
    }
}

fn join(replies: &[Reply]) -> String {
    replies.iter().map(Reply::to_string).collect::<Vec<_>>().join(" ")
}

fn printable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b' '..=b'~' => text.push(char::from(byte)),
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text
}

/// One command as clients send it.
pub(crate) fn encode<W: AsRef<[u8]>>(words: &[W]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        let word = word.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Splits `SET k "a b"; GET k` into commands of words.
fn parse_script(script: &str) -> Vec<Vec<Vec<u8>>> {
    let mut commands = vec![Vec::new()];
    let mut characters = script.bytes().peekable();
    while let Some(&byte) = characters.peek() {
        match byte {
            b' ' | b'\n' => _ = characters.next(),
            b';' => {
                characters.next();
                commands.push(Vec::new());
            }
            _ => {
                let word = parse_word(&mut characters);
                commands.last_mut().expect("starts with one").push(word);
            }
        }
    }
    commands.retain(|words| !words.is_empty());
    commands
}

fn parse_word(characters: &mut std::iter::Peekable<std::str::Bytes<'_>>) -> Vec<u8> {
    let mut word = Vec::new();
    let mut quote = None;
    while let Some(&byte) = characters.peek() {
        if quote.is_none() && matches!(byte, b' ' | b';' | b'\n') {
            break;
        }
        characters.next();
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            (Some(b'"'), b'\\') => word.push(parse_escape(characters)),
            (None | Some(_), _) => word.push(byte),
        }
    }
    assert!(quote.is_none(), "a quote is left open in the script");
    word
}

fn parse_escape(characters: &mut impl Iterator<Item = u8>) -> u8 {
    match characters.next().expect("a script never ends in a backslash") {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'x' => {
            let digits = [characters.next().unwrap(), characters.next().unwrap()];
            u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
        }
        other => other,
    }
}

/// The path of a file in the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
