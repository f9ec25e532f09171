//! A storm of TLS handshakes beside a client that is being served: what it waits for its replies.
//!
//! `cargo bench --bench handshakes -- PORT [RATE [SECONDS [THREADS]]]` needs a server that speaks TLS on the
//! port and asks for no certificates. Sessions are not resumed. The storm is open-loop: a handshake that is
//! late does not hold up the next but for its thread. The client sends a PING every millisecond over TLS, and
//! its latency counts from when the PING was due.

use hdrhistogram::Histogram;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    StreamOwned,
};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Checks nothing, so that the storm costs little where it comes from.
#[derive(Debug)]
struct Unchecked;

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

fn config() -> Arc<ClientConfig> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("both versions")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    config.dangerous().set_certificate_verifier(Arc::new(Unchecked));
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

type Client = StreamOwned<ClientConnection, TcpStream>;

/// Connects and makes the handshake, with a PING behind it.
fn connect(port: u16, config: &Arc<ClientConfig>) -> std::io::Result<Client> {
    let socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.set_nodelay(true)?;
    let name = ServerName::try_from("localhost").expect("a name");
    let connection =
        ClientConnection::new(Arc::clone(config), name).map_err(std::io::Error::other)?;
    let mut client = StreamOwned::new(connection, socket);
    ping(&mut client)?;
    Ok(client)
}

fn ping(client: &mut Client) -> std::io::Result<()> {
    client.write_all(b"PING\r\n")?;
    client.read_exact(&mut [0; 7])
}

/// Calls something at equal distances until the time is over; it is told when each call was due.
fn at_rate(distance: Duration, until: Instant, mut work: impl FnMut(Instant)) {
    let mut due = Instant::now();
    while due < until {
        if let Some(left) = due.checked_duration_since(Instant::now()) {
            thread::sleep(left);
        }
        work(due);
        due += distance;
    }
}

/// The latencies of a client during the storm, in microseconds, and how many handshakes there were.
fn measure(port: u16, rate: u32, length: Duration, threads: u32) -> (Histogram<u64>, u64) {
    let config = config();
    let until = Instant::now() + length;
    let done = Arc::new(AtomicU64::new(0));
    for _ in 0..if rate == 0 { 0 } else { threads } {
        let (config, done) = (Arc::clone(&config), Arc::clone(&done));
        thread::spawn(move || {
            at_rate(Duration::from_secs(1) * threads / rate, until, |_| {
                if connect(port, &config).is_ok() {
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        });
    }
    let mut client = connect(port, &config).expect("the server speaks TLS");
    let mut latencies = Histogram::new(3).expect("three digits");
    at_rate(Duration::from_millis(1), until, |due| {
        ping(&mut client).expect("a reply");
        let micros = u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX);
        latencies.record(micros.max(1)).expect("it grows");
    });
    (latencies, done.load(Ordering::Relaxed))
}

fn main() {
    let numbers: Vec<u32> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let Some(port) = numbers.first().and_then(|&port| u16::try_from(port).ok()) else {
        println!("handshakes: measures only with a port");
        return;
    };
    let number = |index: usize, default| numbers.get(index).copied().unwrap_or(default);
    let seconds = number(2, 10);
    let length = Duration::from_secs(u64::from(seconds));
    let (latencies, handshakes) = measure(port, number(1, 2000), length, number(3, 16));
    let at = |quantile| latencies.value_at_quantile(quantile);
    println!(
        "{} handshakes/s; PING: p50 {} us, p99 {} us, p99.9 {} us, most {} us",
        handshakes / u64::from(seconds.max(1)),
        at(0.5),
        at(0.99),
        at(0.999),
        latencies.max()
    );
}
