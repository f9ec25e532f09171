//! What the log shows at the start.

use super::log;
use crate::config::{Config, REDIS_VERSION};
use std::io::IsTerminal;

/// Our own version and the version of Redis it behaves as.
pub fn version_text() -> String {
    format!("carnelian-{}", env!("CARGO_PKG_VERSION"))
}

/// What `--version` prints. Client libraries read the number behind ` v=`.
pub fn version_line() -> String {
    format!(
        "Redis server v={REDIS_VERSION} sha=00000000:0 malloc={} bits=64 build={}",
        super::memory::allocator_name(),
        version_text()
    )
}

/// Prints the picture on a terminal, or one line anywhere else.
pub fn print(config: &Config) {
    let on_terminal = config.logfile.is_empty()
        && !config.daemonize
        && !config.syslog_enabled
        && std::io::stdout().is_terminal();
    if !on_terminal && !config.always_show_logo {
        tracing::info!("Running mode=standalone, port={}.", config.port);
        return;
    }
    log::raw(&format!(
        "
           ______
        .-'      '-.      Carnelian {} - Redis {REDIS_VERSION} on the wire
       /  .------.  \\
      /  /   /\\   \\  \\     Running in standalone mode
      \\  \\   \\/   /  /     Port: {}
       \\  '------'  /      PID: {}
        '-.______.-'

",
        env!("CARGO_PKG_VERSION"),
        config.port,
        std::process::id()
    ));
}
