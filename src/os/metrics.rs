//! The listener of `metrics-port`: HTTP, just enough of it for Prometheus to fetch its text.
//!
//! Each connection gets one answer and is closed. Connections are few, requests short, and all have a
//! deadline, so that no client can hold more than a small buffer, nor that for long; the oldest makes room
//! for the newest.

use super::errno;
use super::linger::{Lingerers, Registered};
use super::listen::Listener;
use super::stream::Stream;
use crate::command::metrics::{self, CONTENT_TYPE};
use crate::command::server::Server;
use crate::session::Endpoint;
use mio::{Registry, Token};
use std::io::ErrorKind;

/// Connections at once.
const CONNECTIONS_MAX: usize = 16;
/// Longest request, bytes.
const REQUEST_LEN_MAX: usize = 8 * 1024;
/// How long a connection may take from its start to the end of the answer, milliseconds.
const PATIENCE_MS: u64 = 10_000;
/// Listeners: no more addresses than this are in `bind`.
const LISTENERS_MAX: usize = 64;

/// How many tokens the listener uses, from the first on: those of listeners, then those of connections.
pub const TOKENS: usize = LISTENERS_MAX + CONNECTIONS_MAX;

/// What a connection is about to do.
#[derive(Debug)]
enum Phase {
    /// Its request comes.
    Reading(Vec<u8>),
    /// Its answer goes; so many bytes have gone.
    Writing(Vec<u8>, usize),
}

#[derive(Debug)]
struct Connection {
    stream: Stream,
    peer: Endpoint,
    phase: Phase,
    until_ms: u64,
    /// How many connections came before it.
    number: u64,
}

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// It waits for its socket.
    Waits,
    /// Its answer was sent.
    Answered,
    /// It failed, or its client has gone.
    Gone,
}

/// Who may have the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Permission {
    Granted,
    Denied,
}

/// The listener and its connections.
#[derive(Debug, Default)]
pub struct Metrics {
    listeners: Vec<Listener>,
    connections: Vec<Option<Connection>>,
    first_token: usize,
    /// Connections so far.
    accepted: u64,
}

impl Metrics {
    /// Listens with these sockets, under tokens from `first_token` on.
    ///
    /// # Errors
    /// The system does not tell of their connections.
    pub fn new(
        mut listeners: Vec<Listener>,
        registry: &Registry,
        first_token: usize,
    ) -> std::io::Result<Self> {
        listeners.truncate(LISTENERS_MAX);
        for (index, listener) in listeners.iter_mut().enumerate() {
            listener.register(registry, Token(first_token + index))?;
        }
        let connections = (0..CONNECTIONS_MAX).map(|_| None).collect();
        Ok(Self { listeners, connections, first_token, accepted: 0 })
    }

    /// Whether a token is one of this listener's.
    pub fn owns(&self, token: Token) -> bool {
        !self.listeners.is_empty()
            && (self.first_token..self.first_token + TOKENS).contains(&token.0)
    }

    /// When the first connection runs out of time, milliseconds of the clock that only rises.
    pub fn deadline_ms(&self) -> Option<u64> {
        self.connections.iter().flatten().map(|connection| connection.until_ms).min()
    }

    /// Deals with what a socket has.
    pub fn serve(&mut self, token: Token, world: &mut World<'_>) {
        let index = token.0 - self.first_token;
        match index.checked_sub(LISTENERS_MAX) {
            None => self.accept(index, world),
            Some(index) => self.go_on(index, world),
        }
    }

    /// Closes connections that have run out of time.
    pub fn expire(&mut self, now_ms: u64) {
        for place in &mut self.connections {
            place.take_if(|connection| connection.until_ms <= now_ms);
        }
    }

    fn accept(&mut self, index: usize, world: &mut World<'_>) {
        loop {
            let Some(listener) = self.listeners.get(index) else { return };
            let (mut stream, peer) = match listener.accept() {
                Ok((stream, peer, _)) => (stream, peer),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if is_passing(error.kind()) => continue,
                Err(error) => {
                    // The next connection tells of this one as well.
                    tracing::warn!("Accepting metrics connection: {}", errno::text(&error));
                    return;
                }
            };
            let place = self.place();
            let token = Token(self.first_token + LISTENERS_MAX + place);
            if let Err(error) = stream.register(world.registry, token) {
                tracing::warn!("Registering metrics socket: {}", errno::text(&error));
                continue;
            }
            let until_ms = world.now_ms + PATIENCE_MS;
            let phase = Phase::Reading(Vec::new());
            let number = self.accepted;
            self.accepted += 1;
            self.connections[place] = Some(Connection { stream, peer, phase, until_ms, number });
            self.go_on(place, world);
        }
    }

    /// A place for a connection; the oldest is closed if there is none.
    fn place(&mut self) -> usize {
        let number = |place: &usize| self.connections[*place].as_ref().map(|held| held.number);
        let oldest = (0..CONNECTIONS_MAX).min_by_key(number).unwrap_or(0);
        self.connections[oldest] = None;
        oldest
    }

    fn go_on(&mut self, index: usize, world: &mut World<'_>) {
        let Some(place) = self.connections.get_mut(index) else { return };
        let Some(connection) = place else { return };
        match connection.go_on(world.server) {
            Progress::Waits => {}
            Progress::Gone => *place = None,
            Progress::Answered => {
                if let Some(Connection { stream, .. }) = place.take() {
                    let (registry, now_ms) = (world.registry, world.now_ms);
                    world.lingerers.add(stream, Registered::Yes, registry, now_ms);
                }
            }
        }
    }
}

/// What the listener needs of the reactor.
#[derive(Debug)]
pub struct World<'a> {
    /// Whose metrics are asked for.
    pub server: &'a mut Server,
    /// Where sockets are registered.
    pub registry: &'a Registry,
    /// Who closes connections gently.
    pub lingerers: &'a mut Lingerers,
    /// The clock that only rises, milliseconds.
    pub now_ms: u64,
}

/// Errors that concern one connection only.
fn is_passing(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Interrupted
            | ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::NotConnected
    )
}

impl Connection {
    fn go_on(&mut self, server: &mut Server) -> Progress {
        if let Phase::Reading(request) = &mut self.phase {
            if let Err(ended) = read(&mut self.stream, request) {
                return ended;
            }
            let permission = match server.lets_in(&self.peer) {
                true => Permission::Granted,
                false => Permission::Denied,
            };
            let answer = answer(request, permission, || metrics::report(server));
            self.phase = Phase::Writing(answer, 0);
        }
        let Phase::Writing(answer, sent) = &mut self.phase else { return Progress::Waits };
        while *sent < answer.len() {
            match self.stream.write(&answer[*sent..]) {
                Ok(count) => *sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Progress::Waits,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Progress::Gone,
            }
        }
        Progress::Answered
    }
}

/// Reads until a request is complete or too long; what became of the connection if it is not.
fn read(stream: &mut Stream, request: &mut Vec<u8>) -> Result<(), Progress> {
    let mut piece = [0; 2048];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return Err(Progress::Gone),
            Ok(count) => {
                request.extend_from_slice(&piece[..count]);
                if is_complete(request) || request.len() > REQUEST_LEN_MAX {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(Progress::Waits),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Err(Progress::Gone),
        }
    }
}

/// Whether the empty line behind the headers is there.
fn is_complete(request: &[u8]) -> bool {
    request.windows(4).any(|four| four == b"\r\n\r\n")
        || request.windows(2).any(|two| two == b"\n\n")
}

/// The method and the path of a request, if it is one.
fn parse(request: &[u8]) -> Option<(&str, &str)> {
    let line = request.split(|&byte| byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?.trim_end_matches('\r');
    let mut words = line.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let is_http = version.starts_with("HTTP/1.") && words.next().is_none();
    let path = target.split('?').next().unwrap_or(target);
    (is_http && path.starts_with('/')).then_some((method, path))
}

/// The answer to a request.
fn answer(request: &[u8], permission: Permission, report: impl FnOnce() -> String) -> Vec<u8> {
    const PLAIN: &str = "text/plain; charset=utf-8";
    let parsed = parse(request);
    let (status, kind, body) = if !is_complete(request) {
        ("431 Request Header Fields Too Large", PLAIN, "The request is too long.\n".to_owned())
    } else if permission == Permission::Denied {
        let text =
            "Protected mode is on, and there is no password: metrics are for this machine.\n";
        ("403 Forbidden", PLAIN, text.to_owned())
    } else {
        match parsed {
            None => ("400 Bad Request", PLAIN, "This is no request.\n".to_owned()),
            Some(("GET" | "HEAD", "/metrics")) => ("200 OK", CONTENT_TYPE, report()),
            Some(("GET" | "HEAD", "/")) => ("200 OK", PLAIN, "See /metrics.\n".to_owned()),
            Some(("GET" | "HEAD", _)) => ("404 Not Found", PLAIN, "See /metrics.\n".to_owned()),
            Some(_) => ("405 Method Not Allowed", PLAIN, "GET and HEAD only.\n".to_owned()),
        }
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nAllow: GET, HEAD\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    let body = if parsed.is_some_and(|(method, _)| method == "HEAD") { "" } else { &body };
    [head.as_bytes(), body.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(request: &str, permission: Permission) -> String {
        let text = answer(request.as_bytes(), permission, || "redis_up 1\n".to_owned());
        String::from_utf8(text).expect("ASCII")
    }

    #[track_caller]
    fn check(line: &str, status: &str) {
        let text = answered(&format!("{line}\r\nHost: x\r\n\r\n"), Permission::Granted);
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{line}: {text}");
    }

    #[test]
    fn only_metrics_are_to_be_had() {
        check("GET /metrics HTTP/1.1", "200");
        check("GET /metrics?a=b HTTP/1.0", "200");
        check("GET / HTTP/1.1", "200");
        check("GET /nosuch HTTP/1.1", "404");
        check("POST /metrics HTTP/1.1", "405");
        for line in
            ["", "GET", "GET /metrics", "GET /metrics HTTP/2", "GET x HTTP/1.1", "PING\0 \u{ff} x"]
        {
            check(line, "400");
        }
        let text = answered("GET /metrics HTTP/1.1\n\n", Permission::Granted);
        assert!(text.contains("Content-Length: 11\r\n") && text.ends_with("\r\n\r\nredis_up 1\n"));
        let text = answered("HEAD /metrics HTTP/1.1\r\n\r\n", Permission::Granted);
        assert!(text.contains("Content-Length: 11\r\n") && text.ends_with("\r\n\r\n"));
    }

    #[test]
    fn long_requests_and_strangers_are_refused() {
        let long = format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(REQUEST_LEN_MAX));
        assert!(answered(&long, Permission::Granted).starts_with("HTTP/1.1 431 "));
        let text = answered("GET /metrics HTTP/1.1\r\n\r\n", Permission::Denied);
        assert!(text.starts_with("HTTP/1.1 403 ") && !text.contains("redis_up"));
    }
}
