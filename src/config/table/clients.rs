//! Rows: security, clients, observability.

macro_rules! clients {
    ($rest:tt { $($rows:tt)* }) => { collect! { $rest { $($rows)*

Security {
    /// The password of the default user: what AUTH with one argument takes. Anyone can try a great
    /// many a second, so let it be long.
    "requirepass" requirepass: Text = Text::default(), any_text(Empty::Unset),
        Then(Trigger::RequirePass), Live, [SECRET], example "requirepass a-long-and-random-secret";

    /// Gives a command another name, or with `""` removes it. The append-only file and replicas must
    /// know the same names.
    "rename-command" rename_command: Vec<RenamedCommand> = Vec::new(), each(), Fixed, Live,
        [FILE_ONLY], example "rename-command FLUSHALL \"\"";

    /// Who may use CONFIG SET on directives that would let a client write files: dir, dbfilename.
    "enable-protected-configs" enable_protected_configs: Permission = Permission::No, one_of(),
        Fixed, Live;

    /// Who may use DEBUG.
    "enable-debug-command" enable_debug_command: Permission = Permission::No, one_of(), Fixed,
        Live;

    /// Who may use MODULE LOAD and its kin.
    "enable-module-command" enable_module_command: Permission = Permission::No, one_of(), Fixed,
        Later(Modules);

    /// One ACL user: a name, then rules as ACL SETUSER takes them.
    "user" user: Vec<UserRules> = Vec::new(), each(), Fixed, Live, [FILE_ONLY | SECRET],
        example "user worker on +@list +@connection ~jobs:* >a-password";

    /// A file with one `user` line for each ACL user; it excludes `user` lines here.
    "aclfile" aclfile: Text = Text::default(), any_text(Empty::Value), Fixed, Live,
        example "aclfile /etc/carnelian/users.acl";

    /// Which channels a new ACL user may publish and subscribe to.
    "acl-pubsub-default" acl_pubsub_default: AclPubsubDefault = AclPubsubDefault::Resetchannels,
        one_of(), Free, Live;

    /// Refusals that ACL LOG remembers.
    "acllog-max-len" acllog_max_len: u64 = 128, integer(0, LONG_MAX), Free, Live;
}

Clients {
    /// Connections at the same time. If the operating system does not grant as many open files, the
    /// server lowers this at start and says so.
    "maxclients" maxclients: u32 = 10_000, integer(1, 0xffff_ffff), Then(Trigger::MaxClients), Live;

    /// Seconds that a client may stay connected without authenticating, where that is asked for; 0 is no
    /// limit.
    "unauthenticated-timeout" unauthenticated_timeout: u32 = 60, integer(0, INT_MAX), Free, Live;

    /// Bytes of requests that may wait unprocessed for one client, before it is disconnected.
    "client-query-buffer-limit" client_query_buffer_limit: usize = 1 << 30, memory(MB, LONG_MAX),
        Free, Live;

    /// The longest argument a request may hold.
    "proto-max-bulk-len" proto_max_bulk_len: usize = 512 << 20, memory(MB, LONG_MAX), Free, Live;

    /// Bytes of replies that may wait for a client that does not read them, for each class: at once
    /// disconnected above the first limit, and above the second one when it stays there for so many
    /// seconds. 0 is no limit.
    "client-output-buffer-limit" client_output_buffer_limit: OutputLimits
        = default_output_limits(), ClassLimits, Free, Live;

    /// Memory that all clients together may take, in bytes or as a share of maxmemory (`5%`). Above
    /// it those that take most are disconnected. 0 is no limit.
    "maxmemory-clients" maxmemory_clients: ClientMemory = ClientMemory::Bytes(0),
        MemoryOrPercent, Then(Trigger::ClientMemoryLimit), Live;

    /// Keys remembered for client-side caching; beyond that the oldest are invalidated. 0 is no limit.
    "tracking-table-max-keys" tracking_table_max_keys: u64 = 1_000_000, integer(0, LONG_MAX),
        Then(Trigger::TrackingLimit), Live;
}

Observability {
    /// Commands that run for at least so many microseconds are remembered in the slow log: 0 is every
    /// command, -1 none.
    "slowlog-log-slower-than" | "commandlog-execution-slower-than" slowlog_log_slower_than: i64
        = 10_000, integer(-1, LONG_MAX), Free, Live;

    /// Commands the slow log remembers.
    "slowlog-max-len" | "commandlog-slow-execution-max-len" slowlog_max_len: u64 = 128,
        integer(0, LONG_MAX), Free, Live;

    /// Commands of at least so many bytes are remembered for COMMANDLOG GET large-request: 0 is every
    /// command, -1 none.
    "commandlog-request-larger-than" commandlog_request_larger_than: i64 = 1 << 20,
        integer(-1, LONG_MAX), Free, Live;

    /// Large commands remembered.
    "commandlog-large-request-max-len" commandlog_large_request_max_len: u64 = 128,
        integer(0, LONG_MAX), Free, Live;

    /// Commands whose reply has at least so many bytes are remembered for COMMANDLOG GET large-reply:
    /// 0 is every command, -1 none.
    "commandlog-reply-larger-than" commandlog_reply_larger_than: i64 = 1 << 20,
        integer(-1, LONG_MAX), Free, Live;

    /// Commands with large replies remembered.
    "commandlog-large-reply-max-len" commandlog_large_reply_max_len: u64 = 128,
        integer(0, LONG_MAX), Free, Live;

    /// Events that stop the server for at least so many milliseconds are recorded for LATENCY; 0
    /// records none.
    "latency-monitor-threshold" latency_monitor_threshold: u64 = 0, integer(0, LONG_MAX), Free,
        Live;

    /// Keeps a histogram of the run time of each command, for INFO latencystats.
    "latency-tracking" latency_tracking: bool = true, yes_no(), Free, Live;

    /// The port of an HTTP listener that tells Prometheus how the server is doing, under `/metrics`, with
    /// the names of the common Redis exporter; 0 opens none. It listens on the addresses of `bind`, asks
    /// for no password, and shows neither keys nor values. While protected-mode would refuse clients
    /// from other machines it refuses those as well.
    "metrics-port" metrics_port: u16 = 0, integer(0, 65535), Fixed, Live;

    /// The percentiles that INFO latencystats prints; `""` prints none.
    "latency-tracking-info-percentiles" latency_tracking_info_percentiles: Vec<f64>
        = vec![50.0, 99.0, 99.9], Percentiles, Free, Live;
}

    } } };
}
