//! Our own MX, where what it offers hangs on who asks: STARTTLS that is missing from one of our addresses is looked for
//! from another before it counts.

use super::{HOUR, Lab};
use mxwarden::{
    lab::smtp::{Script, When},
    model::{
        claim::Claim,
        finding::{FindingId, Severity},
        obstacle::ObstacleId,
        standing::Standing,
        state::State::{Compliant, Unknown, Violated},
    },
};
use std::net::{IpAddr, Ipv4Addr};
use tokio::time::sleep;

/// Where the system lets us come from, on loopback.
const FIRST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Another address of ours.
const SECOND: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 7));
/// One that is configured, and that this host does not have (TEST-NET-1).
const NOBODYS: &str = "192.0.2.77";

fn claim() -> Claim {
    "inbound/receiver-offers".parse().unwrap()
}

/// Our own MX, and a partner whose mail it takes; we may ask from these addresses.
async fn ours(source_addresses: &[&str]) -> Lab {
    let mut lab = Lab::of(&[]).await;
    let healthy = Script::healthy(lab.world.good());
    lab.world.domain("contoso", healthy).await;
    lab.more = format!(
        "[[connector]]\nname = \"in\"\ndirection = \"inbound\"\nlevel = \"encrypt\"\n\
         [connector.probe]\nmail_from = \"tls-probe@fabrikam.test\"\nrcpt_to = \"tls-probe@contoso.test\"\n\
         source_addresses = {source_addresses:?}\n\
         [[partner]]\nname = \"fabrikam\"\ndomains = [\"fabrikam.test\"]\ninbound = \"in\"\n"
    );
    lab.only = vec![claim()];
    lab
}

impl Lab {
    /// From now on something on the way takes STARTTLS out, where all of this holds.
    fn strip_ours(&self, when: Vec<When>) {
        let script = Script::starttls_stripped_where(self.world.good(), when);
        self.world.peer(0).set(script).unwrap();
    }

    async fn until_ours(&self, what: &str, is_so: impl Fn(&Standing) -> bool) -> Standing {
        let stands = |lab: &Self| lab.standing("fabrikam", claim()).filter(|one| is_so(one));
        self.until(what, 2 * HOUR, |lab| stands(lab).is_some()).await;
        stands(self).unwrap()
    }

    fn was_asked_from(&self, source: IpAddr) -> bool {
        self.world.peer(0).heard().iter().any(|session| session.from.ip() == source)
    }
}

fn is_compliant(standing: &Standing) -> bool {
    standing.state == Compliant
}

fn is_violated(standing: &Standing) -> bool {
    standing.state == Violated
}

fn missing(standing: &Standing) -> Vec<Severity> {
    let missing = standing.findings.iter().filter(|one| one.id == FindingId::StarttlsNotOffered);
    missing.map(|finding| finding.severity).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_from_one_of_our_addresses_alone_is_not_known() {
    // The one we come from anyway is no other witness.
    let mut lab = ours(&["127.0.0.1", "127.0.0.7"]).await;
    lab.start().await;
    lab.until_ours("it is proved", is_compliant).await;
    assert!(lab.was_asked_from(FIRST) && !lab.was_asked_from(SECOND), "nothing was missing");
    lab.strip_ours(vec![When::ElsewhereThan(SECOND)]);
    let disagree =
        |one: &Standing| one.obstacles.iter().any(|one| one.id == ObstacleId::WitnessesDisagree);
    let disputed = lab.until_ours("the two disagree", disagree).await;
    assert_eq!(
        (disputed.state, missing(&disputed)),
        (Unknown, vec![Severity::Info]),
        "{disputed:#?}"
    );
    assert!(lab.was_asked_from(SECOND));
    // However often it is seen.
    sleep(12 * HOUR).await;
    lab.world.peer(0).set(Script::healthy(lab.world.good())).unwrap();
    lab.until_ours("it is proved again", is_compliant).await;
    assert_eq!(lab.states("fabrikam"), [Compliant, Unknown, Compliant]);
    lab.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_from_both_of_our_addresses_counts() {
    let mut lab = ours(&["127.0.0.7"]).await;
    lab.start().await;
    lab.until_ours("it is proved", is_compliant).await;
    lab.strip_ours(Vec::new());
    let broken = lab.until_ours("it counts", is_violated).await;
    assert_eq!(missing(&broken), [Severity::Violation], "{broken:#?}");
    assert!(lab.was_asked_from(SECOND));
    assert_eq!(lab.states("fabrikam"), [Compliant, Unknown, Violated]);
    // Better from one of them is not well.
    lab.strip_ours(vec![When::ElsewhereThan(SECOND)]);
    sleep(12 * HOUR).await;
    assert_eq!(lab.states("fabrikam"), [Compliant, Unknown, Violated, Unknown]);
    lab.stop().await;
}

/// The second address is a witness of what the first one misses, and of nothing else.
#[tokio::test(start_paused = true)]
async fn where_the_first_of_our_addresses_misses_nothing_no_other_is_asked() {
    let mut lab = ours(&["127.0.0.7"]).await;
    lab.strip_ours(vec![When::ComesFrom(SECOND)]);
    lab.start().await;
    lab.until_ours("it is proved", is_compliant).await;
    sleep(12 * HOUR).await;
    assert_eq!(lab.states("fabrikam"), [Compliant]);
    assert!(!lab.was_asked_from(SECOND));
    lab.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_address_that_is_not_ours_is_no_witness() {
    let mut lab = ours(&[NOBODYS]).await;
    lab.start().await;
    lab.until_ours("it is proved", is_compliant).await;
    lab.strip_ours(Vec::new());
    lab.until_ours("it counts", is_violated).await;
    lab.stop().await;
}
