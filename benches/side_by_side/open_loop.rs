//! Small GETs at times that are fixed beforehand, and what disturbs them.
//!
//! The next GET does not wait for the reply to the last one: a server that stops for 10 ms is late for all
//! that were due meanwhile, and each counts from the time it was due. One thread does everything; of what
//! disturbs it reads a bite at a time, so that the client's own work for a reply of megabytes delays no GET
//! by more than that.
//!
//! Other programs would have a core for milliseconds at a time. So this thread and the servers' main
//! threads, which serve clients in all of them, go before everything else ([`go_first`]).

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::daemon::Failure;
use crate::wire::{Client, put_command};

/// Connections that send the GETs, in turns.
pub(crate) const CLIENTS: usize = 50;
/// Keys `key:000000000000` and on that the GETs ask for, each with [`VALUE`].
pub(crate) const KEYS: u32 = 10_000;
/// The value of each of these keys.
pub(crate) const VALUE: &[u8] = b"xxx";
/// Bytes of the reply to a GET.
const REPLY_LEN: usize = 9;
/// What is read at once of a reply to what disturbs.
const BITE: usize = 64 * 1024;
/// How long a reply may be under way at the end.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long the thread sleeps when there is nothing to do: it may not keep everybody else from the core.
const NAP: Duration = Duration::from_micros(15);

/// Lets the main thread of a process go before all that is not of the kind, if the system permits it.
pub(crate) fn go_first(pid: u32) {
    reschedule(pid, &["-f", "-p", "10"]);
}

/// Takes back [`go_first`].
pub(crate) fn go_with_the_others(pid: u32) {
    reschedule(pid, &["-o", "-p", "0"]);
}

fn reschedule(pid: u32, policy: &[&str]) {
    let status = Command::new("chrt").args(policy).arg(pid.to_string()).status();
    if !status.is_ok_and(|status| status.success()) {
        eprintln!("chrt {} {pid} failed: the tail will be that of the machine", policy.join(" "));
    }
}

/// GETs for a while.
pub(crate) struct Load {
    /// GETs in a second, of all clients together.
    pub(crate) rate: u32,
    pub(crate) length: Duration,
    /// What is sent beside them, in order of time.
    pub(crate) disturbances: Vec<Disturbance>,
}

/// Commands that others send.
pub(crate) struct Disturbance {
    pub(crate) at: Duration,
    pub(crate) bytes: Vec<u8>,
    /// Bytes of the replies.
    pub(crate) reply_len: usize,
}

/// A connection that sends GETs.
struct Getter {
    stream: TcpStream,
    /// When the GETs under way were due.
    due: VecDeque<Duration>,
    /// Bytes of the next reply that are there.
    partial: usize,
}

/// Stores the keys that the GETs ask for.
pub(crate) fn fill(client: &mut Client) -> Result<(), Failure> {
    client.fill(KEYS, |out, index| {
        put_command(out, &[b"SET", format!("key:{index:012}").as_bytes(), VALUE]);
    })
}

/// Sends the load; the latencies of all GETs, in nanoseconds.
pub(crate) fn run(address: SocketAddr, load: &Load) -> Result<Vec<u64>, Failure> {
    let mut run = Run::connect(address)?;
    run.send_all(load)?;
    Ok(run.latencies)
}

struct Run {
    poll: Poll,
    getters: Vec<Getter>,
    disturber: TcpStream,
    /// Whether there may be more to read.
    disturber_ready: bool,
    disturber_read: usize,
    latencies: Vec<u64>,
    buffer: Vec<u8>,
}

impl Run {
    fn connect(address: SocketAddr) -> Result<Run, Failure> {
        let poll = Poll::new().map_err(Failure::io("making a poll"))?;
        let open = |token: usize| {
            let stream = Client::connect(address)?.into_stream();
            stream.set_nonblocking(true).map_err(Failure::io("setting O_NONBLOCK"))?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry()
                .register(&mut stream, Token(token), Interest::READABLE)
                .map_err(Failure::io("registering a socket"))?;
            Ok(stream)
        };
        let disturber = open(CLIENTS)?;
        let mut getters = Vec::new();
        for token in 0..CLIENTS {
            getters.push(Getter { stream: open(token)?, due: VecDeque::new(), partial: 0 });
        }
        Ok(Run {
            poll,
            getters,
            disturber,
            disturber_ready: false,
            disturber_read: 0,
            latencies: Vec::new(),
            buffer: vec![0; BITE],
        })
    }

    fn send_all(&mut self, load: &Load) -> Result<(), Failure> {
        let interval = Duration::from_secs(1) / load.rate;
        let mut disturbances = load.disturbances.iter().peekable();
        let mut events = Events::with_capacity(CLIENTS + 1);
        let start = Instant::now();
        let (mut next, mut index) = (Duration::ZERO, 0_u32);
        loop {
            let (now, sent_before) = (start.elapsed(), index);
            while next <= now && next < load.length {
                self.send_get(index, next)?;
                next += interval;
                index += 1;
            }
            if let Some(sent) = disturbances.next_if(|sent| sent.at <= now) {
                self.disturber.write_all(&sent.bytes).map_err(Failure::io("disturbing"))?;
            }
            self.poll
                .poll(&mut events, Some(Duration::ZERO))
                .map_err(Failure::io("waiting for replies"))?;
            for event in &events {
                match event.token() {
                    Token(CLIENTS) => self.disturber_ready = true,
                    Token(getter) => self.read_replies(getter, start)?,
                }
            }
            if self.disturber_ready {
                self.read_a_bite()?;
            }
            if next >= load.length && self.has_all_replies(load) {
                return Ok(());
            }
            if sent_before == index && events.is_empty() && !self.disturber_ready {
                thread::sleep(NAP);
            }
            if now > load.length + PATIENCE {
                let read = self.disturber_read;
                return Err(Failure::Other(format!("replies are missing, of others {read} bytes")));
            }
        }
    }

    fn has_all_replies(&self, load: &Load) -> bool {
        let expected: usize = load.disturbances.iter().map(|sent| sent.reply_len).sum();
        self.disturber_read >= expected && self.getters.iter().all(|getter| getter.due.is_empty())
    }

    fn send_get(&mut self, index: u32, due: Duration) -> Result<(), Failure> {
        let key = format!("key:{:012}", index.wrapping_mul(2_654_435_761) % KEYS);
        let mut bytes = Vec::new();
        put_command(&mut bytes, &[b"GET", key.as_bytes()]);
        let turn = usize::try_from(index).expect("32 bits fit") % CLIENTS;
        let getter = &mut self.getters[turn];
        getter.stream.write_all(&bytes).map_err(Failure::io("sending a GET"))?;
        getter.due.push_back(due);
        Ok(())
    }

    fn read_replies(&mut self, getter: usize, start: Instant) -> Result<(), Failure> {
        let getter = &mut self.getters[getter];
        loop {
            let read = match getter.stream.read(&mut self.buffer) {
                Ok(0) => return Err(Failure::Other("the server closed a connection".to_owned())),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(Failure::io("reading a reply")(error)),
            };
            let now = start.elapsed();
            getter.partial += read;
            while getter.partial >= REPLY_LEN {
                getter.partial -= REPLY_LEN;
                let due = getter.due.pop_front();
                let due = due.ok_or_else(|| Failure::Other("a reply too many".to_owned()))?;
                let late = now.saturating_sub(due);
                self.latencies.push(u64::try_from(late.as_nanos()).unwrap_or(u64::MAX));
            }
            if read < self.buffer.len() {
                return Ok(());
            }
        }
    }

    fn read_a_bite(&mut self) -> Result<(), Failure> {
        match self.disturber.read(&mut self.buffer) {
            Ok(0) => return Err(Failure::Other("the server closed a connection".to_owned())),
            Ok(read) => self.disturber_read += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.disturber_ready = false,
            Err(error) => return Err(Failure::io("reading a reply")(error)),
        }
        Ok(())
    }
}
