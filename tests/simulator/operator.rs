//! Who makes disorder: crashes, partitions, cut connections, promotions and FAILOVERs at random, and at the
//! end order again.

use crate::network::Place;
use crate::rng::Rng;
use crate::site::{Site, address};
use crate::world::{Crash, SECOND, World};

/// A handover that a primary was asked for.
#[derive(Clone, Copy, Debug)]
struct Handover {
    from: Place,
    until: u64,
    is_forced: bool,
}

#[derive(Debug)]
pub(crate) struct Operator {
    rng: Rng,
    /// Whom each follows, the primary itself.
    parents: Vec<Place>,
    /// When who is down is started again.
    restarts: Vec<Option<u64>>,
    handover: Option<Handover>,
    is_done: bool,
}

impl Operator {
    pub(crate) fn new(seed: u64, servers: usize) -> Operator {
        Operator {
            rng: Rng::new(seed, 2),
            parents: vec![0; servers],
            restarts: vec![None; servers],
            handover: None,
            is_done: false,
        }
    }

    /// Tells everybody whom to follow, at the beginning.
    pub(crate) fn begin(&mut self, world: &mut World) {
        for place in 1..self.parents.len() {
            self.point(world, place, 0);
        }
        world.checker.crowned(&world.sites[0]);
    }

    fn primary(&self) -> Place {
        (0..self.parents.len()).find(|&place| self.parents[place] == place).unwrap_or(0)
    }

    /// Has a server follow another one.
    fn point(&mut self, world: &mut World, place: Place, to: Place) {
        self.parents[place] = to;
        self.follow(world, place);
    }

    /// Has a server follow whom it should.
    fn follow(&mut self, world: &mut World, place: Place) {
        let to = self.parents[place];
        let command = match to == place {
            true => "REPLICAOF NO ONE".to_owned(),
            false => format!("REPLICAOF {} 6379", address(to)),
        };
        world.sites[place].disturb(world.now);
        world.sites[place].should_follow((to != place).then_some(to));
        let reply = world.order(place, &command);
        if String::from_utf8_lossy(&reply).contains("failing over") {
            world.order(place, "FAILOVER ABORT");
            world.order(place, &command);
        }
    }

    /// Does one thing; after how long there is another.
    pub(crate) fn act(&mut self, world: &mut World) -> u64 {
        self.restart_due(world);
        self.insist(world);
        if let Some(handover) = self.handover {
            self.follow_handover(world, handover);
            return SECOND / 10;
        }
        if self.is_done {
            return SECOND;
        }
        let servers = self.parents.len();
        let place = self.rng.below(servers);
        match self.rng.below(23) {
            0 | 1 => self.crash(world, place),
            2 => {
                world.order(place, "SHUTDOWN SAVE FORCE");
                self.plan_restart(world, place);
            }
            3..=5 => {
                let seconds = u64::try_from(self.rng.between(1, 25)).expect("small");
                let other = self.rng.below(servers + 1);
                world.say(|| format!("{place} and {other} are parted for {seconds} s"));
                world.network.partition(place, other, world.now + seconds * SECOND);
            }
            6..=9 => self.cut(world),
            10 | 11 => self.promote(world),
            12 | 13 => self.hand_over(world),
            14 | 15 => self.move_replica(world),
            16 => drop(world.order(place, "BGSAVE")),
            17 => drop(world.order(place, "SAVE")),
            18 => drop(world.order(place, "BGREWRITEAOF")),
            19 if self.rng.chance(40) => world.switch_log(place),
            20 => {
                let drive = &world.sites[place].drive;
                drive.set_full(!drive.is_full());
                let is_full = drive.is_full();
                world.say(|| format!("the disk of {place} is full: {is_full}"));
            }
            _ => self.configure(world, place),
        }
        let millis = self.rng.between(200, 12_000);
        u64::try_from(millis).expect("small") * 1_000_000
    }

    /// Tells those again whom to follow who would not hear of it: they were loading.
    fn insist(&mut self, world: &mut World) {
        for place in 0..self.parents.len() {
            let to = self.parents[place];
            let wanted = (to != place).then_some(to);
            let site = &world.sites[place];
            if self.handover.is_none() && site.is_up() && site.follows() != wanted {
                self.follow(world, place);
            }
        }
    }

    fn plan_restart(&mut self, world: &World, place: Place) {
        if !world.sites[place].is_up() {
            let millis = self.rng.between(100, 20_000);
            let after = u64::try_from(millis).expect("small") * 1_000_000;
            self.restarts[place] = Some(world.now + after);
        }
    }

    fn crash(&mut self, world: &mut World, place: Place) {
        if world.sites[place].is_up() {
            let crash = if self.rng.chance(50) { Crash::Kill } else { Crash::PowerLoss };
            world.crash(place, crash);
            self.plan_restart(world, place);
        }
    }

    fn restart_due(&mut self, world: &mut World) {
        for place in 0..self.parents.len() {
            if self.restarts[place].is_none() {
                self.plan_restart(world, place); // of one that has ended by itself
            }
            if self.restarts[place].is_some_and(|at| at <= world.now) {
                self.restarts[place] = None;
                if !world.sites[place].is_up() {
                    world.start(place);
                }
            }
        }
    }

    fn cut(&mut self, world: &mut World) {
        let links = world.network.links_between_servers(self.parents.len());
        if !links.is_empty() {
            let link = *self.rng.pick(&links);
            world.say(|| format!("{link:?} is cut"));
            world.cut(link);
        }
    }

    /// Makes a replica the primary; everybody else who is up follows it, perhaps through one another.
    fn promote(&mut self, world: &mut World) {
        let old = self.primary();
        let up = |&place: &Place| place != old && world.sites[place].is_up();
        let candidates: Vec<Place> = (0..self.parents.len()).filter(up).collect();
        if candidates.is_empty() {
            return;
        }
        let new = *self.rng.pick(&candidates);
        world.figures.promotions += 1;
        self.crown(world, new);
    }

    fn crown(&mut self, world: &mut World, new: Place) {
        world.sites[new].disturb(world.now);
        self.parents[new] = new;
        self.follow(world, new);
        world.checker.crowned(&world.sites[new]);
        for place in 0..self.parents.len() {
            if place != new {
                self.point(world, place, new);
            }
        }
    }

    fn move_replica(&mut self, world: &mut World) {
        let servers = self.parents.len();
        let (place, to) = (self.rng.below(servers), self.rng.below(servers));
        if place != to && self.parents[place] != place && !self.is_above(place, to) {
            self.point(world, place, to);
        }
    }

    /// Whether one is between the other and the primary.
    fn is_above(&self, one: Place, other: Place) -> bool {
        let mut at = other;
        for _ in 0..self.parents.len() {
            if at == one {
                return true;
            }
            at = self.parents[at];
        }
        false
    }

    /// Asks the primary to hand over to a replica of its own.
    fn hand_over(&mut self, world: &mut World) {
        let from = self.primary();
        let follows = |&place: &Place| place != from && self.parents[place] == from;
        let replicas: Vec<Place> = (0..self.parents.len()).filter(follows).collect();
        if replicas.is_empty() || !world.sites[from].is_up() {
            return;
        }
        let to = *self.rng.pick(&replicas);
        let timeout = self.rng.between(200, 5000);
        let is_forced = self.rng.chance(20);
        let command = match (is_forced, self.rng.chance(50)) {
            (true, _) => format!("FAILOVER TO {} 6379 FORCE TIMEOUT {timeout}", address(to)),
            (false, true) => format!("FAILOVER TO {} 6379 TIMEOUT {timeout}", address(to)),
            (false, false) => format!("FAILOVER TIMEOUT {timeout}"),
        };
        if world.order(from, &command).starts_with(b"+OK") {
            self.handover = Some(Handover { from, until: world.now + 40 * SECOND, is_forced });
        }
    }

    /// Sees whether the handover is over, and who is the primary then.
    fn follow_handover(&mut self, world: &mut World, handover: Handover) {
        let is_primary = |site: &Site| site.is_up() && site.is_primary();
        let from = handover.from;
        let is_over = !world.sites[from].is_handing_over(world.now);
        let heir = world.sites.iter().filter(|site| is_primary(site) && site.place() != from);
        let heir = heir.map(Site::place).find(|&place| self.parents[place] == from);
        if let Some(new) = heir {
            self.handover = None;
            world.figures.failovers += 1;
            world.say(|| format!("{new} has taken over from {from}"));
            world.sites[new].disturb(world.now);
            if handover.is_forced || !world.sites[from].is_up() {
                world.checker.crowned(&world.sites[new]);
            } else {
                world.checker.handed_over(&world.sites[new]);
            }
            self.parents[new] = new;
            world.sites[new].should_follow(None);
            for place in (0..self.parents.len()).filter(|&place| place != new) {
                self.point(world, place, new);
            }
        } else if is_over && is_primary(&world.sites[from]) {
            self.handover = None;
            world.say(|| format!("{from} has not handed over"));
        } else if world.now > handover.until || !world.sites[from].is_up() {
            // Nobody knows who is the primary: somebody decides.
            self.handover = None;
            world.say(|| "the handover has failed".to_owned());
            let up = (0..self.parents.len()).find(|&place| world.sites[place].is_up());
            let new = up.unwrap_or(from);
            self.crown(world, new);
        }
    }

    fn configure(&mut self, world: &mut World, place: Place) {
        let setting = match self.rng.below(6) {
            0 => format!("repl-backlog-size {}", self.rng.pick(&[16384, 65536, 1_048_576])),
            1 => format!("repl-diskless-sync {}", self.rng.pick(&["yes", "no"])),
            2 => {
                let ways = ["disabled", "on-empty-db", "swapdb"];
                format!("repl-diskless-load {}", self.rng.pick(&ways))
            }
            4 => format!("repl-backlog-spill-size {}", self.rng.pick(&[0, 100_000, 1 << 30])),
            3 => format!("min-replicas-to-write {}", self.rng.below(2)),
            _ => format!("repl-backlog-ttl {}", self.rng.pick(&[0, 5, 3600])),
        };
        world.order(place, &format!("CONFIG SET {setting}"));
    }

    /// No more disorder: everybody follows the primary, some through others.
    pub(crate) fn settle(&mut self, world: &mut World) {
        self.is_done = true;
        self.handover = None;
        self.restarts.fill(None);
        let primary = self.primary();
        self.point(world, primary, primary);
        world.checker.crowned(&world.sites[primary]);
        let mut placed = vec![primary];
        for place in (0..self.parents.len()).filter(|&place| place != primary) {
            let to = if self.rng.chance(60) { primary } else { *self.rng.pick(&placed) };
            self.point(world, place, to);
            placed.push(place);
        }
    }

    /// What keeps the servers from being the same; nothing if they are.
    pub(crate) fn difference(&self, world: &mut World) -> Option<String> {
        let primary = self.primary();
        let digest = world.sites[primary].digest(world.now);
        let offset = world.sites[primary].offset();
        for place in (0..self.parents.len()).filter(|&place| place != primary) {
            let site = &mut world.sites[place];
            if !site.is_linked() {
                return Some(format!("{place} is not linked to {}", self.parents[place]));
            }
            if site.offset() != offset {
                return Some(format!("{place} is at {}, {primary} at {offset}", site.offset()));
            }
            let own = site.digest(world.now);
            if own != digest {
                let keys = world.sites[place].differing_keys(&world.sites[primary]);
                let first: Vec<String> = keys.into_iter().take(5).collect();
                return Some(format!("{place} is not like {primary}: {}", first.join(", ")));
            }
        }
        None
    }
}
