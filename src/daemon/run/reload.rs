//! Reads the configuration again: all of it is taken, or nothing is.
//!
//! 1. The file is read and everything it needs is built beside what runs.
//! 2. Canaries that are the same go on; others are closed, and the new ones listen in their place. Where that fails,
//!    the old ones listen again.
//! 3. The loop gets the new means; proofs under way end with the old, at the pace of the new: whom we met before is
//!    remembered.
//!
//! Invariant: what cannot be taken changes nothing, and says why. Where nothing can be as it was, the daemon ends.

use super::{
    Speaker,
    served::{self, Pages},
};
use crate::config::{Config, Loaded};
use crate::daemon::{
    means::{Flags, Means},
    meter::Meter,
    store::Store,
    verify::chain,
};
use crate::model::signal::Signal;
use std::{net::TcpListener, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    task::spawn_blocking,
};

/// How long a notification under way may take before another configuration speaks.
const SPOKEN_WITHIN: Duration = Duration::from_secs(10);

/// What new means are built from, beside the file.
pub(super) struct Template {
    pub(super) file: PathBuf,
    pub(super) flags: Flags,
    pub(super) store: Store,
    pub(super) meter: Meter,
    /// Sockets that were open before us, and that nobody could open again.
    pub(super) sockets: Vec<TcpListener>,
}

/// The same sockets once more; one that cannot be had is opened anew, or that fails and says so.
pub(super) fn copies(sockets: &[TcpListener]) -> Vec<TcpListener> {
    sockets.iter().filter_map(|socket| socket.try_clone().ok()).collect()
}

/// Why a configuration was not taken.
enum Refusal {
    /// And the old canaries do not listen any more either.
    Lost(String),
    /// All is as it was.
    Unchanged(String),
}

impl From<String> for Refusal {
    fn from(why: String) -> Self {
        Self::Unchanged(why)
    }
}

/// Reads again whenever it is told.
pub(super) struct Reloads {
    pub(super) template: Template,
    pub(super) current: watch::Sender<Arc<Means>>,
    pub(super) out: mpsc::Sender<Arc<Means>>,
    pub(super) pages: Pages,
    pub(super) speaker: Speaker,
}

impl Reloads {
    /// Goes on for as long as the daemon does; or it ends with what was lost, without which the daemon cannot.
    pub(super) async fn run(self, mut told: mpsc::Receiver<()>) -> &'static str {
        while told.recv().await.is_some() {
            served::reloading();
            let taken = self.reload().await;
            let successful = taken.is_ok();
            self.template.meter.measure(&Signal::Reload { successful });
            match taken {
                Ok(()) => {}
                Err(Refusal::Unchanged(why)) => {
                    tracing::error!(
                        "the configuration was not taken, and the old one stays: {why}"
                    );
                }
                Err(Refusal::Lost(why)) => {
                    tracing::error!(
                        "the configuration was not taken, and the old one is lost: {why}"
                    );
                    return "the canaries";
                }
            }
            served::ready();
        }
        // Whoever could tell us to is gone; so are we, soon.
        std::future::pending().await
    }

    async fn reload(&self) -> Result<(), Refusal> {
        let file = self.template.file.clone();
        let read = spawn_blocking(move || Config::read(&file)).await;
        let loaded = read.map_err(|error| error.to_string())?;
        let loaded = loaded.map_err(|error| format!("{error:#}"))?.whole();
        let Loaded { config, warnings, unseen: _ } = loaded.map_err(|error| error.to_string())?;
        for warning in &warnings {
            tracing::warn!("{warning}");
        }
        let old = Arc::clone(&self.current.borrow());
        refuse_what_needs_a_restart(&old.config, &config)?;
        let pages = self.pages.plan(&config).map_err(|error| chain(&error))?;
        let means = self.means(&old, config).await?;
        self.pages.serve(pages);
        let means = Arc::new(means);
        if let Err(error) = self.speaker.begin(&means, SPOKEN_WITHIN).await {
            // The daemon ends by it, and the next one begins with the record or says why it cannot.
            tracing::error!(%error, "what was told before cannot be read");
        }
        means.set_the_pace();
        self.current.send_replace(Arc::clone(&means));
        self.out.send(means).await.map_err(|_| "the daemon is ending".to_owned())?;
        Ok(())
    }

    async fn means(&self, old: &Arc<Means>, config: Config) -> Result<Means, Refusal> {
        let mut means = self.build(config)?;
        match old.canaries() {
            Some(canaries) if has_same_canaries(old, &means) => {
                means.share_canaries(Arc::clone(canaries)).map_err(|error| chain(&error))?;
                Ok(means)
            }
            None if means.config.canaries.is_empty() => Ok(means),
            running => {
                // Whatever can be wrong with the new ones beside their sockets is found out while the old ones listen.
                means.check_canaries().map_err(|error| chain(&error))?;
                if let Some(canaries) = running {
                    canaries.close().await;
                }
                match means.start_canaries_with(copies(&self.template.sockets)).await {
                    Ok(()) => Ok(means),
                    Err(error) => {
                        let why = chain(&error);
                        match self.start_again(old).await {
                            Ok(()) => Err(Refusal::Unchanged(why)),
                            Err(lost) => Err(Refusal::Lost(format!("{why}; {lost}"))),
                        }
                    }
                }
            }
        }
    }

    fn build(&self, config: Config) -> Result<Means, String> {
        let means = Means::build(config, self.template.flags.clone());
        let mut means = means.map_err(|error| chain(&error))?;
        means.use_store(self.template.store.clone());
        Ok(means)
    }

    /// The new canaries could not listen: the old ones do again, or it is told why not.
    async fn start_again(&self, old: &Arc<Means>) -> Result<(), String> {
        if old.canaries().is_none() {
            return Ok(());
        }
        let mut means = self.build(old.config.clone())?;
        let open = copies(&self.template.sockets);
        means.start_canaries_with(open).await.map_err(|error| chain(&error))?;
        let means = Arc::new(means);
        self.current.send_replace(Arc::clone(&means));
        // A loop that is gone needs none.
        let _ = self.out.send(means).await;
        Ok(())
    }
}

/// What a process is born with.
fn refuse_what_needs_a_restart(old: &Config, new: &Config) -> Result<(), String> {
    if old.state_dir != new.state_dir {
        return Err("state_dir is another: restart the daemon".to_owned());
    }
    let formerly = |config: &Config| -> Vec<_> {
        config.partners.iter().filter_map(|partner| partner.formerly.clone()).collect()
    };
    let known = formerly(old);
    if let Some(name) = formerly(new).into_iter().find(|name| !known.contains(name)) {
        return Err(format!(
            "the history of `{name}` is carried over by a start: restart the daemon"
        ));
    }
    if old.http.listen != new.http.listen {
        return Err("[http] listen is another: restart the daemon".to_owned());
    }
    Ok(())
}

/// Whether everything that makes the canaries is the same, the content of their certificates included: one may have been
/// renewed under its name.
fn has_same_canaries(old: &Means, new: &Means) -> bool {
    old.canary_print().is_some() && old.canary_print() == new.canary_print()
}
