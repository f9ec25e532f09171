//! Bytes that are nearly the protocol: both servers must give the same error and close at the same
//! place.
//!
//! Each case goes to a connection of its own, followed by a PING, whose answer shows whether the
//! server still listened, and by the end of the stream.
//!
//! There is no NUL in them: Redis searches line ends as C strings, so that a NUL in a line makes it
//! wait for ever, which is nothing to agree with.

use crate::rng::Rng;

/// Cases worth having whatever the seed is.
const FIXED: &[&[u8]] = &[
    b"*0\r\n",
    b"*-1\r\n",
    b"*-2147483648\r\n",
    b"*1\r\n",
    b"*1\r\n+OK\r\n",
    b"*1\r\n*1\r\n$4\r\nPING\r\n",
    b"*1\r\n$-1\r\n",
    b"*1\r\n$0\r\n\r\n",
    b"*1\r\n$4\r\nPINGxx",
    b"*1\r\n$4\r\nPING\n\n",
    b"*1\r\n$04\r\nPING\r\n",
    b"*01\r\n$4\r\nPING\r\n",
    b"*+1\r\n$4\r\nPING\r\n",
    b"* 1\r\n$4\r\nPING\r\n",
    b"*1 \r\n$4\r\nPING\r\n",
    b"*1\r\n$4 \r\nPING\r\n",
    b"*1\r\n$+4\r\nPING\r\n",
    b"*1\r\n$536870912\r\n",
    b"*1\r\n$536870913\r\n",
    b"*1\r\n$9223372036854775807\r\n",
    b"*1\r\n$9223372036854775808\r\n",
    b"*1\r\n$-2\r\n",
    b"*1\r\n$\r\n",
    b"*\r\n",
    b"*x\r\n",
    b"*1048576\r\n",
    b"*1048577\r\n",
    b"*2147483647\r\n",
    b"*2147483648\r\n",
    b"*4294967297\r\n$4\r\nPING\r\n",
    b"*1\r$4\r\nPING\r\n",
    b"*1\n$4\nPING\n",
    b"\r\n\r\n\r\nPING\r\n",
    b"\n\nPING\n",
    b"PING\rPING\r\n",
    b"PING \"unbalanced\r\n",
    b"PING 'unbalanced\r\n",
    b"PING \"a\"b\r\n",
    b"ECHO \"\\x41\\n\\q\\\"\"\r\n",
    b"ECHO '\\x41\\''\r\n",
    b"ECHO \"\\xZZ\\x4\"\r\n",
    b"   ECHO    spaced\t out\r\n",
    b"ECHO ''\r\n",
    b"''\r\n",
    b"\"\"\r\n",
    b"GET\r\n",
    b"QUIT\r\nPING\r\n",
    b"*1\r\n$4\r\nQUIT\r\n*1\r\n$4\r\nPING\r\n",
    b"POST / HTTP/1.1\r\nHost: example.org\r\n\r\n",
    b"*2\r\n$5\r\nHost:\r\n$1\r\nx\r\nPING\r\n",
    b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
    b"CLIENT REPLY SKIP\r\nPING\r\nECHO a\r\n",
    b"CLIENT REPLY OFF\r\nECHO a\r\nCLIENT REPLY ON\r\n",
    b"CLIENT REPLY off now\r\nECHO a\r\n",
];

/// What follows every case. The line end first, so that it is read after half an inline command.
const PROBE: &[u8] = b"\r\n*2\r\n$4\r\nPING\r\n$9\r\nlistening\r\n";
/// What goes before every case.
const CLEAN: &[u8] = b"*1\r\n$8\r\nFLUSHALL\r\n";

/// Whole commands that mutations start from.
const SEEDS: &[&[u8]] = &[
    b"*1\r\n$4\r\nPING\r\n",
    b"*2\r\n$4\r\nECHO\r\n$5\r\nhowdy\r\n",
    b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2\r\n10\r\n",
    b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n",
    b"*2\r\n$4\r\nINCR\r\n$1\r\na\r\n",
    b"*3\r\n$4\r\nMGET\r\n$1\r\na\r\n$0\r\n\r\n",
    b"*2\r\n$6\r\nSTRLEN\r\n$11\r\nlonger\r\nkey\r\n",
    b"PING\r\n",
    b"ECHO \"a b\\n\\x01\" \r\n",
    b"SET a 'single quoted'\r\n",
    b"GET a\n",
];

/// What inline commands are made of.
const INLINE: &[&[u8]] = &[
    b"PING", b"ECHO", b"SET", b"GET", b"a", b"b", b" ", b" ", b"  ", b"\t", b"\"", b"\"", b"'",
    b"'", b"\\", b"\\x41", b"\\x4", b"\\n", b"\\\"", b"\\'", b"\xff", b"\r\n", b"\r\n", b"\n",
    b"\r", b"*", b"$", b"\x0b", b"\x0c",
];

/// What the mutations put into frames.
const SPLINTERS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"$",
    b"*",
    b"-",
    b"+",
    b"0",
    b"1",
    b"9",
    b" ",
    b"\"",
    b"'",
    b"\\",
    b"\xff",
    b"$-1\r\n",
    b"$0\r\n\r\n",
    b"*0\r\n",
    b"*-1\r\n",
    b"2147483648",
    b"536870913",
    b"*1\r\n",
    b"99999999999999999999",
    b"1048577",
    b":1\r\n",
    b"%1\r\n",
];

/// The fixed cases.
pub(crate) fn fixed() -> impl Iterator<Item = Vec<u8>> {
    // Far over the 64 KB that a line may have: near it, how the bytes arrive decides.
    let long_inline = [vec![b'x'; 200_000], [b"ECHO ", vec![b'y'; 60_000].as_slice()].concat()];
    let long_header = [[b"*", vec![b'1'; 200_000].as_slice()].concat()];
    let fixed = FIXED.iter().map(|bytes| bytes.to_vec());
    fixed.chain(long_inline).chain(long_header)
}

/// A random case.
pub(crate) fn draw(rng: &mut Rng) -> Vec<u8> {
    if rng.chance(30) {
        let pieces = rng.between(1, 12);
        return (0..pieces).flat_map(|_| rng.pick(INLINE).to_vec()).collect();
    }
    let commands = rng.between(1, 5);
    let mut bytes: Vec<u8> = (0..commands).flat_map(|_| rng.pick(SEEDS).to_vec()).collect();
    for _ in 0..rng.between(1, 4) {
        mutate(&mut bytes, rng);
    }
    bytes
}

/// The case with what goes before and after it.
pub(crate) fn framed(case: &[u8]) -> Vec<u8> {
    [CLEAN, case, PROBE].concat()
}

fn mutate(bytes: &mut Vec<u8>, rng: &mut Rng) {
    if bytes.is_empty() {
        return;
    }
    let place = rng.below(bytes.len());
    let stretch = place..(place + rng.between(1, 8)).min(bytes.len());
    match rng.below(6) {
        0 => bytes[place] = rng.next().to_le_bytes()[0].max(1),
        1 => _ = bytes.remove(place),
        2 => _ = bytes.drain(stretch),
        3 => bytes.extend_from_within(stretch),
        4 => bytes.truncate(place),
        _ => {
            let splinter = rng.pick(SPLINTERS).to_vec();
            bytes.splice(place..place, splinter);
        }
    }
}
