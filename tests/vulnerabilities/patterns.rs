//! Patterns that take exponential time or endless stack when they are tried by recursion: each answer here
//! comes in time that grows with pattern times text.

use crate::common::{Client, Server};

/// Hundreds of stars, each followed by what the text has a lot of, and an end that it lacks.
fn many_stars() -> Vec<u8> {
    [b"*a".repeat(500), b"#".to_vec()].concat()
}

/// More stars than a recursion has stack for.
fn deep() -> Vec<u8> {
    [b"*".repeat(4_000_000), b"#".to_vec()].concat()
}

fn text() -> Vec<u8> {
    b"a".repeat(1000)
}

fn patterns() -> [Vec<u8>; 4] {
    let sets = [b"*[a-z]".repeat(500), b"#\\".to_vec()].concat();
    let turns = [b"*?".repeat(2000), b"#".to_vec()].concat();
    [many_stars(), deep(), sets, turns]
}

#[track_caller]
fn check(client: &mut Client, words: &[&[u8]], expected: &str) {
    assert_eq!(client.command(words).to_string(), expected);
}

#[test]
fn cve_2022_36021_cve_2024_31228_patterns_of_names_end() {
    let server = Server::start();
    let mut client = server.connect();
    let text = text();
    check(&mut client, &[b"SET", &text, b"v"], "+OK");
    check(&mut client, &[b"HSET", b"hash", &text, b"v"], ":1");
    check(&mut client, &[b"SADD", b"set", &text], ":1");
    check(&mut client, &[b"ZADD", b"zset", b"1", &text], ":1");
    for pattern in patterns() {
        check(&mut client, &[b"KEYS", &pattern], "[]");
        check(&mut client, &[b"SCAN", b"0", b"MATCH", &pattern], "[$0 []]");
        check(&mut client, &[b"HSCAN", b"hash", b"0", b"MATCH", &pattern], "[$0 []]");
        check(&mut client, &[b"SSCAN", b"set", b"0", b"MATCH", &pattern], "[$0 []]");
        check(&mut client, &[b"ZSCAN", b"zset", b"0", b"MATCH", &pattern], "[$0 []]");
        check(&mut client, &[b"COMMAND", b"LIST", b"FILTERBY", b"PATTERN", &pattern], "[]");
        check(&mut client, &[b"FUNCTION", b"LIST", b"LIBRARYNAME", &pattern], "[]");
    }
    assert_eq!(client.command(&[b"KEYS", &b"*a".repeat(400)[..]]).elements().len(), 1);
}

#[test]
fn cve_2024_31228_patterns_of_channels_end() {
    let server = Server::start();
    let mut listener = server.connect();
    for pattern in patterns() {
        listener.send_command(&[b"PSUBSCRIBE", &pattern[..]]);
        assert!(listener.reply().to_string().starts_with("[$psubscribe "));
    }
    let mut client = server.connect();
    check(&mut client, &[b"PUBLISH", &text(), b"v"], ":0");
    check(&mut client, &[b"PUBSUB", b"CHANNELS", &deep()], "[]");
    check(&mut client, &[b"PUBSUB", b"CHANNELS", &many_stars()], "[]");
}

#[test]
fn cve_2024_31228_patterns_of_rules_end() {
    let server = Server::start();
    let mut admin = server.connect();
    for pattern in patterns() {
        let (key, channel) = ([b"~", &pattern[..]].concat(), [b"&", &pattern[..]].concat());
        let rules = [&b"ACL"[..], b"SETUSER", b"u", b"on", b"nopass", b"+@all", &key, &channel];
        check(&mut admin, &rules, "+OK");
    }
    let mut client = server.connect();
    client.check("AUTH u x", "+OK");
    let denied = |what: &str| {
        format!(
            "-NOPERM this user has no permissions to access one of the {what} used as arguments"
        )
    };
    let text = text();
    check(&mut client, &[b"GET", &text], &denied("keys"));
    check(&mut client, &[b"MGET", &text, &text, &text], &denied("keys"));
    check(&mut client, &[b"SUBSCRIBE", &text], &denied("channels"));
    check(&mut client, &[b"PUBLISH", &text, b"v"], &denied("channels"));
}
