//! A small RESP client: writes pipelined commands and counts replies, so that the data set under
//! measurement does not depend on what a load generator can express.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::daemon::Failure;

/// Commands per write when filling: far less than a socket buffer of replies.
const FILL_BATCH: u32 = 1000;

/// Appends one command as an array of bulk strings.
pub(crate) fn put_command(out: &mut Vec<u8>, words: &[&[u8]]) {
    put_header(out, b'*', words.len());
    for word in words {
        put_header(out, b'$', word.len());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

fn put_header(out: &mut Vec<u8>, kind: u8, length: usize) {
    out.push(kind);
    out.extend_from_slice(length.to_string().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// One connection.
pub(crate) struct Client {
    reader: BufReader<TcpStream>,
    line: Vec<u8>,
}

impl Client {
    /// Connects, without Nagle's delay, and with a limit on every wait.
    pub(crate) fn connect(address: SocketAddr) -> Result<Client, Failure> {
        let stream =
            TcpStream::connect(address).map_err(Failure::io(format!("connecting to {address}")))?;
        stream.set_nodelay(true).map_err(Failure::io("setting TCP_NODELAY"))?;
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .map_err(Failure::io("setting a timeout"))?;
        Ok(Client { reader: BufReader::new(stream), line: Vec::new() })
    }

    /// Sends `bytes`, which hold `replies` commands, and reads that many replies.
    ///
    /// # Errors
    /// Any error reply, with its text.
    pub(crate) fn exchange(&mut self, bytes: &[u8], replies: u32) -> Result<(), Failure> {
        self.reader.get_mut().write_all(bytes).map_err(Failure::io("sending commands"))?;
        for _ in 0..replies {
            self.skip_reply()?;
        }
        Ok(())
    }

    /// Runs one command and reads its reply.
    pub(crate) fn run(&mut self, words: &[&[u8]]) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        put_command(&mut bytes, words);
        self.exchange(&bytes, 1)
    }

    /// Runs `count` commands, the i-th appended by `put(out, i)`, in batches.
    pub(crate) fn fill(&mut self, count: u32, put: fn(&mut Vec<u8>, u32)) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        let mut next = 0;
        while next < count {
            let batch = FILL_BATCH.min(count - next);
            bytes.clear();
            for index in next..next + batch {
                put(&mut bytes, index);
            }
            self.exchange(&bytes, batch)?;
            next += batch;
        }
        Ok(())
    }

    /// The connection itself, to be held open.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.reader.into_inner()
    }

    fn skip_reply(&mut self) -> Result<(), Failure> {
        let mut pending = 1_u64;
        while pending > 0 {
            pending -= 1;
            self.line.clear();
            let what = "reading a reply";
            self.reader.read_until(b'\n', &mut self.line).map_err(Failure::io(what))?;
            let text = String::from_utf8_lossy(&self.line);
            let text = text.trim_end();
            let Some(kind) = text.chars().next() else {
                return Err(Failure::Other("the server closed the connection".to_owned()));
            };
            match kind {
                '-' => return Err(Failure::Other(text.to_owned())),
                '$' => {
                    // A null is `$-1`: nothing follows it.
                    if let Ok(length) = text[1..].parse::<u64>() {
                        self.discard(length + 2)?;
                    }
                }
                '*' => pending += text[1..].parse::<u64>().unwrap_or(0),
                _ => {}
            }
        }
        Ok(())
    }

    fn discard(&mut self, length: u64) -> Result<(), Failure> {
        let what = "reading a bulk string";
        let copied = std::io::copy(&mut self.reader.by_ref().take(length), &mut std::io::sink())
            .map_err(Failure::io(what))?;
        if copied < length {
            return Err(Failure::Other("the server closed the connection".to_owned()));
        }
        Ok(())
    }
}
