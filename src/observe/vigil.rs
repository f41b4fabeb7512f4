//! Notices that a task has ended which goes on until it is told to stop.
//!
//! 1. The task runs under a [`Vigil`], and so may several: the first that ends counts.
//! 2. Whoever cannot do without them waits for [`Vigil::died`].
//!
//! Invariant: every way of ending is noticed, a panic included; one that was told to stop never is.

use std::future::{Future, pending};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Watches over tasks. Clones watch over the same.
#[derive(Debug, Clone)]
pub struct Vigil {
    /// The word to stop.
    stop: CancellationToken,
    ended: CancellationToken,
}

impl Vigil {
    /// Over tasks that end when they are told to by this.
    pub fn until(stop: CancellationToken) -> Self {
        Self { stop, ended: CancellationToken::new() }
    }

    /// The task, watched over from now on, whether or not it is ever begun.
    pub fn over<F: Future>(&self, task: F) -> impl Future<Output = F::Output> + use<F> {
        // Dropped with the task, however that comes about.
        let ended = self.ended.clone().drop_guard();
        async move {
            let _ended = ended;
            task.await
        }
    }

    /// Ends once a task has ended that was not told to.
    pub async fn died(&self) {
        self.ended.cancelled().await;
        if self.stop.is_cancelled() {
            pending().await
        }
    }
}

/// Ends once what is current has died, for something that is replaced while we run; what `died` says of it.
pub async fn whichever<T: Clone, R>(
    mut current: watch::Receiver<T>,
    died: impl AsyncFn(&T) -> R,
) -> R {
    loop {
        let one = current.borrow_and_update().clone();
        tokio::select! {
            what = died(&one) => return what,
            changed = current.changed() => if changed.is_err() {
                // There will be no other.
                return died(&one).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;

    /// Whether it has ended, as far as can be told without waiting.
    async fn has_ended(what: impl Future) -> bool {
        tokio::select! {
            biased;
            _ = what => true,
            () = async {} => false,
        }
    }

    #[tokio::test]
    async fn every_way_of_ending_is_noticed() {
        let vigil = || Vigil::until(CancellationToken::new());
        let (returns, panics, aborted, dropped) = (vigil(), vigil(), vigil(), vigil());
        tokio::spawn(returns.over(async {})).await.unwrap();
        returns.died().await;
        let panicked = tokio::spawn(panics.over(async { panic!("as it should") })).await;
        assert!(panicked.unwrap_err().is_panic());
        panics.died().await;
        let task = tokio::spawn(aborted.over(pending::<()>()));
        assert!(!has_ended(aborted.died()).await);
        task.abort();
        aborted.died().await;
        drop(dropped.over(async {}));
        dropped.died().await;
    }

    #[tokio::test]
    async fn the_first_of_several_counts_and_whoever_comes_late_hears_of_it() {
        let vigil = Vigil::until(CancellationToken::new());
        let others = tokio::spawn(vigil.over(pending::<()>()));
        assert!(!has_ended(vigil.died()).await);
        tokio::spawn(vigil.over(async {})).await.unwrap();
        assert!(has_ended(vigil.died()).await && has_ended(vigil.clone().died()).await);
        others.abort();
    }

    #[tokio::test]
    async fn one_that_was_told_to_stop_is_not_noticed() {
        let stop = CancellationToken::new();
        let vigil = Vigil::until(stop.clone());
        let until_told = stop.clone();
        let task = tokio::spawn(vigil.over(async move { until_told.cancelled().await }));
        let mut died = pin!(vigil.died());
        assert!(!has_ended(died.as_mut()).await);
        stop.cancel();
        task.await.unwrap();
        assert!(!has_ended(died).await);
    }

    #[tokio::test]
    async fn what_takes_the_place_of_another_is_watched_in_its_place() {
        let new = || Vigil::until(CancellationToken::new());
        let (first, second) = (new(), new());
        let (current, seen) = watch::channel(first.clone());
        let mut died = pin!(whichever(seen, async |vigil: &Vigil| vigil.died().await));
        assert!(!has_ended(died.as_mut()).await);
        current.send_replace(second.clone());
        assert!(!has_ended(died.as_mut()).await);
        drop(first.over(async {}));
        assert!(!has_ended(died.as_mut()).await, "it was replaced");
        drop(second.over(async {}));
        assert!(has_ended(died.as_mut()).await);
    }

    #[tokio::test]
    async fn the_last_is_watched_though_nobody_can_replace_it_any_more() {
        let vigil = Vigil::until(CancellationToken::new());
        let (current, seen) = watch::channel(vigil.clone());
        drop(current);
        let mut died = pin!(whichever(seen, async |vigil: &Vigil| vigil.died().await));
        assert!(!has_ended(died.as_mut()).await);
        drop(vigil.over(async {}));
        died.await;
    }
}
