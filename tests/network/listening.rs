//! Addresses, ports and the Unix socket.

use crate::common::{Client, Server, free_port, wait_until};
use crate::{settle, signal};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

fn answers(host: &str, port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect((host, port)) else { return false };
    let mut reply = [0; 7];
    stream.write_all(b"PING\r\n").unwrap();
    stream.read_exact(&mut reply).is_ok() && &reply == b"+PONG\r\n"
}

fn has_ipv6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}

fn socket_of(server: &Server) -> PathBuf {
    server.dir().join("s.sock")
}

fn ask_socket(server: &Server, command: &str) -> String {
    let mut stream = UnixStream::connect(socket_of(server)).unwrap();
    stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.strip_suffix("+OK\r\n").expect("QUIT is answered").to_owned()
}

#[test]
fn the_unix_socket_has_its_permissions_and_goes_with_the_server() {
    let arguments = ["--unixsocket", "s.sock", "--unixsocketperm", "700"];
    let mut server = Server::with(&arguments);
    let mode = socket_of(&server).metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert_eq!(ask_socket(&server, "PING"), "+PONG\r\n");
    let line = ask_socket(&server, "CLIENT INFO");
    let field = |name: &str| line.split(' ').find_map(|word| word.strip_prefix(name)).unwrap();
    assert!(field("addr=").ends_with("s.sock:0"), "{line}");
    assert_eq!(field("flags="), "U");
    signal(server.pid(), "TERM");
    assert!(server.wait_for_exit().success());
    assert!(!socket_of(&server).exists());
}

#[test]
fn the_socket_of_a_server_that_crashed_is_no_obstacle() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("s.sock");
    let arguments = ["--unixsocket", path.to_str().unwrap()];
    drop(Server::with(&arguments)); // killed
    assert!(path.exists());
    let server = Server::with(&arguments);
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(b"PING\r\n").unwrap();
    let mut reply = [0; 7];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"+PONG\r\n");
    drop(server);
}

#[test]
fn the_unix_socket_alone_is_enough() {
    let server = Server::with(&["--unixsocket", "s.sock", "--port", "0"]);
    assert_eq!(ask_socket(&server, "PING"), "+PONG\r\n");
    assert!(!answers("127.0.0.1", server.port()));
}

#[test]
fn every_address_of_bind_is_listened_on() {
    let server = Server::with(&["--bind", "127.0.0.1", "127.0.0.2", "-::1", "-192.0.2.1"]);
    assert!(answers("127.0.0.1", server.port()));
    assert!(answers("127.0.0.2", server.port()));
    assert!(!answers("127.0.0.3", server.port()));
    assert_eq!(answers("::1", server.port()), has_ipv6());
}

#[test]
fn a_star_is_every_address() {
    let server = Server::with(&["--bind", "*", "-::*"]);
    assert!(answers("127.0.0.3", server.port()));
    assert_eq!(answers("::1", server.port()), has_ipv6());
}

#[test]
fn a_host_may_have_a_name() {
    let server = Server::with(&["--bind", "localhost"]);
    assert!(answers("127.0.0.1", server.port()));
}

#[test]
fn the_port_can_be_moved_and_connections_stay() {
    let server = Server::start();
    let mut client = server.connect();
    let (old, new) = (server.port(), free_port());
    client.check(&format!("CONFIG SET port {new}"), "+OK");
    assert!(answers("127.0.0.1", new));
    assert!(!answers("127.0.0.1", old));
    settle(&mut client);
    client.check("CONFIG SET port 0", "+OK");
    assert!(!answers("127.0.0.1", new));
    client.check(&format!("CONFIG SET port {old}"), "+OK");
    assert!(answers("127.0.0.1", old));
}

#[test]
fn a_port_that_is_taken_changes_nothing() {
    let server = Server::start();
    let mut client = server.connect();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    client.check(
        &format!("CONFIG SET port {port}"),
        "-ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this \
         port. Check server logs.",
    );
    assert!(answers("127.0.0.1", server.port()));
    client.check("CONFIG GET port", &format!("[$port ${}]", server.port()));
    server.wait_for_log("Could not create server TCP listening socket 127.0.0.1");
}

#[test]
fn the_addresses_can_be_changed_and_connections_stay() {
    let server = Server::start();
    let mut client = server.connect();
    client.check("CONFIG SET bind '127.0.0.2 -192.0.2.1'", "+OK");
    assert!(answers("127.0.0.2", server.port()));
    assert!(!answers("127.0.0.1", server.port()));
    client.check("CONFIG SET bind '127.0.0.1 127.0.0.2'", "+OK");
    assert!(answers("127.0.0.2", server.port()));
    assert!(answers("127.0.0.1", server.port()));
}

#[test]
fn addresses_that_are_not_there_change_nothing() {
    let server = Server::start();
    let mut client = server.connect();
    for bad in ["999.999.999.999", "192.0.2.1", "127.0.0.1 192.0.2.1"] {
        client.check(
            &format!("CONFIG SET bind '{bad}'"),
            "-ERR CONFIG SET failed (possibly related to argument 'bind') - Failed to bind to \
             specified addresses.",
        );
        assert!(answers("127.0.0.1", server.port()), "after {bad}");
        client.check("CONFIG GET bind", "[$bind $127.0.0.1]");
    }
}

#[test]
fn without_addresses_only_the_unix_socket_is_left() {
    let server = Server::with(&["--unixsocket", "s.sock"]);
    let mut client = server.connect();
    client.check("CONFIG SET bind ''", "+OK");
    assert!(!answers("127.0.0.1", server.port()));
    assert_eq!(ask_socket(&server, "CONFIG GET bind"), "*2\r\n$4\r\nbind\r\n$0\r\n\r\n");
    settle(&mut client);
    assert_eq!(ask_socket(&server, "CONFIG SET bind *"), "+OK\r\n");
    assert!(answers("127.0.0.1", server.port()));
    assert_eq!(ask_socket(&server, "PING"), "+PONG\r\n");
}

#[test]
fn connections_made_during_a_move_are_served_or_refused_never_forgotten() {
    let server = Server::start();
    let mut client = server.connect();
    let (first, second) = (server.port(), free_port());
    for port in [second, first, second, first] {
        client.check(&format!("CONFIG SET port {port}"), "+OK");
        let mut fresh: Vec<Client> = (0..20).map(|_| Client::to(port)).collect();
        for fresh in &mut fresh {
            settle(fresh);
        }
    }
    wait_until("only this one to be left", || crate::figure(&mut client, "connected_clients") == 1);
}
