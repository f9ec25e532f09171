//! Rows: memory, databases, encodings, keyspace events.

macro_rules! data {
    ($rest:tt { $($rows:tt)* }) => { collect! { $rest { $($rows)*

Memory {
    /// Bytes the server may use; 0 is no limit. Above it keys are evicted by maxmemory-policy, and
    /// where none may be, commands that need memory fail.
    "maxmemory" maxmemory: u64 = 0, memory(0, ULONG_MAX),
        Then(Trigger::MemoryLimit), Live, example "maxmemory 4gb";

    /// Which keys are evicted: of all keys or of those with a time to live (`volatile-`), the least
    /// recently used, the least frequently used, random ones, or those that expire first. With
    /// `noeviction` commands that need memory fail instead. The lfu policies also make every key
    /// count how often it is used, for OBJECT FREQ; the others note when, for OBJECT IDLETIME.
    "maxmemory-policy" maxmemory_policy: MaxmemoryPolicy = MaxmemoryPolicy::Noeviction, one_of(),
        Free, Live;

    /// Keys looked at to choose one for eviction: more is closer to the ideal and slower.
    "maxmemory-samples" maxmemory_samples: u32 = 5, integer(1, INT_MAX), Free, Live;

    /// How long eviction may hold up a command, from 0 (briefly) to 100 (until it is done).
    "maxmemory-eviction-tenacity" maxmemory_eviction_tenacity: u32 = 10, integer(0, 100), Free,
        Live;

    /// How slowly the use counter of a key saturates: with 10, at a million uses.
    "lfu-log-factor" lfu_log_factor: u32 = 10, integer(0, INT_MAX), Free, Live;

    /// Minutes after which the use counter of an untouched key goes down by one; 0 never.
    "lfu-decay-time" lfu_decay_time: u32 = 1, integer(0, INT_MAX), Free, Live;

    /// Frees evicted values in a helper thread. Large ones are in any case; the append-only file then
    /// says UNLINK in place of DEL.
    "lazyfree-lazy-eviction" lazyfree_lazy_eviction: bool = false, yes_no(), Free, Live;

    /// Frees expired values in a helper thread.
    "lazyfree-lazy-expire" lazyfree_lazy_expire: bool = false, yes_no(), Free,
        NoEffect("large values are always freed in a helper thread");

    /// Frees values that a command overwrites, such as RENAME does, in a helper thread.
    "lazyfree-lazy-server-del" lazyfree_lazy_server_del: bool = false, yes_no(), Free,
        NoEffect("large values are always freed in a helper thread");

    /// Makes DEL behave as UNLINK.
    "lazyfree-lazy-user-del" lazyfree_lazy_user_del: bool = false, yes_no(), Free,
        NoEffect("large values are always freed in a helper thread");

    /// Makes FLUSHALL and FLUSHDB behave as with ASYNC unless they say SYNC.
    "lazyfree-lazy-user-flush" lazyfree_lazy_user_flush: bool = false, yes_no(), Free,
        NoEffect("large values are always freed in a helper thread");

    /// Lets the allocator give memory back to the system in a thread of its own.
    "jemalloc-bg-thread" jemalloc_bg_thread: bool = true, yes_no(), Then(Trigger::AllocatorThread), Live;

    /// Moves values together in memory when freeing has left many holes.
    "activedefrag" activedefrag: bool = false, yes_no(),
        Then(Trigger::Defragmentation), Live;

    /// Bytes of waste below which defragmentation does not start.
    "active-defrag-ignore-bytes" active_defrag_ignore_bytes: u64 = 100 << 20,
        memory(1, LONG_MAX), Free, Live;

    /// Percentage of waste at which defragmentation starts.
    "active-defrag-threshold-lower" active_defrag_threshold_lower: u32 = 10, integer(0, 1000),
        Free, Live;

    /// Percentage of waste at which defragmentation makes its greatest effort.
    "active-defrag-threshold-upper" active_defrag_threshold_upper: u32 = 100, integer(0, 1000),
        Free, Live;

    /// Least effort, as a percentage of CPU.
    "active-defrag-cycle-min" active_defrag_cycle_min: u32 = 1, integer(1, 99), Free, Live;

    /// Greatest effort, as a percentage of CPU.
    "active-defrag-cycle-max" active_defrag_cycle_max: u32 = 25, integer(1, 99), Free, Live;

    /// Values with more elements than this are moved in several steps.
    "active-defrag-max-scan-fields" active_defrag_max_scan_fields: u64 = 1000,
        integer(1, LONG_MAX), Free, Live;
}

Keyspace {
    /// Number of databases, of which a client selects one with SELECT, counted from 0.
    "databases" databases: usize = 16, integer(1, INT_MAX), Fixed, Live;

    /// Goes on resizing hash tables while no command uses them, for a millisecond at a time.
    "activerehashing" activerehashing: bool = true, yes_no(), Free, Live;

    /// How hard the server looks for expired keys nobody asks for, from 1 to 10: more frees memory
    /// sooner and takes more CPU.
    "active-expire-effort" active_expire_effort: u32 = 1, integer(1, 10), Free, Live;
}

Encodings {
    /// Most fields of a hash that is kept as one compact listing; a larger one becomes a hash
    /// table.
    "hash-max-listpack-entries" | "hash-max-ziplist-entries" hash_max_listpack_entries: usize
        = 512, integer(0, LONG_MAX), Free, Live;

    /// Longest field or value, in bytes, of a hash that is kept as one compact listing.
    "hash-max-listpack-value" | "hash-max-ziplist-value" hash_max_listpack_value: usize
        = 64, memory(0, LONG_MAX), Free, Live;

    /// The size of a list's nodes: -1 to -5 are 4, 8, 16, 32 and 64 kB, a positive number is so many
    /// elements.
    "list-max-listpack-size" | "list-max-ziplist-size" list_max_listpack_size: i32
        = -2, integer(INT_MIN, INT_MAX), Free, Live;

    /// Compresses a list's nodes, except for so many at both ends; 0 compresses none.
    "list-compress-depth" list_compress_depth: u32 = 0, integer(0, INT_MAX), Free, Live;

    /// Most members of a set of integers that is kept as a sorted array.
    "set-max-intset-entries" set_max_intset_entries: usize = 512, integer(0, LONG_MAX), Free, Live;

    /// Most members of a set that is kept as one compact listing; a larger one becomes a hash
    /// table.
    "set-max-listpack-entries" set_max_listpack_entries: usize = 128, integer(0, LONG_MAX), Free, Live;

    /// Longest member, in bytes, of a set that is kept as one compact listing.
    "set-max-listpack-value" set_max_listpack_value: usize = 64, integer(0, LONG_MAX), Free, Live;

    /// Most members of a sorted set that is kept as one compact listing; a larger one becomes a
    /// skip list.
    "zset-max-listpack-entries" | "zset-max-ziplist-entries" zset_max_listpack_entries: usize
        = 128, integer(0, LONG_MAX), Free, Live;

    /// Longest member, in bytes, of a sorted set that is kept as one compact listing.
    "zset-max-listpack-value" | "zset-max-ziplist-value" zset_max_listpack_value: usize
        = 64, memory(0, LONG_MAX), Free, Live;

    /// Bytes up to which a HyperLogLog is kept in its sparse form. Above 16000 that never pays.
    "hll-sparse-max-bytes" hll_sparse_max_bytes: usize = 3000, memory(0, LONG_MAX), Free,
        Live;

    /// Bytes in one node of a stream; 0 is no limit.
    "stream-node-max-bytes" stream_node_max_bytes: usize = 4096, memory(0, LONG_MAX), Free,
        Live;

    /// Entries in one node of a stream; 0 is no limit.
    "stream-node-max-entries" stream_node_max_entries: u64 = 100, integer(0, LONG_MAX), Free,
        Live;
}

Events {
    /// What is published when keys change. `K` publishes on a channel for the key, `E` on one for the
    /// event; then the classes: `g` generic commands, `$` strings, `l` lists, `s` sets, `h` hashes,
    /// `z` sorted sets, `t` streams, `d` modules, `x` expired, `e` evicted, `A` all of these; `m` key
    /// misses, `n` new keys. Empty publishes nothing.
    "notify-keyspace-events" notify_keyspace_events: Events = Events::empty(), EventLetters, Free, Live;
}

    } } };
}
