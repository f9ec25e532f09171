//! No secret is shown: whatever takes one is sent, and everything that tells of commands is searched for it.
//!
//! A command that takes a secret has a row in [`ROWS`], in each form that it can be sent in, also those that
//! fail. A command that is not there yet may have its row already: then it is unknown, and its row is one
//! more form of that.

mod common;

use common::{Client, Reply, Server};
use std::io::{Read, Write};
use std::net::TcpStream;

/// The secret. Part of a longer word, it counts as well.
const SECRET: &str = "XyzzySecret";
/// What every client is let in with, so that the rows change nothing that later ones need.
const PASSWORD: &str = "XyzzySecretOfAll";

/// Commands; `@` stands for the secret.
const ROWS: &[&str] = &[
    "AUTH @",
    "AUTH default @",
    "AUTH nobody @",
    "AUTH default @ @",
    "HELLO 3 AUTH default @",
    "HELLO 2 AUTH nobody @ SETNAME n",
    "HELLO 2 SETNAME n AUTH default @",
    "HELLO 4 AUTH default @",
    "HELLO x AUTH default @",
    "HELLO 2 AUTH @",
    "CONFIG SET masterauth @",
    "CONFIG SET masteruser @",
    "CONFIG SET primaryauth @",
    "CONFIG SET primaryuser @",
    "CONFIG SET tls-key-file-pass @",
    "CONFIG SET tls-client-key-file-pass @",
    "CONFIG SET hz 10 MasterAuth @ maxclients 100",
    "CONFIG SET masterauth @ no-such-directive x",
    "CONFIG SET hz nonsense masterauth @",
    "CONFIG SET masterauth @ masterauth @",
    "CONFIG SET requirepass @ bind 256.0.0.1",
    "CONFIG SET masterauth @ requirepass",
    "MIGRATE 127.0.0.1 1 k 0 10 AUTH @",
    "MIGRATE 127.0.0.1 1 k 0 10 AUTH2 user @",
    "MIGRATE 127.0.0.1 1 '' 0 10 COPY AUTH @ KEYS k l",
    "ACL SETUSER nobody on >@ ~* +@all",
    "ACL SETUSER nobody <@",
    "ACL SETUSER nobody nonsense >@",
    "SENTINEL SET mymaster auth-pass @",
    "SENTINEL CONFIG SET sentinel-pass @",
];

fn words(row: &str) -> Vec<String> {
    row.split(' ').map(|word| word.replace("''", "").replace('@', SECRET)).collect()
}

/// Sends a command and reads its reply; the connection may be one that the command has turned to RESP3.
fn send<W: AsRef<[u8]>>(client: &mut Client, command: &[W]) -> Reply {
    client.command(command)
}

/// All rows, one by one and in a transaction.
fn send_rows(client: &mut Client) {
    for row in ROWS {
        send(client, &words(row));
        send(client, &["HELLO", "2", "AUTH", "default", PASSWORD]);
    }
    send(client, &["MULTI"]);
    for row in ROWS {
        send(client, &words(row));
    }
    send(client, &["DISCARD"]);
    // A command that is executed in a transaction.
    for row in ["CONFIG SET masterauth @", "AUTH default @", "CONFIG SET requirepass @ hz nonsense"]
    {
        send(client, &["MULTI"]);
        send(client, &words(row));
        send(client, &["EXEC"]);
    }
}

/// What a monitor was shown up to a mark.
fn shown(monitor: &mut Client, by: &mut Client) -> String {
    send(by, &["ECHO", "the-mark"]);
    let mut text = String::new();
    while !text.ends_with("\"the-mark\"\n") {
        text.push_str(&format!("{}\n", monitor.reply()));
    }
    text
}

#[track_caller]
fn assert_hidden(place: &str, text: &str) {
    let found = text.lines().find(|line| line.contains(SECRET));
    assert_eq!(found, None, "{place} shows the secret");
}

#[test]
fn nothing_that_tells_of_commands_shows_a_secret() {
    let mut server = Server::with(&[
        "--requirepass",
        PASSWORD,
        "--loglevel",
        "debug",
        "--latency-monitor-threshold",
        "1",
        "--slowlog-log-slower-than",
        "0",
        "--slowlog-max-len",
        "1000",
        "--commandlog-request-larger-than",
        "0",
        "--commandlog-large-request-max-len",
        "1000",
        "--commandlog-reply-larger-than",
        "0",
        "--commandlog-large-reply-max-len",
        "1000",
    ]);
    let login = ["AUTH", PASSWORD];
    let [mut client, mut monitor, mut looking] = [(); 3].map(|()| server.connect());
    for client in [&mut client, &mut monitor, &mut looking] {
        assert_eq!(send(client, &login).to_string(), "+OK");
    }
    send(&mut looking, &["HOTKEYS", "START", "METRICS", "2", "CPU", "NET"]);
    assert_eq!(send(&mut monitor, &["MONITOR"]).to_string(), "+OK");
    send_rows(&mut client);
    let monitored = shown(&mut monitor, &mut looking);
    assert!(monitored.contains("(redacted)"));
    assert_hidden("MONITOR", &monitored);
    let mut tell = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let text = send(&mut looking, &words).to_string();
        assert!(!text.starts_with('-'), "{line}: {text}");
        assert_hidden(line, &text);
        text
    };
    assert!(tell("SLOWLOG GET -1").contains("(redacted)"));
    assert!(tell("COMMANDLOG GET -1 large-request").contains("(redacted)"));
    for line in [
        "COMMANDLOG GET -1 slow",
        "COMMANDLOG GET -1 large-reply",
        "LATENCY LATEST",
        "LATENCY DOCTOR",
        "LATENCY HISTOGRAM",
        "INFO everything",
        "INFO debug",
        "CLIENT LIST",
        "CLIENT INFO",
        "MEMORY STATS",
        "MEMORY DOCTOR",
        "HOTKEYS GET",
        "COMMAND LIST",
    ] {
        tell(line);
    }
    assert_hidden("the log", &server.log());
    // The process's title and its arguments are the user's own; a crash report is everybody's.
    send(&mut client, &["HELLO", "2", "AUTH", "default", PASSWORD]);
    send(&mut client, &["CONFIG", "SET", "masterauth", SECRET]);
    client.send_command(&["DEBUG", "SEGFAULT"]);
    let status = server.wait_for_exit();
    assert!(!status.success(), "{status}");
    assert!(server.log().contains("crashed by signal"));
    assert_hidden("the crash report", &server.log());
}

#[test]
fn secrets_are_not_among_the_metrics() {
    let port = common::free_port().to_string();
    let server = Server::with(&["--metrics-port", &port, "--requirepass", PASSWORD]);
    let mut client = server.connect();
    send_rows(&mut client);
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
    let mut metrics = String::new();
    stream.read_to_string(&mut metrics).unwrap();
    assert!(metrics.contains("redis_commands_total{cmd=\"auth\"}"), "{metrics}");
    assert_hidden("metrics-port", &metrics);
}
