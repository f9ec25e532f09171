//! Rows: snapshots, append-only file.

macro_rules! persistence {
    ($rest:tt { $($rows:tt)* }) => { collect! { $rest { $($rows)*

Snapshots {
    /// Writes a snapshot when so many seconds have passed since the last one and at least so many
    /// keys changed. Several points may stand in one line or in several; `save ""` writes none.
    "save" save: Vec<SavePoint> = default_save_points(), SavePoints, Free, Live;

    /// Refuses writes after a snapshot failed, until one succeeds, so that somebody notices.
    "stop-writes-on-bgsave-error" stop_writes_on_bgsave_error: bool = true, yes_no(), Free,
        Live;

    /// Compresses strings in snapshots.
    "rdbcompression" rdbcompression: bool = true, yes_no(), Free, Live;

    /// Ends snapshots with a checksum and checks it when loading.
    "rdbchecksum" rdbchecksum: bool = true, yes_no(), Fixed, Live;

    /// Checks values in depth when they are loaded or restored: never, always, or only those that
    /// clients send with RESTORE.
    "sanitize-dump-payload" sanitize_dump_payload: SanitizeDumpPayload = SanitizeDumpPayload::No,
        one_of(), Free, Live;

    /// Name of the snapshot file in the working directory.
    "dbfilename" dbfilename: Text = Text::from("dump.rdb"),
        ruled_text(Empty::Value, rules::dbfilename), Free, Live, [PROTECTED];

    /// Removes snapshot files that were only made for replication, where nothing else is persisted.
    "rdb-del-sync-files" rdb_del_sync_files: bool = false, yes_no(), Free, Live;

    /// Forces a snapshot to disk bit by bit while it is written, not all at its end.
    "rdb-save-incremental-fsync" rdb_save_incremental_fsync: bool = true, yes_no(), Free,
        Live;
}

AppendOnlyFile {
    /// Logs every write, so that a restart replays them: at most a second's worth is lost, or none,
    /// by appendfsync.
    "appendonly" appendonly: bool = false, yes_no(), Then(Trigger::AppendOnly), Live,
        [NOT_WHILE_LOADING];

    /// The beginning of the names of the append-only files.
    "appendfilename" appendfilename: Text = Text::from("appendonly.aof"),
        ruled_text(Empty::Value, rules::appendfilename), Fixed, Live;

    /// The directory for the append-only files, within the working directory.
    "appenddirname" appenddirname: Text = Text::from("appendonlydir"),
        ruled_text(Empty::Value, rules::appenddirname), Fixed, Live;

    /// When logged writes are forced to disk: before replies go out, once a second, or when the
    /// operating system likes.
    "appendfsync" appendfsync: AppendFsync = AppendFsync::Everysec, one_of(), Then(Trigger::AppendSync),
        Live;

    /// Does not force anything to disk while a snapshot or a rewrite is under way, which keeps
    /// latency low and risks what was written meanwhile.
    "no-appendfsync-on-rewrite" no_appendfsync_on_rewrite: bool = false, yes_no(), Then(Trigger::AppendSync),
        Live;

    /// Rewrites the append-only file in its shortest form when it has grown by so many percent
    /// since the last time; 0 never does.
    "auto-aof-rewrite-percentage" auto_aof_rewrite_percentage: u32 = 100, integer(0, INT_MAX),
        Free, Live;

    /// The size below which the append-only file is not rewritten by itself.
    "auto-aof-rewrite-min-size" auto_aof_rewrite_min_size: u64 = 64 << 20, memory(0, LONG_MAX),
        Free, Live;

    /// Loads an append-only file whose end is missing, as after a crash of the machine, up to the
    /// last complete command; otherwise refuses to start.
    "aof-load-truncated" aof_load_truncated: bool = true, yes_no(), Free, Live;

    /// Loads an append-only file that ends in bytes that are no command, such as the zeroes that a loss of
    /// power may leave, if there are at most so many of them, and cuts them off; 0 never does.
    "aof-load-corrupt-tail-max-size" aof_load_corrupt_tail_max_size: u64 = 0, memory(0, LONG_MAX),
        Free, Live;

    /// Begins a rewritten append-only file with a snapshot, which is smaller and loads faster.
    "aof-use-rdb-preamble" aof_use_rdb_preamble: bool = true, yes_no(), Free,
        Live;

    /// Marks the time in the append-only file, so that it can be cut at a moment in the past.
    "aof-timestamp-enabled" aof_timestamp_enabled: bool = false, yes_no(), Then(Trigger::AppendSync),
        Live;

    /// Forces a rewritten append-only file to disk bit by bit while it is written, not all at its
    /// end.
    "aof-rewrite-incremental-fsync" aof_rewrite_incremental_fsync: bool = true, yes_no(), Free,
        Live;

    /// Keeps append-only files that a rewrite has made superfluous.
    "aof-disable-auto-gc" aof_disable_auto_gc: bool = false, yes_no(), Then(Trigger::AppendSync),
        Live;
}

    } } };
}
