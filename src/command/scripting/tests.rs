//! Tests of scripts.

use crate::command::testing::{Bench, check};

#[test]
fn scripts_return_values() {
    check("EVAL 'return 1.9' 0; EVAL 'return true' 0; EVAL 'return nil' 0", ":1 :1 $_");
    check("EVAL 'return {1,{2,\"x\"},nil,3}' 0", "[:1 [:2 $x]]");
    check("EVAL 'return {KEYS[1],ARGV[1],#KEYS,#ARGV}' 1 k a b", "[$k $a :1 :2]");
}

/// The errors of Redis 7.0.15, but for the name of the script, which is made here.
#[track_caller]
fn check_error(script: &str, error: &str) {
    let name = crate::script::sha1_hex(script.as_bytes());
    let name = String::from_utf8_lossy(&name).into_owned();
    let mut bench = Bench::new();
    let reply = String::from_utf8(bench.raw(&["EVAL", script, "0"])).expect("text");
    assert_eq!(reply, format!("-ERR {error} script: {name}, on @user_script:1.\r\n"), "{script}");
}

#[test]
fn errors_say_where() {
    for (script, error) in [
        ("foo=1", "user_script:1: Attempt to modify a readonly table"),
        ("redis.x=1", "user_script:1: Attempt to modify a readonly table"),
        ("rawset(_G,'a',1)", "Attempt to modify a readonly table"),
        ("table.insert(redis,1)", "Attempt to modify a readonly table"),
        ("setmetatable(_G,{})", "Attempt to modify a readonly table"),
        ("getmetatable('').__index=1", "user_script:1: Attempt to modify a readonly table"),
        ("getmetatable(_G).__index=1", "user_script:1: Attempt to modify a readonly table"),
        (
            "return foo",
            "user_script:1: Script attempted to access nonexistent global variable 'foo'",
        ),
        ("return redis.call('get')", "Wrong number of args calling Redis command from script"),
        ("return redis.call('nosuch')", "Unknown Redis command called from script"),
        ("return redis.call('multi')", "This Redis command is not allowed from script"),
        ("error('boom')", "user_script:1: boom"),
        ("error()", "nil"),
        ("return unpack({1},1,1e8)", "user_script:1: too many results to unpack"),
    ] {
        check_error(script, error);
    }
}

#[test]
fn functions_are_loaded_and_called() {
    let library =
        r##""#!lua name=a\nredis.register_function('f',function(k,a) return {k,a} end)""##;
    check(&format!("FUNCTION LOAD {library}; FCALL f 1 k v"), "$a [[$k] [$v]]");
    check(
        &format!("FUNCTION LOAD {library}; FUNCTION DELETE a; FCALL f 0"),
        "$a +OK -ERR Function not found",
    );
    let error = "-ERR Library 'a' already exists";
    check(&format!("FUNCTION LOAD {library}; FUNCTION LOAD {library}"), &format!("$a {error}"));
    check(
        &format!("FUNCTION LOAD {library}; FCALL_RO f 0"),
        "$a -ERR Can not execute a script with write flag using *_ro command.",
    );
    let outside = r##""#!lua name=b\nreturn redis.call('get','x')""##;
    check(
        &format!("FUNCTION LOAD {outside}"),
        "-ERR Error registering functions: ERR user_function:2: Script attempted to access \
         nonexistent global variable 'call'",
    );
}

#[test]
fn random_numbers_are_redis_s() {
    check(
        "EVAL 'return math.random()*1000000' 0; EVAL 'return {math.random(10),math.random(10)}' 0",
        ":396464 [:9 :4]",
    );
    check("EVAL 'math.randomseed(5) return {math.random(100),math.random(5,7)}' 0", "[:53 :5]");
}

/// Faults of Lua 5.1.5 that must stay out of reach: each is an error or a value, and the server goes on.
#[test]
fn known_faults_of_lua_are_kept_out() {
    for (fault, script, reply) in [
        (
            "CVE-2025-46817",
            "return {pcall(unpack, {}, 0, 2147483647)}",
            "too many results to unpack",
        ),
        (
            "CVE-2025-46817",
            "return {pcall(unpack, {}, -2147483648, 2147483647)}",
            "too many results",
        ),
        ("CVE-2025-46818", "getmetatable('').__index = {}", "readonly table"),
        ("CVE-2025-46818", "rawset(getmetatable(''), 'x', 1)", "readonly table"),
        ("CVE-2022-0543", "return package", "nonexistent global variable 'package'"),
        ("CVE-2024-46981", "return newproxy", "nonexistent global variable 'newproxy'"),
        ("bytecode", "return {loadstring(string.dump(function() end))}", "*0"),
        ("environments", "return getfenv", "nonexistent global variable 'getfenv'"),
        ("patterns", "return string.find('', string.rep('a?', 1e6))", "pattern too complex"),
        ("long strings", "return #string.rep('x', 1e12)", "resulting string too large"),
        ("line ends", "return redis.error_reply('a\\r\\n+OK')", "-ERR a  +OK\r\n"),
        ("line ends", "return {ok='a\\r\\n:1'}", "+a  :1\r\n"),
        ("libraries", "string.format = nil", "readonly table"),
        ("iteration", "local n = next(redis); redis[n] = 1", "readonly table"),
    ] {
        let mut bench = Bench::new();
        let got = String::from_utf8_lossy(&bench.raw(&["EVAL", script, "0"])).into_owned();
        assert!(got.contains(reply), "{fault}: {script}: {got}");
        assert_eq!(bench.raw(&["EVAL", "return ('x'):rep(3)", "0"]), b"$3\r\nxxx\r\n");
    }
}

/// CVE-2025-49844: the name of a chunk is collected while it is parsed.
#[test]
fn the_collector_rests_while_a_chunk_is_parsed() {
    let script = "collectgarbage('setpause', 0) collectgarbage('setstepmul', 1000000)
        for i = 1, 200 do
            local f = loadstring('local a = {' .. string.rep('\"' .. i .. 'x\",', 200) .. '} return #a', 'n' .. i)
            assert(f() == 200)
        end return 1";
    let mut bench = Bench::new();
    assert_eq!(bench.raw(&["EVAL", script, "0"]), b":1\r\n");
}

#[test]
fn coroutines_do_not_nest_without_end() {
    let deep = std::thread::Builder::new().stack_size(8 << 20).spawn(|| {
        let script = "local function f() return coroutine.wrap(f)() end return f()";
        let got = Bench::new().raw(&["EVAL", script, "0"]);
        assert!(String::from_utf8_lossy(&got).contains("stack overflow"));
    });
    deep.expect("a thread").join().expect("no overflow");
}
