//! What a server holds, read back key by key as the facts of each client.

use std::collections::BTreeMap;
use std::io;

use crate::model::Model;
use crate::operations::database;
use crate::wire::{Connection, Reply, encode};

/// Reads the state of one client's keys. Keys and types that no client writes become facts of
/// their own, which no expected state has.
pub(crate) fn read(connection: &mut Connection, client: usize) -> io::Result<Model> {
    connection.command(&["SELECT", &database(client).to_string()])?;
    read_keys(connection, &format!("c{client}:"))
}

/// Reads the states of clients `0..count`; a key that is none of theirs counts as client 0's.
pub(crate) fn read_all(connection: &mut Connection, count: usize) -> io::Result<Vec<Model>> {
    let mut models = Vec::new();
    for client in 0..count {
        models.push(read(connection, client)?);
    }
    for (name, keys) in key_counts(&connection.command(&["INFO", "keyspace"])?) {
        let database: usize = name.trim_start_matches("db").parse().unwrap_or(usize::MAX);
        connection.command(&["SELECT", &database.to_string()])?;
        let Reply::Array(all) = connection.command(&["KEYS", "*"])? else { continue };
        let owned = |key: &Reply| match key {
            Reply::Bulk(key) => (0..count).any(|client| {
                self::database(client) == database
                    && key.starts_with(format!("c{client}:").as_bytes())
            }),
            _ => false,
        };
        for foreign in all.iter().filter(|key| !owned(key)) {
            let value = format!("one of {keys}").into_bytes();
            models[0].put(format!("key {foreign:?} of {name}"), value);
        }
    }
    Ok(models)
}

/// `db0:keys=3,expires=0…` as names and numbers.
fn key_counts(info: &Reply) -> BTreeMap<String, u64> {
    let Reply::Bulk(text) = info else { return BTreeMap::new() };
    let text = String::from_utf8_lossy(text).into_owned();
    let line = |line: &str| {
        let (name, fields) = line.split_once(":keys=")?;
        let keys = fields.split(',').next()?.parse().ok()?;
        Some((name.to_owned(), keys))
    };
    text.lines().filter_map(line).collect()
}

fn read_keys(connection: &mut Connection, prefix: &str) -> io::Result<Model> {
    let mut model = Model::default();
    let Reply::Array(keys) = connection.command(&["KEYS", &format!("{prefix}*")])? else {
        model.put("KEYS".to_owned(), b"refused".to_vec());
        return Ok(model);
    };
    let names: Vec<String> = keys
        .into_iter()
        .filter_map(|key| key.into_bytes().ok())
        .map(|key| String::from_utf8_lossy(&key[prefix.len()..]).into_owned())
        .collect();
    let mut request = Vec::new();
    for name in &names {
        for words in questions(&format!("{prefix}{name}"), name) {
            encode(&words, &mut request);
        }
    }
    connection.send(&request)?;
    for name in &names {
        match name.as_str() {
            "l" => put_list(&mut model, connection.reply()?),
            "h" => put_pairs(&mut model, "h", connection.reply()?),
            "z" => put_pairs(&mut model, "z", connection.reply()?),
            "e" => put_members(&mut model, connection.reply()?),
            _ => {
                let value = connection.reply()?;
                put_string(&mut model, name, value, &connection.reply()?);
            }
        }
    }
    Ok(model)
}

/// The commands that show a key of this name.
fn questions(key: &str, name: &str) -> Vec<Vec<String>> {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    match name {
        "l" => vec![words(&["LRANGE", key, "0", "-1"])],
        "h" => vec![words(&["HGETALL", key])],
        "z" => vec![words(&["ZRANGE", key, "0", "-1", "WITHSCORES"])],
        "e" => vec![words(&["SMEMBERS", key])],
        _ => vec![words(&["GET", key]), words(&["PEXPIRETIME", key])],
    }
}

fn put_string(model: &mut Model, name: &str, value: Reply, expiry: &Reply) {
    match value {
        Reply::Bulk(bytes) => model.put(name.to_owned(), bytes),
        other => model.put(name.to_owned(), format!("{other:?}").into_bytes()),
    }
    match expiry {
        Reply::Integer(-1) => {}
        Reply::Integer(at) => model.put(format!("{name}/expiry"), at.to_string().into_bytes()),
        other => model.put(format!("{name}/expiry"), format!("{other:?}").into_bytes()),
    }
}

fn put_list(model: &mut Model, reply: Reply) {
    let elements = strings(model, "l", reply);
    // Clients push growing numbers: an element twice, or out of place, shows here.
    if !elements.is_sorted_by(|a, b| a < b) {
        model.put("l out of order".to_owned(), elements.join(" ").into_bytes());
    }
    for element in elements {
        model.put(format!("l/{element}"), Vec::new());
    }
}

fn put_members(model: &mut Model, reply: Reply) {
    for member in strings(model, "e", reply) {
        model.put(format!("e/{member}"), Vec::new());
    }
}

fn put_pairs(model: &mut Model, name: &str, reply: Reply) {
    for pair in strings(model, name, reply).chunks(2) {
        let [field, value] = pair else { continue };
        model.put(format!("{name}/{field}"), value.clone().into_bytes());
    }
}

fn strings(model: &mut Model, name: &str, reply: Reply) -> Vec<String> {
    let Reply::Array(elements) = reply else {
        model.put(format!("{name} is"), format!("{reply:?}").into_bytes());
        return Vec::new();
    };
    let bytes = elements.into_iter().filter_map(|element| element.into_bytes().ok());
    bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
}
