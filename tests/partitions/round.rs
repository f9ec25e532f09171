//! A round: clients write, links are cut, somebody is killed or cut off, perhaps another one is promoted;
//! then all is healed, and what was confirmed is looked for.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crate::daemon::Failure;
use crate::fleet::{Fleet, Info, LAG_S, PORT, address, ask, tell, wait_for};
use crate::ledger::{Ledger, Write, missing};
use crate::net::{Cut, Net, SERVERS};
use crate::options::Extent;
use crate::rng::Rng;
use crate::tally::Tally;
use crate::wire::{Connection, Reply};

/// Clients that write.
const WRITERS: u64 = 3;
/// What a machine that does other work may add to a promise about time.
const SLACK: Duration = Duration::from_millis(500);

/// What happens in a round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Blow {
    /// The primary is killed and starts again.
    PrimaryRestarts,
    /// The primary is killed, and a replica promoted.
    PrimaryDies,
    /// The primary is cut off and comes back.
    PrimaryAway,
    /// The primary is cut off, and a replica promoted.
    PrimaryReplaced,
    /// A replica is killed and starts again.
    ReplicaRestarts,
    /// Links of replicas are cut and healed.
    Cuts,
}

pub(crate) const BLOWS: [Blow; 6] = [
    Blow::PrimaryRestarts,
    Blow::PrimaryDies,
    Blow::PrimaryAway,
    Blow::PrimaryReplaced,
    Blow::ReplicaRestarts,
    Blow::Cuts,
];

/// What counts as confirmed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Creed {
    /// What WAIT and WAITAOF have told.
    Told,
    /// The canary: whatever was acknowledged, which is too much to believe.
    Acknowledged,
}

impl Creed {
    /// Whether a write has to be with whoever is the primary.
    const fn takes(self, write: &Write) -> bool {
        match self {
            Self::Told => write.is_copied(),
            Self::Acknowledged => true,
        }
    }
}

/// The servers and their net, from round to round.
pub(crate) struct World {
    pub(crate) net: Net,
    pub(crate) fleet: Fleet,
    pub(crate) primary: usize,
    pub(crate) extent: Extent,
    pub(crate) creed: Creed,
    pub(crate) tally: Tally,
}

fn pause(rng: &mut Rng, least_ms: usize, most_ms: usize) {
    let ms = rng.between(least_ms, most_ms);
    thread::sleep(Duration::from_millis(u64::try_from(ms).unwrap_or(0)));
}

impl World {
    fn replicas(&self) -> impl Iterator<Item = usize> + use<> {
        let primary = self.primary;
        (0..SERVERS).filter(move |&server| server != primary)
    }

    fn follow(&self, replica: usize, primary: usize) -> Result<(), Failure> {
        let host = self.net.address(primary, replica).to_string();
        tell(replica, &["REPLICAOF", &host, &PORT.to_string()])
    }

    pub(crate) fn begin(&mut self) -> Result<(), Failure> {
        for server in 0..SERVERS {
            let primary = (server != self.primary).then_some(self.primary);
            self.fleet.start(&self.net, server, primary)?;
        }
        self.converge()
    }

    /// Waits until both replicas have what the primary has.
    fn converge(&mut self) -> Result<(), Failure> {
        let start = Instant::now();
        let primary = self.primary;
        let replicas: Vec<usize> = self.replicas().collect();
        wait_for("all to be at one place", || {
            let states: Vec<Info> =
                replicas.iter().map(|&one| Info::of(one)).collect::<Result<_, _>>()?;
            let offset = Info::of(primary)?.number("master_repl_offset");
            Ok(states.iter().all(|state| {
                state.text("master_link_status") == "up"
                    && state.number("slave_repl_offset") == offset
            }))
        })?;
        self.tally.longest("until all were at one place, ms", start.elapsed());
        Ok(())
    }

    /// One round; a failure is the end of the run.
    pub(crate) fn round(&mut self, blow: Blow, name: &str, rng: &mut Rng) -> Result<(), Failure> {
        let primary = self.primary;
        wait_for("the primary to accept writes", || {
            Ok(matches!(ask(primary, &["FLUSHALL"])?, Reply::Status(_)))
        })?;
        let ledger = Ledger::new(primary);
        let struck = thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (ledger, rng) = (&ledger, Rng::new(rng.next(), writer));
                let name = format!("{name}:{writer}");
                scope.spawn(move || ledger.work(&name, rng));
            }
            let struck = self.strike(blow, &ledger, rng);
            ledger.is_over.store(true, Ordering::Relaxed);
            struck
        });
        struck?;
        self.net.heal_all()?;
        self.converge()?;
        let writes = ledger.writes.into_inner().expect("no writer panics");
        self.count(blow, &writes);
        let digests: Vec<Reply> =
            (0..SERVERS).map(|one| ask(one, &["DEBUG", "DIGEST"])).collect::<Result<_, _>>()?;
        if digests.iter().any(|digest| *digest != digests[0]) {
            self.tally.complain(format!("{name} {blow:?}: the data differ: {digests:?}"));
        }
        let creed = self.creed;
        let confirmed = writes.iter().filter(|write| creed.takes(write));
        self.expect(self.primary, confirmed, &format!("{name} {blow:?}: in the end"))
    }

    /// Complains of confirmed writes that a server does not have.
    fn expect<'a>(
        &mut self,
        server: usize,
        writes: impl Iterator<Item = &'a Write>,
        when: &str,
    ) -> Result<(), Failure> {
        let lost = missing(server, writes).map_err(Failure::io("looking for what was written"))?;
        self.tally.add("confirmed writes lost", lost.len());
        if let Some(first) = lost.first() {
            let Write { key, replicas, here, on_disk, .. } = first;
            let told = format!("replicas {replicas}, here {here}, on their disks {on_disk}");
            let count = lost.len();
            self.tally.complain(format!(
                "{when}: server {server} lacks {count} confirmed writes, one is {key} ({told}); {}",
                self.net
            ));
        }
        Ok(())
    }

    fn count(&mut self, blow: Blow, writes: &[Write]) {
        self.tally.add("rounds", 1);
        self.tally.add(&format!("rounds {blow:?}"), 1);
        let mut add = |what: &str, counts: fn(&Write) -> bool| {
            self.tally.add(what, writes.iter().filter(|write| counts(write)).count());
        };
        add("writes acknowledged", |_| true);
        add("writes that WAIT told one replica has", |write| write.replicas == 1);
        add("writes that WAIT told two have", |write| write.replicas > 1);
        add("writes that WAITAOF told are on the disk here", |write| write.here > 0);
        add("writes that WAITAOF told are on the disk of one replica", |write| write.on_disk == 1);
        add("writes that WAITAOF told are on those of two", |write| write.on_disk > 1);
    }

    fn strike(&mut self, blow: Blow, ledger: &Ledger, rng: &mut Rng) -> Result<(), Failure> {
        pause(rng, 200, 600);
        if rng.chance(60) {
            self.cut_something(rng)?;
            pause(rng, 0, 500);
        }
        let primary = self.primary;
        match blow {
            Blow::PrimaryRestarts => {
                self.fleet.kill(primary);
                self.start_alone(primary, None, ledger)?;
                self.net.heal_all()?;
                pause(rng, 100, 500);
            }
            Blow::PrimaryDies => {
                self.fleet.kill(primary);
                self.promote(ledger, rng)?;
                self.start_alone(primary, None, ledger)?;
                self.net.heal_all()?;
                self.follow(primary, self.primary)?;
            }
            Blow::PrimaryAway => {
                self.net.isolate(primary)?;
                self.expect_refusal(primary, rng)?;
                self.net.heal_all()?;
                pause(rng, 100, 400);
            }
            Blow::PrimaryReplaced => {
                self.net.isolate(primary)?;
                let is_early = rng.chance(50);
                if is_early {
                    self.promote(ledger, rng)?;
                }
                self.expect_refusal(primary, rng)?;
                if !is_early {
                    self.promote(ledger, rng)?;
                }
                self.follow(primary, self.primary)?;
                self.net.heal_all()?;
            }
            Blow::ReplicaRestarts => {
                let replicas: Vec<usize> = self.replicas().collect();
                let replica = *rng.pick(&replicas);
                self.fleet.kill(replica);
                self.start_alone(replica, Some(primary), ledger)?;
                self.net.heal_all()?;
                pause(rng, 100, 500);
            }
            Blow::Cuts => {
                for _ in 0..rng.between(2, 5) {
                    self.cut_something(rng)?;
                    pause(rng, 50, 700);
                    if rng.chance(50) {
                        self.net.heal_all()?;
                        pause(rng, 50, 300);
                    }
                }
            }
        }
        Ok(())
    }

    fn cut_something(&mut self, rng: &mut Rng) -> Result<(), Failure> {
        let one = rng.below(SERVERS);
        let other = (one + rng.between(1, SERVERS - 1)) % SERVERS;
        let cut = if rng.chance(50) { Cut::Both } else { Cut::From(one) };
        self.tally.add("links cut", 1);
        self.net.cut(one, other, cut)
    }

    /// Starts a killed server where nobody reaches it, and looks what its disk has kept.
    fn start_alone(
        &mut self,
        server: usize,
        primary: Option<usize>,
        ledger: &Ledger,
    ) -> Result<(), Failure> {
        self.tally.add("servers killed", 1);
        let seen = ledger.writes.lock().expect("no writer panics").clone();
        self.net.isolate(server)?;
        self.fleet.start(&self.net, server, primary)?;
        let was_replica = primary.is_some();
        // As a replica it has what both are said to have, as a primary what it said itself.
        let kept = seen.iter().filter(|write| match was_replica {
            true => write.on_disk > 1,
            false => write.server == server && write.here > 0,
        });
        self.expect(server, kept, "after kill -9, alone")
    }

    /// Promotes the replica that has more, and lets the other one follow it.
    fn promote(&mut self, ledger: &Ledger, rng: &mut Rng) -> Result<(), Failure> {
        pause(rng, 0, 200);
        let mut replicas = Vec::new();
        for replica in self.replicas() {
            // One that takes a snapshot has none of what it had before, or will have none.
            wait_for("a replica to be whole", || {
                let state = Info::of(replica)?;
                Ok(state.number("loading") == 0 && state.number("async_loading") == 0)
            })?;
            replicas.push((Info::of(replica)?.number("slave_repl_offset"), replica));
        }
        replicas.sort_unstable();
        let [(_, other), (_, new)] = replicas[..] else {
            return Err(Failure::Other("there are two replicas".to_owned()));
        };
        tell(new, &["REPLICAOF", "NO", "ONE"])?;
        let seen = ledger.writes.lock().expect("no writer panics").clone();
        let creed = self.creed;
        self.expect(new, seen.iter().filter(|write| creed.takes(write)), "promoted")?;
        self.net.heal(new, other)?;
        self.primary = new;
        self.follow(other, new)?;
        ledger.primary.store(new, Ordering::Relaxed);
        self.tally.add("replicas promoted", 1);
        pause(rng, 300, 900);
        Ok(())
    }

    /// A primary that has just been cut off accepts nothing once its replicas have been silent for long
    /// enough.
    fn expect_refusal(&mut self, primary: usize, rng: &mut Rng) -> Result<(), Failure> {
        let start = Instant::now();
        let io = |error| Failure::io("writing to a primary that is cut off")(error);
        let mut connection = Connection::open(address(primary)).map_err(io)?;
        let mut accepted = Duration::ZERO;
        wait_for("a primary without replicas to refuse", || {
            let sent = start.elapsed();
            let reply = connection.command(&["SET", "probe", "1"]).map_err(io)?;
            let is_refused = matches!(&reply, Reply::Error(text) if text.starts_with("NOREPLICAS"));
            if !is_refused {
                accepted = sent;
            }
            Ok(is_refused)
        })?;
        self.tally.longest("a primary that was cut off accepted writes for, ms", accepted);
        if self.extent == Extent::Long && accepted > Duration::from_secs(LAG_S + 1) + SLACK {
            self.tally.complain(format!("writes were accepted {accepted:?} after the cut"));
        }
        let until = Instant::now() + Duration::from_millis(rng.next() % 600);
        while Instant::now() < until {
            let reply = connection.command(&["SET", "probe", "2"]).map_err(io)?;
            if !matches!(reply, Reply::Error(_)) {
                self.tally.complain(format!("a write was accepted after a refusal: {reply:?}"));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}
