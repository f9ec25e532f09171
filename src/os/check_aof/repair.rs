//! Cutting a file.

use super::super::check_rdb::Screen;
use super::{Failure, Log, Position};
use std::fs::OpenOptions;
use std::io::{self, stdin};

/// A file that is to be cut.
pub(super) struct Repair<'a> {
    pub(super) screen: &'a Screen,
    pub(super) log: &'a Log<'a>,
    /// Bytes of it.
    pub(super) size: u64,
    /// Bytes that stay.
    pub(super) ok_up_to: u64,
}

impl Repair<'_> {
    /// Cuts off what is wrong at the end, after asking.
    pub(super) fn fix(&self) -> Result<(), Failure> {
        let Self { screen, log, size, ok_up_to } = *self;
        let name = &log.name;
        if log.position == Position::Inner {
            let why = "because it is not the last file";
            return Err(Some(format!("Failed to truncate AOF {name} {why}")));
        }
        screen.line(&format!(
            "This will shrink the AOF {name} from {size} bytes, with {} bytes, to {ok_up_to} bytes",
            size - ok_up_to
        ));
        screen.ask("Continue? [y/N]: ");
        let mut answer = String::new();
        let is_read = stdin().read_line(&mut answer).is_ok();
        if !is_read || !answer.starts_with(['y', 'Y']) {
            return Err(Some("Aborting...".to_owned()));
        }
        self.cut().map_err(|_| format!("Failed to truncate AOF {name}"))?;
        screen.line(&format!("Successfully truncated AOF {name}"));
        Ok(())
    }

    /// Cuts off what is younger.
    pub(super) fn cut_at(&self, until_s: i64) -> Result<(), Failure> {
        let Self { screen, log, ok_up_to, .. } = *self;
        let (name, path) = (&log.name, log.path.display());
        if ok_up_to == 0 {
            let line = format!("AOF {path} has nothing before timestamp {until_s}, aborting...");
            return Err(Some(line));
        }
        if log.position == Position::Inner {
            return Err(Some(format!(
                "Failed to truncate AOF {path} to timestamp {until_s} to offset {ok_up_to} because it \
                 is not the last file.\nIf you insist, please delete all files after this file \
                 according to the manifest file and delete the corresponding records in manifest file \
                 manually. Then re-run redis-check-aof."
            )));
        }
        self.cut().map_err(|_| format!("Failed to truncate AOF {name} to timestamp {until_s}"))?;
        screen.line(&format!("Successfully truncated AOF {name} to timestamp {until_s}"));
        Ok(())
    }

    fn cut(&self) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(self.log.path)?;
        file.set_len(self.ok_up_to)?;
        file.sync_all()
    }
}
