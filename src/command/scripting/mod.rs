//! Scripts and functions.

mod cache;
#[cfg(test)]
mod cve_tests;
mod debug;
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

use super::spec::{Flags, Group};
use super::table::CommandId;
use super::{Command, Server};
use crate::base::num;
use crate::config::Config;
use crate::ds::relocate::Relocator;
use crate::resp::{Args, Output};
use crate::script::ScriptFlags;
use crate::script::lua::Deprecated;
use cache::Scripts;
use debug::Debugger;
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
    /// Whether scripts see what was withdrawn.
    deprecated: Deprecated,
    /// What they may call.
    pub callable: Callable,
    /// Who debugs the script that runs.
    debugger: Option<Box<Debugger>>,
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

/// What scripts may call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Callable {
    /// What is for scripts.
    #[default]
    Permitted,
    /// Everything (DEBUG SET-DISABLE-DENY-SCRIPTS).
    All,
}

impl Scripting {
    /// As a configuration says.
    pub fn new(config: &Config) -> Self {
        let deprecated =
            if config.lua_enable_deprecated_api { Deprecated::Visible } else { Deprecated::Hidden };
        Self { deprecated, ..Self::default() }
    }

    /// Begins to move the texts of scripts; whether there are any.
    pub(super) fn begin_moving(&mut self) -> bool {
        self.scripts.as_mut().is_some_and(|scripts| scripts.begin_moving())
    }

    /// Goes on with that until `out_of_time` says so; whether it has come to its end.
    pub(super) fn move_texts(
        &mut self,
        to: &mut dyn Relocator,
        out_of_time: impl FnMut() -> bool,
    ) -> bool {
        self.scripts.as_mut().is_none_or(|scripts| scripts.move_texts(to, out_of_time))
    }

    fn take_scripts(&mut self) -> Box<Scripts> {
        let scripts =
            self.scripts.take().unwrap_or_else(|| Box::new(Scripts::new(self.deprecated)));
        note_scripts(&mut self.figures, &scripts);
        scripts
    }

    fn put_scripts(&mut self, scripts: Box<Scripts>) {
        self.scripts = Some(scripts);
    }

    fn take_functions(&mut self) -> Box<Functions> {
        let functions = self.functions.take().unwrap_or_else(|| self.new_functions());
        note_functions(&mut self.figures, &functions);
        functions
    }

    fn new_functions(&self) -> Box<Functions> {
        Box::new(Functions::new(self.deprecated))
    }

    fn put_functions(&mut self, functions: Box<Functions>) {
        self.functions = Some(functions);
    }

    /// Forgets all functions. An interpreter is made when there is another use for one.
    fn drop_functions(&mut self) {
        self.functions = None;
        let Figures { interpreter_bytes, scripts_bytes, scripts, .. } = self.figures;
        self.figures = Figures { interpreter_bytes, scripts_bytes, scripts, ..Figures::default() };
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

/// The flags of a command that may run a script which says what it does: what the script says counts.
pub fn flags_by_script(server: &Server, id: CommandId, args: &Args<'_>, flags: Flags) -> Flags {
    let spec = &server.commands.get(id).command.spec;
    if spec.group != Group::Scripting || !flags.contains(Flags::MAY_REPLICATE) {
        return flags;
    }
    let Some(word) = args.get(1) else { return flags };
    let scripting = &server.scripting;
    let told = match spec.name {
        "eval" => shebang::parse(word).ok().map(|shebang| shebang.flags),
        "evalsha" => scripting.scripts.as_ref().and_then(|scripts| scripts.flags_of(word)),
        "fcall" => scripting.functions.as_ref().and_then(|functions| functions.flags_of(word)),
        _ => None,
    };
    match told {
        Some(told) if told.contains(ScriptFlags::EVAL_COMPAT) => flags,
        Some(told) if told.contains(ScriptFlags::NO_WRITES) => flags - Flags::MAY_REPLICATE,
        Some(_) => (flags - Flags::MAY_REPLICATE) | Flags::WRITE,
        None => flags,
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
