//! One connection: bytes out, replies in.

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use crate::grammar::Words;
use crate::reply::Reply;

/// A server that is silent for so long has hung. Generous: the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to one server.
pub(crate) struct Connection {
    reader: BufReader<TcpStream>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Connection { reader: BufReader::with_capacity(1 << 16, stream) })
    }

    /// Sends `bytes`, which hold `count` commands, and reads as many replies; the replies up to
    /// the first failure, and the failure.
    pub(crate) fn exchange(&mut self, bytes: &[u8], count: usize) -> (Vec<Reply>, io::Result<()>) {
        let mut writer = match self.reader.get_ref().try_clone() {
            Ok(writer) => writer,
            Err(error) => return (Vec::new(), Err(error)),
        };
        thread::scope(|scope| {
            // Written beside the reading, or both sides could wait with full buffers. A failed
            // write shows as a missing reply.
            scope.spawn(move || drop(writer.write_all(bytes)));
            let mut replies = Vec::with_capacity(count);
            while replies.len() < count {
                match Reply::read(&mut self.reader) {
                    Ok(reply) => replies.push(reply),
                    Err(error) => {
                        // Frees a writer that waits for a server that no longer reads.
                        drop(self.reader.get_ref().shutdown(Shutdown::Both));
                        return (replies, Err(error));
                    }
                }
            }
            (replies, Ok(()))
        })
    }

    /// Sends `bytes`, then the end of the stream, and reads all that comes, waiting no longer
    /// than `patience` for each piece.
    pub(crate) fn exchange_raw(mut self, bytes: &[u8], patience: Duration) -> io::Result<Vec<u8>> {
        let stream = self.reader.get_mut();
        stream.set_read_timeout(Some(patience))?;
        // A server that has had enough closes early; what it said before that counts.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let mut received = Vec::new();
        match self.reader.read_to_end(&mut received) {
            Ok(_) => Ok(received),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(received),
            Err(error) => Err(error),
        }
    }
}

/// Appends a command as clients send it.
pub(crate) fn encode(words: &Words, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}
