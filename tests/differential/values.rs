//! Random keys, values, numbers and times, with a love for borders.
//!
//! Invariant: no time to live drawn here ends while a run lasts, and no two that a command might
//! compare lie closer together than a run lasts, unless they are equal instants.

use crate::rng::Rng;

/// Few, so that commands meet.
const KEYS: &[&[u8]] = &[
    b"a",
    b"b",
    b"c",
    b"d",
    b"e",
    b"f",
    b"g",
    b"h",
    b"key:1",
    b"key:2",
    b"key:3",
    b"key:4",
    b"",
    b"\0\xff\r\n\x80",
    b"with space and \"quotes\"",
    b"a*[b]?\\c",
    b"{tag}x",
    // As a time to live, where a spoiled command may put it, it outlasts a run.
    b"1234567890123",
    b"a-key-of-sixty-four-bytes-which-is-longer-than-most-people-choose",
];

/// The borders of the types that servers parse numbers into.
const BORDERS: &[&str] = &[
    "9223372036854775807",
    "9223372036854775808",
    "9223372036854775806",
    "-9223372036854775808",
    "-9223372036854775809",
    "-9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    "2147483647",
    "2147483648",
    "-2147483648",
    "-2147483649",
    "4294967295",
    "4294967296",
    "4294967297",
    "99999999999999999999999999",
];

/// What looks like a number and, to a strict parser, is none.
const NEARLY_NUMBERS: &[&str] = &[
    "", " 1", "1 ", "+1", "-0", "007", "0x10", "1e5", "1.0", "--1", "-", "1\0", "\u{661}", "nan",
    "-nan", "inf", "-inf", "+inf", "Infinity", "1e400", "1e-400", "0x1p3", "1_000", "1,5", ".",
];

/// An ID in the range in which the entries of streams have theirs.
pub(crate) fn stream_id(rng: &mut Rng) -> Vec<u8> {
    let ms = match rng.below(3) {
        0 => rng.below(45),
        _ => 10 * (1 + rng.below(4)),
    };
    match rng.below(10) {
        0 => ms.to_string().into_bytes(),
        1..4 => format!("{ms}-{}", rng.below(100)).into_bytes(),
        _ => format!("{ms}-{}", rng.below(10)).into_bytes(),
    }
}

pub(crate) fn key(rng: &mut Rng) -> Vec<u8> {
    match rng.below(200) {
        0 => vec![b'K'; 1000],
        _ => rng.pick(KEYS).to_vec(),
    }
}

pub(crate) fn value(rng: &mut Rng) -> Vec<u8> {
    match rng.below(20) {
        0..=6 => int(rng),
        7..=8 => float(rng),
        9 => Vec::new(),
        10..=11 => {
            let length = rng.between(1, 40);
            rng.bytes(length)
        }
        // Around the 44 bytes that an embedded string may have.
        12..=14 => text(rng.between(40, 48), rng),
        15 if rng.chance(30) => text(1024, rng),
        _ => text(rng.between(1, 70), rng),
    }
}

pub(crate) fn short(rng: &mut Rng) -> Vec<u8> {
    // Few letters, so that two values have something in common.
    (0..rng.between(0, 60)).map(|_| *rng.pick(b"abcd")).collect()
}

pub(crate) fn long(rng: &mut Rng) -> Vec<u8> {
    let length = match rng.below(10) {
        0 => rng.between(1_000_000, 1_048_577),
        // Around what a server reads at once, and around what it keeps apart as a big argument.
        1..=3 => rng.between(16_380, 16_390),
        4..=5 => rng.between(32_760, 32_780),
        6..=7 => rng.between(65_530, 65_540),
        _ => rng.between(1_000, 9_000),
    };
    text(length, rng)
}

pub(crate) fn int(rng: &mut Rng) -> Vec<u8> {
    match rng.below(10) {
        0..=5 => (i64::try_from(rng.below(2001)).unwrap_or(0) - 1000).to_string().into_bytes(),
        6..=8 => rng.pick(BORDERS).as_bytes().to_vec(),
        _ => rng.pick(NEARLY_NUMBERS).as_bytes().to_vec(),
    }
}

pub(crate) fn float(rng: &mut Rng) -> Vec<u8> {
    const FLOATS: &[&str] = &[
        "0",
        "-0.0",
        "0.1",
        "3.0e3",
        "1.5",
        "-1.5",
        "1e17",
        "1e-17",
        "5e-324",
        "1.7976931348623157e308",
        "-1e308",
        "123456789.123456789",
        "0.30000000000000004",
        "1e21",
        "3.14159265358979323846",
        "1e4931",
        "1e4932",
        "1.",
        ".5",
    ];
    match rng.below(10) {
        0..=4 => rng.pick(FLOATS).as_bytes().to_vec(),
        5..=7 => {
            let (whole, part) = (rng.below(1_000_000), rng.below(10_000));
            let sign = rng.pick(&["", "-"]);
            format!("{sign}{whole}.{part}").into_bytes()
        }
        8 => rng.pick(BORDERS).as_bytes().to_vec(),
        _ => rng.pick(NEARLY_NUMBERS).as_bytes().to_vec(),
    }
}

pub(crate) fn index(rng: &mut Rng) -> Vec<u8> {
    match rng.below(10) {
        0..=7 => (i64::try_from(rng.below(121)).unwrap_or(0) - 60).to_string().into_bytes(),
        8 => rng.pick(BORDERS).as_bytes().to_vec(),
        _ => rng.pick(NEARLY_NUMBERS).as_bytes().to_vec(),
    }
}

pub(crate) fn offset(rng: &mut Rng) -> Vec<u8> {
    match rng.below(20) {
        0..=15 => rng.below(120).to_string().into_bytes(),
        16 => rng.below(2000).to_string().into_bytes(),
        // Half a gigabyte is the longest string: just too much, and not a byte less.
        17 => (536_870_912 + rng.below(3)).to_string().into_bytes(),
        18 => rng.pick(BORDERS).as_bytes().to_vec(),
        _ => rng.pick(NEARLY_NUMBERS).as_bytes().to_vec(),
    }
}

pub(crate) fn degrees(rng: &mut Rng) -> Vec<u8> {
    const BORDERS: &[&str] =
        &["180", "-180", "85.05112878", "-85.05112878", "90", "181", "0", "-0", "inf", "1e-17"];
    let decimals = rng.below(1_000_000);
    let (sign, whole) = match rng.below(30) {
        0..=22 => (rng.pick(&["", "-"]), rng.below(20)),
        23..=26 => (rng.pick(&["", "-"]), rng.below(86)),
        27 => (rng.pick(&["", "-"]), rng.below(180)),
        28 => return rng.pick(BORDERS).as_bytes().to_vec(),
        _ if rng.chance(70) => return rng.pick(BORDERS).as_bytes().to_vec(),
        _ => return float(rng),
    };
    format!("{sign}{whole}.{decimals:06}").into_bytes()
}

pub(crate) fn metres(rng: &mut Rng) -> Vec<u8> {
    match rng.below(20) {
        0..=16 => {
            let magnitude = u32::try_from(rng.below(8)).unwrap_or(0);
            format!("{}.{}", rng.below(10usize.pow(magnitude)), rng.below(100)).into_bytes()
        }
        17 => rng.pick(&["0", "-1", "1e300", "inf", "1e10"]).as_bytes().to_vec(),
        _ => float(rng),
    }
}

pub(crate) fn results(rng: &mut Rng) -> Vec<u8> {
    match rng.below(20) {
        0..=16 => (1 + rng.below(20)).to_string().into_bytes(),
        17 => rng.pick(&["0", "-1", "9223372036854775807"]).as_bytes().to_vec(),
        _ => int(rng),
    }
}

/// Offsets of bits that no string may have.
const BIT_OFFSETS_TOO_GREAT: &[&str] = &[
    "4294967296",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551616",
];

pub(crate) fn bit_offset(rng: &mut Rng) -> Vec<u8> {
    match rng.below(20) {
        0..=15 => rng.below(500).to_string().into_bytes(),
        // Around the strings that are kept otherwise than short ones.
        16..=17 => (8100 + rng.below(200)).to_string().into_bytes(),
        18 => rng.pick(BIT_OFFSETS_TOO_GREAT).as_bytes().to_vec(),
        _ => rng.pick(NEARLY_NUMBERS).as_bytes().to_vec(),
    }
}

pub(crate) fn field_type(rng: &mut Rng) -> Vec<u8> {
    const WRONG: &[&str] =
        &["u64", "i65", "u0", "i0", "I8", "U8", "i", "8", "i08", "i-1", "", "i8 "];
    match rng.below(20) {
        0..=8 => format!("u{}", 1 + rng.below(63)).into_bytes(),
        9..=17 => format!("i{}", 1 + rng.below(64)).into_bytes(),
        18 => rng.pick(&["u8", "i8", "u16", "i32", "i64"]).as_bytes().to_vec(),
        _ => rng.pick(WRONG).as_bytes().to_vec(),
    }
}

pub(crate) fn field_offset(rng: &mut Rng) -> Vec<u8> {
    match rng.below(20) {
        0..=4 => format!("#{}", rng.below(20)).into_bytes(),
        5 => rng.pick(&["#", "#-1", "#a", "##1"]).as_bytes().to_vec(),
        _ => bit_offset(rng),
    }
}

/// A number of seconds from hours to years, a hundred apart.
fn far(rng: &mut Rng) -> u64 {
    let hundreds = u64::try_from(rng.below(1 << 20)).expect("less than 2^20");
    10_000 + hundreds * 100
}

pub(crate) fn seconds(rng: &mut Rng) -> Vec<u8> {
    relative(rng, 1)
}

pub(crate) fn millis(rng: &mut Rng) -> Vec<u8> {
    relative(rng, 1000)
}

/// Overflow as milliseconds since 1970, whichever unit they are given in; or have passed.
const OVERFLOWING: [&str; 4] =
    ["9223372036854775807", "9223372036854775000", "-9223372036854776", "9223372036854775808"];

fn relative(rng: &mut Rng, unit: u64) -> Vec<u8> {
    match rng.below(20) {
        0..=16 => (far(rng) * unit).to_string().into_bytes(),
        17 => rng.pick(&["0", "-1", "-1000", "-9223372036854775808"]).as_bytes().to_vec(),
        // Times 1000 or plus now, these overflow or just do not.
        18 => match rng.below(4) {
            0 => (9_000_000_000_000_000 / unit + far(rng) * unit).to_string().into_bytes(),
            _ => rng.pick(&OVERFLOWING).as_bytes().to_vec(),
        },
        _ => rng.pick(NEARLY_NUMBERS).as_bytes().to_vec(),
    }
}

pub(crate) fn unix_seconds(rng: &mut Rng) -> Vec<u8> {
    absolute(rng, 1)
}

pub(crate) fn unix_millis(rng: &mut Rng) -> Vec<u8> {
    absolute(rng, 1000)
}

fn absolute(rng: &mut Rng, unit: u64) -> Vec<u8> {
    // The year 2100, far beyond every relative time.
    const FUTURE: u64 = 4_102_444_800;
    match rng.below(20) {
        0..=15 => ((FUTURE + far(rng)) * unit).to_string().into_bytes(),
        16..=17 => rng.pick(&["0", "1", "-1", "1000000000"]).as_bytes().to_vec(),
        18 => rng.pick(&["9223372036854775807", "9223372036854775"]).as_bytes().to_vec(),
        _ => rng.pick(NEARLY_NUMBERS).as_bytes().to_vec(),
    }
}

pub(crate) fn database(rng: &mut Rng) -> Vec<u8> {
    match rng.below(20) {
        0..=16 => rng.below(4).to_string().into_bytes(),
        17 => rng.pick(&["15", "16", "-1", "99"]).as_bytes().to_vec(),
        18 => rng.pick(BORDERS).as_bytes().to_vec(),
        _ => rng.pick(NEARLY_NUMBERS).as_bytes().to_vec(),
    }
}

pub(crate) fn pattern(rng: &mut Rng) -> Vec<u8> {
    const PATTERNS: &[&[u8]] = &[
        b"*",
        b"a",
        b"key:*",
        b"*:?",
        b"[a-c]",
        b"[^a-c]*",
        b"?",
        b"",
        b"*\\*",
        b"a\\*[[]b]?*",
        b"[",
        b"[a",
        b"[^]",
        b"\\",
        b"*\xff*",
        b"{tag}*",
        b"[c-a]",
        b"**x",
        b"key:[1-2-]",
        b"short:*",
        b"long:[^1]",
        b"[\\a]",
        b"*\0*",
        b"nothing*",
        b"[]a]",
    ];
    rng.pick(PATTERNS).to_vec()
}

pub(crate) fn junk(rng: &mut Rng) -> Vec<u8> {
    match rng.below(3) {
        0 => rng.pick(BORDERS).as_bytes().to_vec(),
        1 => rng.pick(&["0", "-1", "-1000"]).as_bytes().to_vec(),
        _ => junk_without_numbers(rng),
    }
}

pub(crate) fn junk_without_numbers(rng: &mut Rng) -> Vec<u8> {
    const WORDS: &[&str] = &[
        "NX", "XX", "GET", "EX", "PX", "KEEPTTL", "COUNT", "MATCH", "TYPE", "DB", "REPLACE", "LEN",
        "IDX", "GT", "LT", "ASYNC", "PERSIST", "nonsense", "string", "*",
    ];
    match rng.below(4) {
        0 => rng.pick(NEARLY_NUMBERS).as_bytes().to_vec(),
        1 => {
            let length = rng.between(0, 12);
            rng.bytes(length)
        }
        2 => text(rng.between(100, 200), rng),
        _ => rng.pick(WORDS).as_bytes().to_vec(),
    }
}

fn text(length: usize, rng: &mut Rng) -> Vec<u8> {
    (0..length).map(|_| *rng.pick(b"abcdefghijklmnopqrstuvwxyz 0123456789-_")).collect()
}
