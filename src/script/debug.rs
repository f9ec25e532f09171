//! What the debugger of scripts and the interpreter tell each other.
//!
//! A script that stops asks what to do, does it, and asks again with what came of it: so nobody holds the
//! server while Lua works, which may call it.

/// Why the interpreter asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A line is about to be executed.
    Line,
    /// A number of instructions was executed.
    Instructions,
}

/// What the interpreter tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The script is here.
    At {
        /// The line.
        line: i64,
        /// Why it tells.
        event: Event,
    },
    /// Names and values of the local variables.
    Locals(Vec<(Vec<u8>, Vec<u8>)>),
    /// The value of a variable; none if there is no such variable.
    Variable(Option<Vec<u8>>),
    /// Functions, by name if they have one, and where they are, the innermost first.
    Calls(Vec<(Option<Vec<u8>>, i64)>),
    /// What a piece of code returned, or its error.
    Evaluated(Result<Vec<u8>, Vec<u8>>),
}

/// What it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// To go on until the next line.
    GoOn,
    /// Local variables.
    Locals,
    /// A variable of any function that is being executed, or `KEYS` or `ARGV`.
    Variable(Vec<u8>),
    /// The functions that are being executed.
    Calls,
    /// To execute code.
    Evaluate(Vec<u8>),
    /// To end the script with an error.
    Fail(&'static str),
}

/// What a script says to who debugs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remark<'a> {
    /// `redis.breakpoint()`: it stops at the next line.
    Stop,
    /// `redis.debug(...)`
    Says(&'a [u8]),
}
