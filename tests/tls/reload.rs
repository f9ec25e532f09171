//! Certificates that change while the server runs.

use super::*;
use crate::common::wait_until;

#[test]
fn config_set_of_the_same_path_reads_the_file_again() {
    let world = World::with(&["--tls-auth-clients", "no", "--tls-auto-reload-interval", "0"]);
    let mut old = world.connect(None);
    old.is_served();
    world.issue("another").save(world.dir.path(), "server");
    let mut before = world.connect(None);
    before.is_served();
    assert_eq!(before.server_certificate(), old.server_certificate());
    world.server.check("CONFIG SET tls-cert-file server.crt", "+OK");
    let mut new = world.connect(None);
    new.is_served();
    assert_ne!(new.server_certificate(), old.server_certificate());
    [old, before].iter_mut().for_each(TlsClient::is_served);
}

#[test]
fn files_that_change_are_read_again() {
    let world = World::with(&["--tls-auth-clients", "no"]);
    let mut old = world.connect(None);
    old.is_served();
    // What does not go together is not used.
    fs::write(world.dir.path().join("server.key"), world.issue("x").key).unwrap();
    world.server.wait_for_log("Changed certificates are not used, the old ones are: tls-key-file");
    world.connect(None).is_served();
    world.issue("another").save(world.dir.path(), "server");
    wait_until("the new certificate", || {
        let mut client = world.connect(None);
        client.is_served();
        client.server_certificate() != old.server_certificate()
    });
    old.is_served();
}

#[test]
fn what_is_wrong_changes_nothing() {
    let world = World::with(&["--tls-auth-clients", "no"]);
    let refused = |setting: &str, reason: &str| {
        let name = setting.split(' ').next().unwrap();
        let expected = format!(
            "-ERR CONFIG SET failed (possibly related to argument '{name}') - Unable to update TLS \
             configuration. Check server logs."
        );
        world.server.check(&format!("CONFIG SET {setting}"), &expected);
        world.server.wait_for_log(&format!("Failed to configure TLS: {reason}"));
        world.connect(None).is_served();
    };
    fs::write(world.dir.path().join("junk"), "junk").unwrap();
    refused("tls-cert-file nowhere.crt", "tls-cert-file nowhere.crt: No such file or directory");
    refused("tls-cert-file junk", "tls-cert-file junk: holds no certificate");
    refused("tls-key-file junk", "tls-key-file junk: holds no private key");
    refused("tls-cert-file ca.crt", "tls-key-file server.key: is not the key of tls-cert-file");
    refused("tls-ca-cert-file junk", "tls-ca-cert-file junk: holds no certificate");
    refused("tls-ca-cert-dir nowhere", "tls-ca-cert-dir nowhere: No such file or directory");
    refused("tls-ca-cert-file '' tls-auth-clients yes", "Either tls-ca-cert-file");
    refused("tls-protocols TLSv1.1", "tls-protocols: TLSv1.1 is too old");
    refused("tls-ciphers AES128-SHA", "tls-ciphers: 'AES128-SHA' is not available");
    refused("tls-ciphersuites TLS_X", "tls-ciphersuites: 'TLS_X' is none of");
    refused("tls-dh-params-file junk", "tls-dh-params-file cannot be used");
    refused("tls-client-cert-file server.crt", "tls-client-cert-file needs tls-client-key-file");
}

#[test]
fn certificates_that_expire_soon_are_spoken_of() {
    let authority = Authority::new();
    let dir = prepared(&authority);
    authority.issue(Wish { days: 11, ..Wish::named("short") }).save(dir.path(), "server");
    let world = World::in_directory(authority, dir, &["--tls-auth-clients", "no"]);
    world.server.wait_for_log("expires in 1");
    let log = world.server.log();
    assert_eq!(log.matches("expires in").count(), 1, "{log}");
    let left_s = world.figure("tls_server_cert_expires_in_seconds");
    assert!((10 * 86_400..=11 * 86_400).contains(&left_s), "{left_s}");
    assert!(world.figure("tls_ca_cert_expires_in_seconds") > 300 * 86_400);
    assert_eq!(world.figure("tls_client_cert_expires_in_seconds"), 0);
}
