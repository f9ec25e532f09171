//! Older bytes of the stream on disk: a slow replica holds up no memory, and a late one goes on.

use crate::common::{Client, Server, wait_until};
use crate::fleet::info;

const WRITES: usize = 400;
const VALUE_BYTES: usize = 100_000;

/// The id of the stream and the offset, from a replica that asks for everything and leaves.
fn place(server: &Server) -> (String, u64) {
    let mut passing = server.connect();
    passing.send_command(&["PSYNC", "?", "-1"]);
    let line = passing.reply().text();
    let words: Vec<&str> = line.split(' ').collect();
    assert_eq!(words[0], "FULLRESYNC", "{line}");
    (words[1].to_owned(), words[2].parse().unwrap())
}

fn goes_on(server: &Server, id: &str, offset: u64) -> Client {
    let mut replica = server.connect();
    replica.send_command(&["PSYNC".to_owned(), id.to_owned(), (offset + 1).to_string()]);
    assert_eq!(replica.reply().to_string(), "+CONTINUE");
    replica
}

fn value(nth: usize) -> String {
    format!("{nth:08}").repeat(VALUE_BYTES / 8)
}

fn expect_everything(replica: &mut Client) {
    let mut nth = 0;
    while nth < WRITES {
        let command = replica.reply();
        let words = command.elements();
        match words[0].text().as_str() {
            "SET" => {
                assert_eq!(words[1].text(), format!("key:{nth}"));
                assert!(words[2].text() == value(nth), "the value of {nth} is another");
                nth += 1;
            }
            "SELECT" | "PING" => {}
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_slow_replica_holds_up_no_memory_and_a_late_one_goes_on() {
    let arguments = [
        "--repl-backlog-size 16kb --repl-backlog-spill-size 100mb --repl-diskless-sync-delay 0",
        "--client-output-buffer-limit replica 1mb 0 0",
    ];
    let arguments: Vec<&str> = arguments.iter().flat_map(|line| line.split(' ')).collect();
    let server = Server::with(&arguments);
    let mut primary = server.connect();
    let (id, offset) = place(&server);
    let mut slow = goes_on(&server, &id, offset);
    for nth in 0..WRITES {
        primary.send_command(&["SET", &format!("key:{nth}"), &value(nth)]);
        assert_eq!(primary.reply().to_string(), "+OK");
    }
    let number = |primary: &mut Client, field: &str| info(primary, field).parse::<usize>().unwrap();
    wait_until("the stream to be on disk", || {
        number(&mut primary, "repl_backlog_spilled_bytes") > WRITES * VALUE_BYTES * 9 / 10
            && number(&mut primary, "mem_total_replication_buffers") < 3_000_000
    });
    assert_eq!(
        number(&mut primary, "repl_backlog_first_byte_offset"),
        usize::try_from(offset).unwrap() + 1
    );
    let mut late = goes_on(&server, &id, offset);
    expect_everything(&mut slow);
    expect_everything(&mut late);
    primary.check("SET key:last x", "+OK");
    for replica in [&mut slow, &mut late] {
        assert_eq!(replica.reply().to_string(), "[$SET $key:last $x]");
    }
    primary.check("CONFIG SET repl-backlog-spill-size 0", "+OK");
    wait_until("the file to be given up", || {
        number(&mut primary, "repl_backlog_spilled_bytes") == 0
    });
    drop((slow, late));
    let mut refused = server.connect();
    refused.send_command(&["PSYNC".to_owned(), id, (offset + 1).to_string()]);
    assert!(refused.reply().text().starts_with("FULLRESYNC"), "its bytes are gone");
}
