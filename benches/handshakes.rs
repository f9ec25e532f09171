//! A storm of TLS handshakes beside a client that is being served: what it waits for its replies.
//!
//! `cargo bench --bench handshakes -- --rate 2000` starts a server of its own on one core, with a certificate
//! of its own (ECDSA, P-256); the storm and the client have the other one. Sessions are not resumed. The storm
//! is open-loop: a handshake that is late does not hold up the next but for its thread. The client sends a
//! PING every millisecond over TLS. Rounds without a storm stand beside those with one.
//!
//! Handshakes cost both sides, and the two share the machine with whatever else runs: so the rate that was
//! attained is told beside that which was asked for. The client waits for the server alone: it runs ahead of
//! the storm (as `chrt --fifo` lets it, for which it needs to be root), its latency counts from when the PING
//! was sent, and how late it was sent is told by itself. `--ahead` lets server and storm run ahead of other
//! programs as well, for a machine that is not quiet.

#[path = "../tests/support/daemon.rs"]
mod daemon;

use daemon::{Daemon, Failure, Launch};
use hdrhistogram::Histogram;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    StreamOwned,
};
use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
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
fn connect(port: u16, config: &Arc<ClientConfig>) -> io::Result<Client> {
    let socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
    let mut client = StreamOwned::new(connection, socket);
    ping(&mut client)?;
    Ok(client)
}

fn ping(client: &mut Client) -> io::Result<()> {
    client.write_all(b"PING\r\n")?;
    client.read_exact(&mut [0; 7])
}

/// Calls something at equal distances until the time is over; it is told when each call was due. What would
/// come more than a tenth of a second too late is left out.
fn at_rate(distance: Duration, until: Instant, mut work: impl FnMut(Instant)) {
    let mut due = Instant::now();
    while due < until {
        if let Some(left) = due.checked_duration_since(Instant::now()) {
            thread::sleep(left);
        }
        work(due);
        due += distance;
        if due.elapsed() > Duration::from_millis(100) {
            due = Instant::now();
        }
    }
}

/// Lets a thread or a process run ahead of others; whether that is allowed.
fn run_ahead(id: &str, priority: &str) -> bool {
    let done = Command::new("chrt").args(["--fifo", "-a", "-p", priority, id]).output();
    done.is_ok_and(|output| output.status.success())
}

/// The id of this thread, for `chrt`.
fn thread_id() -> String {
    let link = fs::read_link("/proc/thread-self").expect("Linux has it");
    link.file_name().expect("a number").to_string_lossy().into_owned()
}

/// Processor time of a process, in ticks of a hundredth of a second.
fn cpu_ticks(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = text.rsplit(')').next().unwrap_or_default();
    let fields = rest.split_ascii_whitespace().skip(11).take(2);
    fields.filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// What was seen in rounds of one kind.
struct Seen {
    waits_us: Histogram<u64>,
    lateness_us: Histogram<u64>,
    handshakes: u64,
    failed: u64,
    server_ticks: u64,
}

impl Seen {
    fn new() -> Self {
        let histogram = || Histogram::new(3).expect("three digits");
        let (waits_us, lateness_us) = (histogram(), histogram());
        Self { waits_us, lateness_us, handshakes: 0, failed: 0, server_ticks: 0 }
    }

    fn show(&self, asked: u32, length: Duration) {
        let seconds = length.as_secs_f64();
        let per_second = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / seconds;
        let at = |quantile| self.waits_us.value_at_quantile(quantile);
        println!(
            "asked {asked}/s, attained {:.0}/s, failed {}; PING waits: p50 {} us, p99 {} us, p99.9 {} us, \
             most {} us ({} of them; sent late: p99 {} us); server: {:.0} % of its core",
            per_second(self.handshakes),
            self.failed,
            at(0.5),
            at(0.99),
            at(0.999),
            self.waits_us.max(),
            self.waits_us.len(),
            self.lateness_us.value_at_quantile(0.99),
            per_second(self.server_ticks)
        );
    }
}

/// One round.
fn measure(server: &Daemon, port: u16, rate: u32, options: &Options, seen: &mut Seen) {
    let config = config();
    let mut client = connect(port, &config).expect("the server speaks TLS");
    let until = Instant::now() + options.length;
    let (done, failed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let threads = if rate == 0 { 0 } else { options.threads };
    let storm: Vec<_> = (0..threads)
        .map(|_| {
            let (config, done, failed) =
                (Arc::clone(&config), Arc::clone(&done), Arc::clone(&failed));
            thread::spawn(move || {
                at_rate(Duration::from_secs(1) * threads / rate, until, |_| {
                    let count = if connect(port, &config).is_ok() { &done } else { &failed };
                    count.fetch_add(1, Ordering::Relaxed);
                });
            })
        })
        .collect();
    let before = cpu_ticks(server.pid());
    at_rate(Duration::from_millis(1), until, |due| {
        let sent = Instant::now();
        ping(&mut client).expect("a reply");
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        seen.waits_us.record(micros(sent.elapsed()).max(1)).expect("it grows");
        seen.lateness_us.record(micros(sent - due).max(1)).expect("it grows");
    });
    seen.server_ticks += cpu_ticks(server.pid()) - before;
    for thread in storm {
        thread.join().expect("the storm panics not");
    }
    seen.handshakes += done.load(Ordering::Relaxed);
    seen.failed += failed.load(Ordering::Relaxed);
}

/// Starts a server with a certificate made on the spot; the port on which it speaks TLS.
fn start(folder: &Path) -> Result<(Daemon, u16), Failure> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
    let made = made.map_err(|error| Failure::Other(error.to_string()))?;
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).map_err(Failure::io("writing a certificate"))?;
        Ok::<_, Failure>(path.display().to_string())
    };
    let cert = write("server.crt", made.cert.pem())?;
    let key = write("server.key", made.signing_key.serialize_pem())?;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(Failure::io("a port"))?;
    let port = listener.local_addr().map_err(Failure::io("a port"))?.port();
    drop(listener);
    let text = port.to_string();
    let args = ["--tls-port", &text, "--tls-cert-file", &cert, "--tls-key-file", &key];
    let args = args.into_iter().chain(["--tls-auth-clients", "no"]).map(str::to_owned).collect();
    let program = PathBuf::from(env!("CARGO_BIN_EXE_carnelian-server"));
    let launch = Launch { name: "Carnelian".to_owned(), program, args, core: Some(0) };
    Ok((Daemon::start(&launch)?, port))
}

struct Options {
    rate: u32,
    length: Duration,
    rounds: u32,
    threads: u32,
    is_ahead: bool,
}

impl Options {
    /// `None` if cargo runs this as a test.
    fn from_command_line() -> Option<Self> {
        let words: Vec<String> = std::env::args().collect();
        words.iter().find(|word| *word == "--bench")?;
        let number = |name: &str, default| {
            let place = words.iter().position(|word| word == name);
            place.and_then(|at| words.get(at + 1)?.parse().ok()).unwrap_or(default)
        };
        Some(Self {
            rate: number("--rate", 2000),
            length: Duration::from_secs(u64::from(number("--seconds", 5))),
            rounds: number("--rounds", 5).max(1),
            threads: number("--threads", 16).max(1),
            is_ahead: words.iter().any(|word| word == "--ahead"),
        })
    }
}

fn main() {
    let Some(options) = Options::from_command_line() else {
        println!("handshakes: measures only under `cargo bench`");
        return;
    };
    if let Err(failure) = run(&options) {
        eprintln!("handshakes: {failure}");
        std::process::exit(1);
    }
}

fn run(options: &Options) -> Result<(), Failure> {
    let folder = tempfile::tempdir().map_err(Failure::io("making a folder"))?;
    let (server, port) = start(folder.path())?;
    let own = std::process::id().to_string();
    let pinned = Command::new("taskset").args(["-acp", "1", &own]).output();
    pinned.map_err(Failure::io("running taskset"))?;
    if options.is_ahead && !(run_ahead(&own, "1") && run_ahead(&server.pid().to_string(), "1")) {
        println!("nothing runs ahead of other programs: that is not allowed");
    }
    if !run_ahead(&thread_id(), "10") {
        println!("the client does not run ahead of the storm: that is not allowed");
    }
    let (mut quiet, mut stormy) = (Seen::new(), Seen::new());
    for _ in 0..options.rounds {
        measure(&server, port, 0, options, &mut quiet);
        measure(&server, port, options.rate, options, &mut stormy);
    }
    quiet.show(0, options.length * options.rounds);
    stormy.show(options.rate, options.length * options.rounds);
    server.stop()
}
