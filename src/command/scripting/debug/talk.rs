//! The debugger's side of the conversation: its commands, and what it tells.

use super::human;
use crate::base::num;
use crate::command::Server;
use crate::resp::parse::{self, Limits, Parsed, Trust};
use crate::resp::{Args, OwnedArgs};
use crate::script::Called;
use crate::script::debug::{Answer, Event, Remark, Request};
use std::io;

/// Breakpoints at most.
const BREAKPOINTS_MAX: usize = 64;
/// What values and replies are cut to unless told otherwise, bytes; and the least that can be told.
const BYTES_MAX: usize = 256;
const BYTES_MAX_MIN: usize = 60;
/// Words of a command, and bytes of one.
const WORDS_MAX: usize = 1024;
/// Lines around the one that is listed.
const CONTEXT: i64 = 5;
/// Words of a command that are told.
const WORDS_TOLD_MAX: usize = 10;
const UNKNOWN: &str = "<error> Unknown Redis Lua debugger command or wrong number of arguments.";
const GONE: &str = "timeout during Lua debugging with client closing connection";

/// A script that is debugged.
#[derive(Debug)]
pub(in crate::command::scripting) struct Debugger {
    /// The client's place.
    client: usize,
    lines: Vec<Vec<u8>>,
    /// Where the script is.
    line: i64,
    breakpoints: Vec<i64>,
    /// Whether it stops at the next line.
    is_stepping: bool,
    /// Whether it has asked for that itself.
    has_asked: bool,
    /// Whether it has stopped because it takes long.
    takes_long: bool,
    /// What values are cut to, bytes; 0: not at all.
    bytes_max: usize,
    has_hinted: bool,
    log: Vec<Vec<u8>>,
    /// What the client has sent.
    input: Vec<u8>,
    /// When the script went on, a tick.
    since_ns: u64,
}

/// What happens next.
pub(in crate::command::scripting) enum Next {
    /// The interpreter does something.
    Ask(Request),
    /// A command of the server's is executed.
    Execute(OwnedArgs),
}

/// Why there is no command.
enum NoCommand {
    /// It is none.
    Malformed,
    /// The client has gone.
    Gone,
}

impl Debugger {
    pub(super) fn new(client: usize, script: &[u8], now_ns: u64) -> Self {
        let end = script.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n'));
        let script = &script[..end.map_or(0, |last| last + 1)];
        Self {
            client,
            lines: script.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect(),
            line: 0,
            breakpoints: Vec::new(),
            is_stepping: true,
            has_asked: false,
            takes_long: false,
            bytes_max: BYTES_MAX,
            has_hinted: false,
            log: Vec::new(),
            input: Vec::new(),
            since_ns: now_ns,
        }
    }

    /// Whether the commands that a script calls are told.
    pub(in crate::command::scripting) const fn is_stepping(&self) -> bool {
        self.is_stepping
    }

    /// Tells of nothing any more, and lets the script go on.
    pub(super) fn leave_alone(&mut self) {
        self.is_stepping = false;
        self.breakpoints.clear();
    }

    /// Ends the session.
    pub(super) fn end(&mut self, server: &mut Server) {
        self.say("<endsession>");
        // If this fails, the client has gone.
        let _ = self.flush(server);
    }

    /// Takes what the interpreter tells; what happens next.
    pub(in crate::command::scripting) fn answer(
        &mut self,
        server: &mut Server,
        answer: Answer,
    ) -> Next {
        match answer {
            Answer::At { line, event } => {
                if !self.stops(server, line, event) {
                    return Next::Ask(Request::GoOn);
                }
            }
            Answer::Locals(found) => {
                if found.is_empty() {
                    self.say("No local variables in the current context.");
                }
                for (name, value) in found {
                    self.say_cut([b"<value> ", &name[..], b" = ", &value].concat());
                }
            }
            Answer::Variable(None) => self.say("No such variable."),
            Answer::Variable(Some(value)) => self.say_cut([b"<value> ", &value[..]].concat()),
            Answer::Calls(found) => self.say_calls(&found),
            Answer::Evaluated(Ok(value)) => self.say_cut([b"<retval> ", &value[..]].concat()),
            Answer::Evaluated(Err(error)) => self.log.push([b"<error> ", &error[..]].concat()),
        }
        self.converse(server)
    }

    /// What happens after a command of the server's.
    pub(in crate::command::scripting) fn executed(&mut self, server: &mut Server) -> Next {
        self.converse(server)
    }

    fn stops(&mut self, server: &Server, line: i64, event: Event) -> bool {
        self.line = line;
        let at_breakpoint = self.has_asked || self.breakpoints.contains(&line);
        self.takes_long = false;
        if event == Event::Instructions && !self.is_stepping && !at_breakpoint {
            let took_ms = (server.ticks)().saturating_sub(self.since_ns) / 1_000_000;
            self.takes_long = took_ms >= server.config.busy_reply_threshold.max(1);
        }
        if !self.is_stepping && !at_breakpoint && !self.takes_long {
            return false;
        }
        let reason = match (at_breakpoint, self.has_asked, self.takes_long) {
            (true, true, _) => "redis.breakpoint() called",
            (true, false, _) => "break point",
            (false, _, true) => "timeout reached, infinite loop?",
            (false, _, false) => "step over",
        };
        (self.is_stepping, self.has_asked) = (false, false);
        self.say(&format!("* Stopped at {line}, stop reason = {reason}"));
        self.say_line(line);
        true
    }

    /// Does what the client says, until that is for others to do.
    fn converse(&mut self, server: &mut Server) -> Next {
        loop {
            let sent = self.flush(server);
            let words = match sent.map_err(|_| NoCommand::Gone).and_then(|()| self.read(server)) {
                Ok(words) => words,
                Err(NoCommand::Malformed) => return Next::Ask(Request::Fail("protocol error")),
                Err(NoCommand::Gone) => {
                    self.leave_alone();
                    let request = if self.takes_long { Request::Fail(GONE) } else { Request::GoOn };
                    return Next::Ask(request);
                }
            };
            if let Some(next) = self.obey(server, &words) {
                return next;
            }
        }
    }

    /// Does what a command says, or says who does.
    fn obey(&mut self, server: &Server, words: &[Vec<u8>]) -> Option<Next> {
        let name = words[0].to_ascii_lowercase();
        let number = |index: usize| words.get(index).map(|word| integer_at_start(word));
        match (&name[..], words.len()) {
            (b"h" | b"help", _) => HELP.iter().for_each(|line| self.say(line)),
            (b"s" | b"step" | b"n" | b"next", _) => {
                self.is_stepping = true;
                self.since_ns = (server.ticks)();
                return Some(Next::Ask(Request::GoOn));
            }
            (b"c" | b"continue", _) => {
                self.since_ns = (server.ticks)();
                return Some(Next::Ask(Request::GoOn));
            }
            (b"t" | b"trace", _) => return Some(Next::Ask(Request::Calls)),
            (b"m" | b"maxlen", _) => self.set_bytes_max(number(1)),
            (b"b" | b"break", _) => self.set_breakpoints(&words[1..]),
            (b"e" | b"eval", _) => {
                return Some(Next::Ask(Request::Evaluate(words[1..].join(&b' '))));
            }
            (b"a" | b"abort", _) => {
                return Some(Next::Ask(Request::Fail("script aborted for user request")));
            }
            (b"r" | b"redis", 2..) => return Some(Next::Execute(words[1..].iter().collect())),
            (b"p" | b"print", 1) => return Some(Next::Ask(Request::Locals)),
            (b"p" | b"print", 2) => {
                return Some(Next::Ask(Request::Variable(words[1].clone())));
            }
            (b"l" | b"list", _) => {
                let around = number(1).filter(|&line| line != 0).unwrap_or(self.line);
                self.list(around, number(2).unwrap_or(CONTEXT));
            }
            (b"w" | b"whole", _) => self.list(1, 1_000_000),
            _ => self.say(UNKNOWN),
        }
        None
    }

    fn set_bytes_max(&mut self, wanted: Option<i64>) {
        if let Some(wanted) = wanted {
            let wanted = usize::try_from(wanted).unwrap_or(0);
            self.has_hinted = true;
            self.bytes_max = if wanted == 0 { 0 } else { wanted.max(BYTES_MAX_MIN) };
        }
        match self.bytes_max {
            0 => self.say("<value> replies are unlimited."),
            most => self.say(&format!("<value> replies are truncated at {most} bytes.")),
        }
    }

    fn set_breakpoints(&mut self, words: &[Vec<u8>]) {
        if words.is_empty() {
            if self.breakpoints.is_empty() {
                return self.say("No breakpoints set. Use 'b <line>' to add one.");
            }
            self.say(&format!("{} breakpoints set:", self.breakpoints.len()));
            for line in self.breakpoints.clone() {
                self.say_line(line);
            }
        }
        for word in words {
            match num::parse_i64(word) {
                None => self.log.push([b"Invalid argument:'", &word[..], b"'"].concat()),
                Some(0) => {
                    self.breakpoints.clear();
                    self.say("All breakpoints removed.");
                }
                Some(line) if line > 0 => self.add_breakpoint(line),
                Some(line) => match self.breakpoints.iter().position(|&at| at == -line) {
                    Some(place) => {
                        self.breakpoints.remove(place);
                        self.say("Breakpoint removed.");
                    }
                    None => self.say("No breakpoint in the specified line."),
                },
            }
        }
    }

    fn add_breakpoint(&mut self, line: i64) {
        if self.breakpoints.len() == BREAKPOINTS_MAX {
            self.say("Too many breakpoints set.");
        } else if line > num::i64_of(self.lines.len()) || self.breakpoints.contains(&line) {
            self.say("Wrong line number.");
        } else {
            self.breakpoints.push(line);
            self.list(line, 1);
        }
    }

    fn list(&mut self, around: i64, context: i64) {
        for line in 1..=num::i64_of(self.lines.len()) {
            if around.saturating_sub(line).saturating_abs() <= context {
                self.say_line(line);
            }
        }
    }

    fn say(&mut self, text: &str) {
        self.log.push(text.as_bytes().to_vec());
    }

    /// Tells a line, with signs where the script is and stops.
    fn say_line(&mut self, line: i64) {
        let text = usize::try_from(line - 1).ok().and_then(|place| self.lines.get(place));
        let text: &[u8] = text.map_or(b"<out of range source code line>", Vec::as_slice);
        let sign = match (line == self.line, self.breakpoints.contains(&line)) {
            (true, true) => "->#",
            (true, false) => "-> ",
            (false, true) => "  #",
            (false, false) => "   ",
        };
        self.log.push([format!("{sign}{line:<3} ").as_bytes(), text].concat());
    }

    fn say_cut(&mut self, mut text: Vec<u8>) {
        let is_long = self.bytes_max > 0 && text.len() > self.bytes_max;
        if is_long {
            text.truncate(self.bytes_max);
            text.extend_from_slice(b" ...");
        }
        self.log.push(text);
        if is_long && !self.has_hinted {
            self.has_hinted = true;
            self.say("<hint> The above reply was trimmed. Use 'maxlen 0' to disable trimming.");
        }
    }

    fn say_calls(&mut self, found: &[(Option<Vec<u8>>, i64)]) {
        for (place, (name, line)) in found.iter().enumerate() {
            let word: &[u8] = if place == 0 { b"In " } else { b"From " };
            let name = name.as_deref().unwrap_or(b"top level");
            self.log.push([word, name, b":"].concat());
            self.say_line(*line);
        }
    }

    /// Tells of a command that was executed.
    pub(in crate::command::scripting) fn note_call(
        &mut self,
        args: &Args<'_>,
        reply: &[u8],
        called: Called,
    ) {
        let mut text = b"<redis>".to_vec();
        for word in args.from(0).take(WORDS_TOLD_MAX) {
            text.push(b' ');
            text.extend_from_slice(word);
        }
        if args.len() > WORDS_TOLD_MAX {
            let more = args.len() - WORDS_TOLD_MAX - 1;
            text.extend_from_slice(format!(" ... ({more} more)").as_bytes());
        }
        self.log.push(text);
        if called == Called::Refused {
            let line = reply.split(|&byte| byte == b'\r').next().unwrap_or_default();
            let text = line.strip_prefix(b"-ERR ").unwrap_or(line);
            self.log.push([b"<error> ", text].concat());
        } else {
            self.say_cut([b"<reply> ", &human::text_of(reply)[..]].concat());
        }
    }

    pub(in crate::command::scripting) fn note(&mut self, remark: Remark<'_>) {
        match remark {
            Remark::Stop => self.has_asked = true,
            Remark::Says(text) => {
                let place = format!("<debug> line {}: ", self.line);
                self.log.push([place.as_bytes(), text].concat());
            }
        }
    }

    /// Sends what is to be told, as one reply.
    fn flush(&mut self, server: &mut Server) -> io::Result<()> {
        if self.log.is_empty() {
            return Ok(());
        }
        let mut bytes = format!("*{}\r\n", self.log.len()).into_bytes();
        for line in self.log.drain(..) {
            bytes.push(b'+');
            let as_blank = |byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte };
            bytes.extend(line.into_iter().map(as_blank));
            bytes.extend_from_slice(b"\r\n");
        }
        super::send(server, self.client, &bytes)
    }

    /// Waits for a command.
    fn read(&mut self, server: &mut Server) -> Result<Vec<Vec<u8>>, NoCommand> {
        let bulk_len_max = num::i64_of(WORDS_MAX);
        let limits = Limits { bulk_len_max, trust: Trust::Authenticated };
        loop {
            if !may_begin_command(&self.input) {
                return Err(NoCommand::Malformed);
            }
            if !self.input.is_empty() {
                let mut spans = Vec::new();
                match parse::parse(&self.input, 0, limits, &mut spans) {
                    Ok(Parsed::Command { end }) => {
                        let args = Args::new(&self.input, &spans, &[]);
                        let words: Vec<Vec<u8>> = args.from(0).map(<[u8]>::to_vec).collect();
                        self.input.drain(..end);
                        let is_sound =
                            words.len() <= WORDS_MAX && words.iter().all(|word| !word.is_empty());
                        return if is_sound { Ok(words) } else { Err(NoCommand::Malformed) };
                    }
                    Ok(Parsed::Incomplete(_)) if self.input.len() <= WORDS_MAX * WORDS_MAX => {}
                    Ok(_) | Err(_) => return Err(NoCommand::Malformed),
                }
            }
            let bystander = server.bystander.as_mut().ok_or(NoCommand::Gone)?;
            bystander.receive(self.client, &mut self.input).map_err(|_| NoCommand::Gone)?;
        }
    }
}

/// Whether a command of not too many words can begin with these bytes.
fn may_begin_command(input: &[u8]) -> bool {
    let Some((&kind, rest)) = input.split_first() else { return true };
    let count = memchr::memchr(b'\r', rest).map(|end| num::parse_i64(&rest[..end]));
    let is_sound = |count: Option<i64>| {
        count.is_some_and(|count| (1..=num::i64_of(WORDS_MAX)).contains(&count))
    };
    kind == b'*' && count.is_none_or(is_sound)
}

/// The number that a word begins with, 0 if it does not.
fn integer_at_start(word: &[u8]) -> i64 {
    let sign = usize::from(matches!(word.first(), Some(b'-' | b'+')));
    let digits = word[sign..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let start = usize::from(word.first() == Some(&b'+'));
    num::parse_i64(&word[start..sign + digits]).unwrap_or(0)
}

const HELP: &[&str] = &[
    "Redis Lua debugger help:",
    "[h]elp               Show this help.",
    "[s]tep               Run current line and stop again.",
    "[n]ext               Alias for step.",
    "[c]ontinue           Run till next breakpoint.",
    "[l]ist               List source code around current line.",
    "[l]ist [line]        List source code around [line].",
    "                     line = 0 means: current position.",
    "[l]ist [line] [ctx]  In this form [ctx] specifies how many lines",
    "                     to show before/after [line].",
    "[w]hole              List all source code. Alias for 'list 1 1000000'.",
    "[p]rint              Show all the local variables.",
    "[p]rint <var>        Show the value of the specified variable.",
    "                     Can also show global vars KEYS and ARGV.",
    "[b]reak              Show all breakpoints.",
    "[b]reak <line>       Add a breakpoint to the specified line.",
    "[b]reak -<line>      Remove breakpoint from the specified line.",
    "[b]reak 0            Remove all breakpoints.",
    "[t]race              Show a backtrace.",
    "[e]val <code>        Execute some Lua code (in a different callframe).",
    "[r]edis <cmd>        Execute a Redis command.",
    "[m]axlen [len]       Trim logged Redis replies and Lua var dumps to len.",
    "                     Specifying zero as <len> means unlimited.",
    "[a]bort              Stop the execution of the script. In sync",
    "                     mode dataset changes will be retained.",
    "",
    "Debugger functions you can call from Lua scripts:",
    "redis.debug()        Produce logs in the debugger console.",
    "redis.breakpoint()   Stop execution like if there was a breakpoint in the",
    "                     next line of code.",
];
