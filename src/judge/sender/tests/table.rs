//! One line a case: what one session shows, what sessions are an attempt, whose a session is, what is waited for
//! and what is drained.

use super::{
    cases::{but_at, enforced},
    judged,
    make::{
        EHLO, FROM, alerted, at, connected, delivered_in_clear, delivered_over, enveloped,
        given_up, greeted, hello, id, round, shook, tls, turned_away, turned_away_after,
    },
};
use crate::judge::sender::{Rules, Waiting, judge, to_drain, waits_for};
use crate::model::{
    canary::{Acting, Personality, Personality as P},
    connector::SenderMarks,
    delivery::{CanaryEnding, CanarySession, CanaryTls, DeliveryEvidence, Submission},
    finding::FindingId,
    report::{Outcome, ProbeKind},
    requirement::{Level, MinVersion, TlsVersion},
    session::Phase,
    state::State,
};

fn outcome(evidence: &DeliveryEvidence, personality: Personality) -> Outcome {
    let judged = judged(evidence);
    let kind = ProbeKind::Personality(personality);
    judged.probes().iter().find(|probe| probe.kind == kind).unwrap().outcome
}

/// What is said of a round in which nothing but this session came, and retries that went the same way.
#[track_caller]
fn check(level: Level, session: CanarySession, expect: Outcome) {
    let personality = session.personality;
    let again = CanarySession { started_at: at(600), finished_at: at(601), ..session.clone() };
    let evidence = DeliveryEvidence { sessions: vec![session, again], ..round(level) };
    assert_eq!(outcome(&evidence, personality), expect);
}

fn ended(session: CanarySession, ending: CanaryEnding) -> CanarySession {
    CanarySession { ending, ..session }
}

fn ours() -> CanaryEnding {
    CanaryEnding::Ours("8 sessions from one address".into())
}

#[test]
fn only_leaving_at_the_defect_is_a_refusal() {
    use CanaryEnding::{Closed, Quit, Reset, TimedOut};
    use Outcome::{NotSeen, Refused, Undecided};
    let name = Level::Name;
    let no_reply = || CanarySession { ehlo_answered: false, ..greeted(P::NoStarttls, 2) };
    check(name, greeted(P::NoStarttls, 2), Refused);
    check(name, ended(greeted(P::NoStarttls, 2), Closed), Refused);
    check(name, ended(greeted(P::NoStarttls, 2), Reset), Undecided);
    check(name, ended(greeted(P::NoStarttls, 2), TimedOut), Undecided);
    check(name, ended(greeted(P::NoStarttls, 2), ours()), Undecided);
    check(name, no_reply(), Undecided); // it has not seen the defect
    check(name, connected(P::NoStarttls, 2), NotSeen); // a bare connect
    check(name, turned_away(P::StarttlsRefused, 2), Refused);
    check(name, ended(turned_away(P::StarttlsRefused, 2), Reset), Undecided);
    check(name, greeted(P::StarttlsRefused, 2), Undecided); // it never asked
    let fails = || shook(P::StarttlsBroken, 2, alerted("handshake_failure"));
    check(name, fails(), Refused);
    check(name, ended(fails(), Quit), Refused);
    check(name, ended(fails(), Reset), Undecided);
    check(name, shook(P::StarttlsBroken, 2, CanaryTls::default()), Undecided); // before our alert
    let leaves = |personality| turned_away_after(personality, 2, TlsVersion::Tls13);
    for personality in [P::SelfSigned, P::UnknownCa, P::Expired, P::WrongName] {
        check(name, leaves(personality), Refused);
        check(name, ended(leaves(personality), Closed), Refused);
        check(name, ended(leaves(personality), Reset), Undecided);
        check(name, shook(personality, 2, CanaryTls::default()), Undecided);
        let alert = |alert| shook(personality, 2, given_up(TlsVersion::Tls12, alert));
        check(name, alert("bad_certificate"), Refused);
        check(name, alert("unknown_ca"), Refused);
        check(name, ended(alert("unknown_ca"), Reset), Refused); // the alert says it all
        check(name, ended(alert("unknown_ca"), ours()), Undecided);
        check(name, alert("handshake_failure"), Undecided); // of what, nobody knows
        check(name, alert("internal_error"), Undecided);
    }
}

#[test]
fn a_floor_shows_in_leaving_legacy_tls() {
    use CanaryEnding::{Quit, Reset, TimedOut};
    use Outcome::{NotTestable, Refused, Undecided};
    let legacy = |tls| shook(P::LegacyTls, 2, tls);
    let alert = |alert| legacy(given_up(TlsVersion::Tls10, alert));
    let name = Level::Name;
    check(name, alert("protocol_version"), Refused);
    check(name, ended(alert("protocol_version"), Reset), Refused);
    check(name, alert("handshake_failure"), Refused);
    check(name, alert("decode_error"), Undecided); // of our handshake
    check(name, alert("bad_record_mac"), Undecided);
    check(name, alert("unknown_ca"), Undecided); // of the certificate
    check(name, turned_away_after(P::LegacyTls, 2, TlsVersion::Tls10), Refused);
    check(name, ended(turned_away_after(P::LegacyTls, 2, TlsVersion::Tls10), Quit), Refused);
    check(name, ended(legacy(tls(TlsVersion::Tls11)), TimedOut), Undecided);
    check(name, turned_away_after(P::LegacyTls, 2, TlsVersion::Tls12), Undecided); // not legacy
    // Without a ServerHello the hello tells.
    let said = |our_alert: &str, versions: Option<&[u16]>| CanarySession {
        client_hello: Some(hello(versions)),
        ..legacy(alerted(our_alert))
    };
    check(name, said("protocol_version", Some(&[0x0304, 0x0303])), Refused);
    check(name, ended(said("protocol_version", Some(&[0x0304, 0x0303])), Reset), Undecided);
    check(name, said("protocol_version", Some(&[0x0304, 0x0303, 0x0302])), Undecided);
    check(name, said("protocol_version", None), Undecided);
    check(name, said("handshake_failure", None), NotTestable);
    check(name, said("handshake_failure", Some(&[0x0303, 0x0302])), NotTestable);
    check(name, legacy(alerted("protocol_version")), Undecided); // no hello kept
}

/// The ids told of a round in which this came to the canary, and the state.
#[track_caller]
fn finds(level: Level, session: CanarySession, expect: &[FindingId], state: State) {
    let personality = session.personality;
    let judged = judged(&but_at(level, personality, vec![session]));
    let ids: Vec<FindingId> = judged.findings().iter().map(|finding| finding.id).collect();
    assert_eq!((ids.as_slice(), judged.state()), (expect, state), "{}", judged.summary());
}

#[test]
fn what_mail_went_over_decides() {
    use FindingId::{
        DeliveredInPlaintext, DeliveredOverLegacyTls, DeliveredOverUnverifiedTls,
        EnvelopeInPlaintext, PersonalityAllowed, SenderCallOut,
    };
    use State::{Compliant, Unknown, Violated};
    let over = |personality| delivered_over(personality, 2, TlsVersion::Tls13);
    for level in [Level::Encrypt, Level::Ca, Level::Name, Level::Pinned] {
        for personality in [P::NoStarttls, P::StarttlsRefused, P::StarttlsBroken] {
            let clear = delivered_in_clear(personality, 2);
            finds(level, clear, &[DeliveredInPlaintext], Violated);
            let envelope = enveloped(personality, 2, FROM);
            finds(level, envelope, &[EnvelopeInPlaintext], Violated);
            finds(level, enveloped(personality, 2, ""), &[SenderCallOut], Unknown);
            let other = enveloped(personality, 2, "someone@contoso.test");
            finds(level, other, &[], Unknown);
        }
        let old = delivered_over(P::LegacyTls, 2, TlsVersion::Tls10);
        finds(level, old.clone(), &[DeliveredOverLegacyTls], Violated);
        // RFC 8996: who says MAIL there has no floor.
        let envelope = CanarySession { reached: Phase::Rcpt, message: None, ..old };
        finds(level, envelope, &[DeliveredOverLegacyTls], Violated);
        // Clear is clear, whatever the canary would have shown.
        finds(level, delivered_in_clear(P::Good, 2), &[DeliveredInPlaintext], Violated);
    }
    finds(Level::Encrypt, over(P::SelfSigned), &[PersonalityAllowed], Compliant);
    finds(Level::Encrypt, over(P::WrongName), &[PersonalityAllowed], Compliant);
    finds(Level::Ca, over(P::WrongName), &[PersonalityAllowed], Compliant);
    finds(Level::Ca, over(P::SelfSigned), &[DeliveredOverUnverifiedTls], Violated);
    finds(Level::Ca, over(P::Expired), &[DeliveredOverUnverifiedTls], Violated);
    finds(Level::Name, over(P::WrongName), &[DeliveredOverUnverifiedTls], Violated);
    finds(Level::Pinned, over(P::UnknownCa), &[DeliveredOverUnverifiedTls], Violated);
    // An envelope over TLS is not clear, and no message.
    let envelope = CanarySession { reached: Phase::Rcpt, message: None, ..over(P::SelfSigned) };
    finds(Level::Ca, envelope, &[], Compliant); // unknown-ca is enough
}

#[test]
fn a_token_is_good_until_it_expires() {
    let late = CanarySession { started_at: at(27 * 3600), ..delivered_in_clear(P::NoStarttls, 2) };
    finds(Level::Name, late, &[], State::Unknown);
    let foreign = CanarySession {
        peer: "203.0.113.1:9".parse().unwrap(),
        ehlo: Some("elsewhere.test".into()),
        ..delivered_in_clear(P::NoStarttls, 2)
    };
    // The token tells whose it is, wherever it comes from.
    finds(Level::Name, foreign, &[FindingId::DeliveredInPlaintext], State::Violated);
    let older = CanarySession { probe: Some(id(P::Good)), ..delivered_in_clear(P::NoStarttls, 2) };
    finds(Level::Name, older, &[], State::Unknown); // another probe's
}

#[test]
fn what_must_be_repeated_is_counted_by_attempts() {
    #[track_caller]
    fn check(personality: Personality, seconds: &[i64], expect: Outcome) {
        let session = |second: &i64| {
            if personality == P::StarttlsBroken {
                shook(personality, *second, alerted("handshake_failure"))
            } else if personality == P::StarttlsRefused {
                turned_away(personality, *second)
            } else if personality == P::LegacyTls {
                turned_away_after(personality, *second, TlsVersion::Tls11)
            } else {
                greeted(personality, *second)
            }
        };
        let sessions = seconds.iter().map(session).collect();
        let evidence = but_at(Level::Name, personality, sessions);
        assert_eq!(outcome(&evidence, personality), expect, "{seconds:?}");
    }
    check(P::NoStarttls, &[2], Outcome::Refused);
    for personality in [P::StarttlsBroken, P::StarttlsRefused, P::LegacyTls] {
        check(personality, &[2], Outcome::Undecided);
        check(personality, &[2, 3], Outcome::Undecided);
        check(personality, &[2, 9], Outcome::Undecided); // 7 s later
        check(personality, &[2, 10], Outcome::Refused); // 8 s later
        check(personality, &[2, 9, 11], Outcome::Refused); // 9 s after the first, 2 s after the last
        check(personality, &[10, 2], Outcome::Refused); // whatever the order they were written in
    }
}

#[test]
fn an_attempt_is_refused_throughout_or_not_at_all() {
    let fails = |second| shook(P::StarttlsBroken, second, alerted("handshake_failure"));
    let cut = |second| ended(greeted(P::StarttlsBroken, second), ours());
    let at_broken = |sessions| {
        let evidence = but_at(Level::Name, P::StarttlsBroken, sessions);
        outcome(&evidence, P::StarttlsBroken)
    };
    // What we cut off may have been the fall-back to clear.
    assert_eq!(at_broken(vec![fails(2), fails(600), cut(601)]), Outcome::Undecided);
    assert_eq!(at_broken(vec![fails(2), fails(600), cut(601), fails(900)]), Outcome::Refused);
    let clear = delivered_in_clear(P::StarttlsBroken, 601);
    assert_eq!(at_broken(vec![fails(2), fails(600), clear.clone()]), Outcome::Delivered);
    assert_eq!(at_broken(vec![fails(2), fails(300), fails(590), clear]), Outcome::Delivered);
}

/// Whether a QUIT at `no-starttls` from here, under this name, is our sender's refusal.
#[track_caller]
fn counts(networks: &[&str], ehlo: &[&str], peer: &str, name: &str, expect: Outcome) {
    let session = CanarySession {
        peer: peer.parse().unwrap(),
        ehlo: Some(name.into()),
        ..greeted(P::NoStarttls, 2)
    };
    let mut evidence = but_at(Level::Name, P::NoStarttls, vec![session]);
    evidence.sender = SenderMarks {
        networks: networks.iter().map(|one| one.parse().unwrap()).collect(),
        ehlo: ehlo.iter().map(|one| one.parse().unwrap()).collect(),
    };
    assert_eq!(outcome(&evidence, P::NoStarttls), expect, "{networks:?} {ehlo:?} {peer} {name}");
}

#[test]
fn sessions_without_a_token_need_both_marks() {
    use Outcome::{NotSeen, Refused, Undecided};
    let (net, pattern) = (["192.0.2.0/24"], ["*.contoso.test"]);
    let (same, beside, far) = ("192.0.2.25:1", "192.0.2.99:1", "203.0.113.1:1");
    let other = "elsewhere.test";
    // Both configured.
    counts(&net, &pattern, same, EHLO, Refused);
    counts(&net, &pattern, beside, "out2.contoso.test", Refused);
    counts(&net, &pattern, "[::ffff:192.0.2.99]:1", EHLO, Refused);
    counts(&net, &pattern, beside, other, NotSeen); // a health check
    counts(&net, &pattern, far, EHLO, NotSeen);
    // One configured, the other as the control showed it.
    counts(&net, &[], beside, EHLO, Refused);
    counts(&net, &[], beside, "MAIL.contoso.test", Refused);
    counts(&net, &[], beside, other, Undecided);
    counts(&net, &[], far, EHLO, NotSeen);
    counts(&[], &pattern, same, "out2.contoso.test", Refused);
    counts(&[], &pattern, beside, EHLO, Undecided);
    counts(&[], &pattern, same, other, NotSeen);
    // None.
    counts(&[], &[], same, EHLO, Refused);
    counts(&[], &[], beside, EHLO, Undecided);
    counts(&[], &[], same, other, Undecided);
}

#[test]
fn a_session_belongs_to_the_time_of_its_probe() {
    let at_second = |second| {
        let evidence = but_at(Level::Name, P::NoStarttls, vec![greeted(P::NoStarttls, second)]);
        outcome(&evidence, P::NoStarttls)
    };
    assert_eq!(at_second(-1), Outcome::NotSeen);
    assert_eq!(at_second(0), Outcome::Refused); // quicker than the reply
    assert_eq!(at_second(26 * 3600 - 1), Outcome::Refused);
    assert_eq!(at_second(26 * 3600), Outcome::NotSeen);
}

#[test]
fn probes_are_judged_under_the_requirement_they_were_sent_under() {
    let mut evidence = enforced(Level::Name);
    for probe in &mut evidence.probes {
        probe.requirement.level = Level::Encrypt;
    }
    assert_eq!(judged(&evidence).state(), State::Unknown);
    // Delivered as `encrypt` allowed, it breaks nothing; in clear it broke that level, too.
    let mut allowed = evidence.clone();
    allowed.sessions = vec![delivered_over(P::SelfSigned, 2, TlsVersion::Tls13)];
    assert_eq!(judged(&allowed).state(), State::Unknown);
    evidence.sessions = vec![delivered_in_clear(P::NoStarttls, 2)];
    assert_eq!(judged(&evidence).state(), State::Violated);
}

#[test]
fn the_lowest_version_decides_what_is_legacy() {
    let mut evidence = enforced(Level::Encrypt);
    evidence.requirement.min_version = MinVersion::Tls13;
    for probe in &mut evidence.probes {
        probe.requirement.min_version = MinVersion::Tls13;
    }
    assert_eq!(judged(&evidence).state(), State::Compliant);
    let mut at_12 = evidence.clone();
    at_12.sessions.push(delivered_over(P::LegacyTls, 1, TlsVersion::Tls12));
    assert_eq!(judged(&at_12).state(), State::Violated);
    // A control over TLS 1.2 shows that there is no floor of 1.3.
    evidence.sessions.retain(|session| session.personality != P::Good);
    evidence.sessions.push(delivered_over(P::Good, 2, TlsVersion::Tls12));
    let judged = judged(&evidence);
    assert_eq!(judged.findings()[0].id, FindingId::DeliveredOverLegacyTls);
}

#[test]
fn proofs_are_as_old_as_their_oldest_fact() {
    let good = delivered_over(P::Good, 90, TlsVersion::Tls13);
    let evidence = but_at(Level::Name, P::Good, vec![good]);
    assert_eq!(judged(&evidence).proven_at(), Some(at(2)));
    let fails = |second| shook(P::StarttlsBroken, second, alerted("handshake_failure"));
    let mut evidence = enforced(Level::Encrypt);
    evidence.sessions = vec![
        delivered_over(P::Good, 40, TlsVersion::Tls13),
        greeted(P::NoStarttls, 41),
        turned_away(P::StarttlsRefused, 42),
        turned_away(P::StarttlsRefused, 342),
        fails(30),
        fails(330),
        turned_away_after(P::LegacyTls, 44, TlsVersion::Tls10),
        turned_away_after(P::LegacyTls, 344, TlsVersion::Tls10),
        turned_away_after(P::SelfSigned, 5, TlsVersion::Tls13), // not used at this level
    ];
    assert_eq!(judged(&evidence).proven_at(), Some(at(30)));
}

#[test]
fn rounds_wait_for_what_may_still_be_decided() {
    #[track_caller]
    fn check(evidence: &DeliveryEvidence, second: i64, open: &[Personality], until: Option<i64>) {
        let expect = Waiting { open: open.to_vec(), until: until.map(at) };
        assert_eq!(waits_for(evidence, &Rules { now: at(second) }), expect);
    }
    let queue = Some(25 * 3600 + 1);
    check(&enforced(Level::Name), 600, &[], None);
    let fails = |second| shook(P::StarttlsBroken, second, alerted("handshake_failure"));
    let once = but_at(Level::Name, P::StarttlsBroken, vec![fails(2)]);
    check(&once, 10, &[P::StarttlsBroken], queue);
    check(&once, 26 * 3600, &[], None); // nobody tries any more
    let nobody = but_at(Level::Name, P::NoStarttls, Vec::new());
    check(&nobody, 10, &[P::NoStarttls], Some(301));
    check(&nobody, 301, &[], None);
    let no_control = but_at(Level::Name, P::Good, Vec::new());
    check(&no_control, 10, &[P::Good], Some(301));
    // Allowed, so that nothing hangs on it.
    check(&but_at(Level::Encrypt, P::SelfSigned, Vec::new()), 10, &[], None);
    // Violated: no retry changes that.
    let mut violated =
        but_at(Level::Name, P::NoStarttls, vec![delivered_in_clear(P::NoStarttls, 2)]);
    violated.sessions.retain(|session| session.personality != P::LegacyTls);
    violated.sessions.retain(|session| session.started_at < at(500));
    check(&violated, 10, &[P::LegacyTls], Some(301));
    check(&violated, 301, &[], None);
    check(&enforced(Level::MtaSts), 10, &[], None);
    let mut unsent = but_at(Level::Name, P::NoStarttls, Vec::new());
    let probe = unsent.probes.iter_mut().find(|probe| probe.personality == P::NoStarttls).unwrap();
    probe.submission = None;
    check(&unsent, 10, &[P::NoStarttls], Some(300));
    let probe = unsent.probes.iter_mut().find(|probe| probe.personality == P::NoStarttls).unwrap();
    probe.submission = Some(Submission::Failed { at: at(1), detail: "550".into() });
    check(&unsent, 10, &[], None);
}

#[test]
fn queues_are_drained_after_a_refusal_that_counts() {
    let due = |evidence: &DeliveryEvidence, second| to_drain(evidence, &Rules { now: at(second) });
    let fails = |second| shook(P::StarttlsBroken, second, alerted("handshake_failure"));
    let mut evidence = round(Level::Encrypt);
    evidence.sessions = vec![
        greeted(P::NoStarttls, 2),
        fails(2),
        fails(600),
        turned_away(P::StarttlsRefused, 2), // once does not count
        turned_away_after(P::SelfSigned, 2, TlsVersion::Tls13), // queued as well
    ];
    let six_hours = 6 * 3600;
    assert_eq!(due(&evidence, six_hours), []);
    assert_eq!(due(&evidence, six_hours + 10), [P::NoStarttls, P::SelfSigned]);
    assert_eq!(due(&evidence, six_hours + 601), [P::NoStarttls, P::StarttlsBroken, P::SelfSigned]);
    assert_eq!(due(&evidence, 26 * 3600), []); // expired
    let mut drained = evidence.clone();
    drained.sessions.push(CanarySession {
        acting: Acting::Draining,
        ..delivered_over(P::NoStarttls, six_hours + 20, TlsVersion::Tls13)
    });
    assert_eq!(due(&drained, six_hours + 30), [P::SelfSigned]);
    evidence.timing.drain_after = None;
    assert_eq!(due(&evidence, six_hours + 601), []);
}

#[test]
fn time_alone_turns_waiting_into_silence() {
    let nobody = but_at(Level::Name, P::NoStarttls, Vec::new());
    let first = |second| {
        let judged = judge(&nobody, &Rules { now: at(second) });
        judged.obstacles()[0].id.as_str()
    };
    assert_eq!(first(10), "undecided");
    assert_eq!(first(301), "no-attempt-seen");
}
