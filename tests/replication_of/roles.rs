//! What a replica does for clients, and becoming a primary.

use crate::common::wait_until;
use crate::{compare, info, replica_of, wait_for_link, wait_for_offset, with_primaries};

#[test]
fn a_replica_is_read_and_not_written() {
    with_primaries(&[], |primary| {
        let replica = replica_of(primary.port(), &[]);
        wait_for_link(&replica);
        let (mut writer, mut reader) = (primary.connect(), replica.connect());
        writer.check("SET k v; SET gone v PX 1", "+OK +OK");
        wait_for_offset(&mut writer, &mut reader);
        let refused = "-READONLY You can't write against a read only replica.";
        reader.check("GET k; SET k w; GET k", &format!("$v {refused} $v"));
        reader.check("EVAL 'return redis.call(\"get\", KEYS[1])' 1 k", "$v");
        wait_until("the key to expire", || reader.command(&["GET", "gone"]).to_string() == "$_");
        reader.check("CONFIG SET replica-read-only no; SET own v; GET own", "+OK +OK $v");
    });
}

#[test]
fn a_promoted_replica_is_written() {
    with_primaries(&[], |primary| {
        let replica = replica_of(primary.port(), &[]);
        wait_for_link(&replica);
        let (mut writer, mut reader) = (primary.connect(), replica.connect());
        writer.check("SET k v; RPUSH l 1 2 3", "+OK :3");
        wait_for_offset(&mut writer, &mut reader);
        compare(&mut writer, &mut reader);
        let id = info(&mut reader, "master_replid");
        reader.check("REPLICAOF NO ONE; SET k w; GET k", "+OK +OK $w");
        assert_eq!(info(&mut reader, "role"), "master");
        assert_eq!(info(&mut reader, "master_replid2"), id);
        assert_ne!(info(&mut reader, "master_replid"), id);
    });
}

#[test]
fn stale_data_are_served_only_if_they_may_be() {
    with_primaries(&[], |primary| {
        let replica = replica_of(primary.port(), &["--replica-serve-stale-data", "no"]);
        wait_for_link(&replica);
        let mut reader = replica.connect();
        reader.check("GET k", "$_");
        let nobody = crate::common::free_port();
        reader.check(&format!("REPLICAOF 127.0.0.1 {nobody}"), "+OK");
        let down = "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to \
                    'no'.";
        reader.check("GET k", down);
        reader.check("CONFIG SET replica-serve-stale-data yes; GET k", "+OK $_");
    });
}

#[test]
fn a_primary_that_wants_a_password_gets_one() {
    with_primaries(&["--requirepass", "secret"], |primary| {
        let replica = replica_of(primary.port(), &["--masterauth", "secret"]);
        wait_for_link(&replica);
        let mut reader = replica.connect();
        reader.check("CONFIG SET masterauth wrong", "+OK");
        let mut writer = primary.connect();
        writer.check("AUTH secret; CLIENT KILL TYPE replica", "+OK :1");
        replica.wait_for_log("Unable to AUTH to MASTER: -WRONGPASS");
        reader.check("CONFIG SET masterauth secret", "+OK");
        wait_for_link(&replica);
    });
}
