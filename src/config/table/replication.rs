//! Rows: replication, cluster.

macro_rules! replication {
    ($rest:tt { $($rows:tt)* }) => { collect! { $rest { $($rows)*

Replication {
    /// Follows the primary at this address: takes over its data and every change to it.
    "replicaof" | "slaveof" replicaof: Option<PrimaryAddress> = None, Primary, Fixed,
        Live, example "replicaof 192.0.2.1 6379";

    /// The password for the primary.
    "masterauth" masterauth: Text = Text::default(), any_text(Empty::Unset), Free,
        Live, [SECRET], example "masterauth a-long-and-random-secret";

    /// The ACL user for the primary.
    "masteruser" masteruser: Text = Text::default(), any_text(Empty::Unset), Free,
        Live, [SECRET], example "masteruser replication";

    /// Answers from the data it has while a replica is cut off from its primary; otherwise most
    /// commands fail.
    "replica-serve-stale-data" | "slave-serve-stale-data" replica_serve_stale_data: bool = true,
        yes_no(), Free, Live;

    /// Refuses writes on a replica.
    "replica-read-only" | "slave-read-only" replica_read_only: bool = true, yes_no(), Free,
        Live;

    /// Sends snapshots to replicas as they are made, without a file.
    "repl-diskless-sync" repl_diskless_sync: bool = true, yes_no(), Free, Live;

    /// Seconds to wait, before a snapshot is sent, for more replicas that want the same one.
    "repl-diskless-sync-delay" repl_diskless_sync_delay: u32 = 5, integer(0, INT_MAX), Free,
        Live;

    /// Number of replicas that want the same snapshot at which it is sent without waiting for more;
    /// 0 always waits.
    "repl-diskless-sync-max-replicas" repl_diskless_sync_max_replicas: u32 = 0,
        integer(0, INT_MAX), Free, Live;

    /// Loads a snapshot as it comes, without a file: only into an empty data set, or beside the
    /// present one (`swapdb`), which takes the memory of both.
    "repl-diskless-load" repl_diskless_load: ReplDisklessLoad = ReplDisklessLoad::Disabled,
        one_of(), Free, Live, [NOT_WHILE_LOADING];

    /// Seconds between pings to replicas.
    "repl-ping-replica-period" | "repl-ping-slave-period" repl_ping_replica_period: u32 = 10,
        integer(1, INT_MAX), Free, Live;

    /// Seconds without data or pings after which a link counts as broken, on either side. Must be
    /// more than the ping period.
    "repl-timeout" repl_timeout: u32 = 60, integer(1, INT_MAX), Free, Live;

    /// Lets the kernel collect small packets to replicas: less traffic, up to 40 ms of delay.
    "repl-disable-tcp-nodelay" repl_disable_tcp_nodelay: bool = false, yes_no(), Free,
        Live;

    /// Bytes of recent changes kept, from which a replica that was cut off catches up.
    "repl-backlog-size" repl_backlog_size: u64 = 1 << 20, memory(1, LONG_MAX),
        Then(Trigger::Replicas), Live;

    /// Bytes of older changes kept in a file in `dir` besides; 0 keeps none. They go there
    /// whether or not a replica still waits for them, so that a slow one holds up disk space and no
    /// memory: the limit of its output buffer does not count them.
    "repl-backlog-spill-size" repl_backlog_spill_size: u64 = 0, memory(0, LONG_MAX),
        Then(Trigger::Replicas), Live;

    /// Seconds without any replica after which the backlog is given up; 0 keeps it.
    "repl-backlog-ttl" repl_backlog_ttl: u64 = 3600, integer(0, LONG_MAX), Free,
        Live;

    /// Sentinel promotes the replica with the lowest number first, and none with 0.
    "replica-priority" | "slave-priority" replica_priority: u32 = 100, integer(0, INT_MAX), Free,
        Live;

    /// Lets Sentinel tell clients about this replica.
    "replica-announced" replica_announced: bool = true, yes_no(), Free, Live;

    /// Refuses writes while fewer replicas than this are connected; 0 never does.
    "min-replicas-to-write" | "min-slaves-to-write" min_replicas_to_write: u32 = 0,
        integer(0, INT_MAX), Then(Trigger::Replicas), Live;

    /// Seconds of silence after which a replica does not count for min-replicas-to-write.
    "min-replicas-max-lag" | "min-slaves-max-lag" min_replicas_max_lag: u32 = 10,
        integer(0, INT_MAX), Then(Trigger::Replicas), Live;

    /// The address a replica tells its primary, where it is not the one it connects from.
    "replica-announce-ip" | "slave-announce-ip" replica_announce_ip: Text = Text::default(),
        any_text(Empty::Unset), Free, Live,
        example "replica-announce-ip 198.51.100.7";

    /// The port a replica tells its primary; 0 is the one it listens on.
    "replica-announce-port" | "slave-announce-port" replica_announce_port: u16 = 0,
        integer(0, 65535), Free, Live;

    /// A replica does not evict keys itself; its primary tells it.
    "replica-ignore-maxmemory" | "slave-ignore-maxmemory" replica_ignore_maxmemory: bool = true,
        yes_no(), Free, Live;

    /// A replica drops its old data in a helper thread before it loads a snapshot.
    "replica-lazy-flush" | "slave-lazy-flush" replica_lazy_flush: bool = false, yes_no(), Free,
        Live;

    /// A replica goes on when it cannot write to its disk, instead of stopping.
    "replica-ignore-disk-write-errors" replica_ignore_disk_write_errors: bool = false, yes_no(),
        Free, Live;

    /// What a replica does when a command from its primary or from the append-only file fails.
    "propagation-error-behavior" propagation_error_behavior: PropagationErrorBehavior
        = PropagationErrorBehavior::Ignore, one_of(), Free, Live;
}

Cluster {
    /// Runs as a node of a cluster.
    "cluster-enabled" cluster_enabled: bool = false, yes_no(), Fixed, Later(Cluster);

    /// The file where a node keeps what it knows of the cluster. Written by the server only.
    "cluster-config-file" cluster_config_file: Text = Text::from("nodes.conf"),
        any_text(Empty::Value), Fixed, Later(Cluster);

    /// Milliseconds without an answer after which a node counts as failing.
    "cluster-node-timeout" cluster_node_timeout: u64 = 15_000, integer(0, LONG_MAX), Free,
        Later(Cluster);

    /// The port for other nodes; 0 is the port for clients plus 10000.
    "cluster-port" cluster_port: u16 = 0, integer(0, 65535), Fixed, Later(Cluster);

    /// A replica whose data is older than node timeout times this, plus the ping period, does not
    /// try to replace its primary; 0 always tries.
    "cluster-replica-validity-factor" | "cluster-slave-validity-factor"
        cluster_replica_validity_factor: u32 = 10, integer(0, INT_MAX), Free, Later(Cluster);

    /// Replicas a primary must keep, before one of them may move to a primary that has none.
    "cluster-migration-barrier" cluster_migration_barrier: u32 = 1, integer(0, INT_MAX), Free,
        Later(Cluster);

    /// Lets replicas move to primaries that have none.
    "cluster-allow-replica-migration" cluster_allow_replica_migration: bool = true, yes_no(), Free,
        Later(Cluster);

    /// Refuses queries while any slot has no node.
    "cluster-require-full-coverage" cluster_require_full_coverage: bool = true, yes_no(), Free,
        Later(Cluster);

    /// This replica never replaces its primary by itself.
    "cluster-replica-no-failover" | "cluster-slave-no-failover" cluster_replica_no_failover: bool
        = false, yes_no(), Free, Later(Cluster);

    /// Answers reads while the cluster is down.
    "cluster-allow-reads-when-down" cluster_allow_reads_when_down: bool = false, yes_no(), Free,
        Later(Cluster);

    /// Delivers messages of sharded channels while the cluster is down.
    "cluster-allow-pubsubshard-when-down" cluster_allow_pubsubshard_when_down: bool = true,
        yes_no(), Free, Later(Cluster);

    /// Bytes that may wait for another node before the link is closed; 0 is no limit.
    "cluster-link-sendbuf-limit" cluster_link_sendbuf_limit: u64 = 0,
        memory(0, ULONG_MAX), Free, Later(Cluster);

    /// A host name to tell the other nodes and clients.
    "cluster-announce-hostname" cluster_announce_hostname: Text = Text::default(),
        ruled_text(Empty::Unset, rules::announced_hostname), Free, Later(Cluster),
        example "cluster-announce-hostname node-1.example.com";

    /// A name for people, shown in logs of the other nodes.
    "cluster-announce-human-nodename" cluster_announce_human_nodename: Text = Text::default(),
        ruled_text(Empty::Unset, rules::announced_nodename), Free, Later(Cluster),
        example "cluster-announce-human-nodename node-1";

    /// How clients are told where a slot is: address, host name, or the host they know already.
    "cluster-preferred-endpoint-type" cluster_preferred_endpoint_type: ClusterEndpointType
        = ClusterEndpointType::Ip, one_of(), Free, Later(Cluster);

    /// The address under which other nodes and clients reach this one, behind address translation.
    "cluster-announce-ip" cluster_announce_ip: Text = Text::default(), any_text(Empty::Unset),
        Free, Later(Cluster), example "cluster-announce-ip 203.0.113.9";

    /// The port under which clients reach this node, behind address translation; 0 is the one it
    /// listens on.
    "cluster-announce-port" cluster_announce_port: u16 = 0, integer(0, 65535), Free,
        Later(Cluster);

    /// The TLS port under which clients reach this node, behind address translation; 0 is the one
    /// it listens on.
    "cluster-announce-tls-port" cluster_announce_tls_port: u16 = 0, integer(0, 65535), Free,
        Later(Cluster);

    /// The port under which other nodes reach this one, behind address translation; 0 is the one it
    /// listens on.
    "cluster-announce-bus-port" cluster_announce_bus_port: u16 = 0, integer(0, 65535), Free,
        Later(Cluster);

    /// Milliseconds between pings to other nodes.
    "cluster-ping-interval" cluster_ping_interval: u64 = 1000, integer(0, LONG_MAX), Free,
        Later(Cluster), [HIDDEN];
}

    } } };
}
