//! Scripts that take long: who is served meanwhile, and how they end.

use crate::common::{Client, Server, wait_until};
use crate::{accepted, signal};

const ENDLESS: &str = "while true do end";
const BUSY: &str =
    "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
const BUSY_FUNCTION: &str =
    "-BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";
const NOT_BUSY: &str = "-NOTBUSY No scripts in execution right now.";
const UNKILLABLE: &str = "-UNKILLABLE Sorry the script already executed write commands against the dataset. \
     You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE \
     command.";

fn impatient() -> Server {
    Server::with(&["--busy-reply-threshold", "20"])
}

fn send(client: &mut Client, words: &[&str]) {
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    client.send(request.as_bytes());
}

fn eval(client: &mut Client, script: &str) {
    send(client, &["EVAL", script, "0"]);
}

/// Asks until a script is told to be running.
fn wait_until_busy(witness: &mut Client) -> String {
    let mut told = String::new();
    wait_until("a script to run", || {
        told = witness.command(&["PING"]).to_string();
        told != "+PONG"
    });
    told
}

/// What is done while the process is stopped it finds all at once.
fn at_once(server: &Server, work: impl FnOnce()) {
    signal(server.pid(), "STOP");
    work();
    signal(server.pid(), "CONT");
}

fn assert_killed(client: &mut Client) {
    let told = client.reply().to_string();
    assert!(told.starts_with("-ERR Script killed by user with SCRIPT KILL."), "{told}");
}

#[test]
fn clients_of_the_same_turn_are_told_that_a_script_runs() {
    let server = impatient();
    let long = format!("--{}\n{ENDLESS}", "x".repeat(20_000)); // nothing is read with it in one piece
    for script in [ENDLESS, &long] {
        let [mut before, mut author, mut behind, mut last] = [(); 4].map(|()| accepted(&server));
        let mut late = None;
        at_once(&server, || {
            before.send(b"SET k v\r\n");
            eval(&mut author, script);
            behind.send(b"SET k w\r\n");
            last.send(b"PING\r\nPING\r\n");
            late = Some(server.connect());
        });
        assert_eq!(before.reply().to_string(), "+OK");
        assert_eq!(behind.reply().to_string(), BUSY);
        assert_eq!([last.reply(), last.reply()].map(|reply| reply.to_string()), [BUSY; 2]);
        let mut late = late.unwrap();
        late.check("PING; SCRIPT KILL", &format!("{BUSY} +OK"));
        assert_killed(&mut author);
        // Nothing was executed twice, and everybody goes on.
        for client in [&mut before, &mut author, &mut behind, &mut last, &mut late] {
            client.check("GET k; PING", "$v +PONG");
        }
    }
}

/// A function that is not Lua's own executes no instructions, by which it could be noticed how long it takes.
#[test]
fn a_script_that_reads_a_chunk_without_end_can_be_ended() {
    let server = impatient();
    let [mut author, mut witness] = [(); 2].map(|()| accepted(&server));
    eval(&mut author, "return load(math.random)");
    assert_eq!(wait_until_busy(&mut witness), BUSY);
    witness.check("SCRIPT KILL", "+OK");
    assert_killed(&mut author);
}

#[test]
fn a_client_that_goes_meanwhile_leaves_no_input_to_another() {
    let server = impatient();
    let [mut author, mut behind] = [(); 2].map(|()| accepted(&server));
    at_once(&server, || {
        eval(&mut author, ENDLESS);
        behind.send(b"QUIT\r\nSET k behind\r\n");
    });
    assert_eq!(behind.reply().to_string(), "+OK");
    let mut killer = server.connect();
    killer.check("SCRIPT KILL", "+OK");
    assert_killed(&mut author);
    killer.check("GET k", "$_");
}

#[test]
fn a_killed_script_catches_nothing() {
    let server = impatient();
    let mut witness = accepted(&server);
    for script in [
        "pcall(function() while true do end end) return 1",
        "while true do pcall(function() while true do end end) end",
        "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
        "local f = coroutine.wrap(function() while true do pcall(error, 'x') end end) while true do pcall(f) end",
        "while true do redis.pcall('PING') end",
    ] {
        let mut author = accepted(&server);
        eval(&mut author, script);
        assert_eq!(wait_until_busy(&mut witness), BUSY);
        witness.check("SCRIPT KILL", "+OK");
        let told = author.reply().to_string();
        assert!(told.contains("Script killed by user with SCRIPT KILL"), "{script}: {told}");
        witness.check("SCRIPT KILL; PING", &format!("{NOT_BUSY} +PONG"));
    }
}

#[test]
fn functions_are_killed_by_their_own_command() {
    let server = impatient();
    let library = "#!lua name=l\nredis.register_function{function_name='f', \
                   callback=function() while true do end end, flags={'no-writes'}}";
    let [mut witness, mut author] = [(); 2].map(|()| accepted(&server));
    assert_eq!(witness.command(&["FUNCTION", "LOAD", library]).to_string(), "$l");
    for command in ["FCALL f 0", "FCALL_RO f 0"] {
        author.send(format!("{command}\r\n").as_bytes());
        assert_eq!(wait_until_busy(&mut witness), BUSY_FUNCTION);
        witness.check("SCRIPT KILL", BUSY_FUNCTION);
        let stats = witness.command(&["FUNCTION", "STATS"]).to_string();
        let name = command.split(' ').next().unwrap();
        let running = format!("$running_script [$name $f $command [${name} $f $0] $duration_ms");
        assert!(stats.contains(&running), "{stats}");
        witness.check("FUNCTION KILL", "+OK");
        assert_killed(&mut author);
    }
    eval(&mut author, ENDLESS);
    assert_eq!(wait_until_busy(&mut witness), BUSY);
    witness.check("FUNCTION KILL; SCRIPT KILL", &format!("{BUSY} +OK"));
    assert_killed(&mut author);
    witness.check("FUNCTION KILL", NOT_BUSY);
}

#[test]
fn a_script_that_has_written_is_not_killed() {
    let mut server = impatient();
    let [mut author, mut witness] = [(); 2].map(|()| accepted(&server));
    eval(&mut author, "redis.call('SET', 'k', 'v') while true do end");
    assert_eq!(wait_until_busy(&mut witness), BUSY);
    witness.check("SCRIPT KILL; GET k", &format!("{UNKILLABLE} {BUSY}"));
    witness.send(b"SHUTDOWN NOSAVE\r\n");
    assert!(server.wait_for_exit().success());
}

#[test]
fn a_transaction_is_begun_and_executed_around_a_script() {
    let server = impatient();
    let [mut author, mut witness] = [(); 2].map(|()| accepted(&server));
    witness.check("MULTI", "+OK");
    eval(&mut author, ENDLESS);
    let told = witness.command(&["PING"]).to_string();
    if told == "+QUEUED" {
        wait_until("a script to run", || witness.command(&["PING"]).to_string() == BUSY);
    }
    let told = format!("-EXECABORT Transaction discarded because of: {}", &BUSY[1..]);
    witness.check("EXEC", &told);
    witness.check("SCRIPT KILL", "+OK");
    assert_killed(&mut author);
    witness.check("PING", "+PONG");
}

#[test]
fn a_request_to_end_ends_a_script_that_has_written_nothing() {
    for name in ["TERM", "INT"] {
        let mut server = impatient();
        let [mut author, mut behind] = [(); 2].map(|()| accepted(&server));
        at_once(&server, || {
            eval(&mut author, ENDLESS);
            behind.send(b"PING\r\n");
            signal(server.pid(), name);
        });
        assert!(server.wait_for_exit().success());
        assert_killed(&mut author);
    }
}

#[test]
fn a_request_to_end_waits_for_a_script_that_has_written() {
    let mut server = impatient();
    let mut author = accepted(&server);
    // It tells that the request has come by what the log says.
    let script = "redis.call('SET', 'k', 'v') for i = 1, 2e7 do end return redis.call('GET', 'k')";
    at_once(&server, || {
        eval(&mut author, script);
        signal(server.pid(), "TERM");
    });
    assert_eq!(author.reply().to_string(), "$v");
    assert!(server.wait_for_exit().success());
}
