//! A connection between two servers that can be cut.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Passes bytes on between whoever connects and a port.
pub(crate) struct Proxy {
    port: u16,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    pub(crate) fn to(target: u16) -> Proxy {
        Proxy::in_pieces(target, 4096)
    }

    /// One that reads and sends so many bytes at most at a time.
    pub(crate) fn in_pieces(target: u16, bytes_max: usize) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let streams = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&streams);
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(("127.0.0.1", target)) else { continue };
                near.set_nodelay(true).unwrap();
                far.set_nodelay(true).unwrap();
                let pair = [near.try_clone().unwrap(), far.try_clone().unwrap()];
                kept.lock().unwrap().extend(pair);
                let (near_again, far_again) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                thread::spawn(move || pass(near, far, bytes_max));
                thread::spawn(move || pass(far_again, near_again, bytes_max));
            }
        });
        Proxy { port, streams }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Cuts all connections, wherever they are.
    pub(crate) fn cut(&self) {
        for stream in self.streams.lock().unwrap().drain(..) {
            // One that is gone already is cut.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, bytes_max: usize) {
    let mut buffer = vec![0; bytes_max];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
