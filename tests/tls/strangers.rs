//! Those who do not speak TLS, or not to the end.

use super::*;
use crate::common::wait_until;
use std::io::{Read, Write};
use std::net::TcpStream;

#[path = "../differential/rng.rs"]
#[expect(dead_code, reason = "it serves another program as well")]
mod rng;

fn byte(rng: &mut rng::Rng) -> u8 {
    rng.bytes(1)[0]
}

fn raw(world: &World) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", world.port)).unwrap();
    stream.set_read_timeout(Some(crate::common::PATIENCE)).unwrap();
    stream
}

/// Reads to the end; a reset is one too.
fn read_to_end(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes); // perhaps a reset
    bytes
}

#[test]
fn bare_commands_get_no_answer() {
    let world = World::with(&["--tls-auth-clients", "no"]);
    for request in ["PING\r\n", "*1\r\n$4\r\nPING\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let mut stream = raw(&world);
        stream.write_all(request.as_bytes()).unwrap();
        let reply = read_to_end(stream);
        assert!(reply.is_empty() || reply[0] == 21, "an alert or nothing: {reply:?}");
    }
    wait_until("the failures to be counted", || world.figure("tls_failed_handshakes") == 3);
    world.connect(None).is_served();
}

#[test]
fn tls_at_the_bare_port_is_refused() {
    let world = World::with(&["--tls-auth-clients", "no"]);
    assert!(TlsClient::to(world.server.port(), &config(None, BOTH)).ping().is_err());
    world.server.check("PING", "+PONG");
}

#[test]
fn half_a_handshake_is_ended_after_a_while() {
    let world = World::with(&["--tls-auth-clients", "no", "--unauthenticated-timeout", "1"]);
    let silent = raw(&world);
    let mut half = raw(&world);
    half.write_all(&[22, 3, 1, 2, 0, 1]).unwrap();
    let mut served = world.connect(None);
    served.is_served();
    for stream in [silent, half] {
        assert!(read_to_end(stream).is_empty());
    }
    assert_eq!(world.figure("tls_failed_handshakes"), 2);
    served.is_served();
}

#[test]
fn handshakes_count_among_the_clients() {
    let world = World::with(&["--tls-auth-clients", "no", "--maxclients", "5"]);
    let halves: Vec<TcpStream> = (0..5).map(|_| raw(&world)).collect();
    wait_until("the fifth to be turned away", || {
        std::thread::sleep(std::time::Duration::from_millis(1));
        world.connect(None).ping().is_err()
    });
    drop(halves);
    wait_until("room", || world.connect(None).ping().is_ok());
}

#[test]
fn random_bytes_do_no_harm() {
    let world = World::with(&["--tls-auth-clients", "no"]);
    let mut rng = rng::Rng::new(7, 0);
    let mut served = world.connect(None);
    // A hello to be damaged.
    let hello = {
        let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
        let mut client = rustls::ClientConnection::new(config(None, BOTH), name).unwrap();
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        bytes
    };
    for round in 0..400 {
        let mut bytes: Vec<u8> = match round % 4 {
            0 => {
                let len = rng.below(3000);
                rng.bytes(len)
            }
            1 => [&[20 + byte(&mut rng) % 5, 3, byte(&mut rng) % 5][..], &hello[3..]].concat(),
            _ => hello.clone(),
        };
        if round % 4 >= 2 {
            for _ in 0..=rng.below(3) {
                let at = rng.below(bytes.len());
                bytes[at] = byte(&mut rng);
            }
        }
        let cut = rng.below(bytes.len() + 1);
        let mut stream = raw(&world);
        let _ = stream.write_all(&bytes[..cut]);
        if round % 3 == 0 {
            let _ = stream.write_all(&bytes[cut..]);
        }
        if round % 20 == 0 {
            served.is_served();
        }
    }
    served.is_served();
    world.connect(None).is_served();
}

#[test]
fn random_bytes_after_a_handshake_end_the_connection() {
    let world = World::with(&["--tls-auth-clients", "no"]);
    let mut rng = rng::Rng::new(8, 0);
    for _ in 0..50 {
        let mut client = world.connect(None);
        client.is_served();
        let mut junk = vec![23, 3, 3, 0, 40];
        junk.extend(rng.bytes(40));
        client.stream.sock.write_all(&junk).unwrap();
        assert!(client.ping().is_err());
    }
    world.connect(None).is_served();
}

#[test]
fn a_storm_of_handshakes_leaves_room_for_others() {
    let world = World::with(&["--tls-auth-clients", "no"]);
    let config = config(None, BOTH);
    let mut served = world.connect(None);
    let storm: Vec<TlsClient> = (0..100).map(|_| TlsClient::to(world.port, &config)).collect();
    for mut client in storm {
        client.stream.conn.complete_io(&mut client.stream.sock).unwrap();
        served.is_served();
    }
}
