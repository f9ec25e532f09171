//! Lua: one user runs random scripts made of the whole interface, beside them another user's run: no crash,
//! well-formed replies, and nothing of one reaches the other.
//!
//! Input: choices of a grammar. What comes out is nearly always a program, and nearly never a sensible one.

mod author;

use super::host::{FlakyHost, ticks};
use super::input::Input;
use super::reply;
use author::Author;
use carnelian::base::hash::HashKey;
use carnelian::base::rng::Rng;
use carnelian::command::host::{Bystander, Round};
use carnelian::command::server::{Now, Server, Shutdown};
use carnelian::config::Config;
use carnelian::node::Node;
use carnelian::session::Endpoint;
use carnelian::store::Keyspace;
use std::any::Any;
use std::cell::Cell;
use std::fmt::Write;
use std::rc::Rc;

/// Scripts of one input.
const SCRIPTS_MAX: usize = 20;
/// What must not come out of what the other user runs.
const SECRET: &str = "the secret of the victim";
/// Every function, table and value that scripts can see, in a fixed order; what is made anew for each script,
/// and a chunk's memory, are left out.
const INVENTORY: &str = "
local seen, out = {}, {}
local function walk(path, value)
  local kind = type(value)
  if kind == 'table' then
    if seen[value] then out[#out + 1] = path .. '->' .. seen[value] return end
    seen[value] = path
    out[#out + 1] = path .. '{}'
    local names = {}
    for name in pairs(value) do names[#names + 1] = name end
    table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
    for _, name in ipairs(names) do walk(path .. '.' .. tostring(name), rawget(value, name)) end
    local meta = getmetatable(value)
    if meta ~= nil then walk(path .. '<>', meta) end
  elseif kind == 'function' or kind == 'userdata' or kind == 'thread' then
    out[#out + 1] = path .. '=' .. tostring(value)
  else
    out[#out + 1] = path .. '=' .. kind .. ':' .. tostring(value)
  end
end
walk('_G', _G)
walk('string', getmetatable(''))
return table.concat(out, '\\n')";
/// What a user's scripts rely on.
const DAILY: &str = "
local parts = {('ab'):rep(2), ('%d'):format(7), tostring(#KEYS + #ARGV), type(redis.call), math.floor(2.5)}
math.randomseed(7)
local numbers = {3, 1, 2}
table.sort(numbers)
parts[#parts + 1] = table.concat(numbers)
parts[#parts + 1] = cmsgpack.unpack(cmsgpack.pack({KEYS[1]}))[1]
parts[#parts + 1] = tostring(math.random(1000000))
parts[#parts + 1] = redis.call('GET', KEYS[1])
return table.concat(parts, ',') .. ARGV[1]";

/// A server with two users.
pub struct World {
    node: Node,
    now: Now,
    attacker: usize,
    victim: usize,
    scripts: u64,
    inventory: Vec<u8>,
    daily: Vec<u8>,
    called: Vec<u8>,
}

/// Ends a script that takes long.
#[derive(Debug, Default)]
struct Ender {
    looks: u32,
}

/// A script may take so many times as many instructions as there are between two looks.
const LOOKS_MAX: u32 = 3;

impl Bystander for Ender {
    fn serve(mut self: Box<Self>, server: &mut Server, _: Round) -> Box<dyn Bystander> {
        self.looks += 1;
        if self.looks > LOOKS_MAX {
            server.shutdown = Some(Shutdown { status: 0 });
        }
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// The stack that a process has.
const STACK_BYTES: usize = 8 << 20;

/// Does something with as much stack as a process has.
pub fn with_a_process_s_stack(work: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
        let ended = thread.expect("a thread").join();
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

/// Runs some scripts.
pub fn run(bytes: &[u8]) {
    with_a_process_s_stack(|| {
        let mut input = Input::new(bytes);
        let mut world = World::new();
        for _ in 0..SCRIPTS_MAX {
            if input.is_empty() {
                break;
            }
            world.attack(&mut input);
        }
        world.take_stock();
    });
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// A new one.
    pub fn new() -> Self {
        let now = Now { unix_us: 1_700_000_000_000_000, mono_ns: 1_000_000_000_000 };
        let config = Config {
            busy_reply_threshold: 0,
            latency_tracking: false,
            proto_max_bulk_len: 1 << 20,
            ..Config::default()
        };
        let host = Box::new(FlakyHost::new(Rc::new(Cell::new(false))));
        let keyspace = Keyspace::new(4, HashKey::new(1, 2), Rng::seeded(3));
        let server = Server::new(config, keyspace, host, ticks, Rng::seeded(4), now);
        let mut node = Node::new(server);
        let end = Endpoint::Tcp(([127, 0, 0, 1], 50_000).into());
        let [attacker, victim] = [(); 2].map(|()| node.connected(end.clone(), end.clone(), -1));
        let nothing = Vec::new;
        let mut world = Self {
            node,
            now,
            attacker,
            victim,
            scripts: 0,
            inventory: nothing(),
            daily: nothing(),
            called: nothing(),
        };
        world.set_up();
        world
    }

    fn set_up(&mut self) {
        for (name, keys) in [("attacker", "~a:*"), ("victim", "~v:*")] {
            let permissions = [
                "+@all",
                "-@admin",
                "-@dangerous",
                "-function|delete",
                "-function|flush",
                "-function|restore",
            ];
            let words =
                ["ACL", "SETUSER", name, "on", "nopass", "resetkeys", keys, "resetchannels"];
            let reply = self.send(self.victim, &[&words[..], &permissions].concat());
            assert_eq!(reply, b"+OK\r\n");
        }
        for (client, name) in [(self.victim, "victim"), (self.attacker, "attacker")] {
            assert_eq!(self.send(client, &["AUTH", name, "x"]), b"+OK\r\n");
        }
        assert_eq!(self.send(self.victim, &["SET", "v:1", SECRET]), b"+OK\r\n");
        let library = format!(
            "#!lua name=victims\nredis.register_function('victims', function(KEYS, ARGV) {DAILY} end)"
        );
        assert_eq!(self.send(self.victim, &["FUNCTION", "LOAD", &library]), b"$7\r\nvictims\r\n");
        self.inventory = self.send(self.victim, &["EVAL", INVENTORY, "0"]);
        self.daily = self.send(self.victim, &["EVAL", DAILY, "1", "v:1", SECRET]);
        self.called = self.send(self.victim, &["FCALL", "victims", "1", "v:1", SECRET]);
        for reply in [&self.daily, &self.called] {
            assert!(holds(reply, SECRET), "{}", reply.escape_ascii());
        }
    }

    /// Sends a command; what was sent back.
    fn send(&mut self, client: usize, words: &[&str]) -> Vec<u8> {
        let mut input = format!("*{}\r\n", words.len());
        for word in words {
            let _ = write!(input, "${}\r\n{word}\r\n", word.len());
        }
        self.node.server.bystander = Some(Box::<Ender>::default());
        self.node.input(self.now, client, input.as_bytes());
        self.node.server.shutdown = None;
        self.node.server.writable.clear();
        self.now = self.now.later(1_000_000);
        self.node.tick(self.now);
        let session = self.node.server.sessions.get_mut(client).expect("it stays");
        session.is_queued_for_write = false;
        let bytes: Vec<u8> = session.output.pieces().flatten().copied().collect();
        session.output.advance(bytes.len());
        reply::check(&bytes);
        bytes
    }

    /// Runs one script of one user, and then the other's.
    pub fn attack(&mut self, input: &mut Input<'_>) {
        self.scripts += 1;
        let kind = input.below(16);
        let mut author = Author::new(input);
        author.chunk();
        let text = author.text;
        let replies = match kind {
            0 => {
                let code = format!(
                    "#!lua name=mine\nredis.register_function('mine', function(KEYS, ARGV) {text} end)"
                );
                let loaded = self.send(self.attacker, &["FUNCTION", "LOAD", "REPLACE", &code]);
                [loaded, self.send(self.attacker, &["FCALL", "mine", "1", "a:1", "x"])].concat()
            }
            1 => {
                // What a library does while it is loaded.
                let code = format!("#!lua name=mine\n{text}");
                self.send(self.attacker, &["FUNCTION", "LOAD", "REPLACE", &code])
            }
            2 => self.send(self.attacker, &["EVAL_RO", &text, "1", "a:1", "y", "7"]),
            3 => self.send(
                self.attacker,
                &["EVAL", &format!("#!lua flags=no-writes\n{text}"), "1", "a:1"],
            ),
            4 => {
                let loaded = self.send(self.attacker, &["SCRIPT", "LOAD", &text]);
                let name =
                    String::from_utf8_lossy(loaded.get(5..45).unwrap_or_default()).into_owned();
                self.send(self.attacker, &["EVALSHA", &name, "2", "a:1", "a:2", "z"])
            }
            _ => self.send(self.attacker, &["EVAL", &text, "2", "a:1", "a:2", "1", "two"]),
        };
        assert!(!holds(&replies, SECRET), "told to another user by:\n{text}");
        let daily = self.send(self.victim, &["EVAL", DAILY, "1", "v:1", SECRET]);
        assert!(daily == self.daily, "{}\nafter:\n{text}", daily.escape_ascii());
        if self.scripts.is_multiple_of(8) {
            self.take_stock();
        }
        if kind == 5 && self.scripts.is_multiple_of(64) {
            assert_eq!(self.send(self.victim, &["SCRIPT", "FLUSH"]), b"+OK\r\n");
            self.inventory = self.send(self.victim, &["EVAL", INVENTORY, "0"]);
        }
        if self.scripts.is_multiple_of(256) {
            self.send(self.attacker, &["DEL", "a:1", "a:2", "a:3"]);
        }
    }

    /// Looks whether everything is as it was at the start.
    pub fn take_stock(&mut self) {
        let inventory = self.send(self.victim, &["EVAL", INVENTORY, "0"]);
        if inventory != self.inventory {
            let [old, new] =
                [&self.inventory, &inventory].map(|text| String::from_utf8_lossy(text));
            let changed: Vec<_> =
                new.lines().filter(|line| !old.lines().any(|was| was == *line)).collect();
            panic!("changed: {changed:?}");
        }
        let called = self.send(self.victim, &["FCALL", "victims", "1", "v:1", SECRET]);
        assert!(called == self.called, "{}", called.escape_ascii());
        let kept = self.send(self.victim, &["GET", "v:1"]);
        assert!(holds(&kept, SECRET), "{}", kept.escape_ascii());
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
