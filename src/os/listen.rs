//! Listening sockets: every address of `bind`, and the Unix socket.

use super::daemon::Farewell;
use super::errno;
use super::stream::Stream;
use crate::config::{Absence, BindAddress};
use crate::session::Endpoint;
use mio::event::Source;
use mio::net::{TcpListener, UnixListener};
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, TcpKeepalive, Type};
use std::fs;
use std::io;
use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What to listen on.
#[derive(Clone, Debug)]
pub struct ListenOptions<'a> {
    /// Addresses.
    pub bind: &'a [BindAddress],
    /// TCP port; 0 for none.
    pub port: u16,
    /// TCP port for TLS; 0 for none.
    pub tls_port: u16,
    /// Length of the queue of connections not accepted yet.
    pub backlog: i32,
    /// Path of the Unix socket; empty for none.
    pub unix_path: &'a Path,
    /// Its permissions; 0 leaves them to the umask.
    pub unix_mode: u32,
}

/// What is spoken on a listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Bare TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// A Unix socket.
    Unix,
}

impl Transport {
    /// Its name in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Unix => "unix",
        }
    }
}

#[derive(Debug)]
enum Socketed {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

/// A listening socket.
#[derive(Debug)]
pub struct Listener {
    socket: Socketed,
    /// What is spoken there.
    pub transport: Transport,
    /// Whether connections may wait that were not accepted when it last became readable.
    pub has_more: bool,
}

/// Opens all listening sockets. An address that does not exist is left out if it may be.
///
/// # Errors
/// A sentence for the log.
pub fn listen_all(options: &ListenOptions<'_>) -> Result<Vec<Listener>, String> {
    let mut listeners = listen_tcp(options)?;
    listeners.extend(listen_tls(options)?);
    if !options.unix_path.as_os_str().is_empty() {
        let listener = listen_unix(options.unix_path, options.unix_mode, options.backlog).map_err(
            |error| format!("Failed opening Unix socket: bind: {}", errno::text(&error)),
        )?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Opens the listening sockets of `port` only.
///
/// # Errors
/// A sentence for the log.
pub fn listen_tcp(options: &ListenOptions<'_>) -> Result<Vec<Listener>, String> {
    listen_port(options, options.port, Transport::Tcp)
}

/// Opens the listening sockets of `tls_port` only.
///
/// # Errors
/// A sentence for the log.
pub fn listen_tls(options: &ListenOptions<'_>) -> Result<Vec<Listener>, String> {
    listen_port(options, options.tls_port, Transport::Tls)
}

fn listen_port(
    options: &ListenOptions<'_>,
    port: u16,
    transport: Transport,
) -> Result<Vec<Listener>, String> {
    let mut listeners = Vec::new();
    if port == 0 {
        return Ok(listeners);
    }
    for address in options.bind {
        match listen_on(address, port, options.backlog) {
            Ok(listener) => listeners.push(Listener { transport, ..listener }),
            Err(error) => {
                let host = &address.host;
                let text = format!(
                    "Could not create server TCP listening socket {host}:{port}: bind: {}",
                    errno::text(&error)
                );
                let absent = matches!(
                    error.raw_os_error(),
                    Some(
                        libc::EADDRNOTAVAIL
                            | libc::ENOPROTOOPT
                            | libc::EPROTONOSUPPORT
                            | libc::ESOCKTNOSUPPORT
                            | libc::EPFNOSUPPORT
                            | libc::EAFNOSUPPORT
                    )
                );
                if absent && address.absence == Absence::Tolerated {
                    tracing::debug!("{text}");
                } else {
                    tracing::warn!("Warning: {text}");
                    let name = transport.name();
                    return Err(format!("Failed listening on port {port} ({name}), aborting."));
                }
            }
        }
    }
    Ok(listeners)
}

/// Listens on the first address of a host that lets it.
fn listen_on(address: &BindAddress, port: u16, backlog: i32) -> io::Result<Listener> {
    let mut failed = io::Error::from_raw_os_error(libc::EADDRNOTAVAIL);
    for address in resolve(&address.host.to_string(), port)? {
        match listen_at(address, backlog) {
            Ok(listener) => return Ok(listener),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// The addresses of a host: of IPv6 if it is written as one of those, else of IPv4.
fn resolve(host: &str, port: u16) -> io::Result<impl Iterator<Item = SocketAddr> + use<>> {
    let host = match host {
        "*" => "0.0.0.0",
        "::*" => "::",
        host => host,
    };
    let is_ipv6 = host.contains(':');
    let found = (host, port).to_socket_addrs()?;
    Ok(found.filter(move |address| address.is_ipv6() == is_ipv6))
}

fn listen_at(address: SocketAddr, backlog: i32) -> io::Result<Listener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    let socket = Socketed::Tcp(TcpListener::from_std(socket.into()));
    Ok(Listener { socket, transport: Transport::Tcp, has_more: false })
}

fn listen_unix(path: &Path, mode: u32, backlog: i32) -> io::Result<Listener> {
    let _ = fs::remove_file(path); // a stale socket of a server that crashed
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let mut finished = Ok(());
    if mode != 0 {
        finished = fs::set_permissions(path, fs::Permissions::from_mode(mode));
    }
    if let Err(error) = finished.and_then(|()| socket.listen(backlog)) {
        let _ = fs::remove_file(path); // what is wrong with the socket is told
        return Err(error);
    }
    let listener = UnixListener::from_std(socket.into());
    let socket = Socketed::Unix(listener, path.to_owned());
    Ok(Listener { socket, transport: Transport::Unix, has_more: false })
}

impl Listener {
    /// Asks to be told when connections wait.
    ///
    /// # Errors
    /// As the system gives them.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match &mut self.socket {
            Socketed::Tcp(listener) => listener.register(registry, token, Interest::READABLE),
            Socketed::Unix(listener, _) => listener.register(registry, token, Interest::READABLE),
        }
    }

    /// Stops being told.
    ///
    /// # Errors
    /// As the system gives them.
    pub fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match &mut self.socket {
            Socketed::Tcp(listener) => listener.deregister(registry),
            Socketed::Unix(listener, _) => listener.deregister(registry),
        }
    }

    /// Accepts one connection: the socket, the client's end, and ours.
    ///
    /// # Errors
    /// As the system gives them; `WouldBlock` if none waits, `ConnectionAborted` if the one that waited
    /// is gone.
    pub fn accept(&self) -> io::Result<(Stream, Endpoint, Endpoint)> {
        match &self.socket {
            Socketed::Tcp(listener) => {
                let (stream, peer) = listener.accept()?;
                let settled = stream.set_nodelay(true).and_then(|()| stream.local_addr());
                let local = settled.map_err(|_| io::ErrorKind::ConnectionAborted)?;
                Ok((Stream::Tcp(stream), Endpoint::Tcp(peer), Endpoint::Tcp(local)))
            }
            Socketed::Unix(listener, path) => {
                let (stream, _) = listener.accept()?;
                let end = Endpoint::Unix(Arc::from(path.to_string_lossy()));
                Ok((Stream::Unix(stream), end.clone(), end))
            }
        }
    }

    /// Lets nobody connect any more, while the socket stays open.
    pub fn refuse_all(&self) {
        // What fails here has been closed by somebody else.
        let _ = match &self.socket {
            Socketed::Tcp(socket) => SockRef::from(socket).shutdown(Shutdown::Both),
            Socketed::Unix(socket, _) => SockRef::from(socket).shutdown(Shutdown::Both),
        };
    }

    /// The address it listens on, for the log.
    pub fn address(&self) -> String {
        match &self.socket {
            Socketed::Tcp(listener) => {
                listener.local_addr().map_or_else(|_| String::new(), |address| address.to_string())
            }
            Socketed::Unix(_, path) => path.display().to_string(),
        }
    }

    /// Removes the Unix socket from the file system.
    pub fn unlink(&self, farewell: Farewell) {
        if let Socketed::Unix(_, path) = &self.socket {
            farewell.say("Removing the unix socket file.");
            let _ = fs::remove_file(path); // perhaps somebody else removed it
        }
    }
}

/// Lets the kernel collect small packets of a TCP connection, which is open, by its descriptor.
///
/// # Errors
/// As the system gives them; it is no TCP connection.
pub fn collect_packets(descriptor: RawFd) -> io::Result<()> {
    // SAFETY: the reactor keeps the connection of a client open as long as the client is served.
    let socket = unsafe { BorrowedFd::borrow_raw(descriptor) };
    SockRef::from(&socket).set_tcp_nodelay(false)
}

/// Sets up keepalive probes so that a client that has gone is noticed within about twice
/// `interval_s`.
///
/// # Errors
/// As the system gives them.
pub fn set_keepalive(stream: &Stream, interval_s: u32) -> io::Result<()> {
    let Stream::Tcp(tcp) = stream else { return Ok(()) };
    let idle = Duration::from_secs(u64::from(interval_s));
    let probe = Duration::from_secs(u64::from((interval_s / 3).max(1)));
    let keepalive = TcpKeepalive::new().with_time(idle).with_interval(probe).with_retries(3);
    SockRef::from(tcp).set_tcp_keepalive(&keepalive)
}
