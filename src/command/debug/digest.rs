//! A digest of the data that does not depend on the order of tables: equal data, equal digest, here
//! and in Redis.
//!
//! Facts: SHA-1 throughout. `xor` mixes the hash of some bytes into a digest by exclusive or, so that
//! the order of calls does not matter; `mix` then hashes the digest, so that it does.

use crate::base::{float, num};
use crate::command::{Context, Outcome};
use crate::ds::listpack::Digits;
use crate::value::list::Direction;
use crate::value::stream::StreamId;
use crate::value::{Entry, HashRef, ListRef, SetRef, SortedSetRef, Str, Stream, Type, type_of};
use sha1::{Digest as _, Sha1};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Digest([u8; 20]);

impl Digest {
    fn xor(&mut self, bytes: &[u8]) {
        let hash: [u8; 20] = Sha1::digest(bytes).into();
        for (mine, other) in self.0.iter_mut().zip(hash) {
            *mine ^= other;
        }
    }

    fn mix(&mut self, bytes: &[u8]) {
        self.xor(bytes);
        self.0 = Sha1::digest(self.0).into();
    }

    fn hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn add_value(&mut self, entry: &Entry) {
        let number: u32 = match type_of(entry) {
            Type::String => 0,
            Type::List => 1,
            Type::Set => 2,
            Type::SortedSet => 3,
            Type::Hash => 4,
            Type::Stream => 6,
        };
        self.mix(&number.to_be_bytes());
        if let Some(string) = Str::of(entry) {
            string.with_bytes(|bytes| self.mix(bytes));
        } else if let Some(list) = ListRef::of(entry) {
            list.for_each(0, list.len(), Direction::Forward, |element| {
                element.with_text(|text| self.mix(text));
            });
        } else if let Some(set) = SetRef::of(entry) {
            set.iter().for_each(|member| member.with_text(|text| self.xor(text)));
        } else if let Some(set) = SortedSetRef::of(entry) {
            let mut score_text = Vec::new();
            for (member, score) in set.iter() {
                score_text.clear();
                float::format_f64_shortest(score, &mut score_text);
                let mut pair = Self::default();
                member.with_text(|text| pair.mix(text));
                pair.mix(&score_text);
                self.xor(&pair.0);
            }
        } else if let Some(hash) = HashRef::of(entry) {
            self.add_hash(hash);
        } else if let Some(stream) = Stream::of(entry) {
            self.add_stream(stream);
        }
        if entry.expiry().is_some() {
            self.xor(b"!!expire!!");
        }
    }

    fn add_hash(&mut self, hash: HashRef<'_>) {
        let mut digits = Digits::new();
        for field in hash.iter() {
            let mut digest = Self::default();
            digest.mix(field.name.text(&mut digits));
            digest.mix(field.value.text(&mut digits));
            if field.expiry.is_some() {
                digest.xor(b"!!hexpire!!");
            }
            self.xor(&digest.0);
        }
    }

    fn add_stream(&mut self, stream: &Stream) {
        let mut digits = Digits::new();
        for (id, fields) in stream.log.range(StreamId::MIN, StreamId::MAX) {
            self.mix(format!("{}.{}", id.ms, id.seq).as_bytes());
            for (name, value) in fields {
                self.mix(name.text(&mut digits));
                self.mix(value.text(&mut digits));
            }
        }
    }
}

pub(super) fn digest(ctx: &mut Context<'_>) -> Outcome {
    let keyspace = &ctx.server.keyspace;
    let mut total = Digest::default();
    for index in 0..keyspace.len() {
        let db = keyspace.db(index);
        if db.is_empty() {
            continue;
        }
        total.mix(&num::low_u32(num::u64_of(index)).to_be_bytes());
        for entry in db.iter() {
            let mut digest = Digest::default();
            digest.mix(entry.key());
            digest.add_value(&entry);
            total.xor(&digest.0);
        }
    }
    ctx.session.output.simple(&total.hex());
    Ok(())
}

pub(super) fn digest_value(ctx: &mut Context<'_>) -> Outcome {
    let db = ctx.session.db;
    ctx.session.output.array(ctx.args.len() - 2);
    for index in 2..ctx.args.len() {
        let key = ctx.key(index);
        let mut digest = Digest::default();
        if let Some(entry) = ctx.server.keyspace.peek(db, key) {
            digest.add_value(&entry);
        }
        ctx.session.output.simple(&digest.hex());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::bench;

    /// Read off Redis 7.0.15 after DEBUG POPULATE 3 and DEBUG POPULATE 2 pre 20.
    #[test]
    fn digests_are_redis_s() {
        bench().check(
            "DEBUG DIGEST; DEBUG POPULATE 3; DEBUG POPULATE 2 pre 20; DEBUG DIGEST",
            "+0000000000000000000000000000000000000000 +OK +OK \
             +b24c361bdf54200fca00b8235464f744a9b1249b",
        );
    }

    /// Read off Valkey 9.1.2; Redis 7.0 has other digits.
    #[test]
    fn sorted_sets_digest_alike_in_every_encoding() {
        let mut bench = bench();
        let fill = "0.1 a 3 b 1e20 c 1e17 d -0 e";
        bench.check(
            &format!("ZADD t {fill}; DEBUG DIGEST-VALUE t"),
            ":5 [+e2a01889bcdc78b4b5df0e28e9645d3e2ea50225]",
        );
        bench.check(
            "CONFIG SET zset-max-listpack-entries 0; ZADD s 0.1 a 3 b 1e20 c 1e17 d 0 e",
            "+OK :5",
        );
        bench.check("DEBUG DIGEST-VALUE s", "[+e2a01889bcdc78b4b5df0e28e9645d3e2ea50225]");
    }

    /// Read off Redis 7.0.15.
    #[test]
    fn sets_digest_alike_in_every_encoding() {
        let mut bench = bench();
        bench.check("SADD k c a b; SADD l 3 1 2; SADD m 3 1 2 x; SREM m x", ":3 :3 :4 :1");
        bench.check(
            "DEBUG DIGEST-VALUE k l m",
            "[+593c2414786d75446e97f4ea5d4b731f3313da72 +2a462a3f51a1db89738ebbeef0c47ce1bbc85246 +2a462a3f51a1db89738ebbeef0c47ce1bbc85246]",
        );
    }

    /// Read off Redis 7.0.15.
    #[test]
    fn the_order_of_a_list_matters() {
        let mut bench = bench();
        bench.check("RPUSH l a b 12; RPUSH m b a 12", ":3 :3");
        bench.check(
            "DEBUG DIGEST-VALUE l m",
            "[+4fddf5ecfb89aa53ce571890ffcd91dc9c8824bf +13877752c1eb423ef05b021329608ce91cc120a4]",
        );
        bench.check(
            "DEBUG QUICKLIST-PACKED-THRESHOLD 2b; CONFIG SET list-max-listpack-size 2",
            "+OK +OK",
        );
        bench.check("RPUSH n a; RPUSH n b 12; OBJECT ENCODING n", ":1 :3 $quicklist");
        bench.check("DEBUG DIGEST-VALUE n", "[+4fddf5ecfb89aa53ce571890ffcd91dc9c8824bf]");
        bench.check(
            "DEBUG QUICKLIST-PACKED-THRESHOLD 4gb; DEBUG QUICKLIST-PACKED-THRESHOLD x",
            "-ERR argument must be a memory value bigger than 1 and smaller than 4gb \
             -ERR argument must be a memory value bigger than 1 and smaller than 4gb",
        );
    }

    #[test]
    fn the_order_of_insertion_does_not_matter_and_the_expiry_does() {
        let mut one = bench();
        one.check("SET a 1; SET b 2", "+OK +OK");
        let mut other = bench();
        other.check("SET b 2; SET a 1", "+OK +OK");
        assert_eq!(one.raw(&["DEBUG", "DIGEST"]), other.raw(&["DEBUG", "DIGEST"]));
        other.check("SET a 1 EX 100", "+OK");
        assert_ne!(one.raw(&["DEBUG", "DIGEST"]), other.raw(&["DEBUG", "DIGEST"]));
    }
}
