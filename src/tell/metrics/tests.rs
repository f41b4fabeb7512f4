use super::*;
use crate::model::{
    claim::Direction,
    finding::{Finding, FindingId, Severity},
    obstacle::{Obstacle, ObstacleId},
    report::{
        CertificateReport, Channel, ClaimReport, DaneReport, DaneState, EndpointReport, NameMatch,
        Revocation, StartTlsState, TlsReport, Trust, Validity,
    },
    requirement::{Level, Requirement, TlsVersion},
    session::SeenBy,
    standing::{EndpointPosture, EndpointStanding, Leaf, Posture, TlsStanding},
};
use crate::wire::smtp::Capabilities;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};

const BUILD: Build = Build { version: "0.1.0", revision: "abc" };
const INBOUND: Claim =
    Claim { direction: Direction::Inbound, statement: Statement::ReceiverOffers };

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A claim that was looked at, and found nothing.
pub(in crate::tell) fn standing(partner: &str, claim: Claim, state: State) -> Standing {
    Standing {
        partner: partner.to_owned(),
        claim,
        requirement: Requirement::of(Level::Name),
        basis: String::new(),
        state,
        since: at(1000),
        summary: String::new(),
        findings: Vec::new(),
        obstacles: Vec::new(),
        endpoints: Vec::new(),
        proven_at: (state != State::Unknown).then(|| at(2000)),
        last_known: None,
        evidence: String::new(),
        looked_at: Some(at(3000)),
        pending: None,
        memory: Vec::new(),
        posture: Posture::default(),
    }
}

fn leaf(not_after: i64) -> Leaf {
    Leaf {
        subject: String::new(),
        issuer: String::new(),
        not_after: at(not_after),
        key: String::new(),
        sha256: String::new(),
        spki_sha256: String::new(),
    }
}

/// An endpoint at 192.0.2.`last`, with a certificate that ends then; without one it reached nothing.
fn endpoint(last: u8, state: State, not_after: Option<i64>) -> EndpointStanding {
    let tls = not_after.map(|not_after| TlsStanding {
        version: Some(TlsVersion::Tls13),
        cipher_suite: Some("TLS_AES_256_GCM_SHA384".into()),
        group: None,
        leaf: Some(leaf(not_after)),
        trust: Trust::Ok,
        validity: Validity::Ok,
        name: NameMatch::Match,
    });
    EndpointStanding {
        mx: Some("mx.a.test".parse().unwrap()),
        preference: Some(10),
        address: Ipv4Addr::new(192, 0, 2, last).into(),
        port: 25,
        state,
        channel: if tls.is_some() { Channel::Matched } else { Channel::None },
        starttls: StartTlsState::Unknown,
        banner: None,
        tls,
        findings: Vec::new(),
    }
}

fn show(standings: &[Standing]) -> Shown<'static> {
    let standings = Arc::new(standings.to_vec());
    Shown { standings, paces: &[], canaries: &[], channels: &[] }
}

/// The lines that begin so, in order.
fn lines<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    let mut lines: Vec<_> = text.lines().filter(|line| line.starts_with(start)).collect();
    lines.sort_unstable();
    lines
}

#[track_caller]
fn has(metrics: &Metrics, line: &str) {
    let text = metrics.encode().unwrap();
    let name = line.split(['{', ' ']).next().unwrap();
    assert!(text.lines().any(|one| one == line), "{line}\n{:#?}", lines(&text, name));
}

#[track_caller]
fn has_none(metrics: &Metrics, start: &str) {
    let text = metrics.encode().unwrap();
    assert_eq!(lines(&text, start), [""; 0]);
}

#[test]
fn everything_that_is_known_in_advance_is_there_before_anything_happened() {
    let metrics = Metrics::new(BUILD).unwrap();
    for line in [
        "mxwarden_build_info{revision=\"abc\",version=\"0.1.0\"} 1",
        "mxwarden_config_last_reload_successful 1",
        "mxwarden_probes_in_flight 0",
        "mxwarden_record_backlog 0",
        "mxwarden_record_errors_total 0",
        "mxwarden_panics_total 0",
        "mxwarden_round_last_timestamp_seconds 0",
        "mxwarden_round_duration_seconds 0",
        "mxwarden_probe_lag_seconds_count 0",
        "mxwarden_canary_refused_total{reason=\"stranger\"} 0",
        "mxwarden_canary_sessions_total{personality=\"legacy-tls\",phase=\"ehlo-tls\"} 0",
        "mxwarden_probes_total{kind=\"sender-enforces\",outcome=\"unknown\"} 0",
        "mxwarden_probe_duration_seconds_count{phase=\"handshake\"} 0",
    ] {
        has(&metrics, line);
    }
    let text = metrics.encode().unwrap();
    assert_eq!(lines(&text, "mxwarden_canary_sessions_total{").len(), 10 * 9);
    assert_eq!(lines(&text, "mxwarden_probes_total{").len(), 4 * 3);
    assert_eq!(lines(&text, "mxwarden_canary_refused_total{").len(), 3);
    if cfg!(target_os = "linux") {
        assert_eq!(lines(&text, "process_start_time_seconds ").len(), 1);
    }
}

#[test]
fn the_words_of_kinds_are_those_that_are_counted() {
    for claim in Claim::all() {
        assert!(KINDS.contains(&kind(claim.statement)), "{claim}");
    }
}

#[test]
fn signals_are_folded() {
    let metrics = Metrics::new(BUILD).unwrap();
    let second = Duration::from_secs(1);
    for signal in [
        Signal::Alert { channel: "mail".into(), outcome: "failed" },
        Signal::CanaryRefused { reason: "busy" },
        Signal::CanarySession { personality: Personality::Good, phase: Phase::Accepted },
        Signal::ProbeBegan,
        Signal::ProbeBegan,
        Signal::ProbeEnded {
            kind: "receiver-offers",
            outcome: "violated",
            took: second,
            lag: second * 4,
        },
        Signal::PhaseTook { phase: Phase::Rcpt, took: second },
        Signal::Panic,
        Signal::RecordBacklog(7),
        Signal::RecordError,
        Signal::Reload { successful: false },
        Signal::RoundEnded { took: second, at: 1234.5 },
    ] {
        metrics.measure(&signal);
    }
    for line in [
        "mxwarden_alerts_total{channel=\"mail\",outcome=\"failed\"} 1",
        "mxwarden_canary_refused_total{reason=\"busy\"} 1",
        "mxwarden_canary_sessions_total{personality=\"good\",phase=\"accepted\"} 1",
        "mxwarden_probes_in_flight 1",
        "mxwarden_probes_total{kind=\"receiver-offers\",outcome=\"violated\"} 1",
        "mxwarden_probe_duration_seconds_sum{phase=\"rcpt\"} 1",
        "mxwarden_proof_duration_seconds_sum{kind=\"receiver-offers\"} 1",
        "mxwarden_probe_lag_seconds_sum 4",
        "mxwarden_panics_total 1",
        "mxwarden_record_backlog 7",
        "mxwarden_record_errors_total 1",
        "mxwarden_config_last_reload_successful 0",
        "mxwarden_round_duration_seconds 1",
        "mxwarden_round_last_timestamp_seconds 1234.5",
    ] {
        has(&metrics, line);
    }
}

#[test]
fn a_claim_is_there_before_it_was_ever_proved() {
    let metrics = Metrics::new(BUILD).unwrap();
    let mut never = standing("A", INBOUND, State::Unknown);
    never.looked_at = None;
    metrics.show(show(&[never]));
    let claim = "claim=\"inbound/receiver-offers\",partner=\"A\"";
    has(&metrics, &format!("mxwarden_claim_state{{{claim},state=\"unknown\"}} 1"));
    has(&metrics, &format!("mxwarden_claim_state{{{claim},state=\"compliant\"}} 0"));
    has(&metrics, &format!("mxwarden_claim_state{{{claim},state=\"violated\"}} 0"));
    has(&metrics, &format!("mxwarden_claim_proven_timestamp_seconds{{{claim}}} 0"));
    has(&metrics, &format!("mxwarden_claim_state_since_timestamp_seconds{{{claim}}} 1000"));
    has(&metrics, "mxwarden_endpoints_left_out{partner=\"A\"} 0");
}

#[test]
fn findings_and_obstacles_are_counted_by_id() {
    let metrics = Metrics::new(BUILD).unwrap();
    let mut claim = standing("A", Claim::OUTBOUND_RECEIVER_OFFERS, State::Violated);
    let finding = |severity| Finding::new(FindingId::CertExpired, severity, "mx", "", "");
    claim.findings = vec![finding(Severity::Violation), finding(Severity::Violation)];
    claim.findings.push(finding(Severity::Info));
    claim.obstacles = vec![Obstacle::new(ObstacleId::ConnectTimeout, "mx", "")];
    metrics.show(show(&[claim]));
    let of = "claim=\"outbound/receiver-offers\",id=\"cert-expired\",partner=\"A\"";
    has(&metrics, &format!("mxwarden_finding{{{of},severity=\"violation\"}} 2"));
    has(&metrics, &format!("mxwarden_finding{{{of},severity=\"info\"}} 1"));
    has(
        &metrics,
        "mxwarden_obstacle{claim=\"outbound/receiver-offers\",id=\"connect-timeout\",partner=\"A\"} 1",
    );
}

#[test]
fn who_is_gone_leaves_no_series() {
    let metrics = Metrics::new(BUILD).unwrap();
    let mut gone = standing("Gone", Claim::OUTBOUND_RECEIVER_OFFERS, State::Compliant);
    gone.endpoints = vec![endpoint(1, State::Compliant, Some(9000))];
    let stays = standing("Stays", INBOUND, State::Compliant);
    let pace = |claim| Pace {
        claim,
        interval: Duration::from_secs(3600),
        max_age: Duration::from_secs(6 * 3600),
    };
    metrics.show(Shown {
        standings: Arc::new(vec![gone, stays.clone()]),
        paces: &[pace(INBOUND), pace(Claim::OUTBOUND_RECEIVER_OFFERS)],
        canaries: &[Personality::Good, Personality::Expired],
        channels: &["mail".into(), "hook".into()],
    });
    has(&metrics, "mxwarden_claim_max_age_seconds{claim=\"outbound/receiver-offers\"} 21600");
    has(&metrics, "mxwarden_claim_interval_seconds{claim=\"outbound/receiver-offers\"} 3600");
    has(&metrics, "mxwarden_alerts_total{channel=\"hook\",outcome=\"dropped\"} 0");
    has(&metrics, "mxwarden_canary_up{personality=\"expired\"} 0");
    metrics.show(Shown {
        standings: Arc::new(vec![stays]),
        paces: &[pace(INBOUND)],
        canaries: &[Personality::Good],
        channels: &["mail".into()],
    });
    let text = metrics.encode().unwrap();
    for word in ["Gone", "outbound/receiver-offers", "hook", "canary_up{personality=\"expired"] {
        assert!(!text.contains(word), "{word}");
    }
    assert!(text.contains("Stays") && text.contains("channel=\"mail\""));
    // Something late about what is gone brings it back at most until the next look.
    metrics.measure(&Signal::Alert { channel: "hook".into(), outcome: "told" });
    metrics.measure(&Signal::CanaryUp { personality: Personality::Expired, up: false });
    metrics.show(show(&[]));
    has_none(&metrics, "mxwarden_alerts_total");
    has_none(&metrics, "mxwarden_canary_up");
    has_none(&metrics, "mxwarden_claim");
}

#[test]
fn a_canary_may_speak_before_it_is_shown() {
    let metrics = Metrics::new(BUILD).unwrap();
    metrics.measure(&Signal::CanaryUp { personality: Personality::Good, up: true });
    has_none(&metrics, "mxwarden_canary_up");
    let canaries = [Personality::Good, Personality::WrongName];
    metrics.show(Shown { canaries: &canaries, ..show(&[]) });
    has(&metrics, "mxwarden_canary_up{personality=\"good\"} 1");
    has(&metrics, "mxwarden_canary_up{personality=\"wrong-name\"} 0");
    metrics.measure(&Signal::CanaryUp { personality: Personality::Good, up: false });
    has(&metrics, "mxwarden_canary_up{personality=\"good\"} 0");
}

const NOT_AFTER: &str = "mxwarden_certificate_not_after_timestamp_seconds";

#[test]
fn a_certificate_is_told_after_it_ended_and_when_it_was_not_seen_again() {
    let metrics = Metrics::new(BUILD).unwrap();
    let mut claim = standing("A", Claim::OUTBOUND_RECEIVER_OFFERS, State::Violated);
    claim.endpoints =
        vec![endpoint(1, State::Violated, Some(500)), endpoint(2, State::Unknown, None)];
    claim.posture.endpoints = [(2, Some(leaf(700))), (3, Some(leaf(800)))]
        .map(|(last, leaf)| EndpointPosture {
            mx: Some("mx.a.test".parse().unwrap()),
            address: Ipv4Addr::new(192, 0, 2, last).into(),
            port: 25,
            version: None,
            group: None,
            channel: Channel::Matched,
            offered_starttls: true,
            leaf,
            key: None,
        })
        .into();
    metrics.show(show(&[claim]));
    let text = metrics.encode().unwrap();
    // The third is no endpoint of the partner's any more.
    assert_eq!(
        lines(&text, NOT_AFTER),
        [
            format!("{NOT_AFTER}{{address=\"192.0.2.1\",mx=\"mx.a.test\",partner=\"A\"}} 500"),
            format!("{NOT_AFTER}{{address=\"192.0.2.2\",mx=\"mx.a.test\",partner=\"A\"}} 700"),
        ]
    );
    assert_eq!(
        lines(&text, "mxwarden_endpoint_"),
        [
            "mxwarden_endpoint_channel{address=\"192.0.2.1\",channel=\"matched\",mx=\"mx.a.test\",partner=\"A\"} 1",
            "mxwarden_endpoint_channel{address=\"192.0.2.2\",channel=\"none\",mx=\"mx.a.test\",partner=\"A\"} 1",
            "mxwarden_endpoint_tls_info{address=\"192.0.2.1\",cipher_suite=\"TLS_AES_256_GCM_SHA384\",group=\"\",\
             mx=\"mx.a.test\",partner=\"A\",version=\"TLSv1.3\"} 1",
        ]
    );
}

#[test]
fn an_endpoint_of_two_claims_is_told_once_by_the_later_look_and_by_the_worse_of_two() {
    #[track_caller]
    fn check(claims: [(i64, EndpointStanding); 2], channel: &str) {
        let metrics = Metrics::new(BUILD).unwrap();
        let standings = [Claim::OUTBOUND_RECEIVER_OFFERS, INBOUND];
        let standings: Vec<_> = standings
            .into_iter()
            .zip(claims)
            .map(|(claim, (looked_at, endpoint))| Standing {
                looked_at: Some(at(looked_at)),
                endpoints: vec![endpoint],
                ..standing("A", claim, State::Unknown)
            })
            .collect();
        metrics.show(show(&standings));
        let text = metrics.encode().unwrap();
        let told = lines(&text, "mxwarden_endpoint_channel{");
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains(&format!("channel=\"{channel}\"")), "{told:?}");
    }
    let good = || endpoint(1, State::Compliant, Some(9000));
    let bad = || endpoint(1, State::Violated, None);
    check([(1, bad()), (2, good())], "matched");
    check([(2, bad()), (1, good())], "none");
    check([(1, bad()), (1, good())], "none");
    check([(1, good()), (1, bad())], "none");
}

#[test]
fn of_too_many_endpoints_the_worst_are_kept_and_the_rest_is_counted() {
    let metrics = Metrics::new(BUILD).unwrap();
    let mut claim = standing("A", Claim::OUTBOUND_RECEIVER_OFFERS, State::Violated);
    claim.endpoints = (0..200).map(|last| endpoint(last, State::Compliant, Some(9000))).collect();
    claim.endpoints[77] = endpoint(77, State::Violated, None);
    claim.endpoints[199] = endpoint(199, State::Compliant, Some(100));
    metrics.show(show(&[claim]));
    let text = metrics.encode().unwrap();
    let told = lines(&text, "mxwarden_endpoint_channel{");
    assert_eq!(told.len(), ENDPOINTS_PER_PARTNER);
    assert!(told.iter().any(|line| line.contains("192.0.2.77\"")));
    assert!(told.iter().any(|line| line.contains("192.0.2.199\"")));
    has(&metrics, "mxwarden_endpoints_left_out{partner=\"A\"} 72");
}

#[test]
fn a_name_from_outside_stays_inside_its_label() {
    let metrics = Metrics::new(BUILD).unwrap();
    metrics.show(show(&[standing("a\"} 1\nevil \\", INBOUND, State::Compliant)]));
    has_none(&metrics, "evil");
    has(&metrics, "mxwarden_endpoints_left_out{partner=\"a\\\"} 1\\nevil \\\\\"} 0");
}

/// An endpoint as a report has it.
fn reported(last: u8, not_after: Option<i64>) -> EndpointReport {
    let certificate = |not_after| CertificateReport {
        subject: String::new(),
        issuer: String::new(),
        names: Vec::new(),
        not_before: at(0),
        not_after: at(not_after),
        key: String::new(),
        signature: String::new(),
        sha256: String::new(),
        spki_sha256: String::new(),
        serial: String::new(),
    };
    EndpointReport {
        mx: None,
        preference: None,
        address: Ipv4Addr::new(192, 0, 2, last).into(),
        port: 465,
        state: State::Unknown,
        channel: Channel::Trusted,
        banner: None,
        capabilities: Capabilities::default(),
        capabilities_tls: None,
        starttls: StartTlsState::Unknown,
        tls: not_after.map(|not_after| TlsReport {
            version: Some(TlsVersion::Tls12),
            cipher_suite: Some("TLS_RSA_WITH_AES_128_CBC_SHA".into()),
            group: None,
            seen_by: SeenBy::Handshake,
            key_proved: true,
            client_certificate_requested: false,
            legacy_versions: Vec::new(),
            weak_ciphers: Vec::new(),
            senders: Vec::new(),
            certificates: vec![certificate(not_after)],
            trust: Trust::Ok,
            validity: Validity::Ok,
            name: NameMatch::Match,
            revocation: Revocation::NotChecked,
        }),
        dane: DaneReport { state: DaneState::NotChecked },
        findings: Vec::new(),
        obstacles: Vec::new(),
        duration_ms: 1,
    }
}

#[test]
fn a_probe_on_demand_tells_of_its_target_alone() {
    let told = |state, endpoints| {
        let report = ClaimReport {
            claim: INBOUND,
            state,
            requirement: Requirement::of(Level::Ca),
            summary: String::new(),
            findings: Vec::new(),
            obstacles: vec![Obstacle::new(ObstacleId::Stale, "", "")],
            endpoints,
            probes: Vec::new(),
            proven_at: None,
            evidence: String::new(),
        };
        probed(Probed::Report(&report), Duration::from_millis(1500)).unwrap()
    };
    let text = told(State::Violated, vec![reported(1, Some(500)), reported(2, None)]);
    assert_eq!(
        lines(&text, "mxwarden_"),
        [
            "mxwarden_probe_certificate_not_after_timestamp_seconds{address=\"192.0.2.1\",mx=\"\",port=\"465\"} 500",
            "mxwarden_probe_endpoint_channel{address=\"192.0.2.1\",channel=\"trusted\",mx=\"\",port=\"465\"} 1",
            "mxwarden_probe_endpoint_channel{address=\"192.0.2.2\",channel=\"trusted\",mx=\"\",port=\"465\"} 1",
            "mxwarden_probe_endpoint_tls_info{address=\"192.0.2.1\",cipher_suite=\"TLS_RSA_WITH_AES_128_CBC_SHA\",group=\"\",\
             mx=\"\",port=\"465\",version=\"TLSv1.2\"} 1",
            "mxwarden_probe_obstacle{id=\"stale\"} 1",
            "mxwarden_probe_state{state=\"compliant\"} 0",
            "mxwarden_probe_state{state=\"unknown\"} 0",
            "mxwarden_probe_state{state=\"violated\"} 1",
            "mxwarden_probe_success 0",
            "mxwarden_probe_took_seconds 1.5",
        ]
    );
    // Success is a proof, and nothing else is.
    for (state, success) in [(State::Compliant, 1), (State::Unknown, 0), (State::Violated, 0)] {
        let text = told(state, Vec::new());
        assert_eq!(
            lines(&text, "mxwarden_probe_success"),
            [format!("mxwarden_probe_success {success}")]
        );
    }
    let many = (0..200).map(|last| reported(last, Some(500))).collect();
    let text = told(State::Unknown, many);
    assert_eq!(lines(&text, "mxwarden_probe_endpoint_channel").len(), ENDPOINTS_PER_PARTNER);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However many addresses a stranger's DNS holds, and whatever was shown before.
    #[test]
    fn the_number_of_series_is_bounded_by_the_configuration(
        rounds in prop::collection::vec(
            prop::collection::vec((0..3_u8, prop::collection::vec(any::<u32>(), 0..300)), 0..4),
            1..4,
        ),
    ) {
        let metrics = Metrics::new(BUILD).unwrap();
        let own = metrics.encode().unwrap().lines().filter(|line| !line.starts_with('#')).count();
        for round in rounds {
            let standings: Vec<_> = round
                .iter()
                .map(|(partner, addresses)| {
                    let name = format!("P{partner}");
                    let mut claim = standing(&name, INBOUND, State::Unknown);
                    let at = |bits: &u32| EndpointStanding {
                        address: IpAddr::V4(Ipv4Addr::from_bits(*bits)),
                        ..endpoint(0, State::Compliant, Some(9000))
                    };
                    claim.endpoints = addresses.iter().map(at).collect();
                    claim
                })
                .collect();
            metrics.show(show(&standings));
            let text = metrics.encode().unwrap();
            let series = text.lines().filter(|line| !line.starts_with('#')).count();
            let partners: BTreeSet<_> = round.iter().map(|(partner, _)| partner).collect();
            prop_assert!(series <= own + partners.len() * (6 + ENDPOINTS_PER_PARTNER * 3));
        }
    }

    /// Whatever half of a change a scrape could come upon, it comes upon none.
    #[test]
    fn a_scrape_sees_one_state_a_claim(states in prop::collection::vec(0..3_usize, 1..20)) {
        let metrics = Metrics::new(BUILD).unwrap();
        for state in states {
            metrics.show(show(&[standing("A", INBOUND, STATES[state])]));
            let text = metrics.encode().unwrap();
            let told = lines(&text, "mxwarden_claim_state{");
            prop_assert_eq!(told.len(), 3);
            prop_assert_eq!(told.iter().filter(|line| line.ends_with(" 1")).count(), 1);
        }
    }
}

#[test]
fn a_scrape_beside_a_change_sees_all_of_it_or_nothing() {
    let metrics = Metrics::new(BUILD).unwrap();
    let worlds = ["A", "B"].map(|partner| {
        let of = |claim| standing(partner, claim, State::Compliant);
        Claim::all().map(of).collect::<Vec<_>>()
    });
    metrics.show(show(&worlds[0]));
    std::thread::scope(|scope| {
        let showing = scope.spawn(|| {
            for turn in 0..200 {
                metrics.show(show(&worlds[turn % 2]));
            }
        });
        while !showing.is_finished() {
            let text = metrics.encode().unwrap();
            let of = |partner: &str| {
                let label = format!("partner=\"{partner}\"");
                lines(&text, "mxwarden_claim_").iter().filter(|l| l.contains(&label)).count()
            };
            let (a, b) = (of("A"), of("B"));
            assert!((a, b) == (8 * 5, 0) || (a, b) == (0, 8 * 5), "{a} {b}");
        }
    });
}
