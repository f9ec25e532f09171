//! Scripts and functions.

mod cache;
mod eval;
mod run;
mod script;
mod shebang;
#[cfg(test)]
mod tests;

use super::Command;
use crate::base::num;
use crate::resp::Output;
use cache::Scripts;

/// The family.
pub static COMMANDS: &[&Command] =
    &[&eval::EVAL, &eval::EVAL_RO, &eval::EVALSHA, &eval::EVALSHA_RO, &script::SCRIPT];

/// Scripts, the interpreters they run in, and the one that runs.
#[derive(Debug, Default)]
pub struct Scripting {
    /// Made when the first is needed; out while one runs.
    scripts: Option<Box<Scripts>>,
    /// Where the replies to a script's commands go.
    replies: Output,
    /// Scripts of EVAL that went because there were too many.
    pub evicted: u64,
    /// What the scripts took when they were last at hand.
    figures: Figures,
}

/// What scripts take, bytes, and how many there are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Memory of the interpreter of EVAL.
    pub interpreter_bytes: u64,
    /// Memory of its scripts besides.
    pub scripts_bytes: u64,
    /// Its scripts.
    pub scripts: u64,
}

impl Scripting {
    fn take_scripts(&mut self) -> Box<Scripts> {
        let scripts = self.scripts.take().unwrap_or_default();
        self.figures = figures_of(&scripts);
        scripts
    }

    fn put_scripts(&mut self, scripts: Box<Scripts>) {
        self.scripts = Some(scripts);
    }

    /// What scripts take.
    pub fn figures(&self) -> Figures {
        self.scripts.as_deref().map_or(self.figures, figures_of)
    }
}

fn figures_of(scripts: &Scripts) -> Figures {
    let (count, bytes) = scripts.size();
    Figures {
        interpreter_bytes: scripts.interpreter_bytes(),
        scripts_bytes: num::u64_of(bytes),
        scripts: num::u64_of(count),
    }
}
