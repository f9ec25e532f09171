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

/// Appends a command given as its words with single spaces between them.
pub(crate) fn put_inline(out: &mut Vec<u8>, words: &str) {
    let words: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
    put_command(out, &words);
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
            .set_read_timeout(Some(Duration::from_secs(600)))
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

    /// Runs one command that replies with one string, and returns it.
    pub(crate) fn text(&mut self, words: &[&[u8]]) -> Result<String, Failure> {
        let mut bytes = Vec::new();
        put_command(&mut bytes, words);
        self.reader.get_mut().write_all(&bytes).map_err(Failure::io("sending a command"))?;
        let head = String::from_utf8_lossy(self.next_line()?).into_owned();
        if let Some(text) = head.strip_prefix(['+', ':']) {
            return Ok(text.to_owned());
        }
        let Some(length) = head.strip_prefix('$').and_then(|length| length.parse().ok()) else {
            return Err(Failure::Other(head));
        };
        let mut body = Vec::new();
        let what = "reading a bulk string";
        self.reader.by_ref().take(length).read_to_end(&mut body).map_err(Failure::io(what))?;
        self.discard(2)?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// A field of a section of `INFO`.
    pub(crate) fn info(&mut self, section: &str, name: &str) -> Result<String, Failure> {
        let text = self.text(&[b"INFO", section.as_bytes()])?;
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::to_owned)
            .ok_or_else(|| Failure::Other(format!("INFO {section} has no {name}")))
    }

    /// A field of a section of `INFO` that holds a whole number.
    pub(crate) fn info_number(&mut self, section: &str, name: &str) -> Result<u64, Failure> {
        let text = self.info(section, name)?;
        text.parse().map_err(|_| Failure::Other(format!("{name} is no number: {text:?}")))
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

    /// The next line, without its end.
    fn next_line(&mut self) -> Result<&[u8], Failure> {
        self.line.clear();
        let what = "reading a reply";
        self.reader.read_until(b'\n', &mut self.line).map_err(Failure::io(what))?;
        match self.line.strip_suffix(b"\r\n") {
            Some(line) if !line.is_empty() => Ok(line),
            Some(_) | None => Err(Failure::Other("the server closed the connection".to_owned())),
        }
    }

    /// The first line of a reply: what it is, and the number that some kinds have.
    fn head(&mut self) -> Result<(u8, Option<u64>), Failure> {
        let line = self.next_line()?;
        let (kind, rest) = (line[0], str::from_utf8(&line[1..]).unwrap_or_default());
        if kind == b'-' {
            return Err(Failure::Other(String::from_utf8_lossy(line).into_owned()));
        }
        Ok((kind, rest.parse().ok()))
    }

    fn skip_reply(&mut self) -> Result<(), Failure> {
        let mut pending = 1_u64;
        while pending > 0 {
            pending -= 1;
            let (kind, number) = self.head()?;
            match (kind, number) {
                // A null is `$-1`: nothing follows it.
                (b'$', Some(length)) => self.discard(length + 2)?,
                (b'*', Some(count)) => pending += count,
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
