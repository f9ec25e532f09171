//! Links that are cut at random points under load: in the end all have the same data.

use crate::common::{Client, Reply, Server, wait_until};
use crate::fleet::{Foreign, expect_same, genuine, info};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const CUTS: usize = 200;

/// Random numbers that are the same in each run (Marsaglia's xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    /// A command that changes something. Scores are integers: others look different from version to version.
    fn command(&mut self) -> Vec<String> {
        let key = self.below(200);
        let n = self.below(40);
        let text = match self.below(15) {
            0 => format!("SET s{key} {}", "v".repeat(num(n) * 7)),
            1 => format!("SET s{key} v PX {}", 20 + n * 50),
            2 => format!("RPUSH l{key} {n} b c"),
            3 => format!("LPOP l{key}"),
            4 => format!("SADD S{key} {n} x{n} y"),
            5 => format!("SPOP S{key} 2"),
            6 => format!("ZADD z{key} {n} a {key} b {n} c{n}"),
            7 => format!("ZPOPMIN z{key}"),
            8 => format!("HSET h{key} f{n} {n} g {key}"),
            9 => format!("XADD x{key} MAXLEN 20 * f {n}"),
            10 => format!("INCRBYFLOAT f{key} 0.5"),
            11 => format!(
                "EVAL redis.call('incr',KEYS[1]);redis.call('append',KEYS[2],'{n}') 2 i{key} a{key}"
            ),
            12 => format!("EXPIRE s{key} {}", 1 + n % 4),
            13 => format!("DEL l{key} a{key}"),
            _ => format!("PFADD p{key} {n} {key}"),
        };
        text.split(' ').map(str::to_owned).collect()
    }
}

fn num(n: u64) -> usize {
    usize::try_from(n).unwrap()
}

fn load(port: u16, seed: u64, stop: &AtomicBool) {
    let mut dice = Dice(seed);
    let mut client = Client::to(port);
    while !stop.load(Ordering::Relaxed) {
        let is_transaction = dice.below(4) == 0;
        let count = 1 + dice.below(20);
        let mut replies = count;
        if is_transaction {
            client.send_command(&["MULTI"]);
            replies += 2;
        }
        for _ in 0..count {
            client.send_command(&dice.command());
        }
        if is_transaction {
            client.send_command(&["EXEC"]);
        }
        for _ in 0..replies {
            let reply = client.reply();
            assert!(!matches!(reply, Reply::Error(_)), "{reply}");
        }
    }
}

#[test]
fn replicas_whose_links_are_cut_end_with_the_same_data() {
    // Most of what is gone on with comes from disk.
    let arguments = "--repl-diskless-sync-delay 0 --repl-timeout 20 --repl-backlog-size 64kb \
                     --repl-backlog-spill-size 64mb";
    let server = Server::with(&arguments.split_ascii_whitespace().collect::<Vec<_>>());
    let mut primary = server.connect();
    let mut fleet: Vec<Foreign> =
        genuine().iter().map(|program| Foreign::start(program, &[])).collect();
    fleet.push(Foreign::start(&crate::common::binary(), &[]));
    let mut replicas: Vec<Client> = fleet.iter().map(Foreign::connect).collect();
    let port = server.port().to_string();
    for replica in &mut replicas {
        replica.command(&["REPLICAOF", "127.0.0.1", &port]);
    }
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for seed in 1..4 {
            let (port, stop) = (server.port(), &stop);
            scope.spawn(move || load(port, seed * 7919, stop));
        }
        let mut dice = Dice(4711);
        let mut cuts = 0;
        while cuts < CUTS {
            thread::sleep(Duration::from_millis(dice.below(60)));
            if dice.below(40) == 0 {
                // One begins anew, in the midst of whatever it is doing.
                let chosen = num(dice.below(u64::try_from(replicas.len()).unwrap()));
                replicas[chosen].command(&["REPLICAOF", "NO", "ONE"]);
                replicas[chosen].command(&["SET", "of-its-own", "1"]);
                replicas[chosen].command(&["REPLICAOF", "127.0.0.1", &port]);
                cuts += 1;
            } else if let Reply::Integer(killed) =
                primary.command(&["CLIENT", "KILL", "TYPE", "replica"])
            {
                cuts += usize::try_from(killed).unwrap();
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    for replica in &mut replicas {
        wait_until("the link to be up", || info(replica, "master_link_status") == "up");
        let mut has_expired = || info(&mut primary, "db0").contains("expires=0");
        wait_until("keys to have expired", &mut has_expired);
        expect_same(&mut primary, replica);
    }
    assert!(info(&mut primary, "sync_partial_ok").parse::<usize>().unwrap() > CUTS / 2);
}
