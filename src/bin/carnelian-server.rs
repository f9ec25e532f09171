//! The server daemon: the outer command line. Directives are the configuration table's business.

use carnelian::config::CommandLine;
use carnelian::os::{banner, check_aof, check_rdb, start};
use clap::{Arg, ArgAction, Command};
use std::ffi::OsString;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const EXAMPLES: &str = "Examples:
  carnelian-server                          default configuration
  carnelian-server /etc/redis/redis.conf
  carnelian-server --port 7777 --maxmemory 1gb
  carnelian-server redis.conf --loglevel verbose -
  echo 'maxmemory 128mb' | carnelian-server -
  carnelian-server --check-config redis.conf";

fn command_line() -> Command {
    Command::new("carnelian-server")
        .about("A Redis-compatible in-memory data server.")
        .override_usage(
            "carnelian-server [file] [--directive value ...] [-]\n       \
             carnelian-server --check-config [file] [--directive value ...] [-]",
        )
        .after_help(EXAMPLES)
        .disable_version_flag(true)
        .arg(
            Arg::new("version")
                .short('v')
                .long("version")
                .action(ArgAction::SetTrue)
                .help("Print the version"),
        )
        .arg(
            Arg::new("check-config")
                .long("check-config")
                .action(ArgAction::SetTrue)
                .help("Check the configuration and exit: 0 if it is valid, 1 if not"),
        )
        .arg(
            Arg::new("configuration")
                .num_args(0..)
                .value_parser(clap::value_parser!(OsString))
                .help("A configuration file, directives as --name value, - for standard input"),
        )
}

/// What the first argument asks for; the others belong to the configuration, whose values may look
/// like anything.
fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    if args.first().is_some_and(check_rdb::is_named_so) {
        return ExitCode::from(check_rdb::run(&args));
    }
    if args.first().is_some_and(check_aof::is_named_so) {
        return ExitCode::from(check_aof::run(&args));
    }
    let outer = match args.get(1).and_then(|arg| arg.to_str()) {
        Some("-h" | "--help" | "-v" | "--version") => &args[..2],
        Some("--check-config") => &args[..2],
        Some(_) | None => &args[..args.len().min(1)],
    };
    let matches = command_line().get_matches_from(outer);
    if matches.get_flag("version") {
        println!("{}", banner::version_line());
        return ExitCode::SUCCESS;
    }
    let rest = CommandLine::parse(args.iter().skip(outer.len().max(1)).cloned());
    if matches.get_flag("check-config") {
        return check_config(&rest);
    }
    match start::serve(&rest) {
        Ok(status) => ExitCode::from(u8::try_from(status & 0xff).unwrap_or(1)),
        Err(error) => fail(&error),
    }
}

fn check_config(command_line: &CommandLine) -> ExitCode {
    match start::configure(command_line) {
        Ok(loaded) => {
            for note in &loaded.notes {
                println!("note: {note}");
            }
            println!("The configuration is valid.");
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error),
    }
}

fn fail(error: &start::StartError) -> ExitCode {
    match error {
        start::StartError::Logged => {}
        start::StartError::Config(_) | start::StartError::Io(_) => eprintln!("\n{error}"),
    }
    ExitCode::FAILURE
}
