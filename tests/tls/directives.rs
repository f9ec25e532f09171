//! The directives, and what a server says that cannot start with them.

use super::*;
use crate::common::wait_until;
use std::process::Command;

/// What the log of a server says that does not start.
fn complaint(dir: &Rc<TempDir>, arguments: &[&str]) -> String {
    let port = free_port().to_string();
    let arguments = [&["--tls-port", &port][..], arguments].concat();
    let mut server = Server::starting_in(dir, &arguments);
    assert_eq!(server.wait_for_exit().code(), Some(1));
    server.log()
}

#[test]
fn what_cannot_be_is_said_at_the_start() {
    let authority = Authority::new();
    let dir = prepared(&authority);
    let says = |arguments: &[&str], reason: &str| {
        let log = complaint(&dir, arguments);
        assert!(log.contains(reason), "{reason}: {log}");
    };
    says(&[], "Failed to configure TLS: No tls-cert-file configured!");
    says(&FILES[..2], "Failed to configure TLS: No tls-key-file configured!");
    says(&FILES[..4], "Either tls-ca-cert-file or tls-ca-cert-dir must be specified");
    let with =
        |directive: &'static str, value: &'static str| [&FILES[..], &[directive, value]].concat();
    says(&with("--tls-protocols", "TLSv1"), "TLSv1 is too old to be safe and is not spoken");
    says(&with("--tls-dh-params-file", "dh"), "keys are exchanged over elliptic curves only");
    says(&with("--tls-ciphers", "DHE-RSA-AES128-GCM-SHA256"), "is not available");
    says(&with("--tls-key-file", "ca.crt"), "tls-key-file ca.crt: holds no private key");
}

#[test]
fn keys_may_be_encrypted() {
    let authority = Authority::new();
    let dir = prepared(&authority);
    let made = Command::new("openssl")
        .args([
            "pkcs8",
            "-topk8",
            "-in",
            "server.key",
            "-out",
            "sealed.key",
            "-passout",
            "pass:hush",
        ])
        .current_dir(dir.path())
        .status();
    if !made.is_ok_and(|status| status.success()) {
        return; // without OpenSSL there is nobody to encrypt it
    }
    let sealed = ["--tls-key-file", "sealed.key", "--tls-auth-clients", "no"];
    let log = complaint(&dir, &[&FILES[..], &sealed].concat());
    assert!(log.contains("is encrypted, and no passphrase is configured"), "{log}");
    let wrong = [&FILES[..], &sealed, &["--tls-key-file-pass", "whisper"]].concat();
    let log = complaint(&dir, &wrong);
    assert!(log.contains("cannot be deciphered with its passphrase"), "{log}");
    assert!(!log.contains("whisper"), "{log}");
    let right = [&sealed[..], &["--tls-key-file-pass", "hush"]].concat();
    World::in_directory(authority, dir, &right).connect(None).is_served();
}

#[test]
fn versions_are_those_configured() {
    let world = World::with(&["--tls-auth-clients", "no", "--tls-protocols", "TLSv1.2"]);
    let (old, new) = (&[&rustls::version::TLS12][..], &[&rustls::version::TLS13][..]);
    let speaks = |versions| TlsClient::to(world.port, &config(None, versions)).ping().is_ok();
    assert_eq!([speaks(old), speaks(new)], [true, false]);
    world.server.check("CONFIG SET tls-protocols TLSv1.3", "+OK");
    assert_eq!([speaks(old), speaks(new)], [false, true]);
    world.server.check("CONFIG SET tls-protocols ''", "+OK");
    assert_eq!([speaks(old), speaks(new)], [true, true]);
}

#[test]
fn ciphers_are_those_configured_in_that_order() {
    let world = World::with(&["--tls-auth-clients", "no", "--tls-prefer-server-ciphers", "yes"]);
    let suite = |versions: &[&'static rustls::SupportedProtocolVersion]| {
        let mut client = TlsClient::to(world.port, &config(None, versions));
        client.is_served();
        format!("{:?}", client.stream.conn.negotiated_cipher_suite().unwrap().suite())
    };
    let set = "CONFIG SET tls-ciphersuites TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256 \
               tls-ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384";
    world.server.check(set, "+OK");
    assert_eq!(suite(BOTH), "TLS13_CHACHA20_POLY1305_SHA256");
    assert_eq!(suite(&[&rustls::version::TLS12]), "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
}

#[test]
fn authorities_may_be_a_directory() {
    let authority = Authority::new();
    let dir = prepared(&authority);
    let other = Authority::new();
    fs::create_dir(dir.path().join("trusted")).unwrap();
    for (name, text) in [
        ("a.pem", authority.pem()),
        ("b.pem", other.pem()),
        ("c", authority.pem()),
        ("README", "x".into()),
    ] {
        fs::write(dir.path().join("trusted").join(name), text).unwrap();
    }
    let arguments = ["--tls-ca-cert-file", "", "--tls-ca-cert-dir", "trusted"];
    let world = World::in_directory(authority, dir, &arguments);
    world.connect(Some(&world.issue("a"))).is_served();
    world.connect(Some(&other.issue(Wish::named("b")))).is_served();
    assert!(world.connect(Some(&Authority::new().issue(Wish::named("c")))).ping().is_err());
}

#[test]
fn the_port_opens_moves_and_closes() {
    let authority = Authority::new();
    let dir = prepared(&authority);
    let server = Server::in_directory(&dir, &["--tls-auth-clients", "no"]);
    let port = free_port();
    let refused = "-ERR CONFIG SET failed (possibly related to argument 'tls-port') - Unable to update \
                   TLS configuration. Check server logs.";
    server.check(&format!("CONFIG SET tls-port {port}"), refused);
    let files = "CONFIG SET tls-cert-file server.crt tls-key-file server.key";
    server.check(&format!("{files}; CONFIG SET tls-port {port}"), "+OK +OK");
    let mut old = TlsClient::to(port, &config(None, BOTH));
    old.is_served();
    let other = free_port();
    server.check(&format!("CONFIG SET tls-port {other}"), "+OK");
    TlsClient::to(other, &config(None, BOTH)).is_served();
    old.is_served();
    server.check("CONFIG SET tls-port 0", "+OK");
    wait_until("the port to close", || std::net::TcpStream::connect(("127.0.0.1", other)).is_err());
    server.check("PING", "+PONG");
}
