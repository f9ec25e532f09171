//! The libraries as scripts see them, in an interpreter of their own.

use super::super::lua::{lua_State, push_bytes, string_at};
use super::*;
use std::fmt::Write;

/// Shows values as text; see there.
const SHOW: &str = include_str!("../../../tests/data/lua-show.lua");
/// Snippets and what Redis 7.0.15 replies to them.
const REPLIES: &str = include_str!("../../../tests/data/lua-libraries.tsv");

/// An interpreter with Lua's libraries and ours.
struct Lua {
    state: *mut lua_State,
    /// Boxed, as the functions know its place.
    #[expect(clippy::box_collection, reason = "its place must not change")]
    _scratch: Box<Vec<u8>>,
}

impl Lua {
    fn new() -> Lua {
        let mut scratch = Box::default();
        // SAFETY: the buffer lives as long as the state.
        let state = unsafe {
            let state = ffi::luaL_newstate();
            for (name, open) in [
                (c"", ffi::luaopen_base as Opener),
                (c"table", ffi::luaopen_table),
                (c"string", ffi::luaopen_string),
                (c"math", ffi::luaopen_math),
            ] {
                ffi::lua_pushcclosure(state, open, 0);
                ffi::lua_pushstring_(state, name.as_ptr());
                ffi::lua_call(state, 1, 0);
            }
            open(state, &raw mut *scratch);
            ffi::lua_settop(state, 0);
            state
        };
        Lua { state, _scratch: scratch }
    }

    /// What a script returns, as a string, or its error.
    fn run(&mut self, script: &[u8]) -> Vec<u8> {
        // SAFETY: the state is ours; what comes back is copied before it goes.
        unsafe {
            let name = c"@user_script".as_ptr();
            ffi::luaL_loadbuffer(self.state, script.as_ptr().cast(), script.len(), name);
            ffi::lua_pcall(self.state, 0, 1, 0);
            let text = string_at(self.state, -1).unwrap_or(b"no string").to_vec();
            ffi::lua_settop(self.state, 0);
            text
        }
    }

    /// What the body of a function returns, all of it, or its error, shown as text.
    fn show(&mut self, body: &str) -> String {
        let script = format!("{SHOW}return try(function() {body} end)");
        printable(&self.run(script.as_bytes()))
    }

    /// Sets a global to a string.
    fn set(&mut self, name: &CStr, value: &[u8]) {
        // SAFETY: the state is ours, and nothing but the argument is owned, elsewhere.
        unsafe {
            push_bytes(self.state, value);
            ffi::lua_setfield(self.state, ffi::LUA_GLOBALSINDEX, name.as_ptr());
        }
    }
}

type Opener = unsafe extern "C-unwind" fn(*mut lua_State) -> c_int;

impl Drop for Lua {
    fn drop(&mut self) {
        // SAFETY: nothing uses it any more.
        unsafe { ffi::lua_close(self.state) };
    }
}

/// `\xNN` for what is not printable, as in the file of replies.
fn printable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => write!(text, "\\x{byte:02x}").unwrap(),
        }
    }
    text
}

/// Compares a file of replies; how many rows it has.
fn compare(replies: &str) -> usize {
    let mut lua = Lua::new();
    let mut rows = 0;
    let mut wrong = String::new();
    for row in replies.lines().filter(|row| !row.starts_with('#')) {
        let (body, expected) = row.split_once('\t').unwrap();
        let shown = lua.show(body);
        rows += 1;
        if shown != expected {
            writeln!(wrong, "{body}\n  wanted {expected:.300}\n  got    {shown:.300}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    rows
}

#[test]
fn scripts_see_what_they_see_in_redis() {
    let rows = compare(REPLIES);
    assert!(rows > 700, "only {rows} rows");
}

#[test]
fn cve_2018_11218_msgpack_of_any_depth_and_length_ends_in_an_error() {
    let mut lua = Lua::new();
    for (body, expected) in [
        (
            "return cmsgpack.unpack(string.rep('\\145', 1000000))",
            "- user_script:30: stack overflow (in function mp_decode_to_lua_array)",
        ),
        (
            "return cmsgpack.unpack(string.rep('\\129\\1', 1000000))",
            "- user_script:30: stack overflow (too many return values at once; use \
             unpack_one or unpack_limit instead.)",
        ),
        (
            "return cmsgpack.unpack('\\221\\255\\255\\255\\255')",
            "- user_script:30: Missing bytes in input.",
        ),
        (
            "return cmsgpack.unpack('\\219\\255\\255\\255\\255abc')",
            "- user_script:30: Missing bytes in input.",
        ),
        ("local t = {} for i = 1, 10 do t = {t, t} end return #cmsgpack.pack(t)", "+ 2047"),
    ] {
        assert_eq!(lua.show(body), expected, "{body}");
    }
}

#[test]
fn cve_2018_11219_and_2020_14147_sizes_of_structs_do_not_overflow() {
    let mut lua = Lua::new();
    for (body, expected) in [
        (
            "return struct.unpack('c2147483647c2147483647', 'abc')",
            "bad argument #2 to 'unpack' (data string too short)",
        ),
        ("return struct.pack('c2147483648', 'a')", "integral size overflow"),
        ("return struct.unpack('I4294967297', 'a')", "integral size overflow"),
        (
            "return struct.unpack('!3d', 'abcdefgh', 100)",
            "bad argument #2 to 'unpack' (data string too short)",
        ),
        (
            "return struct.unpack('d', 'abcdefgh', -1)",
            "bad argument #2 to 'unpack' (data string too short)",
        ),
        (
            "return struct.unpack('I8c0', string.rep('\\254', 9))",
            "bad argument #2 to 'unpack' (data string too short)",
        ),
        (
            "return struct.unpack('!32i32', string.rep('a', 100), 9223372036854775800)",
            "bad argument #2 to 'unpack' (data string too short)",
        ),
    ] {
        let shown = lua.show(body);
        assert!(shown.contains(expected), "{body}: {shown}");
    }
}

#[test]
fn deep_json_ends_in_an_error() {
    let mut lua = Lua::new();
    let shown = lua.show("return cjson.decode(string.rep('[', 1000000))");
    assert!(shown.contains("too many nested data structures (1001)"), "{shown}");
    lua.show("cjson.decode_max_depth(2147483647) cjson.encode_max_depth(2147483647)");
    let shown = lua.show("return cjson.decode(string.rep('{\"a\":[', 1000000))");
    assert!(shown.contains("too many nested data structures"), "{shown}");
    let shown = lua.show("local t = {} for i = 1, 1000000 do t = {t} end return cjson.encode(t)");
    assert!(shown.contains("Cannot serialise, excessive nesting (7998)"), "{shown}");
}

#[test]
fn cve_2022_24834_long_strings_are_escaped_whole() {
    let mut lua = Lua::new();
    let body = "local s = string.rep('\\1', 10000000) local j = cjson.encode({[s] = s})
        return #j, cjson.decode(j)[s] == s";
    assert_eq!(lua.show(body), "+ 120000007 ; true");
}

#[test]
fn cve_2024_31449_hex_digits_of_an_extreme_width() {
    let mut lua = Lua::new();
    assert_eq!(
        lua.show("return bit.tohex(65535, -2147483648), bit.tohex(-1, 2147483647)"),
        "+ \"0000FFFF\" ; \"ffffffff\""
    );
}

/// The string is in the buffer where the frames are.
#[test]
fn escapes_that_start_a_nested_array_leave_the_frames_alone() {
    let mut lua = Lua::new();
    let body =
        r#"return cjson.decode('{"a\\n":[["\\n",["\\t"]],{"\\r":["\\/"]}],"b":["\\u0041"]}')"#;
    assert_eq!(
        lua.show(body),
        r#"+ {["a\\n"]={[1]={[1]="\\n",[2]={[1]="\x09"}},[2]={["\\r"]={[1]="/"}}},["b"]={[1]="A"}}"#
    );
}

#[test]
fn empty_arrays_stay_arrays_once_they_are_marked() {
    let mut lua = Lua::new();
    let body = "return cjson.encode(cjson.decode('{\"a\":[],\"b\":[1]}'))";
    lua.show("cjson.decode_array_with_array_mt(true)");
    assert_eq!(lua.show(body), r#"+ "{\\"a\\":[],\\"b\\":[1]}""#);
    let grown = "local t = cjson.decode('[]') t[1] = 5 return cjson.encode(t)";
    assert_eq!(lua.show(grown), r#"+ "[5]""#);
    let other = "local t = cjson.decode('[]') t.x = 5 return cjson.encode(t)";
    assert_eq!(lua.show(other), r#"+ "{\\"x\\":5}""#);
    assert_eq!(lua.show("return cjson.new().decode_array_with_array_mt()"), "+ false");
    lua.show("cjson.decode_array_with_array_mt(false)");
    assert_eq!(lua.show("return cjson.encode(cjson.decode('[]'))"), r#"+ "{}""#);
}

#[test]
fn instances_have_settings_of_their_own_and_are_collected() {
    let mut lua = Lua::new();
    let body = "local last
        for i = 1, 2000 do
            last = cjson.new() last.encode_max_depth(i) last.encode_keep_buffer(i % 2 == 0)
            last.encode({{{}}, i})
        end
        collectgarbage() collectgarbage()
        return last.encode_max_depth(), cjson.encode_max_depth(), collectgarbage('count') < 2000";
    let shown = lua.show(&body.replace("last.encode({", "pcall(last.encode, {"));
    assert_eq!(shown, "+ 2000 ; 1000 ; true");
}

/// A generator of bytes that look like input now and then.
struct Bytes(u64);

impl Bytes {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        self.0 >> 33
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next()).unwrap() % limit
    }

    fn text(&mut self, alphabet: &[&[u8]]) -> Vec<u8> {
        let mut text = Vec::new();
        for _ in 0..self.below(24) {
            match self.below(12) {
                0 => text.push(u8::try_from(self.below(256)).unwrap()),
                _ => text.extend_from_slice(alphabet[self.below(alphabet.len())]),
            }
        }
        text
    }
}

/// Runs a function over many inputs; each ends in a value or an error, and nothing else.
fn hammer(call: &str, rounds: usize, alphabet: &[&[u8]]) {
    let mut lua = Lua::new();
    let mut bytes = Bytes(u64::try_from(rounds).unwrap());
    lua.run(
        format!("{SHOW}show_it = function() return try(function() return {call} end) end")
            .as_bytes(),
    );
    let (mut values, mut errors) = (0, 0);
    for _ in 0..rounds {
        let input = bytes.text(alphabet);
        lua.set(c"input", &input);
        lua.set(c"other", &bytes.text(alphabet));
        let shown = lua.run(b"return show_it()");
        match shown.as_slice() {
            [b'+', ..] => values += 1,
            [b'-', ..] => errors += 1,
            _ => panic!("{} for {}", printable(&shown), printable(&input)),
        }
    }
    assert!(values > rounds / 100 && errors > rounds / 100, "{values} values, {errors} errors");
}

#[test]
fn random_bytes_into_decode_give_a_value_or_an_error() {
    let alphabet: [&[u8]; 21] = [
        b"[",
        b"]",
        b"{",
        b"}",
        b":",
        b",",
        b"\"",
        b"\"a\"",
        b"\\u",
        b"\\ud83d",
        b"\\n",
        b"1",
        b"-",
        b"0x",
        b"e5",
        b".",
        b"true",
        b"null",
        b"nan",
        b" ",
        b"[[1],{\"a\":{}}]",
    ];
    hammer("cjson.decode(input)", 40_000, &alphabet);
}

#[test]
fn random_bytes_into_unpack_give_values_or_an_error() {
    let alphabet: [&[u8]; 16] = [
        b"\x01",
        b"\x91",
        b"\x92",
        b"\x81",
        b"\x82",
        b"\xa1a",
        b"\xa5",
        b"\xc0",
        b"\xc3",
        b"\xca",
        b"\xcb",
        b"\xcd\x01",
        b"\xdc\x00\x02",
        b"\xde\x00\x01",
        b"\xd9\x03abc",
        b"\xff",
    ];
    hammer("cmsgpack.unpack(input)", 40_000, &alphabet);
}

#[test]
fn random_formats_into_struct_give_values_or_an_error() {
    let alphabet: [&[u8]; 20] = [
        b"b", b"H", b"i", b"I3", b"l", b"T", b"f", b"d", b"s", b"c0", b"c2", b"x", b"<", b">",
        b"!", b"!4", b" ", b"\0", b"\x01", b"i9",
    ];
    hammer("struct.unpack(input, other)", 40_000, &alphabet);
    hammer("struct.pack(input, 1, 2, 'abc', 'de', 5)", 20_000, &alphabet);
}
