//! Commands that publish and subscribe.

mod look;
mod publish;
mod subscribe;

use super::Command;
pub(crate) use subscribe::unsubscribe_from_all;

/// The family.
pub static COMMANDS: &[&Command] = &[
    &subscribe::PSUBSCRIBE,
    &publish::PUBLISH,
    &look::PUBSUB,
    &subscribe::PUNSUBSCRIBE,
    &publish::SPUBLISH,
    &subscribe::SSUBSCRIBE,
    &subscribe::SUBSCRIBE,
    &subscribe::SUNSUBSCRIBE,
    &subscribe::UNSUBSCRIBE,
];
