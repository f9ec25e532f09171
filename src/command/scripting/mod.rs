//! Scripts and functions.

mod cache;
mod eval;
mod fcall;
mod function;
mod functions;
mod run;
pub mod running;
mod script;
mod shebang;
#[cfg(test)]
mod tests;

use super::Command;
use crate::base::num;
use crate::resp::Output;
use cache::Scripts;
use functions::Functions;
use running::Running;

/// The family.
pub static COMMANDS: &[&Command] = &[
    &eval::EVAL,
    &eval::EVAL_RO,
    &eval::EVALSHA,
    &eval::EVALSHA_RO,
    &fcall::FCALL,
    &fcall::FCALL_RO,
    &function::FUNCTION,
    &script::SCRIPT,
];

/// Scripts, the interpreters they run in, and the one that runs.
#[derive(Debug, Default)]
pub struct Scripting {
    /// Made when the first is needed; out while one runs.
    scripts: Option<Box<Scripts>>,
    /// As `scripts`.
    functions: Option<Box<Functions>>,
    /// The script that runs, once it has done so for long.
    pub running: Option<Running>,
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
    /// Memory of the interpreter of functions.
    pub functions_interpreter_bytes: u64,
    /// Memory of the libraries besides.
    pub functions_bytes: u64,
    /// Functions.
    pub functions: u64,
    /// Libraries.
    pub libraries: u64,
}

impl Scripting {
    fn take_scripts(&mut self) -> Box<Scripts> {
        let scripts = self.scripts.take().unwrap_or_default();
        note_scripts(&mut self.figures, &scripts);
        scripts
    }

    fn put_scripts(&mut self, scripts: Box<Scripts>) {
        self.scripts = Some(scripts);
    }

    fn take_functions(&mut self) -> Box<Functions> {
        let functions = self.functions.take().unwrap_or_default();
        note_functions(&mut self.figures, &functions);
        functions
    }

    fn put_functions(&mut self, functions: Box<Functions>) {
        self.functions = Some(functions);
    }

    /// What scripts and functions take.
    pub fn figures(&self) -> Figures {
        let mut figures = self.figures;
        match &self.scripts {
            Some(scripts) => note_scripts(&mut figures, scripts),
            None if self.running.is_none() => {
                (figures.interpreter_bytes, figures.scripts_bytes, figures.scripts) = (0, 0, 0);
            }
            None => {}
        }
        if let Some(functions) = &self.functions {
            note_functions(&mut figures, functions);
        }
        figures
    }
}

fn note_scripts(figures: &mut Figures, scripts: &Scripts) {
    let (count, bytes) = scripts.size();
    figures.interpreter_bytes = scripts.interpreter_bytes();
    figures.scripts_bytes = num::u64_of(bytes);
    figures.scripts = num::u64_of(count);
}

fn note_functions(figures: &mut Figures, functions: &Functions) {
    let (interpreter, bytes) = functions.memory_bytes();
    figures.functions_interpreter_bytes = num::u64_of(interpreter);
    figures.functions_bytes = num::u64_of(bytes);
    figures.functions = num::u64_of(functions.len());
    figures.libraries = num::u64_of(functions.libraries.len());
}
