//! What was not checked, or checked as something else than was done.

use crate::common::{Server, scratch, wait_until};
use crate::user;
use std::fs;
use std::rc::Rc;

const NO_KEY: &str =
    "-NOPERM this user has no permissions to access one of the keys used as arguments";
const NO_DATABASE: &str = "-NOPERM No permissions to access database";

/// GEORADIUS stores at the last STORE or STOREDIST.
#[test]
fn redis_pr_15478_valkey_pr_3971_the_last_store_of_georadius_is_checked() {
    let (server, mut client) = user("+@all ~own");
    server.check("GEOADD own 1 1 a; SET other v", ":1 +OK");
    for centre in ["GEORADIUS own 1 1 9 km", "GEORADIUSBYMEMBER own a 9 km"] {
        for options in [
            "STORE own STORE other",
            "STOREDIST own STOREDIST other",
            "STORE own STOREDIST other",
            "STORE own COUNT 1 STORE other",
            "STORE STORE STORE other",
            "STOREDIST STORE STORE other",
        ] {
            client.check(&format!("{centre} {options}"), NO_KEY);
        }
        server.check("GET other", "$v");
        client.check(&format!("{centre} STORE own"), ":1");
    }
}

/// SORT stores at the last STORE, and the key of a STORE is no keyword.
#[test]
fn redis_pr_15538_keys_of_sort_that_are_named_as_options_hide_no_key() {
    let (server, mut client) = user("+@all ~own ~BY ~GET ~LIMIT ~STORE");
    server.check("RPUSH own 1; SET other v", ":1 +OK");
    for options in ["STORE BY STORE", "STORE GET STORE", "STORE LIMIT STORE", "STORE own STORE"] {
        client.check(&format!("SORT own {options} other"), NO_KEY);
    }
    client.check("SORT own STORE STORE STORE other", NO_KEY);
    server.check("GET other", "$v");
    client.check("SORT own STORE BY STORE own", ":1");
}

/// A group or consumer called STREAMS is not where the keys begin.
#[test]
fn redis_pr_15478_a_consumer_named_streams_hides_no_key() {
    let (server, mut client) = user("+@all ~own ~STREAMS");
    server.check("XADD other 1-1 secret value; XGROUP CREATE other STREAMS 0", "$1-1 +OK");
    for line in [
        "XREADGROUP NOACK GROUP STREAMS STREAMS STREAMS other >",
        "XREADGROUP COUNT 1 GROUP STREAMS STREAMS STREAMS other >",
        "XREADGROUP COUNT 1 NOACK GROUP STREAMS STREAMS STREAMS other >",
        "XREADGROUP BLOCK 1 COUNT 1 GROUP STREAMS STREAMS STREAMS other >",
        "XREADGROUP GROUP STREAMS STREAMS STREAMS other >",
        "XREADGROUP GROUP STREAMS STREAMS NOACK STREAMS other >",
    ] {
        client.check(line, NO_KEY);
    }
    server.check("XPENDING other STREAMS", "[:0 $_ $_ *_]");
}

/// The patterns of SORT_RO read other keys than its first.
#[test]
fn cve_2023_41053_sort_ro_reads_no_key_unasked() {
    let (server, mut client) = user("+@all ~own");
    server.check("RPUSH own 1; SET secret1 v", ":1 +OK");
    let denied = |option: &str| {
        format!("-ERR {option} option of SORT denied due to insufficient ACL permissions.")
    };
    client.check("SORT_RO own BY nosort GET secret*", &denied("GET"));
    client.check("SORT_RO own BY secret*", &denied("BY"));
    client.check("SORT_RO own GET #", &denied("GET"));
    client.check("SORT_RO other", NO_KEY);
    client.check("SORT_RO own", "[$1]");
}

/// Looking for keys in a command line that is too short read beyond its arguments.
#[test]
fn cve_2023_36824_redis_pr_14847_keys_are_looked_for_within_the_arguments() {
    const COUNT: &str = "-ERR Invalid number of arguments specified for command";
    const ARGUMENTS: &str = "-ERR Invalid arguments specified for command";
    let server = Server::start();
    let mut client = server.connect();
    for (line, expected) in [
        ("ZUNIONSTORE d 9999999 a b", ARGUMENTS),
        ("ZUNIONSTORE d -1 a b", ARGUMENTS),
        ("ZUNION 4294967297 a", ARGUMENTS),
        ("LMPOP 99 a LEFT", ARGUMENTS),
        ("EVAL x", COUNT),
        ("MSET a", COUNT),
        ("XREADGROUP GROUP g STREAMS", COUNT),
        ("XREAD COUNT 1 STREAMS", ARGUMENTS),
        ("EVAL x 2147483648 a", "[]"),
        ("EVAL x -9223372036854775808 a", "[]"),
    ] {
        client.check(&format!("COMMAND GETKEYS {line}"), expected);
        client.check(&format!("COMMAND GETKEYSANDFLAGS {line}"), expected);
    }
    client.check("ACL SETUSER u on nopass ~k +@all", "+OK");
    client.check("ACL DRYRUN u EVAL x", "-ERR wrong number of arguments for 'eval' command");
    client.check("AUTH u x", "+OK");
    client.check("EVAL x", "-ERR wrong number of arguments for 'eval' command");
    client.check("EVAL x 5 a", "-ERR Number of keys can't be greater than number of args");
    client.check("ZMPOP -1 a MIN", "-ERR numkeys should be greater than 0");
}

/// A selector whose rule breaks off was read on beyond its end when it was told.
#[test]
fn cve_2024_31227_cve_2024_51741_broken_selectors_make_no_user() {
    let server = Server::start();
    let mut client = server.connect();
    for rule in
        ["%", "%~", "(%)", "(%~a)", "(%R%W)", "(%RX~a)", "(", "(%R", "(~a", ")", "(()", "(on)"]
    {
        let reply = client.command(&["ACL", "SETUSER", "u", "on", rule]).to_string();
        assert!(reply.starts_with("-ERR "), "{rule}: {reply}");
        client.check("ACL GETUSER u", "$_");
    }
    // Without the sign these are permissions for the empty key.
    client.check("ACL SETUSER u %R (%W) ()", "+OK");
    let told = client.command(&["ACL", "LIST"]);
    let line = told.elements()[1].text();
    assert!(
        line.ends_with("%R~ resetchannels -@all (%W~ resetchannels -@all) (resetchannels -@all)")
    );
    let words: Vec<&str> = line.split(' ').skip(1).collect();
    client.check("ACL DELUSER u", ":1");
    assert_eq!(client.command(&[&["ACL", "SETUSER"][..], &words].concat()).to_string(), "+OK");
    assert_eq!(client.command(&["ACL", "LIST"]).elements()[1].text(), line);
    let denied = "$This user has no permissions to run the 'get' command";
    client.check("ACL DRYRUN u GET k; PING", &format!("{denied} +PONG"));
    assert!(client.command(&["ACL", "GETUSER", "u"]).to_string().contains("%W~"));
}

/// Each DB of a COPY is checked, not only one.
#[test]
fn valkey_pr_3801_every_database_of_copy_is_checked() {
    let (server, mut client) = user("+@all ~* db=0,1");
    server.check("SET k v", "+OK");
    for options in ["DB 2", "DB 1 DB 2", "DB 2 DB 1", "REPLACE DB 2", "DB 1 REPLACE DB 2"] {
        client.check(&format!("COPY k k {options}"), NO_DATABASE);
    }
    client.check("COPY k DB DB 2", NO_DATABASE);
    client.check("COPY k k REPLACE DB 1", ":1");
}

/// One who is not in the file any more is let go in the midst of its own command.
#[test]
fn valkey_pr_3182_who_loads_a_file_without_itself_ends_nothing_but_itself() {
    let dir = Rc::new(scratch());
    let file = dir.path().join("users.acl");
    fs::write(&file, "user u on >pw ~* &* +@all\n").unwrap();
    let server = Server::in_directory(&dir, &["--aclfile", "users.acl"]);
    let mut client = server.connect();
    client.check("AUTH u pw; SUBSCRIBE c", "+OK [$subscribe $c :1]");
    let mut loader = server.connect();
    loader.check("AUTH u pw", "+OK");
    fs::write(&file, "").unwrap();
    loader.send(b"ACL LOAD\r\nSET k v\r\n");
    let said = String::from_utf8_lossy(&loader.read_to_end()).into_owned();
    assert!(said.is_empty() || said.starts_with("+OK\r\n"), "{said}");
    assert!(client.read_to_end().is_empty());
    server.check("GET k; ACL LIST", "$_ [$user default on nopass sanitize-payload ~* &* +@all]");
}

#[test]
fn valkey_pr_3182_who_takes_its_own_channels_ends_nothing_but_itself() {
    let (server, mut client) = user("+@all ~* &*");
    client.command(&["HELLO", "3"]);
    client.check("SUBSCRIBE c", ">[$subscribe $c :1]");
    client.send_command(&["ACL", "SETUSER", "u", "resetchannels"]);
    client.send_command(&["SET", "k", "v"]);
    client.read_to_end();
    let denied = "$This user has no permissions to access the 'c' channel";
    server.check("PING; ACL DRYRUN u PUBLISH c v", &format!("+PONG {denied}"));
}

/// A connection that takes the stream of changes is no client: other commands ended the primary.
#[test]
fn cve_2021_31294_a_replica_that_writes_is_harmless() {
    let server = Server::start();
    for line in [
        "SET k v",
        "BLPOP k 0",
        "EVAL return(redis.call('set','k','v')) 0",
        "MULTI",
        "XADD k * a b",
    ] {
        let mut replica = server.connect();
        replica.send(b"SYNC\r\n");
        wait_until("the server to have a replica", || {
            server.connect().command(&["ROLE"]).to_string() != "[$master :0 []]"
        });
        replica.send(format!("{line}\r\n").as_bytes());
        replica.send(b"EXEC\r\nPING\r\n");
        server.check("PING", "+PONG");
        drop(replica);
        wait_until("the replica to be gone", || {
            server.connect().command(&["ROLE"]).to_string().ends_with(" []]")
        });
    }
    server.check("PING", "+PONG");
}
