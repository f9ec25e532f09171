//! Connections to other servers. Nothing here waits: names are looked up by a thread of their own, and a
//! connection is made while the reactor goes on.

use super::stream::Stream;
use crate::command::following::Dial;
use crate::session::Endpoint;
use mio::Waker;
use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;

/// A connection that is being made.
#[derive(Debug)]
pub struct Dialled {
    /// What was asked for.
    pub attempt: u64,
    /// Its socket, and both ends.
    pub made: io::Result<(Stream, Endpoint, Endpoint)>,
}

/// A name that is being looked up.
#[derive(Debug)]
struct Lookup {
    dial: Dial,
    found: Receiver<io::Result<Vec<SocketAddr>>>,
}

/// Makes connections, one at a time.
#[derive(Debug)]
pub struct Dialler {
    waker: Arc<Waker>,
    lookup: Option<Lookup>,
}

impl Dialler {
    /// `waker` ends the reactor's wait when a name was found.
    pub const fn new(waker: Arc<Waker>) -> Self {
        Self { waker, lookup: None }
    }

    /// Begins a connection, in place of one whose name is still being looked up.
    pub fn begin(&mut self, dial: Dial) -> Option<Dialled> {
        self.lookup = None;
        if let Ok(address) = dial.host.parse::<IpAddr>() {
            return Some(dialled(&dial, &[SocketAddr::new(address, dial.port)]));
        }
        let (sender, found) = mpsc::channel();
        let (host, port, waker) = (dial.host.clone(), dial.port, Arc::clone(&self.waker));
        let work = move || {
            let addresses = (host.as_str(), port).to_socket_addrs();
            // Nobody waits for it any more if another connection is wanted.
            let _ = sender.send(addresses.map(Iterator::collect));
            let _ = waker.wake(); // the reactor would find out by itself, a little later
        };
        match thread::Builder::new().name("resolve".to_owned()).spawn(work) {
            Ok(_detached) => {
                self.lookup = Some(Lookup { dial, found });
                None
            }
            Err(error) => Some(Dialled { attempt: dial.attempt, made: Err(error) }),
        }
    }

    /// The connection whose name was found meanwhile.
    pub fn poll(&mut self) -> Option<Dialled> {
        let found = match self.lookup.as_ref()?.found.try_recv() {
            Ok(found) => found,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => Err(io::Error::from(io::ErrorKind::NotFound)),
        };
        let Lookup { dial, .. } = self.lookup.take()?;
        Some(match found {
            Ok(addresses) => dialled(&dial, &addresses),
            Err(error) => Dialled { attempt: dial.attempt, made: Err(error) },
        })
    }
}

/// Connects to one of the addresses; another one each time, since what is wrong with one is known too late.
fn dialled(dial: &Dial, addresses: &[SocketAddr]) -> Dialled {
    let count = u64::try_from(addresses.len()).unwrap_or(1).max(1);
    let turn = usize::try_from((dial.attempt.saturating_sub(1)) % count).unwrap_or(0);
    let made = match addresses.get(turn) {
        Some(&address) => connect(address, dial.source.as_deref()),
        None => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    Dialled { attempt: dial.attempt, made }
}

fn connect(address: SocketAddr, source: Option<&str>) -> io::Result<(Stream, Endpoint, Endpoint)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(source) = source {
        let source: IpAddr = source
            .parse()
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "bind-source-addr"))?;
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        Err(error) => return Err(error),
    }
    let local = socket.local_addr()?.as_socket().unwrap_or(address);
    let stream = TcpStream::from_std(socket.into());
    Ok((Stream::Tcp(stream), Endpoint::Tcp(address), Endpoint::Tcp(local)))
}
