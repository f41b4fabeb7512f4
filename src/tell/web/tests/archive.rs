//! What is read from the record: the pages alerts link to, a partner's history, evidence.

use super::*;
use crate::model::{
    claim::Claim,
    event::{Event, Happening},
    finding::{Finding, FindingId, Severity},
    obstacle::{Obstacle, ObstacleId},
    standing::Pending,
    state::State,
};
use crate::record::{
    Commit, Seen, digest,
    samples::{after, body, changed, looks, noon, seen},
};
use crate::tell::{
    decide::tests::{World, endpoint, minute, standing, violation},
    message::{Message, Words, compose},
    web::page::CHANGES,
};

const OFFERS: Claim = Claim::OUTBOUND_RECEIVER_OFFERS;
/// A name that means something to an address, to a file system and to HTML.
const NAME: &str = "Fäbrikam & Söhne/<b>100 %</b>?#+.";

impl Running {
    fn stands(&self, standings: Vec<Standing>) {
        let standings = Arc::new(standings);
        self.snapshot.send_replace(Arc::new(Snapshot { standings, ..Snapshot::default() }));
    }
}

/// Everything an alert links to, told of this world.
fn alerts(world: &mut World, base: &str) -> Vec<Message> {
    let mut messages = Vec::new();
    for at in 0..2 {
        let events = world.memory.notices.clone();
        let (groups, _) = world.round(minute(at));
        let words = Words {
            now: minute(at),
            organisation: "Contoso",
            base_url: Some(base),
            standings: world
                .standings
                .iter()
                .map(|one| ((one.partner.as_str(), one.claim), one))
                .collect(),
            certificates: crate::tell::decide::certificates(&world.standings),
            events: events.iter().map(|(id, one)| (id.as_str(), &one.event)).collect(),
            told: None,
        };
        messages.extend(groups.iter().map(|group| compose(&words, group)));
    }
    messages
}

#[tokio::test]
async fn what_an_alert_links_to_is_there() {
    let running = start(WebPlan::loopback()).await;
    let json = body(noon(), "220 mx");
    let unsure = Standing {
        state: State::Unknown,
        since: minute(-7 * 60),
        evidence: digest(b"not kept"),
        ..standing("Unsure", OFFERS)
    };
    let mut world = World::new(vec![standing(NAME, OFFERS), unsure]);
    world.breaks(0, 0, FindingId::CertExpired, "mx.fabrikam.test [192.0.2.1]:25");
    world.standings[0].evidence = digest(&json);
    world.standings[0].endpoints = vec![endpoint("mx.fabrikam.test", "00ff", minute(60))];
    let finding = Finding {
        severity: Severity::Warning,
        ..violation(FindingId::MxSetChanged, "fabrikam.test")
    };
    let event = Event {
        id: "01A".to_owned(),
        at: minute(0),
        partner: Some(NAME.to_owned()),
        claim: Some(OFFERS),
        what: Happening::Noticed { finding },
    };
    world.happens(event).unwrap();
    let commit = Commit {
        standings: world.standings.clone(),
        ..looks(vec![seen(NAME, 0, State::Violated, "220 mx")])
    };
    running.record.commit(&commit).unwrap();
    running.stands(world.standings.clone());
    let base = format!("http://{}", running.address);
    let (mut links, mut evidence) = (Vec::new(), Vec::new());
    for message in alerts(&mut world, &base) {
        links.extend(message.link);
        for part in message.parts {
            links.extend(part.link);
            let lines = part.lines.iter().filter(|line| line.label == "Evidence");
            evidence.extend(lines.map(|line| line.text.clone()));
        }
    }
    // Two claims, a certificate and a change, each with the dashboard and the page; and the evidence of the claims.
    assert_eq!((links.len(), evidence.len()), (8, 2), "{links:?} {evidence:?}");
    // What is no violation may not be kept: its page says what stands for it.
    let page = evidence.iter().position(|link| link.contains("/partner/Unsure#outbound/")).unwrap();
    links.push(evidence.remove(page));
    for link in links {
        let path = link.strip_prefix(&base).unwrap();
        let reply = running.get(path.split('#').next().unwrap()).await;
        assert_eq!(reply.status, 200, "{link}");
        reply.says("content-type: text/html; charset=utf-8");
    }
    let reply = running.get(evidence[0].strip_prefix(&base).unwrap()).await;
    assert_eq!((reply.status, reply.body.as_bytes()), (200, json.as_slice()));
}

/// A claim of which everything is known that a page can tell.
fn told(state: State) -> Standing {
    let finding = Finding {
        advice: "renew `mx.pem` <now>".to_owned(),
        reference: "RFC 5280 ` alone".to_owned(),
        ..violation(FindingId::CertExpired, "mx.fabrikam.test [192.0.2.1]:25")
    };
    let obstacle = Obstacle {
        id: ObstacleId::ConnectTimeout,
        subject: "mx2".into(),
        detail: "silence".into(),
    };
    Standing {
        state,
        summary: "1 of 1 endpoints falls short".to_owned(),
        findings: vec![finding],
        obstacles: vec![obstacle],
        endpoints: vec![endpoint("mx.fabrikam.test", "00ff", after(0))],
        pending: Some(Pending { state: State::Compliant, agreed: 1, looks: 1, since: after(1) }),
        evidence: digest(b"{}"),
        ..standing("Fabrikam", OFFERS)
    }
}

#[tokio::test]
async fn a_partner_s_page_tells_each_claim_and_what_changed() {
    let running = start(WebPlan::loopback()).await;
    let good = standing("Fabrikam", Claim::all().last().unwrap());
    let other = standing("Fabrikam 2", OFFERS);
    running.stands(vec![good, other, told(State::Violated)]);
    let events = vec![
        changed("01A", "Fabrikam", 0, State::Compliant, ""),
        changed("01B", "Fabrikam", 5, State::Violated, &digest(b"{}")),
        changed("01C", "Fabrikam 2", 7, State::Violated, ""),
    ];
    let bare = Seen { body: b"{}".to_vec(), ..seen("Fabrikam", 0, State::Violated, "") };
    running.record.commit(&Commit { events, ..looks(vec![bare]) }).unwrap();
    let reply = running.get("/partner/Fabrikam").await;
    assert_eq!(reply.status, 200);
    let page = reply.body;
    let evidence = format!("../evidence/{}", digest(b"{}").replace(':', "%3A"));
    let in_order = [
        "<h2 id=\"outbound/receiver-offers\">outbound/receiver-offers: violated</h2>",
        "the mail servers of Fabrikam can do the TLS that was agreed",
        "<dd>violated since 2026-03-02 00:00 UTC</dd>",
        "1 of 1 endpoints falls short",
        "<dt>Agreed</dt><dd>level name</dd>",
        "<dt>Proved</dt><dd>2026-03-02 00:00 UTC</dd>",
        "compliant, first seen 2026-01-31 12:01 UTC",
        &format!("<dt>Evidence</dt><dd><a href=\"{evidence}\">sha256:"),
        "<li>violation cert-expired at mx.fabrikam.test [192.0.2.1]:25: ",
        "<dt>Seen</dt><dd>what was seen</dd>",
        "<dt>Expected</dt><dd>what was expected</dd>",
        "<dt>What to do</dt><dd>renew <code>mx.pem</code> &lt;now&gt;</dd>",
        "<dt>Reference</dt><dd>RFC 5280 ` alone</dd>",
        "<li>connect-timeout at mx2: ",
        "<dd>silence</dd>",
        "<td>mx.fabrikam.test</td><td>192.0.2.1</td><td>25</td><td>offered</td><td>none</td>\
         <td>2026-01-31 12:00 UTC</td><td>matched</td><td class=\"compliant\">compliant</td>",
        "<h2 id=\"inbound/sender-enforces\">inbound/sender-enforces: compliant</h2>",
        "<h2 id=\"changes\">",
        "<td>2026-01-31 12:05 UTC</td><td>outbound/receiver-offers</td><td>unknown → violated</td><td>seen</td>\
         <td><a href=\"",
        "<td>2026-01-31 12:00 UTC</td><td>outbound/receiver-offers</td><td>unknown → compliant</td><td>seen</td>\
         <td></td>",
    ];
    let place = |part: &&str| page.find(*part).unwrap_or_else(|| panic!("{part}\n{page}"));
    assert!(in_order.iter().map(place).is_sorted(), "{page}");
    // Nobody else's.
    assert!(!page.contains("Fabrikam 2") && !page.contains("12:07"));
    // The matrix leads here, claim by claim.
    let index = running.get("/").await.body;
    assert!(index.contains(
        "<a href=\"partner/Fabrikam#outbound/receiver-offers\">violated <span class=\"since\">since"
    ));
    assert!(index.contains("<th scope=\"row\"><a href=\"partner/Fabrikam%202\">Fabrikam 2</a>"));
}

#[tokio::test]
async fn a_partner_is_found_by_its_very_name_for_as_long_as_the_record_knows_it() {
    let running = start(WebPlan::loopback()).await;
    running.stands(vec![standing("Fabrikam", OFFERS)]);
    let events = vec![changed("01A", "Formerly", 0, State::Violated, "")];
    running.record.commit(&Commit { events, ..Commit::default() }).unwrap();
    for (path, status, says) in [
        ("/partner/Fabrikam", 200, "Nothing that the record knows of."),
        ("/partner/%46abrikam", 200, "outbound/receiver-offers: compliant"),
        ("/partner/fabrikam", 404, "No partner is called “fabrikam”"),
        ("/partner/Fabrikam%20", 404, "No partner is called “Fabrikam ”"),
        ("/partner/Formerly", 200, "The configuration claims nothing of this partner."),
        ("/partner/%3Cscript%3E%0a", 404, "No partner is called “&lt;script&gt;\\n”"),
        ("/partner/Fabrikam/x", 404, "there is no such page"),
    ] {
        let reply = running.get(path).await;
        assert_eq!(reply.status, status, "{path}");
        assert!(reply.body.contains(says), "{path}: {}", reply.body);
    }
}

#[tokio::test]
async fn what_strangers_say_is_no_markup_and_of_bounded_length() {
    let running = start(WebPlan::loopback()).await;
    let evil = "<script>alert('x')</script>\u{1b}[31m\u{202e}\"&";
    let finding = |id| Finding {
        seen: evil.to_owned(),
        expected: evil.repeat(1000),
        advice: evil.to_owned(),
        reference: evil.to_owned(),
        ..violation(id, evil)
    };
    let obstacle =
        Obstacle { id: ObstacleId::DnsFailure, subject: evil.into(), detail: evil.into() };
    let one = Standing {
        state: State::Unknown,
        summary: evil.to_owned(),
        findings: vec![finding(FindingId::CertExpired); 60],
        obstacles: vec![obstacle; 60],
        endpoints: vec![endpoint("mx.fabrikam.test", "00ff", after(0)); 1000],
        evidence: evil.to_owned(),
        ..standing(evil, OFFERS)
    };
    running.stands(vec![one]);
    let event = |number: usize| Event {
        id: format!("{number:03}"),
        at: noon(),
        partner: Some(evil.to_owned()),
        claim: None,
        what: Happening::Noticed { finding: finding(FindingId::CertChanged) },
    };
    let events = (0..CHANGES + 1).map(event).collect();
    running.record.commit(&Commit { events, ..Commit::default() }).unwrap();
    let link = crate::tell::path::partner(evil);
    let page = running.get(&format!("/{link}")).await.body;
    assert!(
        page.contains(
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;\\x1b[31m\\u{202e}&quot;&amp;"
        )
    );
    assert!(!page.contains("<script") && !page.contains(['\u{1b}', '\u{202e}']));
    for cut in [
        "10 more findings are not shown",
        "10 more obstacles are not shown",
        "900 more endpoints are not shown",
        "These are the last 50",
    ] {
        assert!(page.contains(cut), "{cut}");
    }
    assert_eq!(page.matches("<td>cert-changed</td>").count(), CHANGES);
    assert!(page.len() < 2 << 20, "{}", page.len());
}

#[tokio::test]
async fn evidence_is_given_as_it_was_stored_or_said_not_to_be_kept() {
    let running = start(WebPlan::loopback()).await;
    let json = body(noon(), "<b>hello</b>");
    running
        .record
        .commit(&looks(vec![seen("Fabrikam", 0, State::Compliant, "<b>hello</b>")]))
        .unwrap();
    let kept = digest(&json);
    let digits = kept.strip_prefix("sha256:").unwrap();
    for asked in [kept.clone(), kept.replace(':', "%3A"), digits.to_owned(), digits.to_uppercase()]
    {
        let reply = running.get(&format!("/evidence/{asked}")).await;
        assert_eq!((reply.status, reply.body.as_bytes()), (200, json.as_slice()), "{asked}");
        reply.says("content-type: application/json");
        reply.says(&format!("content-length: {}", json.len()));
        reply.says("x-content-type-options: nosniff");
    }
    let none = running.get(&format!("/evidence/{}", digest(b"another"))).await;
    assert_eq!(none.status, 404);
    assert!(none.body.contains("kept on change, for violations and daily"), "{}", none.body);
    for asked in ["x", &digits[1..], &format!("{digits}0"), &format!("md5:{digits}"), "%00", "é"] {
        let asked: String = asked.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let reply = running.get(&format!("/evidence/{asked}")).await;
        assert_eq!(reply.status, 400, "{asked}");
        assert!(reply.body.contains("64 hexadecimal digits"), "{}", reply.body);
    }
}

#[tokio::test]
async fn a_page_links_to_the_evidence_that_is_kept() {
    let running = start(WebPlan::loopback()).await;
    let (first, second) = (body(noon(), "220 mx"), body(after(60), "220 mx"));
    let seen = |minutes| seen("Fabrikam", minutes, State::Compliant, "220 mx");
    running.record.commit(&looks(vec![seen(0)])).unwrap();
    running.record.commit(&looks(vec![seen(60)])).unwrap();
    let evidence =
        |json: &[u8]| Standing { evidence: digest(json), ..standing("Fabrikam", OFFERS) };
    let cell = async |standing| {
        running.stands(vec![standing]);
        let page = running.get("/partner/Fabrikam").await.body;
        let cell = page.lines().find(|line| line.starts_with("<dt>Evidence")).unwrap();
        cell.to_owned()
    };
    let link = |json: &[u8]| {
        format!(
            "<a href=\"../{}\">{}</a>",
            crate::tell::path::evidence(&digest(json)),
            digest(json)
        )
    };
    assert_eq!(cell(evidence(&first)).await, format!("<dt>Evidence</dt><dd>{}</dd>", link(&first)));
    // The second look found what the first did, and nothing of it was kept.
    assert_eq!(running.get(&format!("/evidence/{}", digest(&second))).await.status, 404);
    let told = cell(evidence(&second)).await;
    assert!(told.contains(&format!("{}, kept last", link(&first))), "{told}");
    let other = Standing { claim: Claim::all().last().unwrap(), ..evidence(&second) };
    let told = cell(other).await;
    assert!(told.contains(&format!("<dd>{}, not kept", digest(&second))), "{told}");
}

#[tokio::test]
async fn where_the_record_cannot_be_read_claims_are_told_all_the_same() {
    let running = start(WebPlan::loopback()).await;
    running.stands(vec![told(State::Violated)]);
    std::fs::remove_file(running.state_dir.path().join("mxwarden.sqlite")).unwrap();
    let page = running.get("/partner/Fabrikam").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("1 of 1 endpoints falls short"));
    assert!(page.body.contains("The record cannot be read now"));
    // Whether there is such a partner, and such evidence, is not known then.
    assert_eq!(running.get("/partner/Stranger").await.status, 500);
    assert_eq!(running.get(&format!("/evidence/{}", digest(b"{}"))).await.status, 500);
}

#[tokio::test(start_paused = true)]
async fn reads_of_the_record_wait_for_their_turn_and_other_pages_do_not() {
    let limits = WebLimits { reads: 0, ..WebLimits::default() };
    let running = start(WebPlan { limits, ..WebPlan::loopback() }).await;
    let began = tokio::time::Instant::now();
    for path in ["/partner/Fabrikam", &format!("/evidence/{}", digest(b"{}"))] {
        assert_eq!(running.get(path).await.status, 503, "{path}");
    }
    assert!(began.elapsed() >= 2 * limits.request_within);
    assert_eq!(running.get("/healthz").await.status, 200);
}
