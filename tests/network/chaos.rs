//! Many clients at once that send, read, stall and vanish as a seeded generator decides. Whoever stays
//! gets every byte of its replies, and nobody is left over.

use crate::common::{PATIENCE, Server, encode, wait_until};
use crate::figure;
use socket2::{Domain, Socket, Type};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::rc::Rc;

const CLIENTS: usize = 40;
const STEPS: usize = 15_000;
const LONG_BYTES: usize = 1024 * 1024;
const READ_BYTES_MAX: usize = 100_000;

/// Steele and Vigna's `SplitMix64`: the generator of the tests is not the server's.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap() % bound
    }
}

/// A client, what it has still to send, and what it has still to get.
struct Actor {
    stream: TcpStream,
    unsent: VecDeque<u8>,
    awaited: VecDeque<Rc<[u8]>>,
    /// Bytes of the first awaited piece that have come.
    come: usize,
}

impl Actor {
    fn new(server: &Server, dice: &mut Dice, long: &Rc<[u8]>) -> Actor {
        // Small buffers, so that stalls are felt by the server.
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(32 * 1024).unwrap();
        socket.connect(&SocketAddr::from(([127, 0, 0, 1], server.port())).into()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_nonblocking(true).unwrap();
        let (mut unsent, mut awaited) = (VecDeque::new(), VecDeque::new());
        for _ in 0..dice.below(60) {
            match dice.below(10) {
                0 => {
                    unsent.extend(encode(&["GET", "long"]));
                    awaited.push_back(Rc::clone(long));
                }
                1 => {
                    unsent.extend(b"PING\r\n\r\n");
                    awaited.push_back(Rc::from(&b"+PONG\r\n"[..]));
                }
                _ => {
                    let len = [0, 3, 100, 5_000, 40_000][dice.below(5)];
                    let text = vec![b'a' + u8::try_from(dice.below(26)).unwrap(); len];
                    unsent.extend(encode(&[&b"ECHO"[..], &text]));
                    let reply = [format!("${len}\r\n").as_bytes(), &text, b"\r\n"].concat();
                    awaited.push_back(reply.into());
                }
            }
        }
        Actor { stream, unsent, awaited, come: 0 }
    }

    fn send(&mut self, most: usize) {
        let (front, _) = self.unsent.as_slices();
        if front.is_empty() {
            return;
        }
        let most = most.min(front.len());
        match self.stream.write(&front[..most]) {
            Ok(count) => drop(self.unsent.drain(..count)),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) {
        match self.stream.read(buffer) {
            Ok(0) => assert!(self.awaited.is_empty(), "the server has closed"),
            Ok(count) => self.accept(&buffer[..count]),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
        }
    }

    /// Sends and reads all the rest.
    fn finish(mut self, buffer: &mut [u8]) {
        self.stream.set_nonblocking(false).unwrap();
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        if !self.unsent.is_empty() {
            self.stream.write_all(self.unsent.make_contiguous()).unwrap();
        }
        while !self.awaited.is_empty() {
            self.read(buffer);
        }
    }

    fn accept(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let piece = self.awaited.front().expect("no more than was asked for");
            let count = bytes.len().min(piece.len() - self.come);
            let (front, rest) = bytes.split_at(count);
            assert!(front == &piece[self.come..self.come + count], "the wrong bytes");
            self.come += count;
            if self.come == piece.len() {
                self.awaited.pop_front();
                self.come = 0;
            }
            bytes = rest;
        }
    }
}

fn run(seed: u64) {
    let server = Server::start();
    let mut witness = server.connect();
    let value: Vec<u8> = (0..LONG_BYTES).map(|at| b"0123456789\n"[at % 11]).collect();
    assert_eq!(witness.command(&[&b"SET"[..], b"long", &value]).to_string(), "+OK");
    let long = [format!("${LONG_BYTES}\r\n").as_bytes(), &value, b"\r\n"].concat().into();
    let mut dice = Dice(seed);
    let mut buffer = vec![0; READ_BYTES_MAX];
    let mut actors: Vec<Actor> =
        (0..CLIENTS).map(|_| Actor::new(&server, &mut dice, &long)).collect();
    for _ in 0..STEPS {
        let actor = &mut actors[dice.below(CLIENTS)];
        match dice.below(200) {
            0 => *actor = Actor::new(&server, &mut dice, &long), // in whatever state it is
            1..60 => actor.send(1 + dice.below(20)),
            60..110 => actor.send(1 + dice.below(70_000)),
            110..150 => actor.read(&mut buffer[..1 + dice.below(200)]),
            150..199 => actor.read(&mut buffer[..1 + dice.below(READ_BYTES_MAX)]),
            // The second time it fails.
            _ if actor.unsent.is_empty() => drop(actor.stream.shutdown(Shutdown::Write)),
            _ => {}
        }
    }
    for actor in actors {
        actor.finish(&mut buffer);
    }
    wait_until("nobody to be left", || figure(&mut witness, "connected_clients") == 1);
}

#[test]
fn everybody_gets_all_replies_whatever_the_others_do() {
    for seed in 1..=3 {
        println!("seed {seed}");
        run(seed);
    }
}
