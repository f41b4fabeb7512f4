//! The cases under `tests/data/evidence/receiver-…`: each a name, its state and its evidence.

use super::make::{
    at, at_endpoints, demand, ended, evidence, experiment, hello, refused, reply, taken,
    with_certificate,
};
use crate::model::{
    connector::{KeyedOn, Until},
    deep::HelloOutcome,
    enforcement::{
        Attempt,
        AttemptKind::{
            Control, ForeignAddress, LegacyTls, NoClientCert, NullSender, OtherClientCert,
            Plaintext, SelfMadeClientCert,
        },
        Demand, EnforcesEvidence, Experiment,
    },
    requirement::MinVersion,
    resolution::Route,
    session::{ConnectFailure, Ending, HandshakeFailure, Lost, NotTried, Phase, StartTls},
    state::State::{self, Compliant, Unknown, Violated},
};

pub(super) const ENCRYPT: &str = "530 5.7.0 Must issue a STARTTLS command first";
const SESSION: &str = "450 4.7.1 Session encryption is required";
const GREY: &str = "450 4.2.0 <tls-probe@contoso.test>: Recipient address rejected: Greylisted";
const DENIED: &str =
    "554 5.7.1 <tls-probe@contoso.test>: Recipient address rejected: Access denied";
const NOT_NOW: &str = "450 4.7.1 Not now";
const TENANT: &str = "550 5.7.51 TenantInboundAttribution; Rejecting [A.PROD.OUTLOOK.COM 2026-01-31T12:00:00.476Z 08DD3FA5DBC8F401]";
const CERTIFICATE: &str = "550 A trusted client certificate is required";

type Case = (&'static str, State, EnforcesEvidence);

pub(super) fn all() -> Vec<Case> {
    [controls(), in_clear(), twice(), legacy(), certificates(), places(), depth(), routes()]
        .concat()
}

/// One experiment with these negatives.
fn once(negatives: Vec<Attempt>) -> EnforcesEvidence {
    evidence(demand(), vec![experiment(0, negatives)])
}

/// Plain experiments, each with one negative in clear.
fn plain(said: &[(i64, &str)]) -> EnforcesEvidence {
    let each = |(minutes, said): &(i64, &str)| {
        experiment(*minutes, vec![refused(Plaintext, *minutes, said)])
    };
    evidence(demand(), said.iter().map(each).collect())
}

fn control_says(first: &str, second: &str, negative: Attempt) -> EnforcesEvidence {
    let control = |said: &str| {
        if said.is_empty() { taken(Control, 0) } else { refused(Control, 0, said) }
    };
    let attempts = vec![control(first), negative, control(second)];
    evidence(demand(), vec![Experiment { started_at: at(0), attempts }])
}

fn closed(kind: crate::model::enforcement::AttemptKind, minutes: i64, phase: Phase) -> Attempt {
    ended(kind, minutes, phase, Ending::Lost(phase, Lost::Eof))
}

fn alert(kind: crate::model::enforcement::AttemptKind, minutes: i64, name: &str) -> Attempt {
    let ending = Ending::Handshake(HandshakeFailure::Alert(name.to_owned()));
    ended(kind, minutes, Phase::Handshake, ending)
}

fn controls() -> Vec<Case> {
    let no = || refused(Plaintext, 0, ENCRYPT);
    let mut no_starttls = experiment(0, vec![taken(Plaintext, 0)]);
    for control in [0, 2] {
        let control = &mut no_starttls.attempts[control];
        *control = ended(Control, 0, Phase::Ehlo, Ending::Quit);
        (control.session.tls, control.session.starttls) = (None, StartTls::NotOffered);
    }
    let down = Ending::Connect(ConnectFailure::TimedOut("no answer within 22 s".to_owned()));
    let down = ended(Control, 0, Phase::Connect, down);
    let alone = Experiment { started_at: at(0), attempts: vec![taken(Control, 0), no()] };
    let private = ended(Control, 0, Phase::Connect, Ending::NotTried(NotTried::PrivateAddress));
    let only = |attempt| {
        evidence(demand(), vec![Experiment { started_at: at(0), attempts: vec![attempt] }])
    };
    vec![
        ("first-control-refused", Unknown, control_says("550 5.7.23 SPF check failed", "", no())),
        (
            "second-control-refused",
            Unknown,
            control_says("", "421 4.7.0 too many connections", no()),
        ),
        (
            "second-control-refused-but-taken",
            Violated,
            control_says("", "421 4.7.0 busy", taken(Plaintext, 0)),
        ),
        (
            "both-controls-refused-and-taken",
            Unknown,
            control_says("550 no", "550 no", taken(Plaintext, 0)),
        ),
        ("controls-greylisted", Unknown, control_says(GREY, GREY, no())),
        ("no-second-control", Unknown, evidence(demand(), vec![alone])),
        ("control-not-reached", Unknown, only(down)),
        ("control-private", Unknown, only(private)),
        ("starttls-not-offered", Unknown, evidence(demand(), vec![no_starttls])),
    ]
}

fn in_clear() -> Vec<Case> {
    let at_mail = |said| {
        let mut attempt = refused(Plaintext, 0, said);
        attempt.envelope.rcpt = None;
        attempt.envelope.mail = Some(reply(said));
        attempt
    };
    let timed_out = ended(Plaintext, 0, Phase::Rcpt, Ending::Deadline(Phase::Rcpt));
    let at_banner = reply("554 5.7.1 no");
    let at_banner = ended(Plaintext, 0, Phase::Connect, Ending::Refused(Phase::Connect, at_banner));
    let bounces = vec![refused(Plaintext, 0, SESSION), taken(NullSender, 0)];
    vec![
        ("encrypt", Compliant, once(vec![at_mail(ENCRYPT)])),
        ("session-encryption", Compliant, once(vec![refused(Plaintext, 0, SESSION)])),
        // Postfix that refuses one other domain in clear, and takes this one.
        ("enforces-for-another-domain", Violated, once(vec![taken(Plaintext, 0)])),
        ("bounces-taken-in-clear", Compliant, once(bounces)),
        ("greylisted", Unknown, plain(&[(0, GREY)])),
        ("greylisted-twice", Unknown, plain(&[(0, GREY), (20, GREY)])),
        ("rate-limited", Unknown, once(vec![at_mail("421 4.7.0 Error: too many connections")])),
        ("spf", Unknown, once(vec![at_mail("550 5.7.23 SPF check failed")])),
        ("timed-out", Unknown, once(vec![timed_out])),
        ("refused-at-the-banner", Unknown, once(vec![at_banner])),
        ("lost-at-the-banner", Unknown, once(vec![closed(Plaintext, 0, Phase::Connect)])),
        ("nothing-tried", Unknown, evidence(demand(), vec![])),
        ("no-negative", Unknown, once(vec![])),
    ]
}

fn twice() -> Vec<Case> {
    let closes = |first: i64, second: i64| {
        let each = |minutes| experiment(minutes, vec![closed(Plaintext, minutes, Phase::Mail)]);
        evidence(demand(), vec![each(first), each(second)])
    };
    let then_taken = vec![
        experiment(0, vec![refused(Plaintext, 0, NOT_NOW)]),
        experiment(10, vec![taken(Plaintext, 10)]),
    ];
    let mut elsewhere = plain(&[(0, DENIED), (5, DENIED)]);
    for attempt in &mut elsewhere.endpoints[0].experiments[1].attempts {
        attempt.session.local_address = Some("198.51.100.8".parse().unwrap());
    }
    vec![
        ("unrecognised-once", Unknown, plain(&[(0, DENIED)])),
        ("unrecognised-twice", Compliant, plain(&[(0, DENIED), (1, DENIED)])),
        ("unrecognised-too-soon", Unknown, plain(&[(0, DENIED), (0, DENIED)])),
        ("unrecognised-from-elsewhere", Unknown, elsewhere),
        ("unrecognised-then-otherwise", Unknown, plain(&[(0, DENIED), (5, "550 No")])),
        ("transient-once", Unknown, plain(&[(0, NOT_NOW)])),
        ("transient-too-soon", Unknown, plain(&[(0, NOT_NOW), (9, NOT_NOW)])),
        ("transient-twice", Compliant, plain(&[(0, NOT_NOW), (10, NOT_NOW)])),
        ("transient-a-day-apart", Unknown, plain(&[(0, NOT_NOW), (1440, NOT_NOW)])),
        // A grey-lister in words of its own that exempts TLS: the second try gets through.
        ("greylister-exempts-tls", Violated, evidence(demand(), then_taken)),
        ("closed-twice", Compliant, closes(0, 1)),
        ("closed-too-soon", Unknown, closes(0, 0)),
    ]
}

fn legacy() -> Vec<Case> {
    let clear = || refused(Plaintext, 0, ENCRYPT);
    let words = || "TLS_RSA_WITH_AES_128_CBC_SHA".to_owned();
    let with = |outcome| once(vec![clear(), hello(0, outcome)]);
    let strict = |legacy: Vec<Attempt>| {
        let mut demand = demand();
        demand.floor.min_version = MinVersion::Tls13;
        evidence(demand, vec![experiment(0, [vec![clear()], legacy].concat())])
    };
    let refused_hello = || hello(0, HelloOutcome::Refused("protocol_version".to_owned()));
    vec![
        ("legacy-refused", Compliant, with(HelloOutcome::Refused("protocol_version".to_owned()))),
        ("legacy-answered", Compliant, with(HelloOutcome::Accepted(words()))),
        ("legacy-unclear", Unknown, with(HelloOutcome::Unclear("nothing came".to_owned()))),
        ("tls12-refused", Compliant, strict(vec![alert(LegacyTls, 0, "protocol_version")])),
        ("tls12-taken", Violated, strict(vec![taken(LegacyTls, 0)])),
        (
            "tls12-refused-at-rcpt",
            Compliant,
            strict(vec![refused(LegacyTls, 0, "550 5.7.1 TLS 1.3 is required")]),
        ),
        ("tls12-not-tried", Unknown, strict(vec![refused_hello()])),
    ]
}

fn certificates() -> Vec<Case> {
    let with = |demand: Demand, negatives: Vec<Attempt>| {
        evidence(
            demand,
            vec![experiment(0, [vec![refused(Plaintext, 0, CERTIFICATE)], negatives].concat())],
        )
    };
    let cert = |negatives| with(with_certificate(), negatives);
    let all = |said: &'static str| {
        [NoClientCert, SelfMadeClientCert, OtherClientCert]
            .map(|kind| refused(kind, 0, said))
            .to_vec()
    };
    let tenant = [vec![refused(Plaintext, 0, TENANT)], all(TENANT)].concat();
    let mut elsewhere = experiment(0, tenant.clone());
    elsewhere.attempts[0].session.local_address = Some("198.51.100.8".parse().unwrap());
    // Without a certificate of the partner's the control has another sender.
    let mut other_sender = experiment(0, tenant.clone());
    let mut without = with_certificate();
    without.has_client_certificate = false;
    without.envelope.control_mail_from = Some("tls-probe@elsewhere.test".parse().unwrap());
    let mut words_of_its_own =
        experiment(0, [vec![refused(Plaintext, 0, ENCRYPT)], all(CERTIFICATE)].concat());
    for experiment in [&mut other_sender, &mut words_of_its_own] {
        for control in experiment.attempts.iter_mut().filter(|attempt| attempt.kind == Control) {
            control.mail_from = without.envelope.control_mail_from.clone();
        }
    }
    // Exim's `tls_verify_hosts`: closed after the handshake, and mail in clear is taken.
    let exim = vec![taken(Plaintext, 0), closed(NoClientCert, 0, Phase::EhloTls)];
    let exim = evidence(with_certificate(), vec![experiment(0, exim)]);
    let denied = |minutes| {
        let kinds = [Plaintext, NoClientCert, SelfMadeClientCert];
        experiment(minutes, kinds.map(|kind| refused(kind, minutes, DENIED)).to_vec())
    };
    vec![
        ("certificate-words", Compliant, cert(all(CERTIFICATE))),
        (
            "certificate-alerts",
            Compliant,
            cert(vec![
                alert(NoClientCert, 0, "certificate_required"),
                alert(SelfMadeClientCert, 0, "unknown_ca"),
            ]),
        ),
        ("certificate-not-asked-for", Violated, cert(vec![taken(NoClientCert, 0)])),
        (
            "certificate-self-made-taken",
            Violated,
            cert(vec![refused(NoClientCert, 0, CERTIFICATE), taken(SelfMadeClientCert, 0)]),
        ),
        (
            "certificate-other-taken",
            Violated,
            cert(vec![refused(NoClientCert, 0, CERTIFICATE), taken(OtherClientCert, 0)]),
        ),
        (
            "certificate-not-left-out",
            Unknown,
            cert(vec![refused(SelfMadeClientCert, 0, CERTIFICATE)]),
        ),
        (
            "certificate-self-made-not-tried",
            Compliant,
            cert(vec![refused(NoClientCert, 0, CERTIFICATE)]),
        ),
        (
            "tenant-attribution",
            Compliant,
            evidence(with_certificate(), vec![experiment(0, tenant)]),
        ),
        (
            "tenant-attribution-from-elsewhere",
            Unknown,
            evidence(with_certificate(), vec![elsewhere]),
        ),
        ("tenant-attribution-other-sender", Unknown, evidence(without.clone(), vec![other_sender])),
        ("certificate-words-other-sender", Compliant, evidence(without, vec![words_of_its_own])),
        ("exim-verify-hosts", Violated, exim),
        ("check-ccert-access-once", Unknown, evidence(with_certificate(), vec![denied(0)])),
        ("check-ccert-access", Compliant, evidence(with_certificate(), vec![denied(0), denied(2)])),
    ]
}

fn places() -> Vec<Case> {
    let by_address = |network: &str, negative: Attempt| {
        let mut demand = demand();
        demand.envelope.keyed_on = KeyedOn::Address;
        demand.networks = vec![network.parse().unwrap()];
        evidence(demand, vec![experiment(0, vec![negative])])
    };
    let (ours, others) = ("198.51.100.0/24", "203.0.113.0/24");
    let foreign = |attempt: Attempt| once(vec![refused(Plaintext, 0, ENCRYPT), attempt]);
    let mut in_clear = taken(ForeignAddress, 0);
    (in_clear.session.tls, in_clear.session.starttls) = (None, StartTls::NotAsked);
    vec![
        ("by-address", Compliant, by_address(ours, refused(Plaintext, 0, ENCRYPT))),
        ("by-address-taken", Violated, by_address(ours, taken(Plaintext, 0))),
        ("by-address-from-elsewhere", Unknown, by_address(others, refused(Plaintext, 0, ENCRYPT))),
        ("by-address-taken-from-elsewhere", Unknown, by_address(others, taken(Plaintext, 0))),
        ("foreign-refused", Compliant, foreign(refused(ForeignAddress, 0, TENANT))),
        ("foreign-unrecognised", Unknown, foreign(refused(ForeignAddress, 0, DENIED))),
        ("foreign-taken-over-tls", Unknown, foreign(taken(ForeignAddress, 0))),
        ("foreign-taken-in-clear", Violated, foreign(in_clear)),
    ]
}

fn depth() -> Vec<Case> {
    let deciding_late = |negative| {
        let mut demand = demand();
        demand.envelope.decides = Until::Data;
        evidence(demand, vec![experiment(0, vec![negative])])
    };
    let whole = |said: &str| {
        let mut demand = demand();
        (demand.envelope.until, demand.envelope.decides) = (Until::Data, Until::Data);
        let mut experiment = experiment(0, vec![taken(Plaintext, 0)]);
        for attempt in &mut experiment.attempts {
            let is_control = attempt.kind == Control;
            attempt.envelope.data = Some(reply("354 End data with <CR><LF>.<CR><LF>"));
            attempt.envelope.message =
                Some(reply(if is_control { "250 2.0.0 Ok: queued" } else { said }));
        }
        evidence(demand, vec![experiment])
    };
    // `<>` stops at RCPT: what comes of its message is not known, and nothing is said of it.
    let mut bounces = whole("550 5.7.1 TLS is required");
    bounces.endpoints[0].experiments[0].attempts.insert(2, taken(NullSender, 0));
    vec![
        ("envelope-taken-decides-late", Unknown, deciding_late(taken(Plaintext, 0))),
        ("envelope-refused-decides-late", Compliant, deciding_late(refused(Plaintext, 0, ENCRYPT))),
        ("message-taken", Violated, whole("250 2.0.0 Ok: queued")),
        ("message-refused", Compliant, whole("550 5.7.1 TLS is required")),
        ("message-refused-beside-bounces", Compliant, bounces),
    ]
}

fn routes() -> Vec<Case> {
    let refusing = |minutes| vec![experiment(minutes, vec![refused(Plaintext, minutes, ENCRYPT)])];
    let mut unseen = at_endpoints(demand(), vec![refusing(0), refusing(4)]);
    unseen.endpoints.pop();
    let mut null_mx = evidence(demand(), vec![]);
    null_mx.endpoints.clear();
    null_mx.routes[0].resolution.exchanges.clear();
    null_mx.routes[0].resolution.route = Route::NullMx;
    vec![
        ("two-endpoints", Compliant, at_endpoints(demand(), vec![refusing(0), refusing(4)])),
        ("one-endpoint-not-seen", Unknown, unseen),
        ("null-mx", Unknown, null_mx),
    ]
}
