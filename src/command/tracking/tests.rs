//! What clients that track keys are told.

use crate::command::testing::{Bench, check};
use crate::resp::parse::Trust;
use crate::session::{ClientId, Endpoint, Session};

/// A server with a client that is in its place, and the bench's own.
struct Scene {
    bench: Bench,
    other: usize,
}

impl Scene {
    /// The other client has executed a script.
    fn new(script: &str) -> Self {
        let mut bench = Bench::new();
        let other = connect(&mut bench);
        let mut scene = Self { bench, other };
        scene.by_other(script);
        scene.told();
        scene
    }

    fn by_other(&mut self, script: &str) {
        let mut session = self.bench.server.sessions.take(self.other).expect("it is there");
        std::mem::swap(&mut self.bench.session, &mut session);
        for line in script.split(';') {
            let words = crate::base::quote::split_args(line.trim().as_bytes()).expect("quotes");
            self.bench.raw(&words);
        }
        std::mem::swap(&mut self.bench.session, &mut session);
        self.bench.server.sessions.put(session);
    }

    /// What the other client was sent since.
    fn told(&mut self) -> String {
        self.bench.server.broadcast_invalidations();
        let session = self.bench.server.sessions.get_mut(self.other).expect("it is there");
        let bytes: Vec<u8> = session.output.pieces().flatten().copied().collect();
        session.output.advance(bytes.len());
        String::from_utf8(bytes).expect("text").replace("\r\n", " ").trim_end().to_owned()
    }

    /// What the other client is told when the bench's executes a script.
    #[track_caller]
    fn tells(&mut self, script: &str, expected: &str) {
        self.bench.run(script);
        assert_eq!(self.told(), expected, "{script}");
    }
}

fn connect(bench: &mut Bench) -> usize {
    let end = Endpoint::Tcp(([127, 0, 0, 1], 9).into());
    let id = bench.server.sessions.next_id();
    let mut session = Session::new(id, end.clone(), end, 9, 0, &bench.session.user);
    session.trust = Trust::Authenticated;
    bench.server.sessions.insert(Box::new(session))
}

const K: &str = ">2 $10 invalidate *1 $1 k";

#[test]
fn who_has_read_a_key_is_told_once() {
    let mut scene = Scene::new("HELLO 3; CLIENT TRACKING ON; GET k; MGET k l; SCARD s");
    scene.tells("GET k; SET x 1", "");
    scene.tells("SET k 1", K);
    scene.tells("SET k 2", "");
    scene.tells(
        "SET l 1; SADD s 1; SADD s 1",
        ">2 $10 invalidate *1 $1 l >2 $10 invalidate *1 $1 s",
    );
    scene.by_other("CLIENT TRACKING OFF; GET k");
    scene.told();
    scene.tells("SET k 3", "");
    assert!(!scene.bench.server.keyspace.events.wanted());
}

#[test]
fn flushing_tells_that_all_keys_are_gone() {
    let mut scene = Scene::new("HELLO 3; CLIENT TRACKING ON; GET k");
    scene.tells("FLUSHDB", ">2 $10 invalidate _");
    scene.tells("SET k 1", "");
    scene.tells("FLUSHALL", ">2 $10 invalidate _");
}

#[test]
fn the_end_of_a_key_is_told() {
    let mut scene = Scene::new("SET k 1 PX 10; HELLO 3; CLIENT TRACKING ON NOLOOP; GET k");
    scene.bench.pass(10);
    scene.tells("GET k", K);
}

#[test]
fn own_changes_are_told_behind_the_reply() {
    let mut bench = Bench::new();
    bench.run("HELLO 3; CLIENT TRACKING ON");
    bench.check("GET k; SET k 1", "_ +OK >[$invalidate [$k]]");
    bench.check(
        "GET k; MULTI; SET k 2; PING; EXEC",
        "$1 +OK +QUEUED +QUEUED [+OK +PONG] >[$invalidate [$k]]",
    );
    bench.check("GET k; FLUSHALL", "$2 +OK >[$invalidate _]");
    bench.check("CLIENT TRACKING OFF; CLIENT TRACKING ON NOLOOP; GET k; SET k 1", "+OK +OK _ +OK");
}

#[test]
fn only_what_was_asked_for_is_tracked() {
    let mut scene =
        Scene::new("HELLO 3; CLIENT TRACKING ON OPTIN; GET k; CLIENT CACHING YES; GET l; GET m");
    scene.tells("SET k 1; SET l 1; SET m 1", ">2 $10 invalidate *1 $1 l");
    let mut scene =
        Scene::new("HELLO 3; CLIENT TRACKING ON OPTOUT; GET k; CLIENT CACHING NO; GET l; GET m");
    scene.tells("SET k 1; SET l 1; SET m 1", ">2 $10 invalidate *1 $1 k >2 $10 invalidate *1 $1 m");
    let mut scene = Scene::new(
        "HELLO 3; CLIENT TRACKING ON OPTIN; CLIENT CACHING YES; MULTI; GET k; GET l; EXEC; GET m",
    );
    scene.tells("SET k 1; SET l 1; SET m 1", ">2 $10 invalidate *1 $1 k >2 $10 invalidate *1 $1 l");
}

#[test]
fn prefixes_are_told_of_at_the_end_of_the_turn() {
    let mut scene = Scene::new("HELLO 3; CLIENT TRACKING ON BCAST PREFIX a PREFIX b; GET x");
    scene.tells(
        "SET x 1; SET b1 1; SET a2 1; SET a1 1; SET a1 2",
        ">2 $10 invalidate *2 $2 a1 $2 a2 >2 $10 invalidate *1 $2 b1",
    );
    scene.tells("FLUSHALL", ">2 $10 invalidate _");
    scene.by_other("CLIENT TRACKING OFF; CLIENT TRACKING ON BCAST NOLOOP; SET k 1");
    assert_eq!(scene.told(), "");
    scene.tells("SET k 1", K);
}

#[test]
fn another_is_told_in_a_client_s_stead() {
    let mut scene = Scene::new("SUBSCRIBE __redis__:invalidate");
    let id = scene.bench.server.sessions.get(scene.other).map_or(0, |session| session.id.0);
    scene.bench.run(&format!("CLIENT TRACKING ON REDIRECT {id}; GET k"));
    scene.bench.check("CLIENT GETREDIR", &format!(":{id}"));
    scene.tells("SET k 1", "*3 $7 message $20 __redis__:invalidate *1 $1 k");
    scene.tells("GET k; FLUSHALL", "*3 $7 message $20 __redis__:invalidate $-1");
    scene.bench.run("HELLO 3; GET k");
    let session = scene.bench.server.sessions.remove(scene.other).expect("it is there");
    assert_eq!(session.id, ClientId(id));
    scene.bench.check("SET k 1", &format!("+OK >[$tracking-redir-broken :{id}]"));
    scene.bench.check(
        "CLIENT TRACKINGINFO",
        &format!("%[$flags ~[$on $broken_redirect] $redirect :{id} $prefixes []]"),
    );
}

#[test]
fn the_table_has_no_more_keys_than_it_may() {
    let mut bench = Bench::new();
    bench.run("CONFIG SET tracking-table-max-keys 10; HELLO 3; CLIENT TRACKING ON");
    for index in 0..30 {
        bench.raw(&["GET", &format!("k{index}")]);
    }
    assert_eq!(bench.server.tracking.keys(), 10);
    bench.run("CONFIG SET tracking-table-max-keys 3");
    assert_eq!(bench.server.tracking.keys(), 3);
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let refused = |options: &str, error: &str| {
        check(&format!("CLIENT TRACKING ON {options}"), &format!("-ERR {error}"));
    };
    refused("FOO", "syntax error");
    refused("REDIRECT 99", "The client ID you want redirect to does not exist");
    refused("REDIRECT 1 REDIRECT 1", "A client can only redirect to a single other client");
    refused("PREFIX a", "PREFIX option requires BCAST mode to be enabled");
    refused("BCAST OPTIN", "OPTIN and OPTOUT are not compatible with BCAST");
    refused("OPTIN OPTOUT", "You can't specify both OPTIN mode and OPTOUT mode");
    refused(
        "BCAST PREFIX ab PREFIX a",
        "Prefix 'ab' overlaps with another provided prefix 'a'. \
             Prefixes for a single client must not overlap.",
    );
    check(
        "CLIENT TRACKING ON BCAST PREFIX a; CLIENT TRACKING ON BCAST PREFIX ab; CLIENT TRACKING ON",
        "+OK -ERR Prefix 'ab' overlaps with an existing prefix 'a'. Prefixes for a single client must \
         not overlap. -ERR You can't switch BCAST mode on/off before disabling tracking for this \
         client, and then re-enabling it with a different mode.",
    );
    check(
        "CLIENT TRACKING MAYBE; CLIENT CACHING YES; CLIENT GETREDIR; CLIENT TRACKING ON OPTIN; \
         CLIENT CACHING NO; CLIENT CACHING x; CLIENT CACHING YES; CLIENT TRACKINGINFO",
        "-ERR syntax error -ERR CLIENT CACHING can be called only when the client is in tracking mode \
         with OPTIN or OPTOUT mode enabled :-1 +OK -ERR CLIENT CACHING NO is only valid when tracking \
         is enabled in OPTOUT mode. -ERR syntax error +OK \
         [$flags [$on $optin $caching-yes] $redirect :0 $prefixes []]",
    );
}

#[test]
fn a_client_is_charged_for_its_prefixes() {
    let mut bench = Bench::new();
    bench.run("HELLO 3");
    let before = bench.session.memory_bytes();
    bench.run("CLIENT TRACKING ON BCAST PREFIX first");
    let one = bench.session.memory_bytes();
    assert!(one >= before + "first".len(), "{before} {one}");
    bench.run("CLIENT TRACKING ON BCAST PREFIX second");
    assert!(bench.session.memory_bytes() >= one + "second".len());
    bench.run("CLIENT TRACKING OFF");
    assert_eq!(bench.session.memory_bytes(), before);
}
