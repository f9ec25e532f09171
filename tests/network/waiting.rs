//! Clients that wait for keys: who is served, by whom, with what, and when not.

use crate::common::{Client, Server, wait_until};
use crate::{accepted, assert_silent, client_with_id, figure, settle};

/// A client that waits with this command, after all that wait already.
fn waiting(server: &Server, keeper: &mut Client, command: &str) -> Client {
    let mut client = accepted(server);
    wait(&mut client, keeper, command);
    client
}

/// Sends a command and returns once the client waits.
fn wait(client: &mut Client, keeper: &mut Client, command: &str) {
    let before = figure(keeper, "blocked_clients");
    client.send(format!("{command}\r\n").as_bytes());
    wait_until("it to wait", || figure(keeper, "blocked_clients") == before + 1);
}

fn assert_reply(client: &mut Client, expected: &str) {
    assert_eq!(client.reply().to_string(), expected);
}

fn assert_still_waits(client: &Client, keeper: &mut Client) {
    settle(keeper);
    assert_silent(client);
}

#[test]
fn who_comes_first_is_served_first() {
    let server = Server::start();
    let mut keeper = accepted(&server);
    for (command, write, replies) in [
        ("BZPOPMIN k 0", "ZADD k 3 c 1 a 2 b", ["[$k $a $1]", "[$k $b $2]", "[$k $c $3]"]),
        ("BZPOPMAX k 0", "ZADD k 3 c 1 a 2 b", ["[$k $c $3]", "[$k $b $2]", "[$k $a $1]"]),
        (
            "BZMPOP 0 1 k MIN",
            "ZADD k 1 a 2 b 3 c",
            ["[$k [[$a $1]]]", "[$k [[$b $2]]]", "[$k [[$c $3]]]"],
        ),
        ("BLPOP k 0", "RPUSH k a b c", ["[$k $a]", "[$k $b]", "[$k $c]"]),
        ("BRPOP k 0", "RPUSH k a b c", ["[$k $c]", "[$k $b]", "[$k $a]"]),
        ("BLMPOP 0 1 k RIGHT", "RPUSH k a b c", ["[$k [$c]]", "[$k [$b]]", "[$k [$a]]"]),
        ("BLMOVE k other LEFT LEFT 0", "RPUSH k a b c", ["$a", "$b", "$c"]),
    ] {
        let mut clients: Vec<Client> =
            replies.iter().map(|_| waiting(&server, &mut keeper, command)).collect();
        keeper.check(write, ":3");
        for (client, reply) in clients.iter_mut().zip(replies) {
            assert_reply(client, reply);
        }
        keeper.check("EXISTS k", ":0");
    }
}

#[test]
fn one_write_serves_as_many_as_it_has_elements_for() {
    let server = Server::start();
    let mut keeper = accepted(&server);
    let mut clients: Vec<Client> =
        (0..3).map(|_| waiting(&server, &mut keeper, "BZPOPMIN k 0")).collect();
    keeper.check("ZADD k 1 a", ":1");
    assert_reply(&mut clients[0], "[$k $a $1]");
    assert_still_waits(&clients[1], &mut keeper);
    // Who waits again is behind those who wait.
    wait(&mut clients[0], &mut keeper, "BZPOPMIN k 0");
    keeper.check("ZADD k 2 b 3 c", ":2");
    assert_reply(&mut clients[1], "[$k $b $2]");
    assert_reply(&mut clients[2], "[$k $c $3]");
    assert_still_waits(&clients[0], &mut keeper);
}

#[test]
fn a_count_takes_what_is_there_and_leaves_the_rest() {
    let server = Server::start();
    let mut keeper = accepted(&server);
    let mut greedy = waiting(&server, &mut keeper, "BZMPOP 0 2 none k MAX COUNT 2");
    let mut modest = waiting(&server, &mut keeper, "BZPOPMIN k 0");
    keeper.check("ZADD k 1 a 2 b 3 c; EXISTS k", ":3 :0");
    assert_reply(&mut greedy, "[$k [[$c $3] [$b $2]]]");
    assert_reply(&mut modest, "[$k $a $1]");
    let mut greedy = waiting(&server, &mut keeper, "BLMPOP 0 2 none k LEFT COUNT 10");
    keeper.check("RPUSH k a b", ":2");
    assert_reply(&mut greedy, "[$k [$a $b]]");
}

#[test]
fn of_several_keys_the_one_that_comes_is_taken_and_only_once() {
    let server = Server::start();
    let mut keeper = accepted(&server);
    let mut client = waiting(&server, &mut keeper, "BZPOPMIN a b c 0");
    keeper.check("ZADD b 1 x", ":1");
    assert_reply(&mut client, "[$b $x $1]");
    keeper.check("ZADD a 1 y; ZADD c 2 z; ZCARD a; ZCARD b; ZCARD c", ":1 :1 :1 :0 :1");
    // What is there already is taken in the order of the keys.
    client.check("BZPOPMAX c a 0; BZMPOP 0 2 b a MAX", "[$c $z $2] [$a [[$y $1]]]");
    // Two keys, each of which has somebody who waits longer.
    let mut first = waiting(&server, &mut keeper, "BZPOPMIN a 0");
    let mut both = waiting(&server, &mut keeper, "BZPOPMIN a b 0");
    let mut last = waiting(&server, &mut keeper, "BZPOPMIN b 0");
    keeper.check("ZADD b 1 x; ZADD b 2 y; ZADD a 3 z", ":1 :1 :1");
    assert_reply(&mut both, "[$b $x $1]");
    assert_reply(&mut last, "[$b $y $2]");
    assert_reply(&mut first, "[$a $z $3]");
}

#[test]
fn a_key_of_another_type_serves_nobody_until_it_changes() {
    let server = Server::start();
    let mut keeper = accepted(&server);
    let mut sorted = waiting(&server, &mut keeper, "BZPOPMIN k 0");
    let mut list = waiting(&server, &mut keeper, "BLPOP k 0");
    keeper.check("SADD k x; DEL k; SET k v", ":1 :1 +OK");
    assert_still_waits(&sorted, &mut keeper);
    assert_still_waits(&list, &mut keeper);
    // The list goes to who wants a list, though the other waits longer.
    keeper.check("DEL k; RPUSH k e", ":1 :1");
    assert_reply(&mut list, "[$k $e]");
    assert_still_waits(&sorted, &mut keeper);
    keeper.check("RPUSH k e", ":1");
    assert_still_waits(&sorted, &mut keeper);
    keeper.check("ZADD other 1 m; RENAME other k", ":1 +OK");
    assert_reply(&mut sorted, "[$k $m $1]");
    // A key of the wrong type behind one that is waited for is no error to who waits already.
    let mut client = waiting(&server, &mut keeper, "BZPOPMIN a b 0");
    keeper.check("SET b v; ZADD a 1 m", "+OK :1");
    assert_reply(&mut client, "[$a $m $1]");
    let error = "-WRONGTYPE Operation against a key holding the wrong kind of value";
    client.check("BZPOPMIN b a 0; BZMPOP 0 1 b MIN", &format!("{error} {error}"));
}

#[test]
fn every_writer_wakes() {
    let server = Server::start();
    let mut keeper = accepted(&server);
    keeper.check(
        "ZADD z 1 m; SADD s m; GEOADD g 1 1 m; RPUSH l m; SELECT 1; ZADD k 1 m; SELECT 0",
        ":1 :1 :1 :1 +OK :1 +OK",
    );
    for (write, expected) in [
        ("ZADD k 1 m", ":1"),
        ("ZADD k INCR 1 m", "$1"),
        ("ZINCRBY k 1 m", "$1"),
        ("ZUNIONSTORE k 1 z", ":1"),
        ("ZINTERSTORE k 2 z s", ":1"),
        ("ZDIFFSTORE k 2 z none", ":1"),
        ("ZRANGESTORE k z 0 -1", ":1"),
        ("GEOADD k 1 1 m", ":1"),
        ("GEOSEARCHSTORE k g FROMLONLAT 1 1 BYRADIUS 1 km", ":1"),
        ("COPY z k", ":1"),
        ("SWAPDB 0 1; SWAPDB 0 1", "+OK +OK"),
    ] {
        let mut client = waiting(&server, &mut keeper, "BZPOPMIN k 0");
        keeper.check(write, expected);
        let reply = client.reply();
        assert_eq!(
            (reply.elements().len(), reply.elements()[1].text()),
            (3, "m".to_owned()),
            "{write}"
        );
        keeper.check("EXISTS k", ":0");
    }
    for (write, expected) in [
        ("LPUSH k m", ":1"),
        ("RPOPLPUSH l k; RPUSH l m", "$m :1"),
        ("LMOVE l k LEFT RIGHT; RPUSH l m", "$m :1"),
        ("SORT l ALPHA STORE k", ":1"),
    ] {
        let mut client = waiting(&server, &mut keeper, "BLPOP k 0");
        keeper.check(write, expected);
        assert_reply(&mut client, "[$k $m]");
        keeper.check("EXISTS k", ":0");
    }
}

#[test]
fn who_is_served_passes_it_on() {
    let server = Server::start();
    let mut keeper = accepted(&server);
    let mut last = waiting(&server, &mut keeper, "BLPOP c 0");
    let mut middle = waiting(&server, &mut keeper, "BLMOVE b c LEFT RIGHT 0");
    let mut first = waiting(&server, &mut keeper, "BRPOPLPUSH a b 0");
    keeper.check("RPUSH a x; EXISTS a b c", ":1 :0");
    assert_reply(&mut first, "$x");
    assert_reply(&mut middle, "$x");
    assert_reply(&mut last, "[$c $x]");
}

#[test]
fn what_was_taken_is_gone_before_the_next_command() {
    let server = Server::start();
    let mut keeper = accepted(&server);
    let mut client = waiting(&server, &mut keeper, "BZPOPMIN k 0");
    keeper.send(b"ZADD k 1 a\r\nDEL k\r\nZADD k 2 b\r\nZCARD k\r\n");
    for expected in [":1", ":0", ":1", ":1"] {
        assert_reply(&mut keeper, expected);
    }
    assert_reply(&mut client, "[$k $a $1]");
}

#[test]
fn time_runs_out() {
    let server = Server::start();
    let mut client = accepted(&server);
    for command in ["BZPOPMIN k 0.02", "BZPOPMAX a k 0.001", "BZMPOP 0.02 1 k MIN", "BLPOP k 0.02"]
    {
        client.check(command, "*_");
    }
    client.check("BLMOVE a b LEFT LEFT 0.02; INCR n", "*_ :1");
    // Nobody is served who has given up.
    client.check("ZADD k 1 a; ZCARD k", ":1 :1");
    assert_eq!(figure(&mut client, "blocked_clients"), 0);
    assert!(!client.command(&["HELLO", "3"]).elements().is_empty());
    client.check("BZPOPMIN none 0.02; BZPOPMIN k 0", "_ [$k $a ,1]");
}

#[test]
fn who_leaves_loses_its_turn() {
    let server = Server::start();
    let mut keeper = accepted(&server);
    let leaving = waiting(&server, &mut keeper, "BZPOPMIN k 0");
    let mut staying = waiting(&server, &mut keeper, "BZPOPMIN k 0");
    drop(leaving);
    wait_until("it to be gone", || figure(&mut keeper, "blocked_clients") == 1);
    keeper.check("ZADD k 1 a 2 b; ZCARD k", ":2 :1");
    assert_reply(&mut staying, "[$k $a $1]");
}

#[test]
fn waiting_is_ended_by_others() {
    let server = Server::start();
    let mut keeper = accepted(&server);
    let (mut client, id) = client_with_id(&server);
    for command in ["BZPOPMIN k 0", "BZMPOP 0 1 k MAX", "BLPOP k 0"] {
        wait(&mut client, &mut keeper, command);
        keeper.check(&format!("CLIENT UNBLOCK {id}; CLIENT UNBLOCK {id}"), ":1 :0");
        assert_reply(&mut client, "*_");
        wait(&mut client, &mut keeper, command);
        keeper.check(&format!("CLIENT UNBLOCK {id} ERROR"), ":1");
        assert_reply(&mut client, "-UNBLOCKED client unblocked via CLIENT UNBLOCK");
    }
    keeper.check("ZADD k 1 a; ZCARD k", ":1 :1");
}

#[test]
fn what_was_sent_behind_is_executed_after() {
    let server = Server::start();
    let mut keeper = accepted(&server);
    let mut client = waiting(&server, &mut keeper, "BZPOPMIN k 0\r\nPING\r\nBZPOPMIN k 0\r\nPING");
    keeper.check("ZADD k 1 a", ":1");
    assert_reply(&mut client, "[$k $a $1]");
    assert_reply(&mut client, "+PONG");
    assert_still_waits(&client, &mut keeper);
    wait_until("it to wait again", || figure(&mut keeper, "blocked_clients") == 1);
    keeper.check("ZADD k 1 b", ":1");
    assert_reply(&mut client, "[$k $b $1]");
    assert_reply(&mut client, "+PONG");
}
