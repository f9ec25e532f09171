//! Who gets in, and as whom.

use super::*;
use crate::common::wait_until;
use std::io::Write as _;

#[test]
fn clients_must_show_a_certificate_unless_they_need_not() {
    let world = World::with(&[]);
    let alice = world.issue("alice");
    let stranger = Authority::new().issue(Wish::named("alice"));
    let late = world.authority.issue(Wish { days: -1, ..Wish::named("alice") });
    world.connect(Some(&alice)).is_served();
    for refused in [None, Some(&stranger), Some(&late)] {
        assert!(world.connect(refused).ping().is_err(), "{refused:?}");
    }
    wait_until("the failures to be counted", || world.figure("tls_failed_handshakes") == 3);
    world.server.check("CONFIG SET tls-auth-clients optional", "+OK");
    world.connect(None).is_served();
    world.connect(Some(&alice)).is_served();
    assert!(world.connect(Some(&stranger)).ping().is_err(), "a bad one is worse than none");
    world.server.check("CONFIG SET tls-auth-clients no", "+OK");
    for welcome in [None, Some(&alice), Some(&stranger), Some(&late)] {
        world.connect(welcome).is_served();
    }
}

#[test]
fn a_certificate_names_its_user() {
    let world = World::with(&["--tls-auth-clients", "optional", "--tls-auth-clients-user", "CN"]);
    let rules = "ACL SETUSER alice on ~* +@all; ACL SETUSER bob off ~* +@all; \
                 ACL SETUSER urn:a:carol on ~* +@all; CONFIG SET requirepass secret";
    world.server.check(rules, "+OK +OK +OK +OK");
    let whoami = ["ACL", "WHOAMI"];
    world.connect(Some(&world.issue("alice"))).check(&whoami, "$5\r\nalice\r\n");
    let noauth = "-NOAUTH Authentication required.\r\n";
    for name in ["bob", "nobody", "Alice"] {
        world.connect(Some(&world.issue(name))).check(&whoami, noauth);
    }
    world.connect(None).check(&whoami, noauth);
    assert_eq!(world.figure_as_default("acl_access_denied_tls_cert"), 3);
    let mut alice = world.connect(Some(&world.issue("alice")));
    alice.check(&["CONFIG", "SET", "tls-auth-clients-user", "URI"], "+OK\r\n");
    let uris = ["urn:a:nobody", "urn:a:carol", "alice:x"];
    let carol = world.authority.issue(Wish { uris: &uris, ..Wish::named("alice") });
    world.connect(Some(&carol)).check(&whoami, "$11\r\nurn:a:carol\r\n");
    world.connect(Some(&world.issue("alice"))).check(&whoami, noauth);
    alice.check(&["CONFIG", "SET", "tls-auth-clients-user", "off"], "+OK\r\n");
    world.connect(Some(&world.issue("alice"))).check(&whoami, noauth);
    alice.check(&["ACL", "DELUSER", "alice"], ":1\r\n");
    assert!(alice.ping().is_err(), "who was deleted is sent away");
}

/// A zero byte ended the name for who compared it, and a certificate for more was one for `alice`.
#[test]
fn redis_8_8_2_a_zero_byte_in_a_name_makes_nobody_of_it() {
    let world = World::with(&["--tls-auth-clients", "optional", "--tls-auth-clients-user", "CN"]);
    world.server.check("ACL SETUSER alice on ~* +@all; CONFIG SET requirepass secret", "+OK +OK");
    let noauth = "-NOAUTH Authentication required.\r\n";
    for name in ["alice\0.stranger", "alice\0", "\0alice", "alice "] {
        world.connect(Some(&world.issue(name))).check(&["ACL", "WHOAMI"], noauth);
    }
    world.connect(Some(&world.issue("alice"))).check(&["ACL", "WHOAMI"], "$5\r\nalice\r\n");
}

/// Commands of one connection end others that have bytes deciphered and not yet read.
#[test]
fn cve_2026_56684_connections_with_bytes_left_are_killed_by_others() {
    let world = World::with(&["--tls-auth-clients", "no"]);
    for _ in 0..10 {
        let mut victims: Vec<_> = (0..8).map(|_| world.connect(None)).collect();
        let mut killer = world.connect(None);
        for victim in &mut victims {
            victim.is_served();
            victim.stream.write_all(&b"PING\r\n".repeat(300)).unwrap();
        }
        let kill = b"CLIENT KILL TYPE normal SKIPME yes\r\nPING\r\n";
        killer.stream.write_all(kill).unwrap();
        drop(victims);
        drop(killer);
        world.connect(None).is_served();
    }
}

#[test]
fn a_refused_certificate_is_in_the_log_of_refusals() {
    let world = World::with(&["--tls-auth-clients-user", "CN"]);
    world.connect(Some(&world.issue("mallory"))).is_served();
    let log = world.server.connect().command(&["ACL", "LOG"]).to_string();
    for part in ["$reason $tls-cert", "$context $toplevel", "$username $mallory"] {
        assert!(log.contains(part), "{log}");
    }
}

#[test]
fn a_session_is_resumed_and_its_user_is_the_same() {
    for version in [&[&rustls::version::TLS13][..], &[&rustls::version::TLS12]] {
        let world = World::with(&["--tls-auth-clients-user", "CN"]);
        world.server.check("ACL SETUSER alice on ~* +@all", "+OK");
        let config = config(Some(&world.issue("alice")), version);
        let connect = || {
            let mut client = TlsClient::to(world.port, &config);
            client.check(&["ACL", "WHOAMI"], "$5\r\nalice\r\n");
            client.is_resumed()
        };
        assert_eq!([connect(), connect()], [false, true]);
        world.server.check("CONFIG SET tls-auth-clients optional", "+OK");
        assert!(!connect(), "sessions end with the configuration that they began with");
        world.server.check("CONFIG SET tls-session-caching no", "+OK");
        assert_eq!([connect(), connect()], [false, false]);
    }
}

impl World {
    /// As [`World::figure`], of a server with the password `secret`.
    fn figure_as_default(&self, field: &str) -> i64 {
        let mut client = self.server.connect();
        client.check("AUTH secret", "+OK");
        let text = client.command(&["INFO", "everything"]).text();
        let prefix = format!("{field}:");
        let line = text.lines().find_map(|line| line.strip_prefix(&prefix));
        line.unwrap().trim().parse().unwrap()
    }
}
