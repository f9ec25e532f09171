//! Rows: other files, sockets.

macro_rules! network {
    ($rest:tt { $($rows:tt)* }) => { collect! { $rest { $($rows)*

Files {
    /// Reads another file at this point. A pattern reads every file it matches, in order of their
    /// names, and none is fine too. Later lines win, so what must not be overridden goes last.
    "include" include: Vec<Text> = Vec::new(), each(), Fixed, Live, [FILE_ONLY],
        example "include /etc/carnelian/conf.d/*.conf";
}

Network {
    /// The addresses to listen on. `*` is every IPv4 address and `::*` every IPv6 address; an
    /// address with `-` in front may be missing on this machine. `""` listens on none.
    "bind" bind: Vec<BindAddress> = all_addresses(), Bind, Then(Trigger::ListenPorts), Live,
        setting "bind 127.0.0.1 -::1";

    /// The TCP port; 0 opens no TCP socket.
    "port" port: u16 = 6379, integer(0, 65535), Then(Trigger::ListenPorts), Live;

    /// While there is no password and the server listens on more than this machine's own addresses,
    /// accept only clients that connect from this machine.
    "protected-mode" protected_mode: bool = true, yes_no(), Free, Live;

    /// Connections that the kernel completes ahead of the server accepting them, for each socket. The
    /// kernel's own limit (`net.core.somaxconn`) may lower it.
    "tcp-backlog" tcp_backlog: u32 = 511, integer(0, INT_MAX), Fixed, Live;

    /// Path of a Unix socket to listen on as well.
    "unixsocket" unixsocket: Text = Text::default(), any_text(Empty::Unset), Fixed, Live,
        example "unixsocket /run/carnelian/carnelian.sock";

    /// Permissions of the Unix socket, in octal. 0 leaves them to the process's umask.
    "unixsocketperm" unixsocketperm: u32 = 0, Permissions, Fixed, Live,
        example "unixsocketperm 700";

    /// Seconds after which an idle client is disconnected; 0 never does. Replicas and subscribers are
    /// exempt.
    "timeout" timeout: u32 = 0, integer(0, INT_MAX), Free, Live;

    /// Seconds of silence before the kernel probes whether the other end still lives; also keeps
    /// network equipment from forgetting the connection. 0 sends no probes.
    "tcp-keepalive" tcp_keepalive: u32 = 300, integer(0, INT_MAX), Free, Live;

    /// The address that connections to other servers come from.
    "bind-source-addr" bind_source_addr: Text = Text::default(), any_text(Empty::Unset), Free,
        Live, example "bind-source-addr 10.0.0.1";

    /// Mark all sockets with this number, for routing and packet filters. 0 sets no mark.
    "socket-mark-id" socket_mark_id: u32 = 0, integer(0, 0xffff_ffff), Fixed,
        NoEffect("sockets are not marked");

    /// Connections accepted in one turn of the event loop; the rest wait for the next, so that a
    /// storm of new clients does not starve those that are connected.
    "max-new-connections-per-cycle" max_new_connections_per_cycle: u32 = 10, integer(1, 1000),
        Free, Live;

    /// TLS connections accepted in one turn of the event loop. Each costs a handshake.
    "max-new-tls-connections-per-cycle" max_new_tls_connections_per_cycle: u32 = 1,
        integer(1, 1000), Free, Live;
}

    } } };
}
