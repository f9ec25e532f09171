//! Replies depend neither on how input is cut into pieces nor on pauses and waits in between.

use super::Node;
use crate::base::rng::Rng;
use crate::command::server::{Now, Pause, PauseKind};
use crate::command::testing::Bench;
use crate::session::Endpoint;

/// A node with one client, fed as the reactor does it.
struct World {
    node: Node,
    now: Now,
    client: usize,
    replies: Vec<u8>,
}

impl World {
    fn new() -> Self {
        let mut node = Node::new(Bench::new().server);
        let end = Endpoint::Tcp(([127, 0, 0, 1], 1).into());
        let client = node.connected(end.clone(), end, 9);
        Self { now: node.server.now, node, client, replies: Vec::new() }
    }

    fn feed(&mut self, mut piece: &[u8]) {
        // What the reactor reads straight into a large argument.
        let session = self.node.server.sessions.get_mut(self.client).expect("it is connected");
        while let Some(assembly) = &mut session.assembly
            && let Some((target, room)) = assembly.target()
            && !piece.is_empty()
        {
            let (front, rest) = piece.split_at(room.min(piece.len()));
            target.extend_from_slice(front);
            assembly.filled();
            piece = rest;
        }
        let input = [&self.node.take_tail(self.client)[..], piece].concat();
        self.node.input(self.now, self.client, &input);
        self.collect();
    }

    fn pause(&mut self) {
        let until_ms = self.now.unix_ms() + 1_000_000;
        self.node.server.pause = Some(Pause { until_ms, kind: PauseKind::All });
    }

    /// Lets time pass, and the pause end.
    fn resume(&mut self) {
        self.node.server.pause = None;
        self.now = self.now.later(100_000_000);
        self.node.tick(self.now);
        self.collect();
    }

    fn collect(&mut self) {
        let session = self.node.server.sessions.get_mut(self.client).expect("it is connected");
        let sent: Vec<u8> = session.output.pieces().flatten().copied().collect();
        session.output.advance(sent.len());
        self.replies.extend(sent);
    }
}

fn push_command(input: &mut Vec<u8>, words: &[&[u8]]) {
    input.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        input.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        input.extend_from_slice(word);
        input.extend_from_slice(b"\r\n");
    }
}

/// Commands of all sizes and forms, with waits of 50 ms in between, and perhaps an end.
fn script(rng: &mut Rng) -> Vec<u8> {
    const SIZES: [usize; 8] = [0, 1, 10, 1000, 32_767, 32_768, 65_536, 200_000];
    let mut input = Vec::new();
    for _ in 0..3 + rng.below_usize(12) {
        let value = vec![b'v'; SIZES[rng.below_usize(SIZES.len())]];
        match rng.below_usize(10) {
            0 => input.extend_from_slice(b"PING 'a b'\r\n"),
            1 => input.extend_from_slice(b"\r\n*0\r\n\n*-3\r\n"),
            2 => push_command(&mut input, &[b"SET", b"k", &value]),
            3 => push_command(&mut input, &[b"APPEND", b"k", &value]),
            4 => push_command(&mut input, &[b"GET", b"k"]),
            5 => push_command(&mut input, &[b"MSET", b"a", &value, b"b", b"x", b"c", &value]),
            6 => push_command(&mut input, &[b"STRLEN", b"k"]),
            7 => push_command(&mut input, &[b"NONSENSE", &value]),
            8 => push_command(&mut input, &[b"WAIT", b"1", b"50"]),
            _ => push_command(&mut input, &[b"MGET", b"a", b"b", b"c"]),
        }
    }
    match rng.below_usize(4) {
        0 => input.extend_from_slice(b"QUIT\r\nPING\r\n"),
        1 => input.extend_from_slice(b"*1\r\n$x\r\nPING\r\n"),
        _ => {}
    }
    input
}

fn cut_replies(rng: &mut Rng, input: &[u8]) -> Vec<u8> {
    let mut world = World::new();
    let mut rest = input;
    while !rest.is_empty() {
        const LENGTHS: [usize; 6] = [1, 5, 50, 5000, 40_000, 65_536];
        let most = LENGTHS[rng.below_usize(LENGTHS.len())];
        let (front, back) = rest.split_at(rest.len().min(1 + rng.below_usize(most)));
        world.feed(front);
        rest = back;
        match rng.below_usize(20) {
            0 => world.pause(),
            1..4 => world.resume(),
            _ => {}
        }
    }
    for _ in 0..20 {
        world.resume(); // one wait after the other
    }
    world.replies
}

#[test]
fn replies_do_not_depend_on_cuts_pauses_and_waits() {
    for seed in 0..300 {
        let mut rng = Rng::seeded(seed);
        let input = script(&mut rng);
        let mut whole = World::new();
        whole.feed(&input);
        for _ in 0..20 {
            whole.resume();
        }
        for _ in 0..3 {
            let replies = cut_replies(&mut rng, &input);
            assert!(replies == whole.replies, "seed {seed}");
        }
    }
}
