//! Libraries of functions: what is loaded, and the interpreter that holds it.

use crate::base::quote;
use crate::command::Error;
use crate::script::lua::{Deprecated, Interpreter, LoadError, Reference, is_name};
use crate::script::{Api, Registered, ScriptFlags};
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};

/// A library.
#[derive(Debug)]
pub(super) struct Library {
    pub(super) code: Bytes,
    pub(super) functions: Vec<Registered>,
}

/// All libraries.
#[derive(Debug)]
pub(super) struct Functions {
    interpreter: Interpreter,
    pub(super) libraries: BTreeMap<Vec<u8>, Library>,
    /// The library of each function, by its name in lower case, and its place there.
    places: HashMap<Vec<u8>, (Vec<u8>, usize)>,
}

/// What becomes of a library of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Existing {
    Refuse,
    Replace,
}

/// A function to be called.
pub(super) struct Callable<'a> {
    pub(super) interpreter: &'a mut Interpreter,
    pub(super) function: &'a Reference,
    pub(super) flags: ScriptFlags,
}

impl Functions {
    /// None, and an interpreter for them.
    pub(super) fn new(deprecated: Deprecated) -> Self {
        let interpreter = Interpreter::new(deprecated);
        Self { interpreter, libraries: BTreeMap::new(), places: HashMap::new() }
    }

    /// What the function of a name says of itself.
    pub(super) fn flags_of(&self, name: &[u8]) -> Option<ScriptFlags> {
        let (library, place) = self.places.get(&name.to_ascii_lowercase())?;
        Some(self.libraries.get(library)?.functions.get(*place)?.flags)
    }

    /// The function of a name.
    pub(super) fn find(&mut self, name: &[u8]) -> Option<Callable<'_>> {
        let (library, place) = self.places.get(&name.to_ascii_lowercase())?;
        let function = self.libraries.get(library)?.functions.get(*place)?;
        let (flags, function) = (function.flags, &function.function);
        Some(Callable { interpreter: &mut self.interpreter, function, flags })
    }

    /// Loads a library; its name.
    ///
    /// # Errors
    /// What is wrong with it. Then all is as before.
    pub(super) fn load(
        &mut self,
        code: &Bytes,
        existing: Existing,
        api: &mut dyn Api,
    ) -> Result<Vec<u8>, Error> {
        let Head { name, body } = head(code)?;
        if existing == Existing::Refuse && self.libraries.contains_key(&name) {
            let text = format!("ERR Library '{}' already exists", String::from_utf8_lossy(&name));
            return Err(Error::new(text));
        }
        let functions = self.interpreter.load_library(body, api).map_err(refused)?;
        if let Err(error) = self.check(&name, &functions) {
            self.release(functions);
            return Err(error);
        }
        self.delete(&name);
        for (place, function) in functions.iter().enumerate() {
            self.places.insert(function.name.to_ascii_lowercase(), (name.clone(), place));
        }
        self.libraries.insert(name.clone(), Library { code: code.clone(), functions });
        Ok(name)
    }

    /// Whether a library has functions, and none that another has.
    fn check(&self, name: &[u8], functions: &[Registered]) -> Result<(), Error> {
        if functions.is_empty() {
            return Err(Error::fixed("ERR No functions registered"));
        }
        for function in functions {
            let place = self.places.get(&function.name.to_ascii_lowercase());
            if place.is_some_and(|(library, _)| library != name) {
                let text = [b"ERR Function ", &function.name[..], b" already exists"].concat();
                return Err(Error::new(text));
            }
        }
        Ok(())
    }

    /// Deletes a library; whether there was one.
    pub(super) fn delete(&mut self, name: &[u8]) -> bool {
        let Some(library) = self.libraries.remove(name) else { return false };
        for function in &library.functions {
            self.places.remove(&function.name.to_ascii_lowercase());
        }
        self.release(library.functions);
        true
    }

    fn release(&mut self, functions: Vec<Registered>) {
        for function in functions {
            self.interpreter.release(function.function);
        }
    }

    /// The sources, by name.
    pub(super) fn sources(&self) -> Vec<Bytes> {
        self.libraries.values().map(|library| library.code.clone()).collect()
    }

    /// How many functions there are.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Bytes that Lua holds, and that they take besides.
    pub(super) fn memory_bytes(&self) -> (usize, usize) {
        let of_library = |(name, library): (&Vec<u8>, &Library)| {
            let functions = library.functions.iter().map(|function| {
                let description = function.description.as_ref().map_or(0, Vec::len);
                size_of::<Registered>() + 3 * function.name.len() + description + name.len()
            });
            name.len() + size_of::<Library>() + library.code.len() + functions.sum::<usize>()
        };
        (self.interpreter.memory_bytes(), self.libraries.iter().map(of_library).sum())
    }
}

fn refused(error: LoadError) -> Error {
    let (text, detail) = match error {
        LoadError::Syntax(detail) => ("ERR Error compiling function: ", detail),
        LoadError::Raised(detail) => ("ERR Error registering functions: ", detail),
    };
    Error::new([text.as_bytes(), &detail].concat())
}

/// What the first line of a library says, and the text behind it.
struct Head<'a> {
    name: Vec<u8>,
    body: &'a [u8],
}

fn head(code: &[u8]) -> Result<Head<'_>, Error> {
    const MISSING: Error = Error::fixed("ERR Missing library metadata");
    const INVALID: Error = Error::fixed("ERR Invalid library metadata");
    if !code.starts_with(b"#!") {
        return Err(MISSING);
    }
    let end = memchr::memchr(b'\n', code).ok_or(INVALID)?;
    let words = quote::split_args(&code[..end]).map_err(|_| INVALID)?;
    let mut words = words.iter().map(Vec::as_slice);
    let engine = words.next().and_then(|word| word.get(2..)).unwrap_or_default();
    let mut name = None;
    for word in words {
        let (field, value) = word.split_at_checked(5).unwrap_or((word, &[]));
        if !field.eq_ignore_ascii_case(b"name=") {
            return Err(Error::new([b"ERR Invalid metadata value given: ", word].concat()));
        }
        if name.replace(value.to_vec()).is_some() {
            let text = "ERR Invalid metadata value, name argument was given multiple times";
            return Err(Error::fixed(text));
        }
    }
    let name = name.ok_or(Error::fixed("ERR Library name was not given"))?;
    if !is_name(&name) {
        return Err(Error::fixed(
            "ERR Library names can only contain letters, numbers, or underscores(_) and must be at \
             least one character long",
        ));
    }
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err(Error::new([b"ERR Engine '", engine, b"' not found"].concat()));
    }
    Ok(Head { name, body: &code[end..] })
}
