//! Every known fault of Redis's Lua, by its number: what reached it is an error or a value here, and the
//! server goes on. `docs/security.md` lists them.

use crate::command::testing::Bench;

/// Whether the reply to a script holds a text; others go on as if nothing had been.
#[track_caller]
fn check(script: &str, expected: &str) {
    check_on(&mut Bench::new(), script, expected);
}

#[track_caller]
fn check_on(bench: &mut Bench, script: &str, expected: &str) {
    let got = String::from_utf8_lossy(&bench.raw(&["EVAL", script, "0"])).into_owned();
    assert!(got.contains(expected), "{script}: {got}");
    let other = "return {('x'):rep(3), #cjson.encode({1}), struct.size('i'), bit.tohex(1), tostring(KEYS[1])}";
    assert_eq!(
        String::from_utf8_lossy(&bench.raw(&["EVAL", other, "0"])),
        "*5\r\n$3\r\nxxx\r\n:3\r\n:4\r\n$8\r\n00000001\r\n$3\r\nnil\r\n"
    );
}

#[test]
fn cve_2014_5461_functions_of_many_parameters_have_room() {
    let make = "local p = {} for i = 1, 100 do p[i] = 'a' .. i end \
                local list = table.concat(p, ',') \
                local f = loadstring('return function(' .. list .. ', ...) return ' .. list .. ' end')()";
    // A coroutine begins with a small stack.
    let small =
        "for i = 1, 1000 do coroutine.wrap(f)() end return select('#', coroutine.wrap(f)(1))";
    check(&format!("{make} {small}"), ":100");
    check(&format!("{make} return {{select('#', pcall(f)), pcall(f, 1)}}"), ":101");
}

#[test]
fn cve_2015_4335_bytecode_is_not_loaded() {
    for code in ["string.dump(function() end)", "'\\27Lua'", "'\\27LuaQ\\0\\1\\4\\8'"] {
        let refused = "unexpected symbol";
        check(
            &format!("return {{pcall(function() return assert(loadstring({code}))() end)}}"),
            refused,
        );
        let pieces =
            format!("local c = {code} local function next() local d = c c = nil return d end");
        check(
            &format!("{pieces} return {{pcall(function() return assert(load(next))() end)}}"),
            refused,
        );
    }
}

#[test]
fn cve_2015_8080_sizes_of_structs_are_bounded() {
    check("return {pcall(struct.pack, 'I2147483648', 10)}", "integral size");
    check("return {pcall(struct.unpack, 'I4294967297', 'x')}", "integral size overflow");
}

#[test]
fn cve_2018_11218_packed_counts_are_not_believed() {
    for bytes in ["\\221", "\\220\\221", "\\221\\221\\221"] {
        check(&format!("return {{pcall(cmsgpack.unpack, '{bytes}')}}"), "Missing bytes in input");
    }
    for head in ["\\221", "\\129"] {
        let script = format!("return {{pcall(cmsgpack.unpack, string.rep('{head}', 1e6))}}");
        check(&script, "*");
    }
    check("return {pcall(cmsgpack.unpack, '\\221\\255\\255\\255\\255')}", "Missing bytes in input");
    check("return {pcall(cmsgpack.unpack, '\\219\\255\\255\\255\\255')}", "Missing bytes in input");
    check("return {pcall(cmsgpack.unpack_limit, 'x', -1, 0)}", "*");
}

#[test]
fn cve_2018_11219_structs_are_not_read_beyond_their_end() {
    check("return {pcall(struct.unpack, 'c2147483647c2147483647', 'abc')}", "too short");
    check("return {pcall(struct.unpack, '>I2c0', '\\255\\255a')}", "too short");
    check("return {pcall(struct.unpack, 'I', 'abcd', 2147483647)}", "too short");
}

#[test]
fn cve_2020_14147_the_check_of_sizes_does_not_overflow() {
    check("return {pcall(struct.pack, 'c2147483648', 'a')}", "integral size overflow");
    check("return {pcall(struct.unpack, 'b!2147483649', 'a')}", "integral size overflow");
}

#[test]
fn cve_2021_32626_deep_values_do_not_use_up_the_stack() {
    let with_a_process_s_stack = std::thread::Builder::new().stack_size(8 << 20).spawn(|| {
        let deep = "local t = {} for i = 1, 100000 do t = {t} end ";
        check(&format!("{deep} return t"), "reached lua stack limit");
        check(&format!("{deep} return {{pcall(cjson.encode, t)}}"), "*");
        check(&format!("{deep} return #cmsgpack.pack(t)"), ":");
        check(
            "return {pcall(cjson.decode, string.rep('[', 1e6))}",
            "Found too many nested data structures",
        );
        check(
            "local t = {} for i = 1, 10000 do t[i] = i end return #cmsgpack.pack(unpack(t, 1, 7000))",
            ":",
        );
    });
    with_a_process_s_stack.expect("a thread").join().expect("no overflow");
}

#[test]
fn cve_2022_0543_nothing_loads_libraries() {
    for name in ["package", "require", "module", "io", "debug", "dofile", "loadfile", "print"] {
        check(&format!("return {name}"), &format!("nonexistent global variable '{name}'"));
    }
    for name in ["execute", "exit", "getenv", "remove", "rename", "tmpname", "setlocale"] {
        check(&format!("return tostring(os.{name})"), "nil");
    }
}

#[test]
fn cve_2022_24735_nobody_poisons_what_others_run() {
    for poison in [
        "redis.call = nil",
        "string.rep = nil",
        "getmetatable('').__index = {}",
        "getmetatable(_G).__index = nil",
        "rawset(_G, 'tostring', nil)",
        "rawset(string, 'rep', nil)",
        "_G.struct = nil",
        "setmetatable(_G, nil)",
        "setmetatable(cjson, {})",
        "table.insert(redis, 1)",
        "cjson.null = 1",
    ] {
        check(poison, "readonly table");
    }
}

#[test]
fn cve_2022_24736_the_handler_of_errors_is_out_of_reach() {
    check("return __redis__err__handler", "nonexistent global variable '__redis__err__handler'");
    check("return __redis__compare_helper", "nonexistent global variable");
    check("return {xpcall(function() error('x') end, error)}", "*");
    check(
        "error(setmetatable({}, {__index = function() error('y') end, __tostring = error}))",
        "-",
    );
    check(
        "local t = {err = 'z'} setmetatable(t, {__index = error, __newindex = error}) error(t)",
        "-z",
    );
}

#[test]
fn cve_2022_24834_what_is_encoded_has_a_bound() {
    check("return {pcall(cjson.encode, string.rep('\\1', 1e8))}", "too much output");
}

#[test]
fn cve_2024_31449_hexadecimal_digits_have_a_bound() {
    for count in ["-2147483648", "2147483647", "-1e300", "4294967296"] {
        check(&format!("return {{pcall(bit.tohex, -1, {count})}}"), "*");
    }
    check("return bit.tohex(65535, -2147483648)", "0000FFFF");
}

#[test]
fn cve_2024_46981_scripts_have_no_finalizers() {
    check("return newproxy", "nonexistent global variable 'newproxy'");
    let script = "local ran = 0 do setmetatable({}, {__gc = function() ran = 1 end}) end
        collectgarbage() collectgarbage() return ran";
    check(script, ":0");
    // What scripts leave to the collector is collected while another script runs, or none.
    let mut bench = Bench::new();
    let garbage = "local t = {} for i = 1, 1e4 do t[i] = coroutine.create(function() error(t) end) end return 1";
    check_on(&mut bench, garbage, ":1");
    for flush in [["SCRIPT", "FLUSH", "SYNC"], ["SCRIPT", "FLUSH", "ASYNC"]] {
        assert_eq!(bench.raw(&flush), b"+OK\r\n");
        check_on(&mut bench, garbage, ":1");
    }
}

#[test]
fn cve_2025_46817_ranges_do_not_overflow() {
    for range in [
        "0, 2147483647",
        "-2147483648, 2147483647",
        "1, 2147483647",
        "2147483647 - 1e6, 2147483647",
    ] {
        check(&format!("return {{pcall(unpack, {{}}, {range})}}"), "too many results to unpack");
    }
    check("return {unpack({1}, 2147483647, 2147483647)}", "*0");
}

#[test]
fn cve_2025_46818_metatables_of_basic_types_are_locked() {
    check("getmetatable('').__index = {}", "readonly table");
    check("rawset(getmetatable(''), 'x', 1)", "readonly table");
    check("setmetatable(getmetatable(''), {})", "readonly table");
    check("getmetatable('').__index.rep = nil", "readonly table");
    for value in ["1", "true", "nil", "print", "coroutine.create(function() end)", "cjson.null"] {
        let value = value.replace("print", "type"); // which there is
        check(&format!("return tostring(getmetatable({value}))"), "nil");
    }
}

/// Joined one by one, the pieces would take as much time as the square of their number, which nothing interrupts.
#[test]
fn a_chunk_may_come_in_many_pieces() {
    check(
        "local n, piece = 0, '--' .. string.rep('x', 10000) .. '\\n' return load(function() n = n + 1 \
         if n <= 4000 then return piece end return ({'re', 'turn ', 4, 2})[n - 4000] end)()",
        ":42",
    );
}

#[test]
fn cve_2025_46819_long_strings_are_read_within_bounds() {
    check(
        "local e = string.rep('=', 1e6) return #loadstring('return [' .. e .. '[xyz]' .. e .. ']')()",
        ":3",
    );
    check("return {loadstring('return [' .. string.rep('=', 1e6))}", "*");
    check("return {loadstring('--[' .. string.rep('=', 1e6) .. '[')}", "*");
    check("return {loadstring('[' .. string.rep('=', 1e6) .. ']')}", "*");
    check("return {loadstring('x = [==[' .. string.rep(']=', 1e6))}", "*");
}

/// The name of a chunk is collected while it is parsed.
#[test]
fn cve_2025_49844_the_collector_rests_while_a_chunk_is_parsed() {
    let script = "collectgarbage('setpause', 0) collectgarbage('setstepmul', 1000000)
        for i = 1, 200 do
            local f = loadstring('local a = {' .. string.rep('\"' .. i .. 'x\",', 200) .. '} return #a', 'n' .. i)
            assert(f() == 200)
        end return 1";
    check(script, ":1");
    let by_pieces = "local function source(text)
            return function() local t = text text = nil return t end
        end
        for i = 1, 200 do
            local text = 'local a = {' .. string.rep('\"' .. i .. 'y\",', 200) .. '} return #a'
            assert(load(source(text), 'm' .. i)() == 200)
        end return 2";
    check(by_pieces, ":2");
}
