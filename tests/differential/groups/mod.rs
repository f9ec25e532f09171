//! One file per family of commands, one table per file.

mod acl;
mod bitmaps;
mod connection;
mod generic;
mod geo;
mod hashes;
mod hyperloglogs;
mod libraries;
mod lists;
mod publishing;
mod server;
mod sets;
mod sorted_sets;
mod sorting;
mod streams;
mod strings;
mod transactions;

use crate::grammar::Group;

/// All families that the server has.
pub(crate) const GROUPS: &[&Group] = &[
    &strings::GROUP,
    &bitmaps::GROUP,
    &hyperloglogs::GROUP,
    &lists::GROUP,
    &sets::GROUP,
    &hashes::GROUP,
    &sorted_sets::GROUP,
    &streams::GROUP,
    &generic::GROUP,
    &sorting::GROUP,
    &geo::GROUP,
    &connection::GROUP,
    &server::GROUP,
    &publishing::GROUP,
    &transactions::GROUP,
    &acl::GROUP,
    &libraries::GROUP,
];
