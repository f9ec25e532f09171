//! One file per family of commands, one table per file.

mod connection;
mod generic;
mod server;
mod strings;

use crate::grammar::Group;

/// All families that the server has.
pub(crate) const GROUPS: &[&Group] =
    &[&strings::GROUP, &generic::GROUP, &connection::GROUP, &server::GROUP];
