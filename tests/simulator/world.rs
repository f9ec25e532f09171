//! The world of one seed: what happens when, to whom.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use carnelian::command::server::Now;

use crate::check::Checker;
use crate::client::{Client, Wire};
use crate::network::{Link, Network, Party, Piece, Place, Side, Weather};
use crate::operator::Operator;
use crate::options::{Bug, Talk};
use crate::rng::Rng;
use crate::site::{Said, Site};

pub(crate) const SECOND: u64 = 1_000_000_000;
/// Unix time at the beginning, microseconds.
const EPOCH_US: i64 = 1_700_000_000_000_000;
/// After how long a server that does not read at present is asked again, nanoseconds.
const READ_AGAIN: u64 = 5_000_000;
/// Steps after which a run is taken to go round in circles.
const STEPS_MAX: u64 = 50_000_000;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A server has something to do, unless it has been woken since.
    Wake { place: Place, turn: u64 },
    /// Something that a side has sent may arrive.
    Arrival { link: Link, side: Side },
    /// A client speaks.
    Client(usize),
    /// The operator does something.
    Operator,
}

/// Figures of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) steps: u64,
    pub(crate) replies: u64,
    pub(crate) confirmed: u64,
    pub(crate) crashes: u64,
    pub(crate) power_losses: u64,
    pub(crate) found_on_disk: u64,
    pub(crate) promotions: u64,
    pub(crate) failovers: u64,
    pub(crate) full_syncs: u64,
    pub(crate) partial_syncs: u64,
    /// Nanoseconds.
    pub(crate) virtual_time: u64,
    /// Of every byte that arrived, in order.
    pub(crate) trace: u64,
}

/// How a server ends without warning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Crash {
    /// It is killed.
    Kill,
    /// Its machine has no power.
    PowerLoss,
}

#[derive(Debug)]
pub(crate) struct World {
    /// Nanoseconds since the beginning.
    pub(crate) now: u64,
    pub(crate) rng: Rng,
    agenda: BinaryHeap<Reverse<(u64, u64, Event)>>,
    agreed: u64,
    pub(crate) network: Network,
    pub(crate) sites: Vec<Site>,
    /// By place and index: whose connection it is.
    holders: BTreeMap<(Place, usize), (Link, Side)>,
    clients: Vec<Client>,
    next_token: u64,
    pub(crate) checker: Checker,
    pub(crate) figures: Figures,
    pub(crate) talk: Talk,
    pub(crate) is_quiet: bool,
}

impl Figures {
    pub(crate) fn add(&mut self, other: &Figures) {
        self.steps += other.steps;
        self.replies += other.replies;
        self.confirmed += other.confirmed;
        self.crashes += other.crashes;
        self.power_losses += other.power_losses;
        self.found_on_disk += other.found_on_disk;
        self.promotions += other.promotions;
        self.failovers += other.failovers;
        self.full_syncs += other.full_syncs;
        self.partial_syncs += other.partial_syncs;
        self.virtual_time += other.virtual_time;
    }
}

/// The time, as servers are told it.
pub(crate) fn now_of(nanos: u64) -> Now {
    let since_us = i64::try_from(nanos / 1000).expect("a run is short");
    Now { unix_us: EPOCH_US + since_us, mono_ns: SECOND + nanos }
}

impl World {
    pub(crate) fn new(seed: u64, talk: Talk, bug: Bug) -> World {
        let mut rng = Rng::new(seed, 0);
        let servers = rng.between(2, 5);
        let slow = rng.chance(20);
        let weather = Weather {
            latency_us: if slow { (2_000, 120_000) } else { (100, 3_000) },
            lost_percent: rng.below(4),
            window: *rng.pick(&[2_000, 30_000, 1_000_000]),
        };
        let network = Network::new(weather, Rng::new(seed, 1));
        let sites = (0..servers).map(|place| Site::new(place, seed, bug)).collect();
        let clients = (0..rng.between(2, 6)).map(|_| Client::new()).collect();
        World {
            now: 0,
            rng,
            agenda: BinaryHeap::new(),
            agreed: 0,
            network,
            sites,
            holders: BTreeMap::new(),
            clients,
            next_token: 0,
            checker: Checker::default(),
            figures: Figures::default(),
            talk,
            is_quiet: false,
        }
    }

    /// Lets so much time pass; ends earlier if something is wrong.
    pub(crate) fn run_until(&mut self, until: u64, operator: &mut Operator) {
        while self.checker.wrong.is_none() {
            let due = self.agenda.peek().map(|Reverse((at, ..))| *at);
            let Some(at) = due.filter(|at| *at <= until) else { break };
            let Some(Reverse((_, _, event))) = self.agenda.pop() else { break };
            self.now = self.now.max(at);
            self.figures.steps += 1;
            if self.figures.steps > STEPS_MAX {
                self.checker.note("the run goes round in circles".to_owned());
            }
            self.happens(event, operator);
        }
        self.now = self.now.max(until);
    }

    pub(crate) fn begin(&mut self) {
        for place in 0..self.sites.len() {
            self.start(place);
        }
        for client in 0..self.clients.len() {
            let pause = client_pause(&mut self.rng);
            self.agree(pause, Event::Client(client));
        }
        self.agree(SECOND, Event::Operator);
    }

    fn agree(&mut self, after: u64, event: Event) {
        self.agree_at(self.now + after, event);
    }

    fn agree_at(&mut self, at: u64, event: Event) {
        self.agreed += 1;
        self.agenda.push(Reverse((at, self.agreed, event)));
    }

    fn happens(&mut self, event: Event, operator: &mut Operator) {
        match event {
            Event::Wake { place, turn } => {
                if self.sites[place].turn() == turn && self.sites[place].is_up() {
                    self.look_after(place);
                }
            }
            Event::Arrival { link, side } => self.arrival(link, side),
            Event::Client(client) => self.client_acts(client),
            Event::Operator => {
                if self.talk == Talk::Everything {
                    self.compare();
                }
                let after = operator.act(self);
                self.agree(after, Event::Operator);
            }
        }
    }

    /// Looks whether those who are at the same place of the same stream have the same data.
    fn compare(&mut self) {
        for (number, one) in self.sites.iter().enumerate() {
            for other in &self.sites[..number] {
                if one.position().is_some() && one.position() == other.position() {
                    let differing = one.differing_keys(other);
                    if let Some(first) = differing.first() {
                        let (one, other) = (one.place(), other.place());
                        let wrong = format!("{one} and {other} are where the other is: {first}");
                        self.checker.note(wrong);
                        return;
                    }
                }
            }
        }
    }

    fn arrival(&mut self, link: Link, side: Side) {
        if let Party::Server { place, index } = self.network.party(link, 1 - side)
            && !self.sites[place].reads(index)
        {
            return self.agree(READ_AGAIN, Event::Arrival { link, side });
        }
        let piece = match self.network.arrive(link, side, self.now) {
            Ok(piece) => piece,
            Err(Some(at)) => return self.agree_at(at, Event::Arrival { link, side }),
            Err(None) => return,
        };
        if let Some(at) = self.network.next_due(link, side) {
            self.agree_at(at, Event::Arrival { link, side });
        }
        self.trace(&piece);
        let party = self.network.party(link, 1 - side);
        match (piece, party) {
            (Piece::Opened, Party::Nobody) if side == 0 => self.knocked(link),
            (piece, Party::Client(client)) => self.client_hears(client, link, piece),
            (piece, Party::Server { place, index }) => self.server_hears(place, index, piece),
            (piece, Party::Dialling { place, attempt }) => {
                self.dialled(place, attempt, link, &piece)
            }
            (_, Party::Nobody) => {}
        }
        // Who sent it has room again.
        if let Party::Server { place, .. } = self.network.party(link, side)
            && self.sites[place].has_unsent()
        {
            self.look_after(place);
        }
    }

    fn trace(&mut self, piece: &Piece) {
        let mut trace = self.figures.trace ^ self.now;
        let bytes: &[u8] = match piece {
            Piece::Bytes(bytes) => bytes,
            Piece::Opened => b"o",
            Piece::Refused => b"r",
            Piece::End => b"e",
        };
        for &byte in bytes {
            trace = (trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.figures.trace = trace;
    }

    fn send(&mut self, link: Link, side: Side, piece: Piece) {
        let is_first = self.network.next_due(link, side).is_none();
        let at = self.network.send(link, side, piece, self.now);
        if let Some(at) = at.filter(|_| is_first) {
            self.agree_at(at, Event::Arrival { link, side });
        }
    }

    fn close(&mut self, link: Link, side: Side) {
        let is_first = self.network.next_due(link, side).is_none();
        let at = self.network.close(link, side, self.now);
        if let Some(at) = at.filter(|_| is_first) {
            self.agree_at(at, Event::Arrival { link, side });
        }
    }

    /// Somebody wants a connection.
    fn knocked(&mut self, link: Link) {
        let (Some(from), Some(place)) = (self.network.place(link, 0), self.network.place(link, 1))
        else {
            return;
        };
        let now = now_of(self.now);
        match self.sites[place].accept(now, from) {
            Some(index) => {
                self.network.set_party(link, 1, Party::Server { place, index });
                self.holders.insert((place, index), (link, 1));
                self.send(link, 1, Piece::Opened);
                self.look_after(place);
            }
            None => self.send(link, 1, Piece::Refused),
        }
    }

    /// What becomes of a connection that a server wants.
    fn dialled(&mut self, place: Place, attempt: u64, link: Link, piece: &Piece) {
        let now = now_of(self.now);
        let index = match piece {
            Piece::Opened => self.sites[place].dialled(now, attempt),
            _ => {
                self.sites[place].dial_failed(now, attempt);
                None
            }
        };
        match index {
            Some(index) => {
                self.network.set_party(link, 0, Party::Server { place, index });
                self.holders.insert((place, index), (link, 0));
            }
            None => self.close(link, 0),
        }
        self.look_after(place);
    }

    fn server_hears(&mut self, place: Place, index: usize, piece: Piece) {
        let now = now_of(self.now);
        match piece {
            Piece::Bytes(bytes) => self.sites[place].hear(now, index, &bytes),
            Piece::Opened => {}
            Piece::Refused | Piece::End => {
                if let Some((link, side)) = self.holders.remove(&(place, index)) {
                    self.close(link, side);
                }
                self.sites[place].ended(now, index);
            }
        }
        self.look_after(place);
    }

    /// Lets a server do what is due, and sends what it says.
    pub(crate) fn look_after(&mut self, place: Place) {
        if !self.sites[place].is_up() {
            return;
        }
        let now = now_of(self.now);
        let (network, holders) = (&self.network, &self.holders);
        let room = |index: usize| {
            let held = holders.get(&(place, index));
            held.map_or(0, |&(link, side)| network.room(link, side))
        };
        let (said, wait_ms) = self.sites[place].turn_over(now, &room);
        for said in said {
            match said {
                Said::Bytes(index, bytes) => {
                    if let Some(&(link, side)) = self.holders.get(&(place, index)) {
                        self.send(link, side, Piece::Bytes(bytes));
                    }
                }
                Said::Closed(index) => {
                    if let Some((link, side)) = self.holders.remove(&(place, index)) {
                        self.close(link, side);
                    }
                }
                Said::Dial { to, attempt } => {
                    let party = Party::Dialling { place, attempt };
                    let (link, at) = self.network.open((place, party), to, self.now);
                    self.agree_at(at, Event::Arrival { link, side: 0 });
                }
            }
        }
        if self.sites[place].has_ended() {
            return self.stopped(place);
        }
        let turn = self.sites[place].turn();
        let wait = wait_ms.max(1) * 1_000_000;
        self.agree(wait, Event::Wake { place, turn });
    }

    /// Starts a server with what its disk holds.
    pub(crate) fn start(&mut self, place: Place) {
        self.say(|| format!("{place} starts"));
        let drive = &self.sites[place].drive;
        drive.set_full(false); // somebody has made room
        drive.take_failure();
        if let Err(reason) = self.sites[place].start(now_of(self.now), &mut self.rng) {
            self.say(|| format!("{place} does not start: {reason}"));
            if !self.sites[place].drive.take_failure() {
                self.checker.note(format!("{place} does not start: {reason}"));
            }
            self.restart_after_failure(place);
            return;
        }
        self.look_after(place); // which takes over what was loaded
        self.checker.started(&self.sites[place]);
        if self.checker.primary() == place {
            self.checker.crowned(&self.sites[place]);
        }
    }

    /// Ends a server without warning.
    pub(crate) fn crash(&mut self, place: Place, crash: Crash) {
        self.say(|| format!("{place} crashes: {crash:?}"));
        self.figures.crashes += 1;
        self.stopped(place);
        if crash == Crash::PowerLoss {
            self.lose_power(place);
        }
    }

    /// Who starts next after an fsync has failed reads what is not on disk, and cannot know: such a machine is
    /// started anew, too.
    fn restart_after_failure(&mut self, place: Place) {
        if self.sites[place].drive.has_lost() {
            self.lose_power(place);
        }
    }

    fn lose_power(&mut self, place: Place) {
        self.figures.power_losses += 1;
        self.sites[place].drive.lose_power();
    }

    /// Has a server log what is changed, or no longer.
    pub(crate) fn switch_log(&mut self, place: Place) {
        let (command, reply) = self.sites[place].switch_log(now_of(self.now));
        self.say(|| format!("{place}: {command}: {}", reply.escape_ascii()));
        self.look_after(place);
    }

    fn stopped(&mut self, place: Place) {
        let syncs = self.sites[place].syncs();
        self.figures.full_syncs += syncs.0;
        self.figures.partial_syncs += syncs.1;
        self.sites[place].stop(self.now);
        self.restart_after_failure(place);
        for (link, side) in self.network.links_at(place) {
            self.close(link, side);
        }
        self.holders.retain(|(at, _), _| *at != place);
    }

    /// Has a server execute a command at once; the reply.
    pub(crate) fn order(&mut self, place: Place, command: &str) -> Vec<u8> {
        if !self.sites[place].is_up() {
            return Vec::new();
        }
        let reply = self.sites[place].order(now_of(self.now), command);
        self.say(|| format!("{place}: {command}: {}", reply[..reply.len().min(60)].escape_ascii()));
        self.look_after(place);
        reply
    }

    pub(crate) fn say(&self, what: impl FnOnce() -> String) {
        if self.talk == Talk::Everything {
            let seconds = self.now / SECOND;
            println!("{seconds:>4}.{:03} {}", self.now / 1_000_000 % 1000, what());
        }
    }

    fn client_acts(&mut self, number: usize) {
        let clients = self.sites.len();
        let client = &mut self.clients[number];
        match client.wire {
            Wire::No if self.is_quiet => {}
            Wire::No => {
                let to = match self.rng.chance(75) {
                    true => self.checker.primary(),
                    false => self.rng.below(self.sites.len()),
                };
                let party = Party::Client(number);
                let (link, at) = self.network.open((clients, party), to, self.now);
                client.wire = Wire::Opening(link);
                self.agree_at(at, Event::Arrival { link, side: 0 });
            }
            Wire::Open(link) if !client.is_waiting() && !self.is_quiet => {
                let left = self.rng.chance(2);
                let place = self.network.place(link, 1);
                let (Some(place), false) = (place, left) else { return self.client_leaves(number) };
                let (bytes, token) = client.speak(&mut self.rng, &mut self.next_token);
                if let Some(token) = token {
                    self.checker.sent(token.number, place, self.now);
                }
                self.send(link, 0, Piece::Bytes(bytes));
            }
            Wire::Opening(_) | Wire::Open(_) => {}
        }
    }

    fn client_hears(&mut self, number: usize, link: Link, piece: Piece) {
        let client = &mut self.clients[number];
        let pause = match piece {
            Piece::Opened => {
                client.wire = Wire::Open(link);
                client_pause(&mut self.rng)
            }
            Piece::Refused | Piece::End => return self.client_leaves(number),
            Piece::Bytes(bytes) => {
                let confirmed = client.hear(&bytes);
                if let Some(confirmed) = confirmed {
                    self.say(|| format!("client {number} is told: {confirmed:?}"));
                    self.checker.told(confirmed, &mut self.sites);
                }
                if self.clients[number].is_waiting() {
                    return;
                }
                client_pause(&mut self.rng)
            }
        };
        self.agree(pause, Event::Client(number));
    }

    fn client_leaves(&mut self, number: usize) {
        let client = &mut self.clients[number];
        if let Wire::Open(link) | Wire::Opening(link) = client.wire {
            client.reset();
            self.close(link, 0);
        }
        self.agree(SECOND / 2, Event::Client(number));
    }

    /// Ends the disorder: the clients fall silent, everybody is up and reaches everybody.
    pub(crate) fn calm(&mut self) {
        self.is_quiet = true;
        self.network.heal();
        for place in 0..self.sites.len() {
            self.sites[place].drive.set_full(false);
            while !self.sites[place].is_up() && self.checker.wrong.is_none() {
                self.start(place);
            }
        }
    }

    /// Looks whether everybody has what was confirmed.
    pub(crate) fn check_end(&mut self) {
        self.checker.check_end(&self.sites);
    }

    /// Cuts a connection: both sides hear of it at once.
    pub(crate) fn cut(&mut self, link: Link) {
        self.network.cut(link, self.now);
        for side in 0..2 {
            self.agree(0, Event::Arrival { link, side });
        }
    }

    pub(crate) fn finish(&mut self) -> Figures {
        for place in 0..self.sites.len() {
            let syncs = self.sites[place].syncs();
            self.figures.full_syncs += syncs.0;
            self.figures.partial_syncs += syncs.1;
        }
        self.figures.replies = self.clients.iter().map(|client| client.replies).sum();
        self.figures.confirmed = self.checker.confirmed;
        self.figures.found_on_disk = self.checker.found_on_disk;
        self.figures.virtual_time = self.now;
        self.figures
    }
}

fn client_pause(rng: &mut Rng) -> u64 {
    let ms = if rng.chance(10) { rng.between(500, 3000) } else { rng.between(10, 250) };
    u64::try_from(ms).expect("small") * 1_000_000
}
