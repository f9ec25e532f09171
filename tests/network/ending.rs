//! How the server ends: by signals, by SHUTDOWN, by a crash.

use crate::common::{Server, scratch, wait_until};
use crate::{accepted, settle, signal};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::rc::Rc;

fn ends_in_order(name: &str, log: &str) {
    let mut server = Server::with(&["--pidfile", "server.pid", "--unixsocket", "s.sock"]);
    let mut waiting = accepted(&server);
    let mut idle = accepted(&server);
    waiting.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000\r\nhalf a comm");
    settle(&mut idle);
    assert!(server.dir().join("server.pid").exists());
    signal(server.pid(), name);
    assert_eq!(server.wait_for_exit().code(), Some(0));
    let text = server.log();
    assert!(text.contains(log), "{text}");
    assert!(text.contains("User requested shutdown"), "{text}");
    assert!(text.contains("ready to exit, bye bye"), "{text}");
    assert!(!server.dir().join("server.pid").exists());
    assert!(!server.dir().join("s.sock").exists());
    assert_eq!(idle.read_to_end(), b"");
}

#[test]
fn a_server_that_cannot_start_leaves_nothing_behind() {
    let traces = ["--pidfile", "server.pid", "--unixsocket", "s.sock"];
    // Refused while the rest is made ready, and by the thread that loads.
    for (name, text) in [("appendonly.aof.manifest", "nonsense\n"), ("appendonly.aof", "nonsense")]
    {
        let dir = Rc::new(scratch());
        let place = match name {
            "appendonly.aof" => dir.path().to_owned(),
            _ => dir.path().join("appendonlydir"),
        };
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join(name), text).unwrap();
        let arguments = [&traces[..], &["--appendonly", "yes"]].concat();
        let mut server = Server::starting_in(&dir, &arguments);
        assert_eq!(server.wait_for_exit().code(), Some(1), "{}", server.log());
        assert!(server.log().contains("Fatal error"), "{}", server.log());
        for trace in ["server.pid", "s.sock"] {
            assert!(!dir.path().join(trace).exists(), "{trace} with {name}");
        }
    }
    // What others have under these names is theirs.
    let dir = Rc::new(scratch());
    fs::write(dir.path().join("server.pid"), "1\n").unwrap();
    let mut server = Server::starting_in(&dir, &["--unixsocket", "no/such/s.sock"]);
    assert_eq!(server.wait_for_exit().code(), Some(1));
    assert!(dir.path().join("server.pid").exists());
}

#[test]
fn sigterm_ends_the_server() {
    ends_in_order("TERM", "Received SIGTERM scheduling shutdown");
}

#[test]
fn sigint_ends_the_server() {
    ends_in_order("INT", "Received SIGINT scheduling shutdown");
}

#[test]
fn sighup_and_sigpipe_are_ignored() {
    let server = Server::start();
    let mut client = server.connect();
    for name in ["HUP", "PIPE", "HUP"] {
        signal(server.pid(), name);
        settle(&mut client);
    }
}

#[test]
fn a_server_told_to_save_first_stays_if_it_cannot() {
    let mut server = Server::with(&["--shutdown-on-sigterm", "save"]);
    let mut client = server.connect();
    fs::create_dir(server.dir().join("dump.rdb")).unwrap();
    signal(server.pid(), "TERM");
    server.wait_for_log("Error trying to save the DB, can't exit");
    settle(&mut client);
    client.check("CONFIG SET shutdown-on-sigterm 'save force'", "+OK");
    signal(server.pid(), "TERM");
    assert_eq!(server.wait_for_exit().code(), Some(0));
}

#[test]
fn shutdown_flags_are_taken_from_the_configuration() {
    for flags in ["default", "nosave", "now", "nosave now force"] {
        let mut server = Server::with(&["--save", "900 1", "--shutdown-on-sigint", flags]);
        server.check("SET k v", "+OK");
        signal(server.pid(), "INT");
        assert_eq!(server.wait_for_exit().code(), Some(0), "{flags}");
        let is_saved = server.dir().join("dump.rdb").exists();
        assert_eq!(is_saved, !flags.contains("nosave"), "{flags}");
    }
}

#[test]
fn shutdown_answers_what_came_before_it_and_ends() {
    let mut server = Server::start();
    let mut client = server.connect();
    client.send(b"PING\r\nSHUTDOWN NOSAVE\r\nPING\r\n");
    assert_eq!(client.read_to_end(), b"+PONG\r\n");
    assert_eq!(server.wait_for_exit().code(), Some(0));
    assert!(server.log().contains("ready to exit, bye bye"));
}

#[test]
fn a_crash_leaves_a_report() {
    for how in ["SEGFAULT", "PANIC", "ASSERT"] {
        let mut server = Server::start();
        let mut client = server.connect();
        client.send(format!("DEBUG {how}\r\n").as_bytes());
        assert_eq!(client.read_to_end(), b"", "{how}");
        assert!(!server.wait_for_exit().success(), "{how}");
        let log = server.log();
        assert!(log.contains("REDIS BUG REPORT START"), "{how}: {log}");
        assert!(log.contains("REDIS BUG REPORT END"), "{how}: {log}");
    }
}

#[test]
fn the_watchdog_tells_where_a_server_hangs() {
    let server = Server::with(&["--watchdog-period", "50"]);
    let mut client = server.connect();
    client.check("PING; DEBUG SLEEP 0.3; PING", "+PONG +OK +PONG");
    server.wait_for_log("# --- WATCHDOG TIMER EXPIRED ---");
    assert!(server.log().contains("(+0x"), "{}", server.log());
    // Who waits for input does not hang, and a period can be set while it runs.
    client.check("CONFIG SET watchdog-period 0", "+OK");
    let barks = || server.log().matches("WATCHDOG").count();
    let before = barks();
    client.check("DEBUG SLEEP 0.2", "+OK");
    std::thread::sleep(std::time::Duration::from_millis(100)); // nothing to do
    assert_eq!(barks(), before, "{}", server.log());
    client.check("CONFIG SET watchdog-period 50", "+OK");
    client.check("DEBUG SLEEP 0.2; CONFIG GET watchdog-period", "+OK [$watchdog-period $50]");
    wait_until("the second time", || barks() > before);
}

#[test]
fn without_a_report_a_crash_is_the_systems_business() {
    let mut server = Server::with(&["--crash-log-enabled", "no"]);
    server.connect().send(b"DEBUG SEGFAULT\r\n");
    assert_eq!(server.wait_for_exit().signal(), Some(11));
    assert!(!server.log().contains("BUG REPORT"));
}
