//! Scripts over the libraries that come with Lua: random tables, JSON, MessagePack and formats.

use crate::rng::Rng;

/// Shows all that a script returns as one text.
const SHOW: &str = include_str!("../data/lua-show.lua");

/// A script that calls a library, well or badly, and shows what comes of it.
pub(crate) fn draw(rng: &mut Rng) -> Vec<u8> {
    format!("{SHOW}return try(function() {} end)", body(rng)).into_bytes()
}

/// The body of a function.
pub(crate) fn body(rng: &mut Rng) -> String {
    match rng.below(16) {
        0..=2 => encode(rng),
        3..=5 => decode(rng),
        6 => settings(rng),
        7..=8 => pack(rng),
        9..=10 => unpack(rng),
        11..=14 => structs(rng),
        _ => bits(rng),
    }
}

/// One of these words.
fn pick<'a>(rng: &mut Rng, of: &'a [&'static str]) -> &'a str {
    rng.pick::<&str>(of)
}

const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "-1",
    "10",
    "11",
    "15",
    "16",
    "17",
    "0.5",
    "1.5",
    "-2.5",
    "0.1",
    "1/3",
    "1/0",
    "-1/0",
    "0/0",
    "-0",
    "127",
    "128",
    "255",
    "256",
    "-32",
    "-33",
    "-128",
    "-129",
    "32767",
    "32768",
    "65535",
    "65536",
    "-32769",
    "2147483647",
    "2147483648",
    "-2147483648",
    "-2147483649",
    "4294967295",
    "4294967296",
    "4294967297",
    "2^51",
    "2^53",
    "2^53+2",
    "-2^53",
    "2^62",
    "2^63",
    "-2^63",
    "2^64",
    "1e14",
    "1e15",
    "123456789012345",
    "99999999999999.9",
    "3.14159265358979",
    "1e100",
    "1e-5",
    "0.0001",
    "1e-300",
    "5e-324",
    "1.7976931348623157e308",
    "1e38",
    "3.4028234663852886e38",
    "16777217",
];

fn number(rng: &mut Rng) -> String {
    match rng.below(6) {
        0..=2 => pick(rng, NUMBERS).to_owned(),
        3 => format!("{}", rng.below(40)),
        4 => format!("{}.{}", rng.below(1000), rng.below(100_000)),
        _ => {
            format!("{}e{}", rng.below(10_000_000), pick(rng, &["-9", "-3", "2", "7", "12", "30"]))
        }
    }
}

/// A literal of Lua.
fn literal(bytes: &[u8]) -> String {
    let mut text = String::from("'");
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b" []{}:,.+-_<>!".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("\\{byte:03}"));
        }
    }
    text.push('\'');
    text
}

fn bytes(rng: &mut Rng) -> Vec<u8> {
    let len = match rng.below(8) {
        0 => rng.between(30, 34),
        1 => rng.between(250, 260),
        _ => rng.below(8),
    };
    (0..len)
        .map(|_| match rng.below(4) {
            0 => u8::try_from(rng.below(256)).unwrap_or(0),
            1 => *rng.pick(b"\"\\/\x08\x0c\n\r\t\0\x1f\x7f\xc3\xa9"),
            _ => *rng.pick(b"abcxyz019"),
        })
        .collect()
}

fn string(rng: &mut Rng) -> String {
    literal(&bytes(rng))
}

/// Something that may be a key.
fn key(rng: &mut Rng) -> String {
    match rng.below(12) {
        0..=4 => rng.below(14).to_string(),
        // Longer strings are hashed otherwise by the Lua of Redis, which shows in the order of keys.
        5..=8 => {
            let mut bytes = bytes(rng);
            bytes.truncate(31);
            literal(&bytes)
        }
        9 => pick(rng, &["true", "1/0", "1.5", "-1", "2^31", "2^32+1", "2^53", "cjson.null"])
            .to_owned(),
        _ => number(rng).replace("0/0", "0"),
    }
}

/// An expression; tables are nested as deep as `depth`.
fn value(rng: &mut Rng, depth: usize) -> String {
    match rng.below(if depth == 0 { 7 } else { 11 }) {
        0..=2 => number(rng),
        3..=4 => string(rng),
        5 => pick(rng, &["true", "false", "nil", "cjson.null"]).to_owned(),
        6 if rng.chance(10) => pick(rng, &["cjson.encode", "function() end"]).to_owned(),
        6 => format!("string.rep({}, {})", literal(&bytes(rng)), rng.below(20)),
        7..=8 => {
            let items: Vec<_> = (0..rng.below(6)).map(|_| value(rng, depth - 1)).collect();
            format!("{{{}}}", items.join(","))
        }
        9 => {
            let pairs: Vec<_> = (0..rng.below(6))
                .map(|_| format!("[{}]={}", key(rng), value(rng, depth - 1)))
                .collect();
            format!("{{{}}}", pairs.join(","))
        }
        _ => format!("{{{},[{}]={}}}", value(rng, depth - 1), key(rng), value(rng, depth - 1)),
    }
}

fn values(rng: &mut Rng, count: usize) -> String {
    let all: Vec<_> = (0..count).map(|_| value(rng, 3)).collect();
    all.join(",")
}

fn encode(rng: &mut Rng) -> String {
    let count = if rng.chance(4) { rng.below(3) } else { 1 };
    format!("return cjson.encode({})", values(rng, count))
}

/// Changes some bytes now and then.
fn spoil(rng: &mut Rng, mut bytes: Vec<u8>, with: &[u8]) -> Vec<u8> {
    if rng.chance(40) {
        for _ in 0..rng.between(1, 3) {
            let at = rng.below(bytes.len() + 1);
            let byte = *rng.pick(with);
            match rng.below(4) {
                0 => bytes.truncate(at),
                1 if at < bytes.len() => drop(bytes.remove(at)),
                2 if at < bytes.len() => bytes[at] = byte,
                _ => bytes.insert(at, byte),
            }
        }
    }
    bytes
}

const JSON_SCALARS: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "1.5",
    "-0",
    "1e5",
    "1E-3",
    "01",
    "-01",
    "0x10",
    "0x1p3",
    "1.",
    ".5",
    "+1",
    "inf",
    "-inf",
    "nan",
    "NaN",
    "nan(1)",
    "Infinity",
    "1e999",
    "1e-999",
    "12345678901234567890",
    "\"\"",
    "\"a\"",
    "\"\\n\\t\\\"\\\\\\/\"",
    "\"\\u00e9\\u20ac\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud83d\"",
    "\"\\udc00\"",
    "\"\\u12\"",
    "\"\\x\"",
    "\"\u{e9}\u{1f600}\"",
    "tru",
    "nulll",
    "'a'",
];

fn json(rng: &mut Rng, depth: usize, out: &mut String) {
    let blank =
        |rng: &mut Rng| if rng.chance(8) { pick(rng, &[" ", "\n", "\t", "\r"]) } else { "" };
    out.push_str(blank(rng));
    match rng.below(if depth == 0 { 2 } else { 5 }) {
        0..=1 => out.push_str(if rng.chance(15) {
            pick(rng, JSON_SCALARS)
        } else {
            pick(rng, &JSON_SCALARS[..10])
        }),
        2..=3 => {
            out.push('[');
            for place in 0..rng.below(5) {
                out.push_str(if place > 0 { "," } else { "" });
                json(rng, depth - 1, out);
            }
            out.push(']');
        }
        _ => {
            out.push('{');
            for place in 0..rng.below(5) {
                out.push_str(if place > 0 { "," } else { "" });
                out.push_str(pick(
                    rng,
                    &["\"a\"", "\"b\" ", "\"\"", "\"\\u0041\"", "\"1\"", "a", "1"],
                ));
                out.push(':');
                json(rng, depth - 1, out);
            }
            out.push('}');
        }
    }
    out.push_str(blank(rng));
}

fn json_text(rng: &mut Rng) -> String {
    let mut text = String::new();
    json(rng, 4, &mut text);
    literal(&spoil(rng, text.into_bytes(), b"[]{}:,\"\\ 01-+.eExutnfi\0\xff/"))
}

fn decode(rng: &mut Rng) -> String {
    match rng.below(6) {
        0 => format!("return cjson.encode(cjson.decode({}))", json_text(rng)),
        1 => format!(
            "local c = cjson.new() c.decode_invalid_numbers(false) return c.decode({})",
            json_text(rng)
        ),
        _ => format!("return cjson.decode({})", json_text(rng)),
    }
}

const SETTINGS: &[&str] = &[
    "encode_sparse_array",
    "encode_max_depth",
    "decode_max_depth",
    "encode_number_precision",
    "encode_keep_buffer",
    "encode_invalid_numbers",
    "decode_invalid_numbers",
];

fn settings(rng: &mut Rng) -> String {
    let mut text = String::from("local c = cjson.new() ");
    for _ in 0..rng.between(1, 3) {
        let arguments: Vec<_> = (0..rng.below(4))
            .map(|_| match rng.below(4) {
                0 => pick(rng, &["true", "false", "nil", "'on'", "'off'", "'null'", "'x'"])
                    .to_owned(),
                1 => number(rng),
                _ => rng.below(5).to_string(),
            })
            .collect();
        let call = format!("pcall(c.{}, {})", pick(rng, SETTINGS), arguments.join(","));
        text.push_str(&call.replace(", )", ")"));
        text.push(' ');
    }
    let shown: Vec<_> = SETTINGS.iter().map(|name| format!("c.{name}()")).collect();
    let last = match rng.below(3) {
        0 => shown.join(","),
        1 => format!("c.encode({})", value(rng, 4)),
        _ => format!("c.decode({})", json_text(rng)),
    };
    text + "return " + &last
}

fn pack(rng: &mut Rng) -> String {
    let count = if rng.chance(2) { 0 } else { rng.between(1, 4) };
    format!("return cmsgpack.pack({})", values(rng, count))
}

/// Bytes that are MessagePack, or nearly.
fn message(rng: &mut Rng, depth: usize, out: &mut Vec<u8>) {
    let byte = |rng: &mut Rng| u8::try_from(rng.below(256)).unwrap_or(0);
    match rng.below(if depth == 0 { 6 } else { 9 }) {
        0 => out.push(byte(rng) & 0x7f),
        1 => out.push(byte(rng) | 0xe0),
        2 => {
            let len = rng.below(4);
            out.push(0xa0 | u8::try_from(len).unwrap_or(0));
            out.extend((0..len).map(|_| byte(rng)));
        }
        3 => out.extend([*rng.pick(&[0xc0, 0xc2, 0xc3])]),
        4 => {
            let (mark, len) =
                *rng.pick(&[(0xca, 4), (0xcb, 8), (0xcc, 1), (0xcd, 2), (0xce, 4), (0xcf, 8)]);
            out.push(mark);
            out.extend((0..len).map(|_| byte(rng)));
        }
        5 => {
            let (mark, len) =
                *rng.pick(&[(0xd0, 1), (0xd1, 2), (0xd2, 4), (0xd3, 8), (0xd9, 1), (0xda, 2)]);
            out.push(mark);
            out.extend((0..len).map(|_| *rng.pick(&[0, 0, 1, 2, 0x80, 0xff])));
        }
        6..=7 => {
            let len = rng.below(4);
            out.push(0x90 | u8::try_from(len).unwrap_or(0));
            (0..len).for_each(|_| message(rng, depth - 1, out));
        }
        _ => {
            let len = rng.below(4);
            out.push(0x80 | u8::try_from(len).unwrap_or(0));
            (0..2 * len).for_each(|_| message(rng, depth - 1, out));
        }
    }
}

fn unpack(rng: &mut Rng) -> String {
    let mut bytes = Vec::new();
    for _ in 0..rng.between(1, 4) {
        message(rng, 3, &mut bytes);
    }
    let input = match rng.below(4) {
        0 => format!("cmsgpack.pack({})", values(rng, 1)),
        _ => literal(&spoil(rng, bytes, b"\0\x01\x91\x81\xa2\xc0\xc1\xc4\xd4\xdc\xdd\xde\xdf\xff")),
    };
    let place = |rng: &mut Rng| {
        if rng.chance(15) { number(rng) } else { rng.below(6).to_string() }
    };
    match rng.below(5) {
        0 => format!("return cmsgpack.unpack_one({input}, {})", place(rng)),
        1 => format!("return cmsgpack.unpack_limit({input}, {}, {})", place(rng), place(rng)),
        _ => format!("return cmsgpack.unpack({input})"),
    }
}

const OPTIONS: &[&str] = &[
    "b", "B", "h", "H", "i", "I", "l", "L", "T", "f", "d", "s", "c", "c0", "c2", "c5", "x", "<",
    ">", "!", "!2", "!4", "!8", "!16", " ", "i1", "i3", "I5", "i8", "i9", "I16", "i32",
];
const ODD_OPTIONS: &[&str] =
    &["!3", "!0", "i0", "i33", "i2147483648", "c99999999999", "z", "=", "4", "\\n", "\\0", "#"];

fn format_text(rng: &mut Rng) -> String {
    let mut text = String::new();
    for _ in 0..rng.below(7) {
        text.push_str(if rng.chance(3) { pick(rng, ODD_OPTIONS) } else { pick(rng, OPTIONS) });
    }
    text
}

fn structs(rng: &mut Rng) -> String {
    let format = format_text(rng);
    match rng.below(8) {
        0 => format!("return struct.size('{format}')"),
        1..=3 => {
            let arguments: Vec<_> = (0..rng.below(7))
                .map(|_| match rng.below(4) {
                    0 => string(rng),
                    1 => format!("'{}'", rng.below(300)),
                    _ => number(rng),
                })
                .collect();
            let call = format!("return struct.pack('{format}', {})", arguments.join(","));
            call.replace(", )", ")")
        }
        4..=6 => {
            let data = if rng.chance(30) { bytes(rng) } else { [bytes(rng), bytes(rng)].concat() };
            let data = format!("{}..{}", literal(&data), string(rng));
            let place = if rng.chance(12) { number(rng) } else { (1 + rng.below(4)).to_string() };
            format!("return struct.unpack('{format}', {data}, {place})")
        }
        _ => format!(
            "return struct.unpack('{format}', struct.pack('{format}', {}, {}, {}, {}))",
            number(rng),
            number(rng),
            number(rng),
            number(rng)
        ),
    }
}

fn bits(rng: &mut Rng) -> String {
    let name = pick(
        rng,
        &[
            "tobit", "bnot", "band", "bor", "bxor", "lshift", "rshift", "arshift", "rol", "ror",
            "bswap", "tohex",
        ],
    );
    let arguments: Vec<_> =
        (0..rng.below(4)).map(|_| if rng.chance(6) { string(rng) } else { number(rng) }).collect();
    format!("return bit.{name}({})", arguments.join(","))
}
