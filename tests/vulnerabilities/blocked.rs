//! Clients that wait for keys, and are gone when their turn comes.

use crate::common::{Client, Server, wait_until};
use crate::figure;
use std::io::Write;

fn waiting(server: &Server, witness: &mut Client, count: u64, line: &[&str]) -> Vec<Client> {
    let mut clients: Vec<Client> = (0..count).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send_command(line);
    }
    wait_until("all to wait", || figure(witness, "blocked_clients") == count);
    clients
}

/// What a client is served with it loses while it is served: killed by the same transaction.
#[test]
fn cve_2026_23479_redis_pr_15594_who_is_killed_while_others_are_served() {
    let server = Server::start();
    let mut witness = server.connect();
    let kill = "CLIENT KILL TYPE normal SKIPME yes";
    for line in [
        &["BLMOVE", "a", "b", "LEFT", "LEFT", "0"][..],
        &["BRPOPLPUSH", "a", "b", "0"],
        &["BLPOP", "a", "b", "0"],
        &["BLMPOP", "0", "2", "b", "a", "LEFT"],
    ] {
        for script in [
            format!("MULTI; RPUSH a 1 2; {kill}; EXEC"),
            format!("MULTI; {kill}; RPUSH a 1 2; EXEC"),
            format!("MULTI; RPUSH b 1; RPUSH a 2; {kill}; EXEC"),
        ] {
            let clients = waiting(&server, &mut witness, 5, line);
            for line in script.split("; ") {
                let reply = witness.command(&line.split(' ').collect::<Vec<_>>()).to_string();
                assert!(!reply.starts_with('-'), "{line}: {reply}");
            }
            // Who was killed gets nothing, so that nothing is lost.
            let there = witness.command(&["EXISTS", "a", "b"]).integer();
            assert!(there > 0, "{line:?} {script}");
            witness.check("DEL a b", &format!(":{there}"));
            drop(clients);
            wait_until("them to be gone", || figure(&mut witness, "connected_clients") == 1);
            assert_eq!(figure(&mut witness, "blocked_clients"), 0);
        }
    }
}

/// Serving one client evicts others that wait for the same key, for what they hold.
#[test]
fn redis_pr_15594_who_is_evicted_while_others_are_served() {
    let server = Server::with(&["--maxmemory-clients", "4mb"]);
    let mut witness = server.connect();
    witness.check("CLIENT NO-EVICT on", "+OK");
    let mut clients =
        waiting(&server, &mut witness, 12, &["BLMOVE", "a", "b", "LEFT", "RIGHT", "0"]);
    for client in &mut clients {
        // What comes behind is kept for later, and counts.
        client.stream().set_nonblocking(true).unwrap();
        let more =
            b"*2\r\n$4\r\nECHO\r\n$30000\r\n".iter().chain([b'x'; 30_000].iter()).chain(b"\r\n");
        let more: Vec<u8> = more.copied().collect::<Vec<_>>().repeat(30);
        let _ = client.stream().write(&more);
    }
    for n in 0..20 {
        let length = witness.command(&["LLEN", "a"]).integer();
        witness.check(&format!("RPUSH a {n}"), &format!(":{}", length + 1));
    }
    witness.check("PING", "+PONG");
    let kept =
        witness.command(&["LLEN", "a"]).integer() + witness.command(&["LLEN", "b"]).integer();
    assert_eq!(kept, 20, "moved or left, but not lost");
}
