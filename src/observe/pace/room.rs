//! A room that holds so many at once, and lets them in in the order in which they came.
//!
//! Invariant: how many it holds is asked whenever a place becomes free, so that it may change; whoever gives up waiting
//! has taken nothing.

use std::sync::Arc;
use tokio::sync::{Mutex, watch};

#[derive(Debug, Default)]
pub(super) struct Room {
    /// Whoever holds it is next.
    line: Mutex<()>,
    inside: watch::Sender<usize>,
}

/// A place in a room; free again when dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<Room>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.inside.send_modify(|inside| *inside -= 1);
    }
}

impl Room {
    /// Waits for a place.
    pub(super) async fn enter(self: &Arc<Self>, places: impl Fn() -> usize) -> Place {
        let _next = self.line.lock().await;
        let mut inside = self.inside.subscribe();
        // It fails once nobody is left who could tell how many are inside: this room does, and is here.
        let _ = inside.wait_for(|inside| *inside < places().max(1)).await;
        self.inside.send_modify(|inside| *inside += 1);
        Place(Arc::clone(self))
    }
}
