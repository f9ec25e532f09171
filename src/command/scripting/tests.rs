//! Tests of scripts.

use crate::command::testing::{Bench, FakeHost, check};
use crate::config::Config;

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

/// What scripts may not reach, besides what has a name in `cve_tests.rs`.
#[test]
fn the_sandbox_holds() {
    for (what, script, reply) in [
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
        assert!(got.contains(reply), "{what}: {script}: {got}");
        assert_eq!(bench.raw(&["EVAL", "return ('x'):rep(3)", "0"]), b"$3\r\nxxx\r\n");
    }
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

fn text(bench: &mut Bench, words: &[&str]) -> String {
    String::from_utf8_lossy(&bench.raw(words)).into_owned()
}

fn with_deprecated_functions() -> Bench {
    let config = Config { lua_enable_deprecated_api: true, ..Config::default() };
    Bench::on(FakeHost::default(), config)
}

#[test]
fn deprecated_functions_are_there_if_configured() {
    let mut bench = with_deprecated_functions();
    for (script, reply) in [
        ("local f = function() return a end setfenv(f, {a = 3}) return f()", ":3\r\n"),
        ("return getfenv(1) == _G and getfenv(0) == _G and 1", ":1\r\n"),
        ("setfenv(1, {}) return redis", "$-1\r\n"),
        (
            "local p = newproxy(true) getmetatable(p).__len = function() return 4 end return #p",
            ":4\r\n",
        ),
        (
            "local p = newproxy(true) return getmetatable(newproxy(p)) == getmetatable(p) and 1",
            ":1\r\n",
        ),
        (
            "return {type(newproxy()), tostring(getmetatable(newproxy()))}",
            "*2\r\n$8\r\nuserdata\r\n$3\r\nnil\r\n",
        ),
    ] {
        assert_eq!(text(&mut bench, &["EVAL", script, "0"]), reply, "{script}");
    }
}

#[test]
fn the_environment_of_code_to_come_is_put_back() {
    let mut bench = with_deprecated_functions();
    let script = "setfenv(0, {}) return loadstring('return type(redis)') and 1";
    assert_eq!(text(&mut bench, &["EVAL", script, "0"]), ":1\r\n");
    assert_eq!(text(&mut bench, &["EVAL", "return type(redis) == 'table' and 2", "0"]), ":2\r\n");
}

#[test]
fn proxies_have_no_finalizers() {
    let mut bench = with_deprecated_functions();
    for set in [
        "m.__gc = f",
        "rawset(m, '__gc', f)",
        "pcall(setmetatable, m, nil) m.__gc = f",
        "getmetatable(newproxy(p)).__gc = f",
    ] {
        let script = format!(
            "local ran = 0 local function f() ran = ran + 1 end
            do local p = newproxy(true) local m = getmetatable(p) {set} end
            collectgarbage() collectgarbage() return ran"
        );
        assert_eq!(text(&mut bench, &["EVAL", &script, "0"]), ":0\r\n", "{set}");
    }
}

/// The cache of EVAL has a bound; what SCRIPT LOAD brought stays.
#[test]
fn scripts_used_least_recently_go() {
    let mut bench = Bench::new();
    let loaded = text(&mut bench, &["SCRIPT", "LOAD", "return 'kept'"]);
    let name_of = |n: i32| {
        let name = crate::script::sha1_hex(format!("return {n}").as_bytes());
        String::from_utf8_lossy(&name).into_owned()
    };
    for n in 0..500 {
        bench.raw(&["EVAL", &format!("return {n}"), "0"]);
    }
    bench.raw(&["EVALSHA", &name_of(0), "0"]); // 1 is the oldest now
    bench.raw(&["EVAL", "return 500", "0"]);
    let exist = ["SCRIPT", "EXISTS", &name_of(0), &name_of(1), &name_of(500), &loaded[5..45]];
    assert_eq!(text(&mut bench, &exist), "*4\r\n:1\r\n:0\r\n:1\r\n:1\r\n");
    let told = text(&mut bench, &["INFO", "everything"]);
    for line in ["number_of_cached_scripts:501", "evicted_scripts:1", "number_of_libraries:0"] {
        assert!(told.contains(&format!("\r\n{line}\r\n")), "{line}");
    }
    for field in ["used_memory_vm_eval", "used_memory_scripts_eval", "used_memory_vm_total"] {
        let value = told.split_once(&format!("\r\n{field}:")).expect("it is told").1;
        let value = value.split('\r').next().and_then(|text| text.parse::<u64>().ok());
        assert!(value.is_some_and(|bytes| bytes > 10_000), "{field}: {value:?}");
    }
}

/// Lua does not collect when it gets no memory, so that what one script leaves could be all that there is for the
/// next.
#[test]
fn what_a_script_leaves_is_not_taken_from_the_next() {
    let mut bench = Bench::new();
    let script = "local t = {} for i = 1, 30 do t[i] = string.rep(tostring(i), 1e7) end return 1";
    assert_eq!(text(&mut bench, &["EVAL", script, "0"]), ":1\r\n");
    let told = text(&mut bench, &["INFO", "memory"]);
    let value = told.split_once("\r\nused_memory_vm_eval:").expect("it is told").1;
    let bytes = value.split('\r').next().and_then(|text| text.parse::<u64>().ok());
    assert!(bytes.is_some_and(|bytes| bytes < 10_000_000), "{bytes:?}");
}

#[test]
fn the_text_of_a_script_is_shown() {
    let mut bench = Bench::new();
    let script = "#!lua flags=no-writes\nreturn 1";
    let name = text(&mut bench, &["SCRIPT", "LOAD", script]);
    for name in [&name[5..45], &name[5..45].to_uppercase()] {
        let shown = text(&mut bench, &["SCRIPT", "SHOW", name]);
        assert_eq!(shown, format!("${}\r\n{script}\r\n", script.len()));
    }
    bench.check("SCRIPT SHOW abc", "-NOSCRIPT No matching script.");
    bench.check("SCRIPT SHOW a b", "-ERR wrong number of arguments for 'script|show' command");
}

/// Errors of commands that scripts call are counted where they happen, also if the script catches them.
#[test]
fn refused_commands_of_scripts_are_counted() {
    let mut bench = Bench::new();
    bench.raw(&["EVAL", "redis.pcall('get') redis.pcall('multi') return 1", "0"]);
    let told = text(&mut bench, &["INFO", "everything"]);
    assert!(told.contains("errorstat_ERR:count=2\r\n"), "{told}");
    for line in ["cmdstat_get:calls=0", "cmdstat_multi:calls=0"] {
        let line = told.lines().find(|told| told.starts_with(line)).expect("it is told");
        assert!(line.ends_with("rejected_calls=1,failed_calls=0"), "{line}");
    }
}
