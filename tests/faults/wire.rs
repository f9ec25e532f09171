//! A connection that outlives its server: every failure is a value, none is a panic.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A server that is silent for so long has hung. Longer than any delay that a test causes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Words of a command.
pub(crate) type Words = Vec<Vec<u8>>;

/// A reply of RESP2.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    /// A simple string.
    Status(String),
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    Null,
    Array(Vec<Reply>),
}

impl Reply {
    /// The content of a bulk or simple string, or what else came.
    pub(crate) fn into_bytes(self) -> Result<Vec<u8>, Reply> {
        match self {
            Reply::Bulk(bytes) => Ok(bytes),
            Reply::Status(text) => Ok(text.into_bytes()),
            other => Err(other),
        }
    }
}

/// One command as clients send it.
pub(crate) fn encode(words: &[impl AsRef<[u8]>], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        let word = word.as_ref();
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

/// A connection.
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

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(bytes)
    }

    /// Sends one command and reads its reply.
    pub(crate) fn command(&mut self, words: &[impl AsRef<[u8]>]) -> io::Result<Reply> {
        let mut bytes = Vec::new();
        encode(words, &mut bytes);
        self.send(&bytes)?;
        self.reply()
    }

    pub(crate) fn reply(&mut self) -> io::Result<Reply> {
        let line = self.line()?;
        let (kind, rest) = line.split_at_checked(1).ok_or_else(|| malformed(&line))?;
        Ok(match kind {
            "+" => Reply::Status(rest.to_owned()),
            "-" => Reply::Error(rest.to_owned()),
            ":" => Reply::Integer(rest.parse().map_err(|_| malformed(&line))?),
            "$" | "*" if rest == "-1" => Reply::Null,
            "$" => {
                let mut bytes = vec![0; rest.parse::<usize>().map_err(|_| malformed(&line))? + 2];
                self.reader.read_exact(&mut bytes)?;
                bytes.truncate(bytes.len() - 2);
                Reply::Bulk(bytes)
            }
            "*" => {
                let count: usize = rest.parse().map_err(|_| malformed(&line))?;
                Reply::Array((0..count).map(|_| self.reply()).collect::<io::Result<_>>()?)
            }
            _ => return Err(malformed(&line)),
        })
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        match line.strip_suffix("\r\n") {
            Some(content) => Ok(content.to_owned()),
            None => Err(ErrorKind::UnexpectedEof.into()),
        }
    }
}

fn malformed(line: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("not a reply: {line:?}"))
}
