//! Replies, as far as a simulated client looks at them.

/// One reply of RESP2.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    /// A simple string or a bulk.
    Text(Vec<u8>),
    Error(String),
    Integer(i64),
    Null,
    Array(Vec<Reply>),
}

/// Takes one reply off the front, if all of it is there.
pub(crate) fn take(bytes: &mut Vec<u8>) -> Option<Reply> {
    let mut rest = &bytes[..];
    let reply = parse(&mut rest)?;
    let taken = bytes.len() - rest.len();
    bytes.drain(..taken);
    Some(reply)
}

fn parse(rest: &mut &[u8]) -> Option<Reply> {
    let end = rest.windows(2).position(|two| two == b"\r\n")?;
    let (kind, line) = rest[..end].split_first()?;
    let line = String::from_utf8_lossy(line).into_owned();
    *rest = &rest[end + 2..];
    let number = || line.parse::<i64>().unwrap_or_else(|_| panic!("not a number: {line}"));
    Some(match kind {
        b'+' => Reply::Text(line.into_bytes()),
        b'-' => Reply::Error(line),
        b':' => Reply::Integer(number()),
        b'$' => match usize::try_from(number()) {
            Err(_) => Reply::Null,
            Ok(len) => {
                let text = rest.get(..len + 2)?[..len].to_vec();
                *rest = &rest[len + 2..];
                Reply::Text(text)
            }
        },
        b'*' => match usize::try_from(number()) {
            Err(_) => Reply::Null,
            Ok(len) => Reply::Array((0..len).map(|_| parse(rest)).collect::<Option<_>>()?),
        },
        other => panic!("not a reply: {:?} {line}", char::from(*other)),
    })
}

/// Adds a command as clients send it.
pub(crate) fn encode(words: &[impl AsRef<[u8]>], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        let word = word.as_ref();
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}
