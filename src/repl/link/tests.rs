//! A primary in words, and what the link makes of it.

use super::*;

const ID: &[u8; 40] = b"0123456789abcdef0123456789abcdef01234567";
const MARK: &[u8; 40] = b"mark456789abcdef0123456789abcdef01234567";

fn position(offset: u64) -> Position {
    Position { id: ReplId::parse(ID).expect("an id"), offset }
}

/// What happened, as text.
#[derive(Default)]
struct Story {
    events: Vec<String>,
    snapshot: Vec<u8>,
    commands: Vec<u8>,
}

/// Gives the link bytes, so many at once.
fn give(link: &mut Link, bytes: &[u8], at_once: usize, story: &mut Story) -> Result<(), Failure> {
    for mut piece in bytes.chunks(at_once) {
        while !piece.is_empty() {
            let (taken, event) = link.receive(0, piece)?;
            assert!(taken > 0 || event.is_some(), "the link goes on");
            note(event, story);
            piece = &piece[taken..];
        }
        if link.is_complete() {
            let (_, event) = link.receive(0, &[])?;
            note(event, story);
        }
    }
    Ok(())
}

fn note(event: Option<Event<'_>>, story: &mut Story) {
    match event {
        None => {}
        Some(Event::Snapshot(bytes)) => story.snapshot.extend_from_slice(bytes),
        Some(Event::Withheld(bytes)) => story.snapshot.extend_from_slice(&bytes),
        Some(Event::Commands(bytes)) => story.commands.extend_from_slice(bytes),
        Some(event) => story.events.push(format!("{event:?}")),
    }
}

/// A link that was connected; what it says as words.
fn connected(introduction: Introduction) -> Link {
    let mut link = Link::new(introduction, 0);
    link.connected(0);
    link
}

fn said(link: &mut Link) -> String {
    let output = String::from_utf8(link.take_output()).expect("text");
    let words = output.split("\r\n").filter(|word| !word.starts_with('$') && !word.is_empty());
    words.map(|word| if word.starts_with('*') { ";" } else { word }).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn check(introduction: Introduction, replies: &[(&str, &str)]) -> (Link, Story) {
    let mut link = connected(introduction);
    let mut story = Story::default();
    assert_eq!(said(&mut link), "; PING");
    for (reply, answer) in replies {
        give(&mut link, reply.as_bytes(), 1, &mut story).expect("a fine reply");
        assert_eq!(said(&mut link), *answer, "after {reply}");
    }
    (link, story)
}

#[track_caller]
fn refused(replies: &str, expected: &str) {
    let with_position = Introduction { position: Some(position(9)), ..Introduction::default() };
    let mut link = connected(with_position);
    let failure = give(&mut link, replies.as_bytes(), 7, &mut Story::default());
    assert_eq!(failure.expect_err("refused").to_string(), expected);
}

#[test]
fn the_two_introduce_themselves() {
    let introduction = Introduction {
        user: b"u".to_vec(),
        password: b"p".to_vec(),
        port: 7000,
        address: b"10.0.0.1".to_vec(),
        position: Some(position(41)),
        handover: Handover::No,
    };
    let psync = format!("; PSYNC {} 42", String::from_utf8_lossy(ID));
    let introduced = "; AUTH u p ; REPLCONF listening-port 7000 ; REPLCONF ip-address 10.0.0.1 ; \
                      REPLCONF capa eof capa psync2";
    let (link, story) = check(
        introduction,
        &[
            ("-NOAUTH Authentication required.\r\n", introduced),
            ("+OK\r\n+OK\r\n-ERR what\r\n", ""),
            ("+OK\r\n", &psync),
            ("\n\n", ""),
            ("+CONTINUE\r\n", ""),
        ],
    );
    assert_eq!(story.events, ["Continued(None)"]);
    assert_eq!(link.stage(), Stage::Streaming);
}

#[test]
fn who_has_nothing_asks_for_everything() {
    let (_, story) = check(
        Introduction::default(),
        &[
            ("+PONG\r\n", "; REPLCONF listening-port 0 ; REPLCONF capa eof capa psync2"),
            ("+OK\r\n+OK\r\n", "; PSYNC ? -1"),
            ("+FULLRESYNC 0123456789abcdef0123456789abcdef01234567 7\r\n", ""),
        ],
    );
    let expected = format!("{:?}", Event::Full(Some(position(7))));
    assert_eq!(story.events, [expected]);
}

#[test]
fn a_primary_without_psync_is_asked_with_sync() {
    let replies = [
        ("+PONG\r\n+OK\r\n", "; REPLCONF listening-port 0 ; REPLCONF capa eof capa psync2"),
        ("-ERR what\r\n", "; PSYNC ? -1"),
        ("-ERR unknown command\r\n", "; SYNC"),
        ("$3\r\nabc", ""),
    ];
    let (link, story) = check(Introduction::default(), &replies);
    assert_eq!(story.events, ["Full(None)", "Begun(Known(3))", "Complete"]);
    assert_eq!(story.snapshot, b"abc");
    assert!(!link.wants_input());
}

#[test]
fn a_primary_that_cannot_write_to_its_disk_is_followed() {
    let introduced = "; REPLCONF listening-port 0 ; REPLCONF capa eof capa psync2";
    let steps = [("-MISCONF Errors writing to the AOF file\r\n", introduced)];
    check(Introduction::default(), &steps);
}

#[test]
fn a_primary_that_says_something_else_is_left() {
    let asked = "+PONG\r\n+OK\r\n+OK\r\n";
    refused("-BUSY no\r\n", "Error reply to PING from master: '-BUSY no'");
    refused("x\x07\r\n", "Error reply to PING from master: 'x\\x07'");
    refused(
        &format!("{asked}-LOADING wait\r\n"),
        "Master is currently unable to PSYNC but should be in the future: -LOADING wait",
    );
    refused(
        &format!("{asked}-NOMASTERLINK no\r\n"),
        "Master is currently unable to PSYNC but should be in the future: -NOMASTERLINK no",
    );
    for answer in ["+OK", "+CONTINUE short", "+FULLRESYNC", "+FULLRESYNC x 1", "-NOPERM no"] {
        refused(
            &format!("{asked}{answer}\r\n"),
            &format!("Unexpected reply to PSYNC from master: {answer}"),
        );
    }
    let full = "+FULLRESYNC 0123456789abcdef0123456789abcdef01234567 7\r\n";
    let aborted = "MASTER aborted replication with an error: -ERR later";
    refused(&format!("{asked}{full}-ERR later\r\n"), aborted);
    for header in ["x", "$x", "$-1", "$EOF:short"] {
        refused(
            &format!("{asked}{full}{header}\r\n"),
            &format!(
                "Bad protocol from MASTER, the first byte is not '$' (we received '{header}'), are \
                 you sure the host and port are right?"
            ),
        );
    }
    refused(&"x".repeat(5000), "The master sent a line that is too long");
}

#[test]
fn a_primary_goes_on_only_with_what_was_asked_for() {
    let mut link = connected(Introduction::default());
    let failure =
        give(&mut link, b"+PONG\r\n+OK\r\n+OK\r\n+CONTINUE\r\n", 9, &mut Story::default());
    assert_eq!(failure, Err(Failure::WrongAnswer(b"+CONTINUE".to_vec())));
}

#[test]
fn a_snapshot_ends_with_its_mark_however_it_is_cut() {
    let body: Vec<u8> = [&b"REDIS0011"[..], &MARK[..20], &[b'm'; 90][..], &MARK[..39]].concat();
    let stream = [
        &b"+PONG\r\n+OK\r\n+OK\r\n+FULLRESYNC "[..],
        ID,
        b" 7\r\n\n\n$EOF:",
        MARK,
        b"\r\n",
        &body,
        MARK,
    ]
    .concat();
    for at_once in 1..stream.len() {
        let mut link = connected(Introduction::default());
        let mut story = Story::default();
        give(&mut link, &stream, at_once, &mut story).expect("a fine primary");
        assert_eq!(story.events[1..], ["Begun(Marked)", "Complete"], "{at_once} at once");
        assert_eq!(story.snapshot, body, "{at_once} at once");
        link.take_output();
        link.loaded(0, Some(7));
        assert_eq!(said(&mut link), "; REPLCONF ACK 7");
        give(&mut link, b"*1\r\n", 4, &mut story).expect("commands");
        assert_eq!(story.commands, b"*1\r\n");
    }
}

#[test]
fn nothing_may_come_while_a_snapshot_is_loaded() {
    let mut link = connected(Introduction::default());
    let stream = b"+PONG\r\n+OK\r\n+OK\r\n-ERR no\r\n$0\r\n";
    give(&mut link, stream, 100, &mut Story::default()).expect("a fine primary");
    assert_eq!((link.stage(), link.receive(0, b"x")), (Stage::Loading, Err(Failure::Unexpected)));
}

#[test]
fn a_silent_primary_is_left() {
    let how_far = Acknowledged::default();
    let mut link = Link::new(Introduction::default(), 1000);
    assert_eq!(link.tick(61_000, 60, &how_far), Ok(()));
    assert_eq!(link.tick(61_001, 60, &how_far), Err(Failure::ConnectTimeout));
    link.connected(61_001);
    assert_eq!(link.tick(61_002, 60, &how_far), Ok(()));
    let stream = b"+PONG\r\n+OK\r\n+OK\r\n-ERR no\r\n";
    give(&mut link, stream, 100, &mut Story::default()).expect("a fine primary");
    assert_eq!(link.tick(60_001, 60, &how_far), Err(Failure::TransferTimeout));
    give(&mut link, b"$1\r\nx", 100, &mut Story::default()).expect("a fine primary");
    assert_eq!(link.tick(600_000, 60, &how_far), Ok(()), "loading takes as long as it takes");
    link.loaded(600_000, None);
    assert_eq!(link.tick(660_001, 60, &how_far), Err(Failure::StreamTimeout));
}

#[test]
fn the_replica_says_each_second_how_far_it_is() {
    let mut link = connected(Introduction { position: Some(position(9)), ..Default::default() });
    let stream = b"+PONG\r\n+OK\r\n+OK\r\n+CONTINUE\r\n";
    give(&mut link, stream, 100, &mut Story::default()).expect("a fine primary");
    link.take_output();
    for (now_ms, synced, expected) in [
        (999, None, ""),
        (1000, None, "; REPLCONF ACK 50"),
        (1999, None, ""),
        (2000, Some(40), "; REPLCONF ACK 50 FACK 40"),
    ] {
        link.tick(now_ms, 60, &Acknowledged { offset: 50, synced }).expect("in time");
        assert_eq!(said(&mut link), expected, "{now_ms}");
    }
}

#[test]
fn a_replica_that_loads_says_that_it_is_there() {
    let mut link = connected(Introduction::default());
    let stream = b"+PONG\r\n+OK\r\n+OK\r\n-ERR no\r\n$1\r\nx";
    give(&mut link, stream, 100, &mut Story::default()).expect("a fine primary");
    link.take_output();
    let how_far = Acknowledged::default();
    for (now_ms, expected) in [(999, ""), (1000, "\n"), (1500, ""), (2000, "\n")] {
        link.tick(now_ms, 60, &how_far).expect("in time");
        assert_eq!(link.take_output(), expected.as_bytes(), "{now_ms}");
    }
}
