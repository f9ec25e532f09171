//! Access control as a process has it: files, warnings, clients that lose what they had.

mod common;

use common::{Client, Server, scratch, wait_until};
use std::fs;
use std::rc::Rc;

/// Returns once the server has executed what was sent to it before, over connections it has accepted.
fn settle(server: &Server) {
    let mut witness = server.connect();
    for _ in 0..2 {
        assert_eq!(witness.command(&["PING"]).to_string(), "+PONG");
    }
}

fn as_user(server: &Server, name: &str) -> Client {
    let mut client = server.connect();
    client.check(&format!("AUTH {name} pw"), "+OK");
    client
}

#[test]
fn a_bad_acl_file_stops_the_start_with_file_line_and_reason() {
    for (text, complaint) in [
        ("user a on\nuser b +nosuch\n", "users.acl:2: Error in applying operation '+nosuch'"),
        ("user a on\nusers b\n", "users.acl:2 should start with user keyword"),
        ("user a (+get\n", "users.acl:1: Unmatched parenthesis in selector definition"),
        ("user a on\n\nuser a on\n", "Duplicate user 'a' found on line 3"),
    ] {
        let dir = Rc::new(scratch());
        fs::write(dir.path().join("users.acl"), text).unwrap();
        let mut server = Server::starting_in(&dir, &["--aclfile", "users.acl"]);
        assert_eq!(server.wait_for_exit().code(), Some(1));
        let log = server.log();
        assert!(log.contains(complaint), "{complaint}: {log}");
        assert_eq!(fs::read_to_string(dir.path().join("users.acl")).unwrap(), text);
    }
    let dir = Rc::new(scratch());
    let mut server = Server::starting_in(&dir, &["--aclfile", "nowhere.acl"]);
    assert_eq!(server.wait_for_exit().code(), Some(1));
    assert!(server.log().contains("nowhere.acl"), "{}", server.log());
}

#[test]
fn a_bad_user_of_the_configuration_stops_the_start_and_keeps_its_password_to_itself() {
    let dir = Rc::new(scratch());
    fs::write(dir.path().join("c.conf"), "hz 10\nuser a on >open-sesame +nosuch\n").unwrap();
    let mut server = Server::starting_in(&dir, &["--include", "c.conf"]);
    assert_eq!(server.wait_for_exit().code(), Some(1));
    let log = server.log();
    assert!(log.contains("'+nosuch'") && !log.contains("open-sesame"), "{log}");
}

#[test]
fn a_bad_file_changes_no_running_rules() {
    let dir = Rc::new(scratch());
    let file = dir.path().join("users.acl");
    fs::write(&file, "user a on >pw ~* +@all\n").unwrap();
    let server = Server::in_directory(&dir, &["--aclfile", "users.acl"]);
    let mut a = as_user(&server, "a");
    fs::write(&file, "user a off\nuser b on +@nosuch\n").unwrap();
    let reply = server.connect().command(&["ACL", "LOAD"]).to_string();
    assert!(
        reply.starts_with("-ERR users.acl:2: Error in applying operation '+@nosuch'"),
        "{reply}"
    );
    a.check("SET k v", "+OK");
    as_user(&server, "a").check("ACL WHOAMI", "$a");
}

#[test]
fn what_is_saved_is_there_after_a_restart() {
    let dir = Rc::new(scratch());
    fs::write(dir.path().join("users.acl"), "").unwrap();
    let arguments = ["--aclfile", "users.acl"];
    let server = Server::in_directory(&dir, &arguments);
    server.check("ACL SETUSER a on >pw ~x* %R~y &c (+set ~z); ACL SAVE", "+OK +OK");
    let listed = server.connect().command(&["ACL", "LIST"]).to_string();
    assert!(!fs::read_to_string(dir.path().join("users.acl")).unwrap().contains("pw"));
    let server = server.killed_and_restarted(&arguments);
    assert_eq!(server.connect().command(&["ACL", "LIST"]).to_string(), listed);
    as_user(&server, "a").check("SET z 1", "+OK");
}

#[test]
fn a_server_that_anybody_may_use_says_so_at_the_start() {
    let warning = "WARNING: Redis does not require authentication";
    // An address that is not here, so that nothing but this machine is listened to.
    let reachable = ["--bind", "127.0.0.1", "-192.0.2.1", "--protected-mode", "no"];
    assert!(Server::with(&reachable).log().contains(warning));
    for kept in
        [&["--requirepass", "pw"][..], &["--protected-mode", "yes"], &["--bind", "127.0.0.1"]]
    {
        let log = Server::with(&[&reachable, kept].concat()).log();
        assert!(!log.contains(warning), "{kept:?}");
    }
}

#[test]
fn who_is_removed_is_sent_away() {
    let server = Server::start();
    let make = "ACL SETUSER a on >pw ~* &* +@all";
    for removed in ["ACL DELUSER a", "ACL SETUSER a resetchannels"] {
        server.check(make, "+OK");
        let mut listener = as_user(&server, "a");
        listener.check("SUBSCRIBE c", "[$subscribe $c :1]");
        let mut idle = as_user(&server, "a");
        let reply = server.connect().command(&removed.split(' ').collect::<Vec<_>>());
        assert!(!reply.to_string().starts_with('-'), "{reply}");
        assert!(listener.read_to_end().is_empty(), "{removed}");
        if removed.contains("DELUSER") {
            assert!(idle.read_to_end().is_empty());
        } else {
            idle.check("PING", "+PONG");
        }
    }
}

#[test]
fn a_file_without_a_user_sends_its_clients_away() {
    let dir = Rc::new(scratch());
    let file = dir.path().join("users.acl");
    fs::write(&file, "user a on >pw ~* +@all\nuser b on >pw ~* +@all\n").unwrap();
    let server = Server::in_directory(&dir, &["--aclfile", "users.acl"]);
    let (mut a, mut b) = (as_user(&server, "a"), as_user(&server, "b"));
    fs::write(&file, "user b on >pw ~b +@all\n").unwrap();
    server.check("ACL LOAD", "+OK");
    assert!(a.read_to_end().is_empty());
    let no_key = "-NOPERM this user has no permissions to access one of the keys used as arguments";
    b.check("GET b; GET k", &format!("$_ {no_key}"));
}

#[test]
fn who_waits_and_loses_the_permission_is_told_so_and_gets_nothing() {
    let no_key = "-NOPERM this user has no permissions to access one of the keys used as arguments";
    let no_command =
        |name: &str| format!("-NOPERM this user has no permissions to run the '{name}' command");
    let cases = [
        ("BLPOP k 0", "RPUSH k v", "LLEN k", "resetkeys ~other", no_key.to_owned()),
        ("BLPOP k 0", "RPUSH k v", "LLEN k", "-blpop", no_command("blpop")),
        ("BLMOVE k o LEFT LEFT 0", "RPUSH k v", "LLEN k", "resetkeys ~k", no_key.to_owned()),
        ("BZPOPMIN k 0", "ZADD k 1 v", "ZCARD k", "resetkeys", no_key.to_owned()),
        ("XREAD BLOCK 0 STREAMS k $", "XADD k 1-1 a b", "XLEN k", "-@all", no_command("xread")),
    ];
    for (waits, comes, left, rule, reply) in cases {
        let server = Server::start();
        server.check("ACL SETUSER a on >pw ~* +@all", "+OK");
        let mut client = as_user(&server, "a");
        client.send_command(&waits.split(' ').collect::<Vec<_>>());
        wait_until("the client to wait", || {
            let info = server.connect().command(&["INFO", "clients"]).text();
            info.contains("blocked_clients:1")
        });
        let rules = [&["ACL", "SETUSER", "a"][..], &rule.split(' ').collect::<Vec<_>>()].concat();
        let mut other = server.connect();
        assert_eq!(other.command(&rules).to_string(), "+OK");
        other.command(&comes.split(' ').collect::<Vec<_>>());
        assert_eq!(client.reply().to_string(), reply, "{waits}, {rule}");
        other.check(left, ":1");
    }
}

#[test]
fn who_waits_and_is_removed_gets_nothing() {
    let server = Server::start();
    server.check("ACL SETUSER a on >pw ~* +@all", "+OK");
    let mut client = as_user(&server, "a");
    client.send_command(&["BLPOP", "k", "0"]);
    settle(&server);
    server.check("MULTI; ACL DELUSER a; RPUSH k v; EXEC; LLEN k", "+OK +QUEUED +QUEUED [:1 :1] :1");
    assert!(client.read_to_end().is_empty());
}
