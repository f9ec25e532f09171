//! What was recorded, executed on another server: it must then hold the same.

use crate::grammar::{self, Group, Step, Words};
use crate::machine::Machine;
use crate::rng::Rng;
use crate::{families, rows, shown, state};

/// Commands from one empty server to the next.
const ROUND: u64 = 2000;
/// Commands between two comparisons.
const COMPARED_EVERY: u64 = 100;
/// The first of the clients never waits for keys.
const CLIENTS: usize = 4;
/// When a run starts, Unix milliseconds.
const START_MS: i64 = 1_700_000_000_000;

/// Draws so many commands and panics at the first that is not repeated well.
pub(crate) fn run(seed: u64, steps: u64) {
    let (mut commands, mut recorded, mut part) = (0, 0, 0);
    while commands < steps {
        let round = Round { seed, part, every: COMPARED_EVERY };
        match round.play(ROUND) {
            Ok(count) => recorded += count,
            Err((at, _)) => {
                let (at, text) =
                    Round { every: 1, ..round }.play(at).expect_err("it failed before");
                panic!("EFFECTS_SEED={seed}, part {part}, command {at}: {text}");
            }
        }
        part += 1;
        commands += ROUND;
    }
    println!("{commands} commands with seed {seed} left {recorded}");
}

/// A run from an empty server on.
#[derive(Clone, Copy)]
struct Round {
    seed: u64,
    part: u64,
    /// Commands between two comparisons.
    every: u64,
}

impl Round {
    /// Executes commands; how many were recorded, or where and how what was recorded fails.
    fn play(self, steps: u64) -> Result<usize, (u64, String)> {
        let mut rng = Rng::new(self.seed, self.part);
        let mut groups: Vec<&Group> = families();
        groups.extend([&rows::GROUP, &rows::GROUP]);
        let mut origin = Machine::new(self.seed + self.part, START_MS);
        let clients: Vec<usize> = (0..CLIENTS).map(|_| origin.connect()).collect();
        origin.listen();
        let mut copy = Copy::new(!self.seed);
        let (mut recorded, mut last) = (0, Vec::new());
        for step in 0..steps {
            last.push(advance(&mut origin, &clients, &groups, &mut rng));
            if !(step + 1).is_multiple_of(self.every) && step + 1 != steps {
                continue;
            }
            let effects = origin.recorded();
            recorded += effects.len();
            let told = |what: String| {
                let sent = shown(&last[last.len().saturating_sub(10)..]);
                (step + 1, format!("{what}\n  sent {sent}\n  recorded {}", shown(&effects)))
            };
            copy.execute(&effects).map_err(told)?;
            let expected = state::of(&origin.node.server.keyspace);
            let found = state::of(&copy.machine.node.server.keyspace);
            if let Some(difference) = state::difference(&expected, &found) {
                return Err(told(difference));
            }
        }
        Ok(recorded)
    }
}

/// Executes one command at random, or lets time pass.
fn advance(origin: &mut Machine, clients: &[usize], groups: &[&Group], rng: &mut Rng) -> Words {
    origin.pass(match rng.below(100) {
        0..60 => 0,
        60..99 => rng.next() % 4,
        _ => rng.next() % 2000,
    });
    if rng.chance(3) {
        origin.tick();
    }
    let step = grammar::draw(groups, rng);
    let commands = match step {
        Step::Commands(commands) => commands,
        Step::Scan(_) => return Words::new(),
    };
    let mut sent = Words::new();
    for command in commands {
        let mut words = command.words;
        rows::fill_in(&mut words, origin.unix_ms(), rng);
        let is_waiting = words[0].first().is_some_and(|byte| byte.eq_ignore_ascii_case(&b'b'));
        let client = clients[rng.below(CLIENTS)];
        if origin.is_waiting(client) || (is_waiting && client == clients[0]) {
            continue;
        }
        origin.send(client, &words);
        sent.extend(words);
    }
    sent
}

/// The other server, where no time passes: nothing expires by itself.
struct Copy {
    machine: Machine,
    client: usize,
}

impl Copy {
    fn new(seed: u64) -> Copy {
        let mut machine = Machine::new(seed, 0);
        let client = machine.connect_obeyed();
        Copy { machine, client }
    }

    fn execute(&mut self, effects: &[Words]) -> Result<(), String> {
        let mut is_open = false;
        for words in effects {
            match words[0].as_slice() {
                b"MULTI" if !is_open => is_open = true,
                b"EXEC" if is_open => is_open = false,
                _ => {
                    let reply = self.machine.send(self.client, words);
                    if reply.first().is_none_or(|&kind| kind == b'-') {
                        let reply = reply.escape_ascii();
                        return Err(format!(
                            "{} is answered '{reply}'",
                            shown(std::slice::from_ref(words))
                        ));
                    }
                }
            }
        }
        if is_open { Err("MULTI without EXEC".to_owned()) } else { Ok(()) }
    }
}
