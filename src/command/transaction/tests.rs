//! Transactions of one client, and of one among others.

use crate::command::effects::Listener;
use crate::command::testing::{Bench, check, recorded};
use crate::resp::parse::Trust;
use crate::session::{Endpoint, Session, SessionFlags};

/// Lets another client execute a script, whatever the replies.
fn meanwhile(bench: &mut Bench, script: &str) {
    let end = Endpoint::Tcp(([127, 0, 0, 1], 9).into());
    let id = bench.server.sessions.next_id();
    let mut other = Session::new(id, end.clone(), end, 9, 0, &bench.session.user);
    other.trust = Trust::Authenticated;
    std::mem::swap(&mut bench.session, &mut other);
    bench.run(script);
    std::mem::swap(&mut bench.session, &mut other);
}

/// What EXEC does behind WATCH.
#[derive(Clone, Copy)]
enum Exec {
    Done,
    Refused,
}

/// WATCH k and what others do; whether EXEC then does nothing.
#[track_caller]
fn stale(before: &str, script: &str, expected: Exec) {
    let mut bench = Bench::new();
    if !before.is_empty() {
        bench.run(before);
    }
    bench.check("WATCH k", "+OK");
    meanwhile(&mut bench, script);
    let reply = match expected {
        Exec::Refused => "*_",
        Exec::Done => "[+PONG]",
    };
    bench.check("MULTI; PING; EXEC", &format!("+OK +QUEUED {reply}"));
    assert!(bench.server.keyspace.watched().is_empty());
    assert!(!bench.server.keyspace.events.wanted());
}

#[test]
fn commands_are_executed_together() {
    check(
        "MULTI; SET a 1; INCR a; GET a; LPUSH a x; EXEC; GET a",
        "+OK +QUEUED +QUEUED +QUEUED +QUEUED [+OK :2 $2 -WRONGTYPE Operation against a key holding \
         the wrong kind of value] $2",
    );
    check("MULTI; EXEC; MULTI; DISCARD; EXEC", "+OK [] +OK +OK -ERR EXEC without MULTI");
    check(
        "MULTI; SET a 1; DISCARD; GET a; DISCARD",
        "+OK +QUEUED +OK $_ -ERR DISCARD without MULTI",
    );
    check("MULTI; SELECT 1; SET a 1; EXEC; GET a", "+OK +QUEUED +QUEUED [+OK +OK] $1");
    check(
        "MULTI; MULTI; WATCH k; PING; EXEC",
        "+OK -ERR MULTI calls can not be nested \
           -ERR WATCH inside MULTI is not allowed +QUEUED [+PONG]",
    );
}

#[test]
fn what_cannot_be_queued_fails_the_transaction() {
    let aborted = "-EXECABORT Transaction discarded because of previous errors.";
    for (command, error) in [
        ("GET", "-ERR wrong number of arguments for 'get' command"),
        ("NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: "),
        ("SAVE", "-ERR Command not allowed inside a transaction"),
    ] {
        check(
            &format!("MULTI; SET a 1; {command}; SET a 2; EXEC; GET a"),
            &format!("+OK +QUEUED {error} +QUEUED {aborted} $_"),
        );
    }
    check(
        "MULTI; EXEC x; EXEC; EXEC x",
        "+OK -EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command \
         -ERR EXEC without MULTI \
         -EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command",
    );
}

#[test]
fn nothing_waits_in_a_transaction() {
    check(
        "MULTI; BRPOPLPUSH a b 0; BLMOVE a b LEFT LEFT 0; BLPOP a 0; BZPOPMIN a 0; BLMPOP 0 1 a LEFT; \
         WAIT 1 1000; EXEC",
        "+OK +QUEUED +QUEUED +QUEUED +QUEUED +QUEUED +QUEUED [$_ $_ *_ *_ *_ :0]",
    );
}

#[test]
fn who_watches_a_key_that_changes_executes_nothing() {
    stale("", "SET k 1", Exec::Refused);
    stale("", "GET k; SET other 1", Exec::Done);
    stale("SET k 1", "SET k 1", Exec::Refused);
    stale("SET k 1", "APPEND k ''; TYPE k", Exec::Refused);
    stale("SADD k a", "SADD k a; SREM k b; SADD x k", Exec::Done);
    stale("SET k 1", "DEL k", Exec::Refused);
    stale("SET k 1", "DEL k; SET k 1", Exec::Refused);
    stale("SET k 1", "EXPIRE k 100", Exec::Refused);
    stale("SET k 1", "PERSIST k", Exec::Done);
    stale("SET k 1", "RENAME k l", Exec::Refused);
    stale("SET l 1", "RENAME l k", Exec::Refused);
    stale("SET k 1", "SELECT 1; SET k 2", Exec::Done);
    stale("PFADD k a", "PFADD k a", Exec::Done);
}

#[test]
fn flushing_and_swapping_change_what_was_there() {
    for flush in ["FLUSHALL", "FLUSHDB"] {
        stale("SET k 1", flush, Exec::Refused);
        stale("", flush, Exec::Done);
    }
    stale("SET k 1", "SELECT 1; FLUSHDB", Exec::Done);
    stale("SET k 1", "SWAPDB 0 1", Exec::Refused);
    stale("", "SELECT 1; SET k 1; SWAPDB 0 1", Exec::Refused);
    stale("", "SWAPDB 0 1", Exec::Done);
}

#[test]
fn the_end_of_a_key_changes_it_unless_it_was_due_already() {
    let mut bench = Bench::new();
    bench.check("SET k 1 PX 10; WATCH k", "+OK +OK");
    bench.pass(10);
    bench.check("MULTI; PING; EXEC", "+OK +QUEUED *_");
    bench.run("DEBUG SET-ACTIVE-EXPIRE 0; SET k 1 PX 10");
    for (script, reply) in
        [("PING", "[+PONG]"), ("GET k", "[+PONG]"), ("FLUSHALL", "[+PONG]"), ("SET k 2", "*_")]
    {
        bench.run("SET k 1 PX 10");
        bench.pass(10);
        bench.check("WATCH k", "+OK");
        meanwhile(&mut bench, script);
        bench.check("MULTI; PING; EXEC", &format!("+OK +QUEUED {reply}"));
    }
}

#[test]
fn watching_ends_with_the_transaction() {
    for end in ["UNWATCH", "MULTI; DISCARD", "MULTI; EXEC", "RESET"] {
        let mut bench = Bench::new();
        bench.run(&format!("WATCH k; {end}"));
        assert!(bench.server.keyspace.watched().is_empty(), "{end}");
        meanwhile(&mut bench, "SET k 1");
        bench.check("MULTI; PING; EXEC", "+OK +QUEUED [+PONG]");
    }
    let mut bench = Bench::new();
    bench.run("WATCH k");
    meanwhile(&mut bench, "SET k 1");
    bench.check("UNWATCH; MULTI; PING; EXEC", "+OK +OK +QUEUED [+PONG]");
}

#[test]
fn reset_leaves_no_transaction() {
    let mut bench = Bench::new();
    bench.check("MULTI; SET k 1; RESET; EXEC", "+OK +QUEUED +RESET -ERR EXEC without MULTI");
    assert_eq!(bench.session.flags, SessionFlags::empty());
}

#[test]
fn a_transaction_is_recorded_as_a_unit() {
    let mut bench = Bench::new();
    bench.server.listen(Listener::AppendOnlyFile);
    bench.run("MULTI; SET a 1; GET a; INCR a; EXEC; MULTI; SET b 1; EXEC; MULTI; GET a; EXEC");
    let expected = "SELECT 0|MULTI|SET a 1|INCR a|EXEC|SET b 1";
    let text = recorded(&mut bench.server);
    assert_eq!(text, expected);
}

#[test]
fn memory_is_looked_at_before_anything_is_queued() {
    let oom = "OOM command not allowed when used memory > 'maxmemory'.";
    let mut bench = Bench::new();
    bench.run("MULTI; SET a 1; CONFIG SET maxmemory 1");
    bench.session.flags.remove(SessionFlags::MULTI);
    bench.run("CONFIG SET maxmemory 1");
    bench.session.flags.insert(SessionFlags::MULTI);
    bench.check("EXEC", &format!("-EXECABORT Transaction discarded because of: {oom}"));
    bench.check(
        "MULTI; GET a; EXEC",
        &format!("+OK -{oom} -EXECABORT Transaction discarded because of previous errors."),
    );
    bench.check("MULTI; DISCARD", "+OK +OK");
}

#[test]
fn a_client_is_charged_for_each_key_that_it_watches() {
    let mut bench = Bench::new();
    bench.run("UNWATCH"); // a reply, for which there is room from here on
    let before = bench.session.memory_bytes();
    bench.run("WATCH first second");
    let two = bench.session.memory_bytes();
    assert!(two >= before + "firstsecond".len(), "{before} {two}");
    bench.run("WATCH first");
    assert_eq!(bench.session.memory_bytes(), two, "it watches it already");
    bench.run("UNWATCH");
    assert_eq!(bench.session.memory_bytes(), before);
}

#[test]
fn replies_that_are_not_wanted_are_left_out() {
    check("CLIENT REPLY OFF; MULTI; PING; EXEC; CLIENT REPLY ON", "+OK");
}

#[test]
fn a_protected_command_that_is_permitted_may_be_queued() {
    let config = crate::config::Config {
        enable_debug_command: crate::config::Permission::Yes,
        ..crate::config::Config::default()
    };
    let mut bench = Bench::with(config);
    bench.check("MULTI; DEBUG SLEEP 0; PING; EXEC", "+OK +QUEUED +QUEUED [+OK +PONG]");
    let refused = "-EXECABORT Transaction discarded because of previous errors.";
    let mut bench = Bench::new();
    bench.run("MULTI; DEBUG SLEEP 0");
    bench.check("EXEC", refused);
}
