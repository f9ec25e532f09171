//! The table: every directive is one row, and the rows are all there is to it. The [`Config`]
//! struct, its defaults, CONFIG, the parser of files and command line, and `redis.conf` derive from
//! them.
//!
//! A row reads
//!
//! ```text
//! /// What it does.
//! "name" | "alias" field: Type = default, kind, change, status, [TRAIT | TRAIT], example "line";
//! ```
//!
//! where aliases, traits and sample may be left out. The rows stand in several files, each a macro
//! that hands its rows on to the next, until [`build`] has them all.

macro_rules! build {
    ($( $group:ident { $(
        $(#[doc = $doc:literal])*
        $name:literal $(| $alias:literal)*
        $field:ident: $type:ty = $default:expr, $kind:expr, $change:expr, $status:expr
        $(, [$($trait:ident)|+])? $(, example $example:literal)? $(, setting $setting:literal)?;
    )* } )*) => {
        /// The value of every directive, in a field of the same name.
        #[derive(Clone, PartialEq)]
        pub struct Config { $($(
            $(#[doc = $doc])*
            pub $field: $type,
        )*)* }

        impl Default for Config {
            fn default() -> Config {
                Config { $($( $field: $default, )*)* }
            }
        }

        /// Names of directives and of their fields.
        #[cfg(test)]
        pub(super) const FIELDS: &[(&str, &str)] = &[$($( ($name, stringify!($field)), )*)*];

        /// Every directive, in the order of `redis.conf`.
        pub static DIRECTIVES: &[Directive] = &[ $($( Directive {
            name: $name,
            aliases: &[$($alias),*],
            group: Group::$group,
            doc: &[$($doc),*],
            change: $change,
            status: $status,
            traits: Traits::empty()$($(.union(Traits::$trait))+)?,
            sample: [
                $(Sample::Example($example),)? $(Sample::Setting($setting),)? Sample::Default
            ][0],
            row: &Field {
                kind: $kind,
                get: |config| &config.$field,
                get_mut: |config| &mut config.$field,
                default: || $default,
            },
        }, )*)* ];
    };
}

/// Runs the macros of the list, each of which adds its rows, and then [`build`].
macro_rules! collect {
    ([] { $($rows:tt)* }) => { build! { $($rows)* } };
    ([$first:ident $($rest:ident)*] $rows:tt) => { $first! { [$($rest)*] $rows } };
}

#[macro_use]
mod network;
#[macro_use]
mod process;
#[macro_use]
mod clients;
#[macro_use]
mod data;
#[macro_use]
mod persistence;
#[macro_use]
mod replication;
#[macro_use]
mod extensions;

use super::directive::Capability::*;
use super::directive::Change::*;
use super::directive::Status::*;
use super::directive::{Directive, Field, Group, Sample, Traits, Trigger};
use super::kind::*;
use super::lists::each;
use super::rules;
use super::special::*;
use super::values::*;
use super::words::*;

const MB: i128 = 1 << 20;

collect! { [network process clients data persistence replication extensions] {} }

/// All IPv4 addresses, and all IPv6 addresses where there is IPv6.
fn all_addresses() -> Vec<BindAddress> {
    vec![BindAddress::parse(b"*"), BindAddress::parse(b"-::*")]
}

/// After an hour for any change, sooner for many.
fn default_save_points() -> Vec<SavePoint> {
    [(3600, 1), (300, 100), (60, 10_000)]
        .map(|(seconds, changes)| SavePoint { seconds, changes })
        .to_vec()
}

fn default_output_limits() -> OutputLimits {
    let limit =
        |hard_bytes, soft_bytes, soft_seconds| OutputLimit { hard_bytes, soft_bytes, soft_seconds };
    OutputLimits {
        normal: limit(0, 0, 0),
        replica: limit(256 << 20, 64 << 20, 60),
        pubsub: limit(32 << 20, 8 << 20, 60),
    }
}
