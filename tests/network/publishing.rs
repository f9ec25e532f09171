//! Many who listen to one channel, a publisher that does not wait, and some who never read.
//!
//! Short by default. With `CARNELIAN_SUBSCRIBERS=10000` in the environment there are as many subscribers,
//! and one in a hundred of them never reads; the process may then need more descriptors
//! (`ulimit -n 25000`).

use crate::common::{Client, Server, encode, wait_until};
use crate::figure;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{ErrorKind, Read};
use std::net::Shutdown;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const PAYLOAD_LEN: usize = 1000;
/// More than the buffers of the sockets hold, of one who does not read.
const MESSAGES: usize = 12_000;
/// Replies the publisher lets come before it looks at them.
const PIPELINE: usize = 200;
/// How far behind a reader may be before the publisher waits: this program must not be the one that
/// makes a reader exceed its limit.
const LAG_MAX: usize = 600;
const HEAD: &[u8] = b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1000\r\n";
const MESSAGE_LEN: usize = HEAD.len() + PAYLOAD_LEN + 2;

/// Subscribers, and how many of them never read.
fn crowd() -> (usize, usize) {
    let asked = std::env::var("CARNELIAN_SUBSCRIBERS").ok();
    let subscribers = asked.and_then(|count| count.parse().ok()).unwrap_or(60);
    (subscribers, (subscribers / 100).max(6))
}

/// The message of a number: its payload begins with it.
fn payload(number: usize) -> Vec<u8> {
    let mut payload = format!("{number:010}").into_bytes();
    payload.resize(PAYLOAD_LEN, b'x');
    payload
}

fn subscribed(server: &Server) -> Client {
    let mut client = server.connect();
    client.send_command(&["SUBSCRIBE", "news"]);
    assert_eq!(client.reply().to_string(), "[$subscribe $news :1]");
    client
}

/// One who reads, and what it has got of the next message.
struct Listener {
    stream: TcpStream,
    rest: Vec<u8>,
    next: usize,
}

impl Listener {
    fn new(client: &Client) -> Listener {
        let stream = client.stream().try_clone().unwrap();
        stream.set_nonblocking(true).unwrap();
        Listener { stream: TcpStream::from_std(stream), rest: Vec::new(), next: 0 }
    }

    /// Reads what there is; true once the last message is there.
    fn read(&mut self, buffer: &mut [u8]) -> bool {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => panic!("a reader was cut off after {} messages", self.next),
                Ok(count) => self.rest.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        let mut at = 0;
        while self.rest.len() - at >= MESSAGE_LEN {
            let message = &self.rest[at..at + MESSAGE_LEN];
            assert!(message.starts_with(HEAD));
            let number = &message[HEAD.len()..HEAD.len() + 10];
            assert_eq!(number, format!("{:010}", self.next).as_bytes(), "order is kept");
            self.next += 1;
            at += MESSAGE_LEN;
        }
        self.rest.drain(..at);
        self.next == MESSAGES
    }
}

/// Reads all that the clients are sent until each has every message. `read` is how many every one has.
fn listen(clients: &[Client], read: &AtomicUsize) {
    let mut poll = Poll::new().unwrap();
    let mut listeners: Vec<Listener> = clients.iter().map(Listener::new).collect();
    for (index, listener) in listeners.iter_mut().enumerate() {
        poll.registry().register(&mut listener.stream, Token(index), Interest::READABLE).unwrap();
    }
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; 256 * 1024];
    let mut done = vec![false; listeners.len()];
    while !done.iter().all(|&is_done| is_done) {
        poll.poll(&mut events, Some(Duration::from_secs(60))).unwrap();
        assert!(!events.is_empty(), "somebody lacks messages and gets none");
        for event in &events {
            let Token(index) = event.token();
            done[index] |= listeners[index].read(&mut buffer);
        }
        let least = listeners.iter().map(|listener| listener.next).min().unwrap_or(MESSAGES);
        read.store(least, Ordering::Relaxed);
    }
}

/// Publishes all messages; returns the receivers of the last, and the most memory that was in use.
fn publish(server: &Server, read: &[AtomicUsize]) -> (i64, u64) {
    let mut publisher = server.connect();
    let mut witness = server.connect();
    let (mut receivers, mut used_max) = (0, 0);
    for first in (0..MESSAGES).step_by(PIPELINE) {
        while read.iter().any(|read| read.load(Ordering::Relaxed) + LAG_MAX < first) {
            thread::sleep(Duration::from_micros(200));
        }
        let numbers = first..MESSAGES.min(first + PIPELINE);
        let pipeline: Vec<u8> = (numbers.clone())
            .flat_map(|number| encode(&[b"PUBLISH", &b"news"[..], &payload(number)]))
            .collect();
        publisher.send(&pipeline);
        for _ in numbers {
            receivers = publisher.reply().integer();
        }
        used_max = used_max.max(figure(&mut witness, "used_memory"));
    }
    (receivers, used_max)
}

#[test]
fn who_never_reads_is_cut_off_and_the_others_get_everything_in_order() {
    const LIMIT: u64 = 1024 * 1024;
    let (subscribers, mute) = crowd();
    let limit = format!("pubsub {LIMIT} 0 0");
    let server = Server::with(&["--client-output-buffer-limit", &limit, "--maxclients", "20000"]);
    let mut witness = server.connect();
    let silent: Vec<Client> = (0..mute).map(|_| subscribed(&server)).collect();
    let readers: Vec<Client> = (mute..subscribers).map(|_| subscribed(&server)).collect();
    let before = figure(&mut witness, "used_memory");
    let read = [AtomicUsize::new(0), AtomicUsize::new(0)];
    let (receivers, used_max) = thread::scope(|scope| {
        // Several threads, or readers would fall behind since this program is slow.
        for (share, read) in readers.chunks(readers.len().div_ceil(2)).zip(&read) {
            scope.spawn(move || listen(share, read));
        }
        publish(&server, &read)
    });
    assert_eq!(receivers, i64::try_from(subscribers - mute).unwrap());
    let cut = figure(&mut witness, "client_output_buffer_limit_disconnections");
    assert_eq!(cut, u64::try_from(mute).unwrap(), "all who do not read are cut off, and no other");
    assert_eq!(figure(&mut witness, "pubsub_clients"), u64::try_from(subscribers - mute).unwrap());
    // Messages of a kilobyte are copied for whoever is behind.
    let allowed = u64::try_from(subscribers).unwrap() * (LIMIT + LIMIT / 2);
    let grown = used_max.saturating_sub(before);
    assert!(grown < allowed, "{grown} bytes for {subscribers} subscribers");
    for mut client in silent {
        assert!(client.read_to_end().len() < MESSAGES * MESSAGE_LEN);
    }
}

#[test]
fn over_the_soft_limit_a_subscriber_has_a_while() {
    let server = Server::with(&["--client-output-buffer-limit", "pubsub 0 100kb 2"]);
    let mut witness = server.connect();
    let mut silent = subscribed(&server);
    let long = vec![b'x'; 8 * 1024 * 1024];
    assert_eq!(witness.command(&[b"PUBLISH", &b"news"[..], &long]).integer(), 1);
    thread::sleep(Duration::from_millis(1000));
    assert_eq!(figure(&mut witness, "pubsub_clients"), 1, "its time is not over");
    wait_until("the subscriber to be cut off", || figure(&mut witness, "pubsub_clients") == 0);
    assert_eq!(figure(&mut witness, "client_output_buffer_limit_disconnections"), 1);
    let _ = silent.stream().shutdown(Shutdown::Write);
    assert!(silent.read_to_end().len() < long.len());
}

#[test]
fn what_waits_for_many_is_held_once() {
    let server = Server::with(&["--client-output-buffer-limit", "pubsub 0 0 0"]);
    let mut witness = server.connect();
    let silent: Vec<Client> = (0..50).map(|_| subscribed(&server)).collect();
    let before = figure(&mut witness, "used_memory");
    let long = vec![b'x'; 8 * 1024 * 1024];
    assert_eq!(witness.command(&[b"PUBLISH", &b"news"[..], &long]).integer(), 50);
    let grown = figure(&mut witness, "used_memory").saturating_sub(before);
    assert!(grown < 20 * 1024 * 1024, "{grown} bytes for 50 subscribers to one message");
    drop(silent);
}
