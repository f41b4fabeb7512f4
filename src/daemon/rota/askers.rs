//! Who waits for proofs that were ordered, and what they are told.
//!
//! Invariant: everybody is answered, at the latest when their patience ends.

use crate::daemon::{matrix::Work, means::Means, verify};
use crate::model::{
    claim::Claim,
    obstacle::ObstacleId,
    report::{ClaimReport, PartnerReport},
};
use jiff::Timestamp;
use std::time::Duration;
use tokio::{sync::oneshot, time::Instant};

/// Nobody waits longer.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What is asked of the loop.
#[derive(Debug)]
pub enum Ask {
    /// To prove claims now.
    Verify {
        /// Which.
        order: Order,
        /// Where the reports go; or why there are none.
        reply: oneshot::Sender<Result<Vec<PartnerReport>, String>>,
    },
}

/// Which claims to prove now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Whose; all where there are none.
    pub partners: Vec<String>,
    /// Which; all where there are none.
    pub claims: Vec<Claim>,
    /// How long whoever asks waits.
    pub within: Duration,
}

/// Everybody who waits.
#[derive(Debug, Default)]
pub(super) struct Askers(Vec<Asker>);

#[derive(Debug)]
struct Asker {
    works: Vec<(Work, Option<ClaimReport>)>,
    until: Instant,
    reply: oneshot::Sender<Result<Vec<PartnerReport>, String>>,
}

impl Askers {
    /// Somebody waits for these works.
    pub(super) fn wait(
        &mut self,
        works: Vec<Work>,
        within: Duration,
        reply: oneshot::Sender<Result<Vec<PartnerReport>, String>>,
    ) {
        let works = works.into_iter().map(|work| (work, None)).collect();
        let until = Instant::now() + within.min(LONGEST);
        self.0.push(Asker { works, until, reply });
    }

    /// A work was proved.
    pub(super) fn came(&mut self, proved: &Work, report: &ClaimReport) {
        for (work, told) in self.0.iter_mut().flat_map(|asker| &mut asker.works) {
            if work.proof == proved.proof {
                told.get_or_insert_with(|| report.clone());
            }
        }
    }

    /// A work was not looked at, and is not before `at`.
    pub(super) fn nothing_came(&mut self, work: &Work, at: Timestamp) {
        let why = format!("not looked at now; the daemon does at {at}");
        self.came(work, &verify::unknown(work, ObstacleId::Undecided, &why));
    }

    /// When the next patience ends.
    pub(super) fn wake(&self) -> Option<Instant> {
        self.0.iter().map(|asker| asker.until).min()
    }

    /// Answers those who have heard everything, or wait no longer.
    pub(super) fn answer(&mut self, means: &Means) {
        let now = Instant::now();
        let (over, waiting): (Vec<Asker>, Vec<Asker>) =
            std::mem::take(&mut self.0).into_iter().partition(|asker| {
                asker.until <= now || asker.works.iter().all(|(_, told)| told.is_some())
            });
        self.0 = waiting;
        for Asker { works, reply, .. } in over {
            let why = "not decided in time; the daemon goes on";
            let told: Vec<(&Work, ClaimReport)> = works
                .iter()
                .map(|(work, told)| {
                    let open = || verify::unknown(work, ObstacleId::Undecided, why);
                    (work, told.clone().unwrap_or_else(open))
                })
                .collect();
            // Whoever asked may have gone.
            let _ = reply.send(Ok(verify::by_partner(means, &told)));
        }
    }
}
