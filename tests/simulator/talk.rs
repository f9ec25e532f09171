//! What the servers log, with the time and the machine it comes from.

use std::cell::Cell;
use std::fmt::Debug;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

use crate::network::Place;

thread_local! {
    /// Who speaks, and when, milliseconds.
    static SPEAKER: Cell<(Place, u64)> = const { Cell::new((0, 0)) };
}

/// Notes whose turn it is.
pub(crate) fn speaks(place: Place, millis: u64) {
    SPEAKER.set((place, millis));
}

/// Prints all that servers log from now on.
pub(crate) fn listen() {
    let printer = registry().with(Printer);
    tracing::subscriber::set_global_default(printer).expect("nobody else listens");
}

struct Printer;

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl<S: Subscriber> Layer<S> for Printer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        let (place, millis) = SPEAKER.get();
        println!("{:>4}.{:03} {place} {}", millis / 1000, millis % 1000, message.0);
    }
}
