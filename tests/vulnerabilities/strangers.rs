//! What somebody can do who has no password, or speaks something else.

use crate::common::{Server, scratch, wait_until};
use crate::figure;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

const NO_AUTH: &str = "-NOAUTH Authentication required.";

fn guarded() -> Server {
    Server::with(&["--requirepass", "secret"])
}

/// A page in a browser posts commands in the body of a request.
#[test]
fn cve_2016_10517_web_requests_execute_nothing() {
    let server = Server::start();
    for request in [
        "POST / HTTP/1.1\r\nHost: localhost\r\n\r\nSET k v\r\n",
        "post / HTTP/1.1\r\n\r\nSET k v\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\nSET k v\r\n",
        "PUT / HTTP/1.1\r\nhOsT: x\r\nSET k v\r\n",
    ] {
        let mut page = server.connect();
        page.send(request.as_bytes());
        let heard = page.read_to_end();
        assert!(!heard.windows(3).any(|part| part == b"+OK"), "{request}");
    }
    server.check("EXISTS k", ":0");
    server.wait_for_log("SECURITY ATTACK");
}

/// Announcing many or long arguments took memory before a password was asked for.
#[test]
fn cve_2021_32675_strangers_announce_little() {
    let server = guarded();
    for input in
        ["*1000000\r\n$4\r\nPING\r\n", "*11\r\n", "*1\r\n$16385\r\n", "*1\r\n$536870912\r\n"]
    {
        let mut stranger = server.connect();
        stranger.send(input.as_bytes());
        let heard = String::from_utf8(stranger.read_to_end()).unwrap();
        assert!(heard.starts_with("-ERR Protocol error: unauthenticated "), "{input}: {heard}");
    }
    let mut stranger = server.connect();
    stranger.send(b"*10\r\n");
    stranger.send(&b"$4\r\nPING\r\n".repeat(10));
    assert_eq!(stranger.reply().to_string(), NO_AUTH);
}

/// Errors that nobody reads pile up.
#[test]
fn cve_2025_21605_replies_to_strangers_do_not_pile_up() {
    let server = guarded();
    let mut witness = server.connect();
    witness.check("AUTH secret", "+OK");
    for command in [&b"GET k\r\n"[..], b"AUTH wrong\r\n", b"*1\r\n$1\r\nx\r\n", b"HELLO 3\r\n"] {
        let before = figure(&mut witness, "client_output_buffer_limit_disconnections");
        let stranger = server.connect();
        stranger.stream().set_nonblocking(true).unwrap();
        let flood = command.repeat(2000);
        wait_until("the stranger to be closed", || {
            for _ in 0..100 {
                // What does not fit is left out, and so commands are cut: an error is a reply, too.
                let _ = stranger.stream().write(&flood);
            }
            figure(&mut witness, "client_output_buffer_limit_disconnections") > before
                || figure(&mut witness, "connected_clients") == 1
        });
        drop(stranger);
        wait_until("the stranger to be gone", || figure(&mut witness, "connected_clients") == 1);
    }
}

/// What is announced and never sent, or sent and never finished, costs little; the rest has a bound.
#[test]
fn cve_2025_46686_arguments_that_never_end_have_a_bound() {
    let server = Server::with(&["--client-query-buffer-limit", "1mb"]);
    let mut witness = server.connect();
    let before = figure(&mut witness, "used_memory");
    let mut greedy: Vec<_> = (0..50).map(|_| server.connect()).collect();
    for client in &mut greedy {
        client.send(b"*1000000\r\n$536870912\r\nx");
    }
    witness.check("PING; PING", "+PONG +PONG");
    let grown = figure(&mut witness, "used_memory").saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes for what was announced");
    let mut client = server.connect();
    client.send(b"*1000000\r\n$64\r\n");
    let argument = [&[b'x'; 64][..], b"\r\n$64\r\n"].concat().repeat(1 << 15);
    let _ = client.stream().write_all(&argument); // closed meanwhile
    assert!(!String::from_utf8_lossy(&client.read_to_end()).contains("+OK"));
    witness.check("PING", "+PONG");
}

/// A connection that is gone before it was accepted stopped the others behind it from being accepted.
#[test]
fn cve_2025_48367_connections_that_fail_hold_up_nobody() {
    let server = Server::start();
    let signal = |name: &str| {
        let pid = server.pid().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    };
    signal("STOP");
    for round in 0..100 {
        let gone = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        let socket = socket2::Socket::from(gone);
        // Closed with a reset, so that accept or what comes after it fails.
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        if round % 2 == 0 {
            let _ = (&socket).write(b"PING\r\n");
        }
        drop(socket);
    }
    let mut client = server.connect();
    signal("CONT");
    client.check("PING", "+PONG");
}

/// An empty command leaves nothing behind that the next one is taken for.
#[test]
fn cve_2026_27623_empty_commands_leave_no_state() {
    let server = Server::start();
    let bulk = "*2\r\n$4\r\nECHO\r\n$1\r\na\r\n";
    for empty in ["*0\r\n", "*-1\r\n", "\r\n", "\n", " \r\n", "*0\r\n*-1\r\n\r\n", "*-10\r\n"] {
        let mut client = server.connect();
        for next in ["PING\r\n", bulk, "ECHO a\r\n"] {
            client.send(format!("{empty}{next}{empty}{bulk}{empty}").as_bytes());
            let first = if next.starts_with("PING") { "+PONG" } else { "$a" };
            assert_eq!(client.reply().to_string(), first, "{empty:?} {next:?}");
            assert_eq!(client.reply().to_string(), "$a", "{empty:?} {next:?}");
        }
        for byte in format!("{empty}{bulk}{empty}PING\r\n").bytes() {
            client.send(&[byte]);
        }
        assert_eq!(client.reply().to_string(), "$a", "{empty:?}");
        assert_eq!(client.reply().to_string(), "+PONG", "{empty:?}");
    }
    // In a transaction, and in front of a password, an empty command is nothing either.
    let server = guarded();
    let mut client = server.connect();
    client.send(b"*0\r\nPING\r\n*0\r\nAUTH secret\r\nMULTI\r\n*0\r\nPING\r\n*-1\r\nEXEC\r\n");
    let replies: Vec<String> = (0..5).map(|_| client.reply().to_string()).collect();
    assert_eq!(replies, [NO_AUTH, "+OK", "+OK", "+QUEUED", "[+PONG]"]);
}

/// Lengths beyond what a machine word holds.
#[test]
fn cve_2021_21309_cve_2021_41099_lengths_do_not_wrap() {
    let server = Server::start();
    let refused = "-ERR CONFIG SET failed (possibly related to argument 'proto-max-bulk-len')";
    for limit in ["9223372036854775808", "18446744073709551615", "-1", "1"] {
        let reply = server.connect().command(&["CONFIG", "SET", "proto-max-bulk-len", limit]);
        assert!(reply.to_string().starts_with(refused), "{limit}: {reply}");
    }
    server.check("CONFIG SET proto-max-bulk-len 9223372036854775807", "+OK");
    for length in ["9223372036854775807", "9223372036854775806", "18446744073709551615", "-2"] {
        let mut client = server.connect();
        client.send(format!("*2\r\n$4\r\nECHO\r\n${length}\r\nabc").as_bytes());
        server.check("PING; PING", "+PONG +PONG");
    }
    let mut client = server.connect();
    client.send(b"*9223372036854775807\r\n");
    let heard = String::from_utf8(client.read_to_end()).unwrap();
    assert!(heard.starts_with("-ERR Protocol error: invalid multibulk length"), "{heard}");
    let size = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)";
    server.check("SETRANGE k 9223372036854775807 x; EXISTS k", &format!("{size} :0"));
}

/// A socket that could be connected to before it had its permissions.
#[test]
fn cve_2023_45145_who_can_connect_meets_the_permissions_of_the_socket() {
    for _ in 0..5 {
        let dir = Rc::new(scratch());
        let path = dir.path().join("s.sock");
        let server =
            Server::starting_in(&dir, &["--unixsocket", "s.sock", "--unixsocketperm", "700"]);
        let mut mode = None;
        wait_until("the socket to be open", || {
            for _ in 0..2000 {
                if UnixStream::connect(&path).is_ok() {
                    mode = Some(path.metadata().unwrap().permissions().mode() & 0o777);
                    return true;
                }
            }
            false
        });
        assert_eq!(mode, Some(0o700));
        server.wait_for_log("Ready to accept connections");
    }
}

/// An output limit of a class that there is not was written beyond the table of limits.
#[test]
fn cve_2016_8339_limits_of_no_class_are_refused() {
    let server = Server::start();
    let told = "[$client-output-buffer-limit $normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 \
                8388608 60]";
    for class in ["master", "nosuch", "3", "''"] {
        for limits in [
            format!("{class} 3735928559 3405691582 373529054"),
            format!("normal 1 1 1 {class} 1 1 1"),
        ] {
            let words = ["CONFIG", "SET", "client-output-buffer-limit", &limits];
            let reply = server.connect().command(&words).to_string();
            assert!(reply.contains("Invalid client class"), "{limits}: {reply}");
        }
    }
    server.check("CONFIG GET client-output-buffer-limit", told);
}
