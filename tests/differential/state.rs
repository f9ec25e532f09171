//! The whole state of both servers: every key of every database, its type, value, encoding and
//! time to live. Only commands that clients have are used.

use crate::grammar::Command;
use crate::pair::{Difference, Pair};
use crate::reply::{Compare, Reply};

/// As many as servers have by default.
const DATABASES: usize = 16;

/// Compares the states; the difference's place is `place`.
pub(crate) fn compare(pair: &mut Pair, place: usize) -> Option<Difference> {
    (0..DATABASES).find_map(|database| compare_database(pair, database, place))
}

fn compare_database(pair: &mut Pair, database: usize, place: usize) -> Option<Difference> {
    // SCAN removes what has expired, so that DBSIZE does not count it.
    let survey = [
        Command::of(&format!("SELECT {database}"), Compare::Exact),
        Command::of("SCAN 0 COUNT 1000000", Compare::Unordered),
        Command::of("DBSIZE", Compare::Exact),
        Command::of("KEYS *", Compare::Unordered),
    ];
    if let Some(difference) = pair.compare(&survey, |_| place) {
        return Some(difference);
    }
    let keys = keys(pair);
    let types: Vec<Command> =
        keys.iter().map(|key| about(&["TYPE"], key, Compare::Exact)).collect();
    if let Some(difference) = pair.compare(&types, |_| place) {
        return Some(difference);
    }
    let (types, _) = pair.run(&types);
    let mut views = Vec::new();
    for (key, reply) in keys.iter().zip(&types.replies) {
        let type_name = reply.string().unwrap_or_default();
        views.extend(value_view(type_name, key));
        if type_name == b"stream" {
            views.extend(group_views(key));
        }
        views.push(about(&["OBJECT", "ENCODING"], key, Compare::Exact));
        views.push(about(&["PTTL"], key, Compare::Within(20_000)));
    }
    pair.compare(&views, |_| place)
}

/// The keys that the genuine server has in the selected database.
fn keys(pair: &mut Pair) -> Vec<Vec<u8>> {
    let (oracle, _) = pair.run(&[Command::of("KEYS *", Compare::Unordered)]);
    let elements = oracle.replies.first().and_then(Reply::elements).unwrap_or_default();
    elements.iter().filter_map(Reply::string).map(<[u8]>::to_vec).collect()
}

/// The command that shows the whole value of a key of this type.
fn value_view(type_name: &[u8], key: &[u8]) -> Option<Command> {
    match type_name {
        b"string" => Some(about(&["GET"], key, Compare::Exact)),
        b"hash" => Some(about(&["HGETALL"], key, Compare::Unordered)),
        b"set" => Some(about(&["SMEMBERS"], key, Compare::Unordered)),
        b"zset" => {
            let mut command = about(&["ZRANGE"], key, Compare::Scores);
            let rest = ["0", "-1", "WITHSCORES"].map(|word| word.as_bytes().to_vec());
            command.words.extend(rest);
            Some(command)
        }
        b"list" => Some(about_range(key)),
        b"stream" => {
            let mut command = about(&["XRANGE"], key, Compare::Exact);
            command.words.extend([b"-".to_vec(), b"+".to_vec()]);
            Some(command)
        }
        _ => None,
    }
}

/// What else there is to see of a stream, and of those of its groups that commands make.
fn group_views(key: &[u8]) -> Vec<Command> {
    let mut views = vec![about(&["XINFO", "STREAM"], key, Compare::Exact)];
    for group in ["g", "h"] {
        let mut command = about(&["XPENDING"], key, Compare::ListsBut(2));
        let rest = [group, "-", "+", "1000000"].map(|word| word.as_bytes().to_vec());
        command.words.extend(rest);
        views.push(command);
    }
    views
}

/// The command that shows a whole list.
fn about_range(key: &[u8]) -> Command {
    let mut command = about(&["LRANGE"], key, Compare::Exact);
    command.words.extend([b"0".to_vec(), b"-1".to_vec()]);
    command
}

fn about(names: &[&str], key: &[u8], compare: Compare) -> Command {
    let mut words: Vec<Vec<u8>> = names.iter().map(|name| name.as_bytes().to_vec()).collect();
    words.push(key.to_vec());
    Command { words, compare }
}
