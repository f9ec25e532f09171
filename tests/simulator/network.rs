//! A network of simulated machines: connections that deliver what is sent in order, late, in pieces of any
//! size, and not at all while a partition lasts or once they are cut.

use std::collections::{BTreeMap, VecDeque};

use crate::rng::Rng;

/// A machine: servers come first, then one for the clients.
pub(crate) type Place = usize;

/// One of the two ends of a connection, 0 the one that opened it.
pub(crate) type Side = usize;

/// The number of a connection, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Link(u64);

/// Who holds an end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Party {
    /// A client, by its number.
    Client(usize),
    /// A server's client, by its place in the server's table.
    Server { place: Place, index: usize },
    /// A server that waits for the connection to be made.
    Dialling { place: Place, attempt: u64 },
    /// Nobody any more, or nobody yet.
    Nobody,
}

/// What arrives.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    /// The other side is there.
    Opened,
    /// Nobody listens there.
    Refused,
    Bytes(Vec<u8>),
    /// The other side has closed the connection.
    End,
}

/// How the network is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    /// Shortest and longest time from one machine to another, microseconds.
    pub(crate) latency_us: (u64, u64),
    /// Of 100 pieces so many are lost and sent again.
    pub(crate) lost_percent: usize,
    /// Bytes that may be under way in one direction.
    pub(crate) window: usize,
}

const RETRANSMISSION_US: (usize, usize) = (200_000, 3_000_000);

/// One direction of a connection.
#[derive(Debug, Default)]
struct Wire {
    /// With the time each arrives, nanoseconds.
    pieces: VecDeque<(u64, Piece)>,
    bytes: usize,
}

#[derive(Debug)]
struct Connection {
    places: [Place; 2],
    parties: [Party; 2],
    /// `wires[side]` carries what that side sends.
    wires: [Wire; 2],
}

/// All machines' connections.
#[derive(Debug)]
pub(crate) struct Network {
    connections: BTreeMap<Link, Connection>,
    opened: u64,
    weather: Weather,
    /// Until when nothing goes from one machine to another, nanoseconds.
    partitions: BTreeMap<(Place, Place), u64>,
    rng: Rng,
}

impl Network {
    pub(crate) fn new(weather: Weather, rng: Rng) -> Network {
        let (connections, partitions) = Default::default();
        Network { connections, opened: 0, weather, partitions, rng }
    }

    /// Begins to open a connection; when the other side hears of it.
    pub(crate) fn open(&mut self, from: (Place, Party), to: Place, now: u64) -> (Link, u64) {
        self.opened += 1;
        let link = Link(self.opened);
        let places = [from.0, to];
        let parties = [from.1, Party::Nobody];
        let wires = Default::default();
        self.connections.insert(link, Connection { places, parties, wires });
        let at = self.send(link, 0, Piece::Opened, now).unwrap_or(now);
        (link, at)
    }

    /// Sends something; when it arrives. Nothing if nobody is there to receive it.
    pub(crate) fn send(&mut self, link: Link, side: Side, piece: Piece, now: u64) -> Option<u64> {
        let (least, most) = self.weather.latency_us;
        let spread = usize::try_from(most - least).ok()?;
        let mut us = least + u64::try_from(self.rng.below(spread + 1)).ok()?;
        if self.rng.chance(self.weather.lost_percent) {
            let (least, most) = RETRANSMISSION_US;
            us += u64::try_from(self.rng.between(least, most)).ok()?;
        }
        let wire = &mut self.connections.get_mut(&link)?.wires[side];
        let behind = wire.pieces.back().map_or(0, |(at, _)| *at);
        let at = behind.max(now + us * 1000);
        if let Piece::Bytes(bytes) = &piece {
            wire.bytes += bytes.len();
        }
        wire.pieces.push_back((at, piece));
        Some(at)
    }

    /// How many bytes a side may send now.
    pub(crate) fn room(&self, link: Link, side: Side) -> usize {
        self.connections.get(&link).map_or(0, |connection| {
            self.weather.window.saturating_sub(connection.wires[side].bytes)
        })
    }

    /// What has arrived of what a side sent, bytes perhaps not whole; `Err` says when to ask again.
    pub(crate) fn arrive(
        &mut self,
        link: Link,
        side: Side,
        now: u64,
    ) -> Result<Piece, Option<u64>> {
        let connection = self.connections.get_mut(&link).ok_or(None)?;
        let [from, to] = connection.places;
        let healed = self.partitions.get(&(from.min(to), from.max(to))).copied().unwrap_or(0);
        let wire = &mut connection.wires[side];
        let due = wire.pieces.front().map(|(at, _)| (*at).max(healed)).ok_or(None)?;
        if due > now {
            return Err(Some(due));
        }
        let (_, piece) = wire.pieces.pop_front().ok_or(None)?;
        let Piece::Bytes(mut bytes) = piece else { return Ok(piece) };
        if bytes.len() > 1 && self.rng.chance(10) {
            let rest = bytes.split_off(self.rng.between(1, bytes.len() - 1));
            wire.pieces.push_front((now + 1000, Piece::Bytes(rest)));
        }
        wire.bytes -= bytes.len();
        Ok(Piece::Bytes(bytes))
    }

    /// When the next piece that a side sent is due.
    pub(crate) fn next_due(&self, link: Link, side: Side) -> Option<u64> {
        self.connections.get(&link)?.wires[side].pieces.front().map(|(at, _)| *at)
    }

    pub(crate) fn party(&self, link: Link, side: Side) -> Party {
        self.connections.get(&link).map_or(Party::Nobody, |connection| connection.parties[side])
    }

    pub(crate) fn set_party(&mut self, link: Link, side: Side, party: Party) {
        if let Some(connection) = self.connections.get_mut(&link) {
            connection.parties[side] = party;
        }
    }

    /// The machine at an end.
    pub(crate) fn place(&self, link: Link, side: Side) -> Option<Place> {
        self.connections.get(&link).map(|connection| connection.places[side])
    }

    /// A side lets go of the connection. What it has sent still arrives, and then the end; when nobody
    /// holds it any more it is gone.
    pub(crate) fn close(&mut self, link: Link, side: Side, now: u64) -> Option<u64> {
        let connection = self.connections.get_mut(&link)?;
        connection.parties[side] = Party::Nobody;
        if connection.parties[1 - side] == Party::Nobody {
            self.connections.remove(&link);
            return None;
        }
        self.send(link, side, Piece::End, now)
    }

    /// Both sides hear at once that the connection is gone, and nothing under way arrives.
    pub(crate) fn cut(&mut self, link: Link, now: u64) {
        let Some(connection) = self.connections.get_mut(&link) else { return };
        for wire in &mut connection.wires {
            wire.bytes = 0;
            wire.pieces.clear();
            wire.pieces.push_back((now, Piece::End));
        }
    }

    /// Nothing goes between two machines until then.
    pub(crate) fn partition(&mut self, one: Place, other: Place, until: u64) {
        self.partitions.insert((one.min(other), one.max(other)), until);
    }

    /// Everybody reaches everybody.
    pub(crate) fn heal(&mut self) {
        self.partitions.clear();
        self.weather.lost_percent = 0;
    }

    /// Connections with an end on a machine.
    pub(crate) fn links_at(&self, place: Place) -> Vec<(Link, Side)> {
        let mut found = Vec::new();
        for (link, connection) in &self.connections {
            let sides = 0..2;
            found
                .extend(sides.filter(|&side| connection.places[side] == place).map(|s| (*link, s)));
        }
        found
    }

    /// Connections between two servers.
    pub(crate) fn links_between_servers(&self, servers: usize) -> Vec<Link> {
        let between = |connection: &Connection| connection.places.iter().all(|at| *at < servers);
        self.connections.iter().filter(|(_, c)| between(c)).map(|(link, _)| *link).collect()
    }
}
