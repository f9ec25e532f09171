//! A session of the Rust client `redis`, as an application would have it, in RESP2 and in RESP3.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use std::collections::{HashMap, HashSet};
use std::thread;
use std::time::Duration;

use redis::{
    Client, Commands, Connection, CopyOptions, ExpireOption, Expiry, RedisResult, ScanOptions,
    ServerErrorKind, SetExpiry, SetOptions, Value, cmd, pipe,
};

use common::Server;

fn connect(server: &Server, protocol: u8) -> Connection {
    let url = format!("redis://127.0.0.1:{}/?protocol=resp{protocol}", server.port());
    Client::open(url).unwrap().get_connection().unwrap()
}

/// Runs `session` in both protocols, each on an empty server.
fn in_both_protocols(session: fn(&mut Connection, &Server)) {
    for protocol in [2, 3] {
        let server = Server::start();
        session(&mut connect(&server, protocol), &server);
    }
}

#[test]
fn strings() {
    in_both_protocols(|con, _| {
        let options = SetOptions::default().with_expiration(SetExpiry::EX(100)).get(true);
        assert_eq!(con.set_options::<_, _, Option<String>>("k", "v", options).unwrap(), None);
        assert_eq!(con.get::<_, String>("k").unwrap(), "v");
        assert!(!con.set_nx::<_, _, bool>("k", "w").unwrap());
        assert_eq!(con.append::<_, _, usize>("k", "alue").unwrap(), 5);
        assert_eq!(con.getrange::<_, String>("k", 1, 2).unwrap(), "al");
        assert_eq!(con.setrange::<_, _, usize>("k", 0, "V").unwrap(), 5);
        assert_eq!(con.strlen::<_, usize>("k").unwrap(), 5);
        assert_eq!(con.get_ex::<_, String>("k", Expiry::PERSIST).unwrap(), "Value");
        assert_eq!(con.ttl::<_, i64>("k").unwrap(), -1);
        assert_eq!(con.get_del::<_, String>("k").unwrap(), "Value");
        assert_eq!(con.get::<_, Option<String>>("k").unwrap(), None);

        let _: () = con.mset(&[("a", 1), ("b", 2)]).unwrap();
        assert_eq!(
            con.mget::<_, Vec<Option<i64>>>(&["a", "x", "b"]).unwrap(),
            [Some(1), None, Some(2)]
        );
    });
}

#[test]
fn binary_keys_and_large_values() {
    in_both_protocols(|con, _| {
        let key: Vec<u8> = (0..=255).collect();
        let value = b"\r\n\0\xff".repeat(2_000_000);
        let _: () = con.set(&key, &value).unwrap();
        assert!(con.get::<_, Vec<u8>>(&key).unwrap() == value);
        assert_eq!(con.keys::<_, Vec<Vec<u8>>>("*").unwrap(), [key]);
    });
}

#[test]
fn numbers() {
    in_both_protocols(|con, _| {
        assert_eq!(con.incr::<_, _, i64>("n", i64::MAX - 1).unwrap(), i64::MAX - 1);
        assert_eq!(con.decr::<_, _, i64>("n", 1).unwrap(), i64::MAX - 2);
        assert_eq!(con.incr::<_, _, f64>("f", 0.5).unwrap(), 0.5);
        let error = con.incr::<_, _, i64>("n", 10).unwrap_err();
        assert_eq!(error.detail(), Some("increment or decrement would overflow"));
    });
}

#[test]
fn keys_and_expiry() {
    in_both_protocols(|con, _| {
        let _: () = con.set_ex("k", "v", 100).unwrap();
        assert!(!cmd("EXPIRE").arg("k").arg(200).arg(ExpireOption::NX).query::<bool>(con).unwrap());
        assert!(cmd("EXPIRE").arg("k").arg(200).arg(ExpireOption::GT).query::<bool>(con).unwrap());
        assert!((190..=200).contains(&con.ttl::<_, i64>("k").unwrap()));
        assert!(con.pexpire_at::<_, bool>("k", 4_000_000_000_123).unwrap());
        assert_eq!(con.pexpire_time::<_, i64>("k").unwrap(), 4_000_000_000_123);
        assert!(con.persist::<_, bool>("k").unwrap());

        let _: () = con.rename("k", "l").unwrap();
        assert!(con.copy::<_, _, _, bool>("l", "m", CopyOptions::default()).unwrap());
        assert_eq!(con.exists::<_, usize>(&["k", "l", "m"]).unwrap(), 2);
        assert_eq!(con.object_encoding::<_, String>("l").unwrap(), "embstr");
        assert_eq!(con.unlink::<_, usize>(&["l", "m"]).unwrap(), 2);

        let _: () = con.pset_ex("soon", "v", 20).unwrap();
        thread::sleep(Duration::from_millis(40));
        assert!(!con.exists::<_, bool>("soon").unwrap());
    });
}

#[test]
fn scan_meets_every_key() {
    in_both_protocols(|con, _| {
        let pairs: Vec<(String, u32)> = (0..3000).map(|n| (format!("key:{n}"), n)).collect();
        let _: () = con.mset(&pairs).unwrap();
        let options = ScanOptions::default().with_pattern("key:*").with_count(100);
        let keys: RedisResult<HashSet<String>> = con.scan_options(options).unwrap().collect();
        assert_eq!(keys.unwrap().len(), 3000);
    });
}

#[test]
fn a_pipeline_keeps_its_order() {
    in_both_protocols(|con, _| {
        let mut pipeline = pipe();
        for n in 0..2000 {
            pipeline.set(n, n).ignore().get(n);
        }
        assert_eq!(pipeline.query::<Vec<i64>>(con).unwrap(), (0..2000).collect::<Vec<_>>());
    });
}

#[test]
fn client_and_server_commands() {
    in_both_protocols(|con, server| {
        assert_eq!(con.ping::<String>().unwrap(), "PONG");
        let _: () = con.client_setname("session").unwrap();
        assert_eq!(con.client_getname::<Option<String>>().unwrap().as_deref(), Some("session"));
        let info: redis::InfoDict = cmd("INFO").query(con).unwrap();
        assert_eq!(info.get::<u16>("tcp_port"), Some(server.port()));
        let listed: String = cmd("CLIENT").arg("LIST").query(con).unwrap();
        assert!(listed.contains("name=session"), "{listed}");

        let set = cmd("CONFIG").arg("SET").arg("maxclients").arg(77).query::<String>(con);
        assert_eq!(set.unwrap(), "OK");
        let read: HashMap<String, String> =
            cmd("CONFIG").arg("GET").arg("maxcl*").query(con).unwrap();
        assert_eq!(read["maxclients"], "77");
    });
}

#[test]
fn errors_are_of_the_right_kind() {
    in_both_protocols(|con, _| {
        let unknown = cmd("NOSUCH").arg("x").query::<Value>(con).unwrap_err();
        assert_eq!(unknown.kind(), ServerErrorKind::ResponseError.into());
        assert!(unknown.detail().unwrap().starts_with("unknown command 'NOSUCH'"));
        let arity = cmd("GET").query::<Value>(con).unwrap_err();
        assert_eq!(arity.detail(), Some("wrong number of arguments for 'get' command"));
    });
}

#[test]
fn a_password_is_asked_for() {
    let server = Server::with(&["--requirepass", "secret"]);
    let open = |password: &str| {
        let url = format!("redis://{password}127.0.0.1:{}/", server.port());
        Client::open(url).unwrap().get_connection()
    };
    assert!(open(":wrong@").is_err());
    assert!(open("").unwrap().ping::<String>().is_err());
    assert_eq!(open(":secret@").unwrap().ping::<String>().unwrap(), "PONG");
}
