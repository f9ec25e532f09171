//! Rows: the process, the log.

macro_rules! process {
    ($rest:tt { $($rows:tt)* }) => { collect! { $rest { $($rows)*

Process {
    /// Runs in the background, detached from the terminal. Leave it off under systemd, in containers
    /// and wherever else something supervises the server.
    "daemonize" daemonize: bool = false, yes_no(), Fixed, Live;

    /// Tells an init system when the server is ready: `systemd` through `$NOTIFY_SOCKET`, `upstart`
    /// by stopping itself once, `auto` whichever of the two the environment shows.
    "supervised" supervised: Supervised = Supervised::No, one_of(), Fixed, Live;

    /// A file to write the process id to, removed at exit. When none is set, a daemon tries
    /// /var/run/redis.pid.
    "pidfile" pidfile: Text = Text::default(), any_text(Empty::Unset), Fixed, Live,
        example "pidfile /run/carnelian/carnelian.pid";

    /// The working directory: dumps, append-only files and relative paths live here.
    "dir" dir: Text = Text::from("."), Directory, Then(Trigger::Directory), Live,
        [PROTECTED | NOT_WHILE_LOADING], setting "dir ./";

    /// Puts address, port and mode into the process title that `ps` and `top` show.
    "set-proc-title" set_proc_title: bool = true, yes_no(), Fixed, Live;

    /// What the title looks like. Known variables: {title}, {listen-addr}, {server-mode}, {port},
    /// {tls-port}, {unixsocket}, {config-file}.
    "proc-title-template" proc_title_template: Text
        = Text::from("{title} {listen-addr} {server-mode}"),
        ruled_text(Empty::Value, rules::proc_title_template), Then(Trigger::ProcTitle), Live;

    /// How often a second background work runs: expiry, timeouts, rehashing. More is smoother and
    /// costs idle CPU. Kept between 1 and 500; above 100 is rarely wise.
    "hz" hz: u32 = 10, clamped(0, 1, 500), Then(Trigger::Hz), Live;

    /// Raises `hz` by itself while many clients are connected.
    "dynamic-hz" dynamic_hz: bool = true, yes_no(), Then(Trigger::Hz), Live;

    /// Threads that read from and write to clients.
    "io-threads" io_threads: u32 = 1, integer(1, 128), Fixed,
        NoEffect("one thread serves every client");

    /// Whether the threads of io-threads parse requests too.
    "io-threads-do-reads" io_threads_do_reads: bool = false, yes_no(), Fixed,
        NoEffect("one thread serves every client");

    /// The CPUs to run on, such as `0-3,8`.
    "server-cpulist" | "server_cpulist" server_cpulist: Text = Text::default(),
        any_text(Empty::Unset), Fixed,
        NoEffect("the server does not pin its threads; start it under taskset"),
        example "server-cpulist 0-3";

    /// The CPUs for threads that free memory and close files.
    "bio-cpulist" | "bio_cpulist" bio_cpulist: Text = Text::default(),
        any_text(Empty::Unset), Fixed,
        NoEffect("the server does not pin its threads; start it under taskset"),
        example "bio-cpulist 1,3";

    /// The CPUs for the process that rewrites the append-only file.
    "aof-rewrite-cpulist" | "aof_rewrite_cpulist" aof_rewrite_cpulist: Text = Text::default(),
        any_text(Empty::Unset), Fixed,
        Live,
        example "aof-rewrite-cpulist 8-11";

    /// The CPUs for the process that writes snapshots.
    "bgsave-cpulist" | "bgsave_cpulist" bgsave_cpulist: Text = Text::default(),
        any_text(Empty::Unset), Fixed,
        Live,
        example "bgsave-cpulist 1,10-11";

    /// Whether the kernel's out-of-memory killer is told which processes to prefer: `relative` to the
    /// score at start (`yes` means the same), or `absolute`. See oom-score-adj-values.
    "oom-score-adj" oom_score_adj: OomScoreAdj = OomScoreAdj::No, one_of(), Then(Trigger::OomScore), Live;

    /// The scores for oom-score-adj: as a primary, as a replica and of child processes. The higher
    /// the score, the sooner the kernel kills.
    "oom-score-adj-values" oom_score_adj_values: OomScores
        = OomScores { primary: 0, replica: 200, child: 800 }, Scores, Then(Trigger::OomScore), Live;

    /// Switches transparent huge pages off for this process: they make snapshots cost memory and
    /// time.
    "disable-thp" disable_thp: bool = true, yes_no(), Fixed, Live;

    /// Names of start-up checks whose failure is tolerated.
    "ignore-warnings" ignore_warnings: Text = Text::default(), any_text(Empty::Value), Free,
        NoEffect("no check at start refuses to go on"), example "ignore-warnings ARM64-COW-BUG";

    /// Seconds that a shutdown waits for replicas to catch up.
    "shutdown-timeout" shutdown_timeout: u32 = 10, integer(0, INT_MAX), Free, Live;

    /// How SIGINT stops the server. `default` writes a snapshot if any `save` point is configured and
    /// waits for replicas; `save` and `nosave` decide about the snapshot, `now` does not wait, `force`
    /// goes down even when the snapshot fails.
    "shutdown-on-sigint" shutdown_on_sigint: ShutdownFlags = ShutdownFlags::empty(),
        ShutdownWords, Free, Live;

    /// How SIGTERM stops the server, in the words of shutdown-on-sigint.
    "shutdown-on-sigterm" shutdown_on_sigterm: ShutdownFlags = ShutdownFlags::empty(),
        ShutdownWords, Free, Live;

    /// The locale whose collation SORT ALPHA uses; empty is the one of the environment.
    "locale-collate" locale_collate: Text = Text::default(), any_text(Empty::Value), Free,
        Later(Sorting);
}

Log {
    /// The least severe message that is logged.
    "loglevel" loglevel: LogLevel = LogLevel::Notice, one_of(), Then(Trigger::LogLevel), Live;

    /// The file to log to; empty is standard output, which a daemon discards.
    "logfile" logfile: Text = Text::default(), any_text(Empty::Value), Fixed, Live;

    /// The shape of a line: Redis's own, a JSON object, or key=value pairs.
    "log-format" log_format: LogFormat = LogFormat::Plain, one_of(), Then(Trigger::LogFormat),
        Live;

    /// Logs to the system log as well.
    "syslog-enabled" syslog_enabled: bool = false, yes_no(), Fixed, Live;

    /// The name to log under in the system log.
    "syslog-ident" syslog_ident: Text = Text::from("redis"), any_text(Empty::Value), Fixed, Live;

    /// The facility to log under in the system log.
    "syslog-facility" syslog_facility: SyslogFacility = SyslogFacility::Local0, one_of(), Fixed,
        Live;

    /// Greets with the large logo at start even when the log is not a terminal.
    "always-show-logo" always_show_logo: bool = false, yes_no(), Fixed, Live;

    /// Logs a report with a backtrace when the server crashes. Without it crashes leave a cleaner
    /// core file.
    "crash-log-enabled" crash_log_enabled: bool = true, yes_no(), Then(Trigger::CrashLog), Live;

    /// Tests the memory as part of a crash report.
    "crash-memcheck-enabled" crash_memcheck_enabled: bool = true, yes_no(), Free,
        NoEffect("a crash report contains no memory test");

    /// Keeps keys, values and arguments out of crash reports.
    "hide-user-data-from-log" hide_user_data_from_log: bool = false, yes_no(), Free,
        NoEffect("the log never shows keys or values");
}

    } } };
}
