//! What has to hold: confirmed writes are where WAIT and WAITAOF said they are, and stay with whoever had them
//! and is the primary next; and what is on a disk is there when the server starts again.

use std::collections::{BTreeMap, BTreeSet};

use crate::client::{Confirmed, Copies};
use crate::network::Place;
use crate::site::Site;

/// A write that was sent, and not answered yet.
#[derive(Clone, Copy, Debug)]
struct Sent {
    place: Place,
    reign: u64,
    at: u64,
}

/// All that was promised.
#[derive(Debug, Default)]
pub(crate) struct Checker {
    sent: BTreeMap<u64, Sent>,
    /// Confirmed writes that nothing excuses the present primary from having.
    promised: BTreeSet<u64>,
    /// Who is the primary by the operator's will.
    primary: Place,
    /// How often that changed, or what the primary had.
    reign: u64,
    pub(crate) confirmed: u64,
    /// How often a write was on a disk after a crash, as it had been said.
    pub(crate) found_on_disk: u64,
    /// The first thing that was wrong.
    pub(crate) wrong: Option<String>,
}

impl Checker {
    /// A client sends a write.
    pub(crate) fn sent(&mut self, number: u64, place: Place, at: u64) {
        self.sent.insert(number, Sent { place, reign: self.reign, at });
    }

    /// A client is told who has its write.
    pub(crate) fn told(&mut self, confirmed: Confirmed, sites: &mut [Site]) {
        let number = confirmed.token.number;
        let replicas = confirmed.copies.replicas();
        let Some(sent) = self.sent.remove(&number) else { return };
        let others = || sites.iter().filter(|site| site.place() != sent.place);
        let holders: Vec<Place> =
            others().filter(|site| site.holds(number)).map(Site::place).collect();
        // Who was thrown into disorder since may have had it.
        let unsure = others().filter(|site| site.was_disturbed_since(sent.at));
        let unsure: Vec<Place> = unsure.map(Site::place).collect();
        let lost = unsure.iter().filter(|place| !holders.contains(place)).count();
        let most = i64::try_from(holders.len() + lost).expect("few sites");
        if replicas > most {
            self.note(format!(
                "a client was told of {replicas} replicas with write {number} of {}, but at most {most} \
                 have it",
                sent.place
            ));
        }
        if let Copies::OnDisk { here, replicas } = confirmed.copies {
            if here && !sites[sent.place].was_disturbed_since(sent.at) {
                sites[sent.place].put_on_disk(number);
            }
            // As many as have it: it is on the disks of all of these.
            if unsure.is_empty() && usize::try_from(replicas) == Ok(holders.len()) {
                holders.iter().for_each(|&place| sites[place].put_on_disk(number));
            }
        }
        if replicas > 0 && sent.place == self.primary && sent.reign == self.reign {
            self.confirmed += 1;
            self.promised.insert(number);
        }
    }

    /// Somebody is the primary from now on; what he has not is gone, and nobody is to blame.
    pub(crate) fn crowned(&mut self, site: &Site) {
        self.primary = site.place();
        self.reign += 1;
        self.promised.retain(|&number| site.holds(number));
    }

    /// A server has started: what was on its disk it has.
    pub(crate) fn started(&mut self, site: &Site) {
        match site.lacks_of_disk() {
            None => self.found_on_disk += site.on_disk(),
            Some(number) => self.note(format!(
                "{} started without write {number}, which it had said was on its disk",
                site.place()
            )),
        }
    }

    /// The primary has handed over by itself: nothing is gone.
    pub(crate) fn handed_over(&mut self, site: &Site) {
        for &number in &self.promised {
            if !site.holds(number) {
                let place = site.place();
                self.wrong.get_or_insert(format!(
                    "{place} took over by FAILOVER and has not the confirmed write {number}"
                ));
            }
        }
        self.crowned(site);
    }

    /// At the end everybody has everything.
    pub(crate) fn check_end(&mut self, sites: &[Site]) {
        for site in sites {
            let missing = self.promised.iter().find(|&&number| !site.holds(number));
            if let Some(number) = missing.copied() {
                let place = site.place();
                self.note(format!("at the end {place} has not the confirmed write {number}"));
            }
        }
    }

    pub(crate) fn note(&mut self, wrong: String) {
        self.wrong.get_or_insert(wrong);
    }

    pub(crate) const fn primary(&self) -> Place {
        self.primary
    }
}
