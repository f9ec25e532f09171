//! HOTKEYS in sessions of one client, whose commands take as long as the test's clock says.

use crate::command::testing::{Bench, check};
use crate::resp::Protocol;

#[test]
fn options_that_make_no_sense_are_refused() {
    let error =
        |line: &str, text: &str| check(&format!("HOTKEYS START {line}"), &format!("-ERR {text}"));
    for line in ["", "CPU", "COUNT 3 METRICS 1 CPU"] {
        error(line, "METRICS parameter is required");
    }
    for line in ["METRICS", "METRICS 0", "METRICS -1", "METRICS x CPU", "METRICS 3 CPU NET"] {
        error(line, "METRICS count must be > 0 and <= 2");
    }
    error("METRICS 2 CPU", "METRICS count does not match number of metric types provided");
    error("METRICS 1 CPU NET", "syntax error");
    error("METRICS 1 CPU COUNT", "syntax error");
    for line in ["METRICS 1 GPU", "METRICS 2 GPU NYET"] {
        error(line, "METRICS no valid metrics passed. Supported: CPU|NET");
    }
    error("METRICS 2 CPU cpu", "METRICS CPU defined more than once!");
    error("METRICS 2 NET NET", "METRICS NET defined more than once!");
    for count in ["0", "65", "x"] {
        error(&format!("METRICS 1 CPU COUNT {count}"), "COUNT must be between 1 and 64");
    }
    error("METRICS 1 CPU DURATION 0", "DURATION must be between 1 and 1000000");
    error("METRICS 1 CPU DURATION 1000001", "DURATION must be between 1 and 1000000");
    error("METRICS 1 CPU SAMPLE 0", "SAMPLE ratio must be positive");
    error("METRICS 1 CPU SLOTS 1 0", "SLOTS parameter cannot be used in non-cluster mode");
    check("HOTKEYS START METRICS 2 GPU CPU", "+OK");
}

#[test]
fn one_session_at_a_time_and_its_figures_stay_until_they_are_reset() {
    let started = "-ERR hotkey tracking session already in progress";
    let running = "-ERR hotkey tracking session in progress, stop tracking first";
    check("HOTKEYS GET; HOTKEYS STOP; HOTKEYS RESET", "$_ $_ +OK");
    check(
        "HOTKEYS START METRICS 1 CPU; HOTKEYS START METRICS 1 NET; HOTKEYS RESET; HOTKEYS STOP; HOTKEYS STOP; \
         HOTKEYS RESET; HOTKEYS GET",
        &format!("+OK {started} {running} +OK $_ +OK $_"),
    );
}

#[test]
fn traffic_is_divided_among_keys() {
    let mut bench = Bench::new();
    bench.check("SET k v; HOTKEYS START METRICS 1 NET COUNT 3", "+OK +OK");
    // 27 and 5 bytes; 22 and 7 twice; 31 and 4 + 7 + 5 for two keys.
    bench.check(
        "SET k v; GET k; GET k; MGET k zz; PING; HOTKEYS STOP",
        "+OK $v $v [$v $_] +PONG +OK",
    );
    let reply = String::from_utf8(bench.raw(&["HOTKEYS", "GET"])).expect("text");
    let words: Vec<&str> = reply.split("\r\n").collect();
    let value = |name: &str| {
        let at = words.iter().position(|&word| word == name).expect("the field");
        words[at + 1..].to_vec()
    };
    assert_eq!(value("tracking-active")[0], ":0");
    assert_eq!(value("sample-ratio")[0], ":1");
    assert_eq!(value("selected-slots")[..4], ["*1", "*2", ":0", ":16383"]);
    let set = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n".len() + 5;
    let get = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n$1\r\nv\r\n".len();
    let mget = b"*3\r\n$4\r\nMGET\r\n$1\r\nk\r\n$2\r\nzz\r\n*2\r\n$1\r\nv\r\n$-1\r\n".len();
    let expected = ["*4", "$1", "k", &format!(":{}", set + 2 * get + mget / 2), "$2", "zz"];
    assert_eq!(value("by-net-bytes")[..6], expected);
    assert_eq!(value("by-net-bytes")[6], format!(":{}", mget / 2));
    assert!(!words.contains(&"by-cpu-time-us") && !words.contains(&"total-cpu-time-user-ms"));
}

#[test]
fn transactions_are_tracked_command_by_command() {
    let mut bench = Bench::new();
    bench.check(
        "HOTKEYS START METRICS 2 CPU NET; MULTI; INCR a; INCR b; EXEC",
        "+OK +OK +QUEUED +QUEUED [:1 :1]",
    );
    let tracked = bench.server.hotkeys.0.as_ref().expect("it was started");
    let keys: Vec<&[u8]> = tracked.by_net_bytes.top(9).iter().map(|&(key, _)| key).collect();
    assert_eq!(keys, [b"a", b"b"]);
    let nanos = |command: &str| {
        let id = bench.server.commands.find(command.as_bytes()).expect("it is there");
        bench.server.commands.get(id).stats.nanos
    };
    // Those that are looked at: all but EXEC, and the reply to START itself.
    assert!(tracked.nanos >= nanos("incr") && tracked.nanos <= nanos("incr") + nanos("multi") + 10);
}

#[test]
fn a_session_ends_by_itself_and_attention_with_it() {
    let mut bench = Bench::new();
    bench.check("HOTKEYS START METRICS 1 CPU DURATION 2; SET k v", "+OK +OK");
    assert!(bench.server.hotkeys.is_tracking());
    bench.pass(2000);
    bench.check("SET k v", "+OK");
    assert!(!bench.server.hotkeys.is_tracking());
    let attention = format!("{:?}", bench.server.attention);
    assert_eq!(attention, format!("{:?}", Bench::new().server.attention));
    bench.session.output.protocol = Protocol::Resp3;
    let reply = String::from_utf8(bench.raw(&["HOTKEYS", "GET"])).expect("text");
    assert!(reply.starts_with("*1\r\n%10\r\n$15\r\ntracking-active\r\n:0\r\n"), "{reply}");
    assert!(reply.contains("collection-duration-ms\r\n:2000\r\n"), "{reply}");
}

#[test]
fn samples_are_taken_of_one_command_in_so_many() {
    let mut bench = Bench::new();
    bench.check("HOTKEYS START METRICS 1 NET SAMPLE 10", "+OK");
    for _ in 0..2000 {
        bench.raw(&["SET", "k", "v"]);
    }
    let tracked = bench.server.hotkeys.0.as_ref().expect("it was started");
    let sampled = tracked.by_net_bytes.top(1)[0].1;
    let share = tracked.net_bytes / sampled;
    assert!((7..14).contains(&share), "{share}");
}
