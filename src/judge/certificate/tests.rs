use super::*;
use crate::lab::ca::{Ca, Identity, LeafSpec, LeafUsage, OcspStatus};
use crate::model::roots::Root;
use jiff::SignedDuration;
use proptest::prelude::*;

const DAY: SignedDuration = SignedDuration::from_hours(24);
const HOST: &str = "mx.example.test";

fn now() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

fn host() -> LeafSpec {
    LeafSpec::host(HOST)
}

/// A CA whose dates are counted from so many days ago; those of what it issues as well.
fn ca(name: &str, days_ago: i32) -> Ca {
    Ca::new(name, now() - DAY * days_ago).unwrap()
}

pub(in crate::judge) fn roots(certificates: &[&[u8]]) -> Roots {
    let anchor = |der: &&[u8]| {
        let der = CertificateDer::from(*der);
        let anchor = webpki::anchor_from_trusted_cert(&der).unwrap();
        Root {
            subject: anchor.subject.to_vec(),
            spki: anchor.subject_public_key_info.to_vec(),
            name_constraints: anchor.name_constraints.map(|constraints| constraints.to_vec()),
        }
    };
    Roots { source: "the lab".to_owned(), anchors: certificates.iter().map(anchor).collect() }
}

pub(in crate::judge) fn chain(identity: &Identity) -> Vec<Der> {
    identity.chain.iter().map(|der| Der(der.to_vec())).collect()
}

pub(in crate::judge) fn fixture(name: &str) -> Vec<Der> {
    let path = |end| format!("{}/tests/data/certs/{name}.{end}", env!("CARGO_MANIFEST_DIR"));
    let read = |end| std::fs::read_to_string(path(end)).unwrap();
    chain(&Identity::from_pem(&read("pem"), &read("key")).unwrap())
}

/// Trust, dates and name in one line; whose dates they are where not the leaf's; then the path's length.
fn told(verdict: &Verdict) -> String {
    let name = verdict.name(&[HOST.parse().unwrap()]);
    let whose = match &verdict.out_of_date {
        Some(other) if Some(other.as_ref()) != verdict.leaf() => format!("({})", other.subject),
        _ => String::new(),
    };
    let (trust, validity) = (verdict.trust.as_str(), verdict.validity.as_str());
    format!("{trust} {validity}{whose} {}, path of {}", name.as_str(), verdict.path.len())
}

#[track_caller]
fn check(chain: &[Der], root: &[u8], expect: &str) {
    let verdict = judge(chain, None, &roots(&[root]), now());
    assert_eq!(told(&verdict), expect, "{}", verdict.trust_detail);
    assert_eq!(verdict.trust == Trust::Ok, verdict.trust_detail.is_empty());
    assert_eq!(verdict.validity == Validity::Ok, verdict.out_of_date.is_none());
}

#[test]
fn fixtures_are_judged_for_what_they_are() {
    let root = &fixture("root")[0].0;
    let check = |name: &str, expect: &str| check(&fixture(name), root, expect);
    check("good", "ok ok match, path of 2");
    check("expired", "ok expired match, path of 2");
    check("wildcard", "ok ok match, path of 2");
    check("no-san", "ok ok match, path of 2"); // by its common name, which is a finding of its own
    check("client-auth", "ok ok match, path of 2"); // usage is another question
    check("rsa1024", "ok ok match, path of 2"); // the key is weak, the signature right
    check("sha1", "ok ok match, path of 2"); // signed with something broken, but signed
    check("v1", "ok ok match, path of 2"); // followed by signatures; no SAN, so by its common name
    check("p192", "ok ok match, path of 2");
    check("p224", "ok ok match, path of 2");
    check("md5", "invalid ok match, path of 1"); // nobody checks MD5 any more
    check("self-signed", "self-signed ok match, path of 1");
    check("ca-true", "self-signed ok match, path of 1");
    check("root", "ok ok mismatch, path of 1"); // a root as its own leaf
}

#[test]
fn what_is_odd_is_described_beside_the_trust() {
    let root = &fixture("root")[0].0;
    let leaf = |name: &str| judge(&fixture(name), None, &roots(&[root]), now()).path[0].clone();
    assert!(leaf("sha1").signature.is_broken && !leaf("good").signature.is_broken);
    assert!(!is_for_servers(&leaf("client-auth")) && is_for_servers(&leaf("good")));
    assert!(is_for_servers(&leaf("v1"))); // no extensions: any use
}

#[test]
fn dates_are_told_apart_from_trust() {
    let root = ca("Root", 0);
    let issue = |spec: LeafSpec| chain(&root.issue(&spec).unwrap());
    let check = |chain: &[Der], expect: &str| check(chain, root.certificate(), expect);
    check(&issue(host()), "ok ok match, path of 1");
    check(&issue(host().expired()), "ok expired match, path of 1");
    check(&issue(host().not_yet_valid()), "ok not-yet-valid match, path of 1");
    check(&issue(host().expired().names(&["a.test"])), "ok expired mismatch, path of 1");
    let stranger = ca("Stranger", 0);
    let theirs = chain(&stranger.issue(&host().expired()).unwrap());
    check(&theirs, "unknown-issuer expired match, path of 1");

    // An intermediate that ended a day ago.
    let spec = LeafSpec::host("Old CA").ca_true();
    let old = root.issuing_with(&spec.clone().expired()).unwrap();
    let good = host().valid(DAY * -30, DAY * 30);
    check(&chain(&old.issue(&good).unwrap()), "ok expired(CN=Old CA) match, path of 2");
    // And one that had ended before the leaf began: never in date together.
    let late = host().valid(DAY * -1, DAY * 30);
    let old = root.issuing_with(&spec.clone().valid(DAY * -90, DAY * -30)).unwrap();
    check(&chain(&old.issue(&late).unwrap()), "invalid expired(CN=Old CA) match, path of 2");
    let new = root.issuing_with(&spec.not_yet_valid()).unwrap();
    check(&chain(&new.issue(&good).unwrap()), "ok not-yet-valid(CN=Old CA) match, path of 2");
}

#[test]
fn both_ends_of_the_dates_are_inside() {
    let root = ca("Root", 0);
    let leaf = Certificate::parse(root.issue(&host()).unwrap().leaf()).unwrap();
    let second = SignedDuration::from_secs(1);
    assert_eq!(dates(&leaf, leaf.not_before), Validity::Ok);
    assert_eq!(dates(&leaf, leaf.not_before - second), Validity::NotYetValid);
    assert_eq!(dates(&leaf, leaf.not_after), Validity::Ok);
    assert_eq!(dates(&leaf, leaf.not_after + second), Validity::Expired);
}

#[test]
fn chains_that_end_nowhere_are_told_apart() {
    let root = ca("Root", 0);
    let middle = root.intermediate("Middle").unwrap();
    let stranger = ca("Stranger", 0);
    let url = "http://ca.test/i.der";
    let issue = |ca: &Ca, spec: LeafSpec| ca.issue(&spec).unwrap();
    let check = |chain: &[Der], expect: &str| check(chain, root.certificate(), expect);
    check(&[], "none ok no-name, path of 0");
    check(&[Der(b"garbage".to_vec())], "invalid ok no-name, path of 0");
    let good = issue(&middle, host());
    check(&chain(&good), "ok ok match, path of 2");
    // The intermediate forgotten: an AIA pointer says that there is one.
    let bare = good.clone().without_intermediates();
    check(&chain(&bare), "unknown-issuer ok match, path of 1");
    let bare = issue(&middle, host().issuer_url(url)).without_intermediates();
    check(&chain(&bare), "incomplete ok match, path of 1");
    check(&chain(&issue(&stranger, host())), "unknown-issuer ok match, path of 1");
    // A private root sent along is trusted no more for that.
    let mut with_root = chain(&issue(&stranger, host()));
    with_root.push(Der(stranger.certificate().to_vec()));
    check(&with_root, "unknown-issuer ok match, path of 2");
    check(&chain(&issue(&root, host().self_signed())), "self-signed ok match, path of 1");
    check(&chain(&issue(&root, host().self_signed().ca_true())), "self-signed ok match, path of 1");
    check(&chain(&good.with_bad_signature()), "bad-signature ok match, path of 1");
    let odd = issue(&middle, host().ca_true()).with_bad_signature();
    check(&chain(&odd), "bad-signature ok match, path of 1");
}

#[test]
fn what_is_sent_beside_the_path_bears_on_nothing() {
    let root = ca("Root", 0);
    let middle = root.intermediate("Middle").unwrap();
    let good = chain(&middle.issue(&host()).unwrap());
    let check = |others: &[Der], expect: &str| {
        for leaf in [0, 1] {
            let mut chain = good.clone();
            chain.splice(1 + leaf..1 + leaf, others.iter().cloned());
            check(&chain, root.certificate(), expect);
        }
    };
    let other = ca("Other", 4000); // ended a year ago
    check(&[Der(root.certificate().to_vec())], "ok ok match, path of 2");
    check(&[Der(other.certificate().to_vec())], "ok ok match, path of 2");
    check(&fixture("sha1"), "ok ok match, path of 2");
    check(&[Der(vec![0x30, 0x80])], "ok ok match, path of 2");
    check(&good, "ok ok match, path of 2"); // everything twice
    let wrong_order = [good[1].clone(), good[0].clone()];
    let verdict = judge(&wrong_order, None, &roots(&[root.certificate()]), now());
    assert_eq!(told(&verdict), "ok ok mismatch, path of 1"); // RFC 8446 §4.4.2: the first is the leaf
    let mut trailing = good.clone();
    trailing[0].0.push(0);
    let verdict = judge(&trailing, None, &roots(&[root.certificate()]), now());
    assert_eq!(told(&verdict), "invalid ok no-name, path of 0");
    // What was sent is all described, beside the path or not.
    let mut all = good;
    all.insert(1, Der(b"garbage".to_vec()));
    assert_eq!(judge(&all, None, &roots(&[]), now()).certificates.len(), 2);
}

#[test]
fn a_cross_signed_copy_does_not_lead_astray() {
    // The same CA, signed by an old root that ended long ago and by the one that is trusted.
    let (old, new) = (ca("Old Root", 4000), ca("New Root", 0));
    let leaf = new.issue(&host()).unwrap();
    let mut sent = chain(&leaf);
    sent.push(Der(old.certificate().to_vec()));
    sent.push(Der(new.certificate().to_vec()));
    check(&sent, new.certificate(), "ok ok match, path of 1");
}

#[test]
fn who_may_not_sign_does_not_make_a_path() {
    let root = ca("Root", 0);
    let check = |chain: &[Der], expect: &str| check(chain, root.certificate(), expect);
    // Anybody can have a certificate for a name of their own, and sign others with its key.
    let intruder = root.issuing_with(&LeafSpec::host("intruder.test")).unwrap();
    let forge = |ca: &Ca, spec: LeafSpec| chain(&ca.issue(&spec).unwrap());
    check(&forge(&intruder, host()), "invalid ok match, path of 2");
    check(&forge(&intruder, host().ca_true()), "invalid ok match, path of 2");
    let forged = intruder.issuing_with(&LeafSpec::host("Forged CA").ca_true()).unwrap();
    check(&forge(&forged, host()), "invalid ok match, path of 3");
    check(&forge(&forged, host().ca_true()), "invalid ok match, path of 3");
    // A CA's own leaf with CA:TRUE is odd, no more.
    check(&forge(&root, host().ca_true()), "ok ok match, path of 1");
    let middle = root.intermediate("Middle").unwrap();
    check(&forge(&middle, host().ca_true()), "ok ok match, path of 2");
    check(&forge(&middle, host().ca_true().expired()), "ok expired match, path of 2");
    let old = root.issuing_with(&LeafSpec::host("Old CA").ca_true().expired()).unwrap();
    check(&forge(&old, host().ca_true()), "ok expired(CN=Old CA) match, path of 2");
}

#[test]
fn a_leaf_that_only_one_parser_reads_is_not_followed() {
    let root = &fixture("root")[0].0;
    let mut chain = fixture("v1");
    // The subject's SET becomes a SEQUENCE: still a certificate to x509-parser, no name to others.
    assert_eq!(chain[0].0[92], 0x31);
    chain[0].0[92] ^= 1;
    check(&chain, root, "unknown-issuer ok no-name, path of 0");
}

#[test]
fn names_are_those_of_the_leaf() {
    let root = ca("Root", 0);
    let check = |spec: LeafSpec, expect: &str| {
        check(&chain(&root.issue(&spec).unwrap()), root.certificate(), expect);
    };
    check(host().names(&["*.example.test"]), "ok ok match, path of 1");
    check(host().names(&["example.test"]), "ok ok mismatch, path of 1"); // the common name counts no more
    check(host().no_san(), "ok ok match, path of 1");
    check(LeafSpec::host("other.test").no_san(), "ok ok mismatch, path of 1");
    check(LeafSpec::default(), "ok ok no-name, path of 1");
}

#[test]
fn ocsp_counts_when_it_is_fresh_and_rightly_signed() {
    let root = ca("Root", 0);
    let issuer = root.intermediate("Middle").unwrap();
    let leaf = issuer.issue(&host()).unwrap();
    let check_from = |staple: &[u8], expect: &str| {
        let staple = Der(staple.to_vec());
        let verdict = judge(&chain(&leaf), Some(&staple), &roots(&[root.certificate()]), now());
        let told = format!("{} {:?}", verdict.trust.as_str(), verdict.revocation);
        assert_eq!(told, expect);
    };
    let (yesterday, tomorrow) = (now() - DAY, now() + DAY);
    let revoked = OcspStatus::Revoked(yesterday);
    let by = |ca: &Ca, status, from, to| ca.ocsp(&leaf, status, from, to).unwrap();
    check_from(&by(&issuer, OcspStatus::Good, yesterday, tomorrow), "ok Good");
    check_from(&by(&issuer, revoked, yesterday, tomorrow), "revoked Revoked");
    check_from(&by(&issuer, OcspStatus::Good, now() - DAY * 3, yesterday), "ok NotChecked"); // stale
    check_from(&by(&issuer, revoked, now() - DAY * 3, yesterday), "ok NotChecked");
    check_from(&by(&issuer, revoked, tomorrow, tomorrow + DAY), "ok NotChecked"); // not yet
    // Signed by the root, and by a stranger of the same name.
    check_from(&by(&root, revoked, yesterday, tomorrow), "ok NotChecked");
    let namesake = root.intermediate("Middle").unwrap();
    check_from(&by(&namesake, revoked, yesterday, tomorrow), "ok NotChecked");
    let other = issuer.issue(&host()).unwrap();
    let of_other = issuer.ocsp(&other, revoked, yesterday, tomorrow).unwrap();
    check_from(&of_other, "ok NotChecked"); // another serial
    check_from(b"garbage", "ok NotChecked");
    let mut broken = by(&issuer, revoked, yesterday, tomorrow);
    *broken.last_mut().unwrap() ^= 1;
    check_from(&broken, "ok NotChecked");

    let delegate = |ca: &Ca, spec: LeafSpec| ca.issuing_with(&spec).unwrap();
    let signing = || LeafSpec::host("Responder").usage(LeafUsage::OcspSigning);
    let said = |responder: &Ca| issuer.ocsp_by(responder, &leaf).unwrap();
    check_from(&said(&delegate(&issuer, signing())), "ok Good");
    check_from(&said(&delegate(&issuer, signing().expired())), "ok NotChecked");
    check_from(&said(&delegate(&issuer, host())), "ok NotChecked"); // no delegate
    check_from(&said(&delegate(&root, signing())), "ok NotChecked"); // not this issuer's
}

#[test]
fn an_untrusted_chain_is_not_asked_about() {
    let root = ca("Root", 0);
    let leaf = root.issue(&host()).unwrap();
    let staple = root.ocsp(&leaf, OcspStatus::Good, now(), now() + DAY).unwrap();
    let verdict = judge(&chain(&leaf), Some(&Der(staple)), &roots(&[]), now());
    assert_eq!((verdict.trust, verdict.revocation), (Trust::UnknownIssuer, Revocation::NotChecked));
}

#[test]
fn an_outermost_tag_of_another_class_is_no_certificate() {
    let root = &fixture("root")[0].0;
    for name in ["good", "v1", "ca-true"] {
        let mut chain = fixture(name);
        chain[0].0[0] ^= 1 << 6;
        let verdict = judge(&chain, None, &roots(&[root]), now());
        assert_ne!(verdict.trust, Trust::Ok, "{name}: {}", told(&verdict));
    }
}

proptest! {
    #[test]
    fn no_change_of_a_good_chain_panics_or_turns_out_trusted(
        name in prop::sample::select(vec!["good", "v1", "ca-true", "no-san", "p224"]),
        at in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let root = &fixture("root")[0].0;
        let mut chain = fixture(name);
        let leaf = &mut chain[0].0;
        let place = at.index(leaf.len());
        leaf[place] ^= 1 << bit;
        let verdict = judge(&chain, None, &roots(&[root]), now());
        prop_assert!(verdict.trust != Trust::Ok, "byte {}: {}", place, told(&verdict));
    }

    #[test]
    fn no_bytes_panic(
        chain in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..4),
        staple in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let chain: Vec<Der> = chain.into_iter().map(Der).collect();
        let root = &fixture("root")[0].0;
        let verdict = judge(&chain, Some(&Der(staple)), &roots(&[root]), now());
        prop_assert!(verdict.trust != Trust::Ok);
    }
}
