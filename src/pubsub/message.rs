//! A message as its receivers are sent it.

use crate::resp::Protocol;
use bytes::Bytes;

/// What is pushed to several clients, encoded once for each protocol that one of them speaks.
#[derive(Debug)]
pub struct Message {
    resp2: Bytes,
    resp3: Option<Bytes>,
}

impl Message {
    /// A push of bulk strings.
    pub fn new(words: &[&[u8]]) -> Self {
        let len = words.iter().map(|word| word.len() + 16).sum::<usize>() + 8;
        let mut bytes = Vec::with_capacity(len);
        let mut digits = itoa::Buffer::new();
        bytes.push(b'*');
        bytes.extend_from_slice(digits.format(words.len()).as_bytes());
        bytes.extend_from_slice(b"\r\n");
        for word in words {
            bytes.push(b'$');
            bytes.extend_from_slice(digits.format(word.len()).as_bytes());
            bytes.extend_from_slice(b"\r\n");
            bytes.extend_from_slice(word);
            bytes.extend_from_slice(b"\r\n");
        }
        Self { resp2: bytes.into(), resp3: None }
    }

    /// Its bytes in a protocol. Only the first differs: what is a push in RESP3 is an array in RESP2.
    pub fn bytes(&mut self, protocol: Protocol) -> &Bytes {
        match protocol {
            Protocol::Resp2 => &self.resp2,
            Protocol::Resp3 => self.resp3.get_or_insert_with(|| {
                let mut bytes = self.resp2.to_vec();
                bytes[0] = b'>';
                bytes.into()
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_protocols_tell_the_same() {
        let mut message = Message::new(&[b"message", b"", b"a\r\nb"]);
        let tail = b"3\r\n$7\r\nmessage\r\n$0\r\n\r\n$4\r\na\r\nb\r\n";
        assert_eq!(message.bytes(Protocol::Resp2)[..], [b"*", &tail[..]].concat());
        assert_eq!(message.bytes(Protocol::Resp3)[..], [b">", &tail[..]].concat());
        let first = message.bytes(Protocol::Resp3).as_ptr();
        assert_eq!(message.bytes(Protocol::Resp3).as_ptr(), first, "it is encoded once");
    }
}
