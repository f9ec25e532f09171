//! What the configuration says, in the terms of the services here.

use super::listen::ListenOptions;
use super::log::{Facility, Format, LogOptions, Syslog, Verbosity};
use super::oom::{OomMode, OomScores};
use super::supervise;
use crate::config::{Config, LogFormat, LogLevel, OomScoreAdj, Supervised, SyslogFacility};

/// The log.
pub fn log(config: &Config) -> LogOptions {
    let verbosity = match config.loglevel {
        LogLevel::Debug => Verbosity::Debug,
        LogLevel::Verbose => Verbosity::Verbose,
        LogLevel::Notice => Verbosity::Notice,
        LogLevel::Warning => Verbosity::Warning,
        LogLevel::Nothing => Verbosity::Nothing,
    };
    let format = match config.log_format {
        LogFormat::Plain => Format::Plain,
        LogFormat::Json => Format::Json,
        LogFormat::Logfmt => Format::Logfmt,
    };
    let file = (!config.logfile.is_empty()).then(|| config.logfile.as_path().to_owned());
    let syslog = config.syslog_enabled.then(|| Syslog {
        ident: config.syslog_ident.to_string(),
        facility: facility(config.syslog_facility),
    });
    LogOptions { verbosity, format, file, syslog }
}

const fn facility(facility: SyslogFacility) -> Facility {
    match facility {
        SyslogFacility::User => Facility::User,
        SyslogFacility::Local0 => Facility::Local0,
        SyslogFacility::Local1 => Facility::Local1,
        SyslogFacility::Local2 => Facility::Local2,
        SyslogFacility::Local3 => Facility::Local3,
        SyslogFacility::Local4 => Facility::Local4,
        SyslogFacility::Local5 => Facility::Local5,
        SyslogFacility::Local6 => Facility::Local6,
        SyslogFacility::Local7 => Facility::Local7,
    }
}

/// The supervisor to look for.
pub const fn supervised(config: &Config) -> supervise::Supervised {
    match config.supervised {
        Supervised::No => supervise::Supervised::No,
        Supervised::Upstart => supervise::Supervised::Upstart,
        Supervised::Systemd => supervise::Supervised::Systemd,
        Supervised::Auto => supervise::Supervised::Auto,
    }
}

/// The out-of-memory score.
pub const fn oom(config: &Config) -> (OomMode, OomScores) {
    let mode = match config.oom_score_adj {
        OomScoreAdj::No => OomMode::No,
        OomScoreAdj::Yes | OomScoreAdj::Relative => OomMode::Relative,
        OomScoreAdj::Absolute => OomMode::Absolute,
    };
    let values = config.oom_score_adj_values;
    let scores =
        OomScores { primary: values.primary, replica: values.replica, child: values.child };
    (mode, scores)
}

/// Where to listen for Prometheus.
pub fn metrics(config: &Config) -> ListenOptions<'_> {
    ListenOptions { port: config.metrics_port, tls_port: 0, ..listen(config) }
}

/// What to listen on.
pub fn listen(config: &Config) -> ListenOptions<'_> {
    ListenOptions {
        bind: &config.bind,
        port: config.port,
        tls_port: config.tls_port,
        backlog: i32::try_from(config.tcp_backlog).unwrap_or(i32::MAX),
        unix_path: config.unixsocket.as_path(),
        unix_mode: config.unixsocketperm,
    }
}
