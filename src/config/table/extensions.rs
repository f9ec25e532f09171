//! Rows: TLS, scripts and modules, testing.

macro_rules! extensions {
    ($rest:tt { $($rows:tt)* }) => { collect! { $rest { $($rows)*

Tls {
    /// The port for TLS connections; 0 opens none.
    "tls-port" tls_port: u16 = 0, integer(0, 65535), Then(Trigger::ListenPorts), Live,
        example "tls-port 6380";

    /// The server's certificate, in PEM, with those between it and its authority behind it.
    "tls-cert-file" tls_cert_file: Text = Text::default(), any_text(Empty::Unset),
        Then(Trigger::Tls), Live, [VOLATILE], example "tls-cert-file /etc/carnelian/tls/server.crt";

    /// The private key of tls-cert-file, in PEM.
    "tls-key-file" tls_key_file: Text = Text::default(), any_text(Empty::Unset),
        Then(Trigger::Tls), Live, [VOLATILE], example "tls-key-file /etc/carnelian/tls/server.key";

    /// The passphrase of tls-key-file.
    "tls-key-file-pass" tls_key_file_pass: Text = Text::default(), any_text(Empty::Unset),
        Then(Trigger::Tls), Live, [SECRET], example "tls-key-file-pass a-passphrase";

    /// A certificate for connections that this server opens, where it is not tls-cert-file.
    "tls-client-cert-file" tls_client_cert_file: Text = Text::default(), any_text(Empty::Unset),
        Then(Trigger::Tls), Live, [VOLATILE],
        example "tls-client-cert-file /etc/carnelian/tls/client.crt";

    /// The private key of tls-client-cert-file.
    "tls-client-key-file" tls_client_key_file: Text = Text::default(), any_text(Empty::Unset),
        Then(Trigger::Tls), Live, [VOLATILE],
        example "tls-client-key-file /etc/carnelian/tls/client.key";

    /// The passphrase of tls-client-key-file.
    "tls-client-key-file-pass" tls_client_key_file_pass: Text = Text::default(),
        any_text(Empty::Unset), Then(Trigger::Tls), Live, [SECRET],
        example "tls-client-key-file-pass a-passphrase";

    /// Parameters of the Diffie-Hellman exchange of old versions of OpenSSL. Refused: only elliptic curves
    /// are spoken here.
    "tls-dh-params-file" tls_dh_params_file: Text = Text::default(), any_text(Empty::Unset),
        Then(Trigger::Tls), Live, [VOLATILE],
        example "tls-dh-params-file /etc/carnelian/tls/server.dh";

    /// Certificates of the authorities that vouch for clients and other servers.
    "tls-ca-cert-file" tls_ca_cert_file: Text = Text::default(), any_text(Empty::Unset),
        Then(Trigger::Tls), Live, [VOLATILE], example "tls-ca-cert-file /etc/carnelian/tls/ca.crt";

    /// A directory of such certificates: every file of it that is one.
    "tls-ca-cert-dir" tls_ca_cert_dir: Text = Text::default(), any_text(Empty::Unset),
        Then(Trigger::Tls), Live, [VOLATILE], example "tls-ca-cert-dir /etc/ssl/certs";

    /// Whether clients must show a certificate; `optional` checks one that is shown.
    "tls-auth-clients" tls_auth_clients: TlsAuthClients = TlsAuthClients::Yes, one_of(),
        Then(Trigger::Tls), Live;

    /// Makes a client the user that its certificate names: `CN` in the common name, `URI` in the
    /// alternative names of that kind, of which the first that is a user counts. One that names nobody
    /// stays the default user. Give such users no password, and not `nopass`.
    "tls-auth-clients-user" tls_auth_clients_user: TlsClientUser = TlsClientUser::Off, one_of(), Free,
        Live;

    /// Connects to the primary by TLS, with tls-client-cert-file or tls-cert-file, and tells it that this
    /// server's port is tls-port. A change counts from the next connection on.
    "tls-replication" tls_replication: bool = false, yes_no(), Then(Trigger::Tls), Live;

    /// Uses TLS between the nodes of a cluster.
    "tls-cluster" tls_cluster: bool = false, yes_no(), Then(Trigger::Tls), Later(Cluster);

    /// The versions of TLS to speak, TLSv1.2 and TLSv1.3; older ones are refused. The default is both.
    "tls-protocols" tls_protocols: Text = Text::default(), any_text(Empty::Unset),
        Then(Trigger::Tls), Live, example "tls-protocols \"TLSv1.2 TLSv1.3\"";

    /// The ciphers for TLS 1.2, as OpenSSL writes such lists.
    "tls-ciphers" tls_ciphers: Text = Text::default(), any_text(Empty::Unset),
        Then(Trigger::Tls), Live, example "tls-ciphers DEFAULT:!AES128";

    /// The cipher suites for TLS 1.3.
    "tls-ciphersuites" tls_ciphersuites: Text = Text::default(), any_text(Empty::Unset),
        Then(Trigger::Tls), Live, example "tls-ciphersuites TLS_CHACHA20_POLY1305_SHA256";

    /// Prefers the server's order of ciphers to the client's.
    "tls-prefer-server-ciphers" tls_prefer_server_ciphers: bool = false, yes_no(),
        Then(Trigger::Tls), Live;

    /// Lets clients resume sessions, which is faster.
    "tls-session-caching" tls_session_caching: bool = true, yes_no(), Then(Trigger::Tls), Live;

    /// Sessions remembered so that clients can resume them; 0 is no limit.
    "tls-session-cache-size" tls_session_cache_size: u32 = 20 * 1024, integer(0, INT_MAX),
        Then(Trigger::Tls), Live;

    /// Seconds for which a session is remembered.
    "tls-session-cache-timeout" tls_session_cache_timeout: u32 = 300, integer(0, INT_MAX),
        Then(Trigger::Tls), Live;

    /// How often the files named here are looked at, seconds: changed ones are read anew, and count for
    /// connections from then on. 0 never looks.
    "tls-auto-reload-interval" tls_auto_reload_interval: u32 = 1, integer(0, INT_MAX), Free, Live;
}

Extensions {
    /// Milliseconds after which a script, a function or a module counts as stuck: other clients then
    /// get a BUSY error and may stop it.
    "busy-reply-threshold" | "lua-time-limit" busy_reply_threshold: u64 = 5000,
        integer(0, LONG_MAX), Free, Live;

    /// Gives scripts functions of Lua that were withdrawn because they are not safe.
    "lua-enable-deprecated-api" lua_enable_deprecated_api: bool = false, yes_no(), Fixed,
        Live, [HIDDEN];

    /// Loads a module, with arguments for it.
    "loadmodule" loadmodule: Vec<ModuleToLoad> = Vec::new(), each(), Fixed, Later(Modules),
        [FILE_ONLY], example "loadmodule /usr/lib/carnelian/module.so argument";
}

Testing {
    /// Microseconds to wait after each key of a snapshot that is being written; negative numbers wait
    /// once in so many keys.
    "rdb-key-save-delay" rdb_key_save_delay: i32 = 0, integer(INT_MIN, INT_MAX), Free,
        Live, [HIDDEN];

    /// Microseconds to wait after each key that is loaded; negative numbers wait once in so many
    /// keys.
    "key-load-delay" key_load_delay: i32 = 0, integer(INT_MIN, INT_MAX), Free, Live,
        [HIDDEN];

    /// Bytes loaded before clients get an answer in between.
    "loading-process-events-interval-bytes" loading_process_events_interval_bytes: u64 = 2 << 20,
        integer(1024, INT_MAX), Free,
        NoEffect("another thread loads the data, and clients get an answer at once"), [HIDDEN];

    /// Milliseconds after which a watchdog logs where a hanging server hangs, as addresses for
    /// addr2line; 0 is no watchdog.
    "watchdog-period" watchdog_period: u32 = 0, integer(0, INT_MAX), Then(Trigger::Watchdog), Live,
        [HIDDEN];

    /// Exits after an internal error instead of aborting, which leaves no core file.
    "use-exit-on-panic" use_exit_on_panic: bool = false, yes_no(), Free,
        NoEffect("an internal error always aborts"), [HIDDEN];

    /// Checks assertions that are meant for development.
    "enable-debug-assert" enable_debug_assert: bool = false, yes_no(), Fixed,
        NoEffect("a release build is without debug assertions"), [HIDDEN];
}

    } } };
}
