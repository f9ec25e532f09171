//! The scripts that EVAL and SCRIPT LOAD have brought, compiled, by the SHA-1 of their text.

use super::shebang::{self, Shebang};
use crate::base::num;
use crate::command::Error;
use crate::ds::relocate::{self, Relocator};
use crate::script::lua::{Deprecated, Interpreter, Reference};
use crate::script::{ScriptFlags, sha1_hex};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Scripts of EVAL that are kept; the one that was used least recently goes first.
const EVALUATED_MAX: usize = 500;

/// Texts that are moved between two looks at the clock.
const MOVED_PER_LOOK: usize = 16;

/// How a script came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// EVAL brought it: it may go when there are too many.
    Evaluated,
    /// SCRIPT LOAD did: it stays.
    Loaded,
}

/// A script's name: 40 hexadecimal digits.
pub(super) type Name = [u8; 40];

/// A hash of names, which are hashes: their digits are taken as they are.
#[derive(Debug, Default)]
struct NameHasher(u64);

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks_exact(size_of::<u64>()) {
            let digits = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
            self.0 = (self.0.rotate_left(5) ^ digits).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// One script.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) function: Reference,
    pub(super) flags: ScriptFlags,
    text: Box<[u8]>,
    origin: Origin,
    /// When it was used last, on a clock of uses.
    used: u64,
}

/// The scripts and the interpreter they run in.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) interpreter: Interpreter,
    scripts: HashMap<Name, Script, BuildHasherDefault<NameHasher>>,
    uses: u64,
    evaluated: usize,
    text_bytes: usize,
    /// Those whose text is still to be moved by the walk under way.
    unmoved: Vec<Name>,
}

/// What a found script is run with.
pub(super) struct Found<'a> {
    pub(super) interpreter: &'a mut Interpreter,
    pub(super) function: &'a Reference,
    pub(super) flags: ScriptFlags,
}

impl Scripts {
    /// None, and an interpreter for them.
    pub(super) fn new(deprecated: Deprecated) -> Self {
        let interpreter = Interpreter::new(deprecated);
        Self {
            interpreter,
            scripts: HashMap::default(),
            uses: 0,
            evaluated: 0,
            text_bytes: 0,
            unmoved: Vec::new(),
        }
    }

    /// Number of scripts, and bytes that they take besides what is compiled.
    pub(super) fn size(&self) -> (usize, usize) {
        let entries = self.scripts.capacity() * (size_of::<Name>() + size_of::<Script>() + 1);
        (self.scripts.len(), self.text_bytes + entries)
    }

    /// Whether there is a script of this name.
    pub(super) fn contains(&self, name: &[u8]) -> bool {
        name_of(name).is_some_and(|name| self.scripts.contains_key(&name))
    }

    /// The text of the script of this name.
    pub(super) fn text_of(&self, name: &[u8]) -> Option<&[u8]> {
        self.scripts.get(&name_of(name)?).map(|script| &*script.text)
    }

    /// Begins to move texts to where there is less idle memory around them; whether there are any.
    pub(super) fn begin_moving(&mut self) -> bool {
        self.unmoved = self.scripts.keys().copied().collect();
        !self.unmoved.is_empty()
    }

    /// Goes on with that until `out_of_time` says so; whether it has come to its end.
    pub(super) fn move_texts(
        &mut self,
        to: &mut dyn Relocator,
        mut out_of_time: impl FnMut() -> bool,
    ) -> bool {
        while !self.unmoved.is_empty() {
            let rest = self.unmoved.len().saturating_sub(MOVED_PER_LOOK);
            for name in self.unmoved.drain(rest..) {
                if let Some(script) = self.scripts.get_mut(&name) {
                    relocate::boxed_bytes(&mut script.text, to);
                }
            }
            if out_of_time() {
                return self.unmoved.is_empty();
            }
        }
        self.unmoved = Vec::new();
        true
    }

    /// What the script of a name says of itself.
    pub(super) fn flags_of(&self, name: &[u8]) -> Option<ScriptFlags> {
        self.scripts.get(&name_of(name)?).map(|script| script.flags)
    }

    /// The script of a name.
    pub(super) fn find(&mut self, name: &Name) -> Option<Found<'_>> {
        let script = self.scripts.get_mut(name)?;
        self.uses += 1;
        script.used = self.uses;
        let interpreter = &mut self.interpreter;
        Some(Found { interpreter, function: &script.function, flags: script.flags })
    }

    /// Compiles a script unless it is there; its name, and how many others went for it.
    ///
    /// # Errors
    /// Its first line or its syntax.
    pub(super) fn add(&mut self, text: &[u8], origin: Origin) -> Result<(Name, u64), Error> {
        let name = sha1_hex(text);
        if let Some(script) = self.scripts.get_mut(&name) {
            if origin == Origin::Loaded && script.origin == Origin::Evaluated {
                script.origin = Origin::Loaded;
                self.evaluated -= 1;
            }
            return Ok((name, 0));
        }
        let Shebang { flags, body } = shebang::parse(text)?;
        let compiled = self.interpreter.compile(body, c"@user_script");
        let function = compiled.map_err(|error| {
            Error::new([b"ERR Error compiling script (new function): ", &error[..]].concat())
        })?;
        self.uses += 1;
        let text: Box<[u8]> = text.into();
        self.text_bytes += text.len();
        let script = Script { function, flags, text, origin, used: self.uses };
        self.scripts.insert(name, script);
        let mut gone = 0;
        if origin == Origin::Evaluated {
            self.evaluated += 1;
            while self.evaluated > EVALUATED_MAX && self.drop_oldest() {
                gone += 1;
            }
        }
        Ok((name, gone))
    }

    fn drop_oldest(&mut self) -> bool {
        let evaluated =
            self.scripts.iter().filter(|(_, script)| script.origin == Origin::Evaluated);
        let oldest = evaluated.min_by_key(|(_, script)| script.used).map(|(&name, _)| name);
        let Some(script) = oldest.and_then(|name| self.scripts.remove(&name)) else { return false };
        self.evaluated -= 1;
        self.text_bytes -= script.text.len();
        self.interpreter.release(script.function);
        true
    }

    /// Bytes that Lua holds.
    pub(super) fn interpreter_bytes(&self) -> u64 {
        num::u64_of(self.interpreter.memory_bytes())
    }
}

/// A name as clients give it: digits of either case.
pub(super) fn name_of(text: &[u8]) -> Option<Name> {
    let mut name: Name = text.try_into().ok()?;
    name.make_ascii_lowercase();
    Some(name)
}
