//! Hashes out of what files hold.

use super::pack::{self, Form};
use super::{FieldTtl, Hash, NewValue, Rules, Stored, Table};
use crate::base::num;
use crate::ds::listpack::Listpack;

/// The latest expiry of a field in a file, Unix milliseconds: what Redis can keep.
pub const FIELD_EXPIRY_MAX: i64 = (1 << 48) - 2;

impl Hash {
    /// An empty hash in the form for so many fields, as far as their number decides.
    #[must_use]
    pub fn for_count(count: u64, rules: &Rules) -> Self {
        if count > num::u64_of(rules.entries_max) {
            Self::Table(Box::new(Table::new(rules.hash_key)))
        } else {
            Self::new()
        }
    }

    /// A hash of names and values in turn; `None` if a name has no value. As in Redis, only their number
    /// decides whether they stay in the listpack. The caller sees to it that too many are distinct.
    #[must_use]
    pub fn of_pack(pack: Listpack, rules: &Rules) -> Option<Self> {
        let is_whole = pack.len().is_multiple_of(Form::Plain.elements());
        is_whole.then(|| Self::Pack(pack).bounded(rules))
    }

    /// As [`Hash::of_pack`], of names, values and expiries in turn, in the order of the expiries.
    #[must_use]
    pub fn of_expiring_pack(pack: Listpack, rules: &Rules) -> Option<Self> {
        pack::is_sorted(&pack).then(|| Self::ExpiringPack(pack).bounded(rules))
    }

    fn bounded(mut self, rules: &Rules) -> Self {
        if self.as_ref().len() > rules.entries_max {
            self.become_table(rules);
        }
        self
    }

    /// Adds a field with its expiry, Unix milliseconds; false if there is one of that name.
    pub fn add_field(
        &mut self,
        name: &[u8],
        value: NewValue<'_>,
        expiry: Option<i64>,
        rules: &Rules,
    ) -> bool {
        if self.set(name, value, FieldTtl::Keep, rules) == Stored::Replaced {
            return false;
        }
        if expiry.is_some() {
            self.set_expiry(name, expiry);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hash::HashKey;
    use crate::ds::listpack::Element;

    const RULES: Rules =
        Rules { entries_max: 2, value_bytes_max: 5, hash_key: HashKey::new(1, 2), now_ms: 0 };

    fn listpack(texts: &[&str]) -> Listpack {
        let mut list = Listpack::new();
        texts.iter().for_each(|text| list.push_back(Element::Bytes(text.as_bytes())));
        list
    }

    #[test]
    fn the_number_of_fields_decides() {
        let encoding = |hash: Option<Hash>| hash.map(|hash| hash.as_ref().encoding());
        let of = |texts: &[&str]| encoding(Hash::of_pack(listpack(texts), &RULES));
        assert_eq!(of(&["a", "longer than five", "b", "1"]), Some("listpack"));
        assert_eq!(of(&["a", "1", "b", "2", "c", "3"]), Some("hashtable"));
        assert_eq!(of(&["a", "1", "b"]), None);
        assert_eq!(Hash::for_count(2, &RULES).as_ref().encoding(), "listpack");
        assert_eq!(Hash::for_count(3, &RULES).as_ref().encoding(), "hashtable");
    }

    #[test]
    fn expiries_have_to_be_in_order() {
        let next = |texts: &[&str]| {
            let hash = Hash::of_expiring_pack(listpack(texts), &RULES)?;
            hash.check_invariants();
            Some((hash.as_ref().encoding(), hash.as_ref().next_expiry()))
        };
        assert_eq!(next(&["a", "1", "7", "b", "2", "0"]), Some(("listpackex", Some(7))));
        let three = ["a", "1", "7", "b", "2", "9", "c", "3", "0"];
        assert_eq!(next(&three), Some(("hashtable", Some(7))));
        assert_eq!(next(&["a", "1", "0", "b", "2", "7"]), None);
        assert_eq!(next(&["a", "1", "9", "b", "2", "7"]), None);
        assert_eq!(next(&["a", "1", "-7"]), None);
        assert_eq!(next(&["a", "1", "x"]), None);
        let (latest, later) = (FIELD_EXPIRY_MAX.to_string(), (FIELD_EXPIRY_MAX + 1).to_string());
        assert!(next(&["a", "1", &latest]).is_some() && next(&["a", "1", &later]).is_none());
        assert_eq!(next(&["a", "1"]), None);
    }

    #[test]
    fn fields_are_added_once() {
        for count in [1, 9] {
            let mut hash = Hash::for_count(count, &RULES);
            let mut add =
                |name: &[u8], expiry| hash.add_field(name, NewValue::Copied(b"v"), expiry, &RULES);
            assert!(
                add(b"a", None) && add(b"b", Some(9)) && !add(b"b", Some(8)) && !add(b"a", None)
            );
            assert_eq!((hash.as_ref().len(), hash.as_ref().next_expiry()), (2, Some(9)));
            hash.check_invariants();
        }
    }
}
