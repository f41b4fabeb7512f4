mod fixtures;

use super::*;
use crate::model::claim::Unclaimed;
use crate::model::report::TlsReport;
use crate::model::requirement::TlsVersion;
use fixtures::{
    all_good, at, expires_soon, hostile, nxdomain, refuses_nothing, run, times_out,
    two_mx_one_expired,
};
use serde_json::{Value, json};

const PLAIN: Style = Style { colour: false, width: None, verbose: false };

fn written(partners: Vec<PartnerReport>, format: Format, style: Style) -> String {
    let mut out = Vec::new();
    let details = [Details {
        partner: "example.org".to_owned(),
        transcripts: vec![(
            "mx1.example.org [192.0.2.1]:25".to_owned(),
            vec!["S: 220 mx1.example.org ESMTP".to_owned(), "C: EHLO probe\u{1b}[2J".to_owned()],
        )],
    }];
    report(&mut out, &run(partners), &details, format, style).unwrap();
    String::from_utf8(out).unwrap()
}

fn everything() -> Vec<PartnerReport> {
    vec![all_good(), times_out(), two_mx_one_expired(), hostile(), nxdomain(), expires_soon()]
}

#[test]
fn text_of_one_target_begins_with_its_answer() {
    insta::assert_snapshot!(written(vec![two_mx_one_expired()], Format::Text, PLAIN), @r"
    example.org: violated — 2 of 3 endpoints fall short: certificate expired (level name, TLS 1.2 or newer)

      pref  MX               address      STARTTLS  TLS  certificate                           channel    state
      10    mx1.example.org  192.0.2.1    offered   1.3  expired 2026-01-01, trusted, name ok  encrypted  ✗ violated
      10    mx1.example.org  2001:db8::1  offered   1.3  expired 2026-01-01, trusted, name ok  encrypted  ✗ violated
      20    mx2.example.org  192.0.2.2    offered   1.3  until 2026-03-13, trusted, name ok    matched    ✓ compliant

      ✗ violation  cert-expired
          at         mx1.example.org [192.0.2.1]:25
                     mx1.example.org [2001:db8::1]:25
          seen       not_after 2026-01-01T00:00:00Z
          expected   in date
          advice     Tell the partner that the certificate of this server has run
                     out and that senders with forced TLS no longer deliver to it;
                     renewing it and reloading the mail server is enough.
          reference  RFC 5280 §4.1.2.5

      ! warning  dns-insecure
          at         example.org
          seen       unsigned answers
          expected   DNSSEC, or required names
          reference  RFC 7672 §1.3.2
    ");
}

#[test]
fn text_of_many_targets_begins_with_counts_and_goes_on_with_the_worst() {
    let partners = vec![all_good(), nxdomain(), hostile()];
    insta::assert_snapshot!(written(partners, Format::Text, PLAIN), @r"
    3 targets: 1 violated, 1 unknown, 1 compliant

    evil.test: violated — STARTTLS not offered | OK (level name, TLS 1.2 or newer)

      pref  MX            address            STARTTLS     TLS  certificate  channel  state
      10    mx.evil.test  [192.0.2.66]:2525  not-offered  -    -            plain    ✗ violated

      ✗ violation  starttls-not-offered
          at         mx.evil.test [192.0.2.66]:2525
          seen       =cmd|' /C calc'!A0 \x1b[31m<b>&\x00\u{fffe}\u{202e}
                     two\r\nlines
          expected   STARTTLS
          advice     Ask for it.
          reference  RFC 3207 §4

    gone.test: unknown — the domain does not exist (level name, TLS 1.2 or newer)

      ? obstacle  nxdomain
          at      gone.test
          detail  NXDOMAIN from 127.0.0.1:53

    good.test: compliant — 2 of 2 endpoints do what is required (level name, TLS 1.2 or newer)

      pref  MX            address       STARTTLS  TLS  certificate                         channel  state
      10    mx.good.test  192.0.2.10    offered   1.3  until 2026-03-13, trusted, name ok  matched  ✓ compliant
      10    mx.good.test  2001:db8::10  offered   1.3  until 2026-03-13, trusted, name ok  matched  ✓ compliant
    ");
}

#[test]
fn text_says_what_is_not_claimed_and_json_does_not() {
    let claim = "outbound/sender-enforces".parse().unwrap();
    let unclaimed = vec![Unclaimed { claim, why: "no [connector.canaries]" }];
    let partner = PartnerReport { unclaimed, ..all_good() };
    let text = written(vec![partner.clone()], Format::Text, PLAIN);
    let second = text.lines().nth(1).unwrap();
    assert_eq!(second, "  not claimed: outbound/sender-enforces (no [connector.canaries])");
    let json = |partner| written(vec![partner], Format::Json, PLAIN);
    assert_eq!(json(partner), json(all_good()));
}

#[test]
fn text_of_an_endpoint_nobody_reached() {
    insta::assert_snapshot!(written(vec![times_out()], Format::Text, PLAIN), @r"
    slow.test: unknown — 0 of 1 endpoint could be reached (level name, TLS 1.2 or newer)

      pref  MX            address    STARTTLS  TLS  certificate  channel  state
      10    mx.slow.test  192.0.2.3  unknown   -    -            none     ? unknown

      ? obstacle  connect-timeout
          at      mx.slow.test [192.0.2.3]:25
          detail  no answer within 10 s
    ");
}

#[test]
fn verbose_text_adds_chain_and_transcript() {
    let style = Style { verbose: true, ..PLAIN };
    let text = written(vec![two_mx_one_expired()], Format::Text, style);
    let brief = written(vec![two_mx_one_expired()], Format::Text, PLAIN);
    let added = text.strip_prefix(&brief).unwrap();
    insta::assert_snapshot!(added, @r"

    mx1.example.org [192.0.2.1]:25, looked at for 120 ms
        banner             220 mx1.example.org ESMTP
        offers in clear    PIPELINING, STARTTLS
        offers inside TLS  PIPELINING
        TLS                TLSv1.3 TLS_AES_256_GCM_SHA384 X25519MLKEM768
        revocation         not-checked
        certificate 0
            subject      CN=mx1.example.org
            issuer       CN=Test CA
            names        mx1.example.org
            valid        2025-10-01T00:00:00Z to 2026-01-01T00:00:00Z
            key          RSA-2048
            signature    sha256WithRSAEncryption
            serial       0a
            sha256       11aa
            spki sha256  22bb
        transcript
            S: 220 mx1.example.org ESMTP
            C: EHLO probe\x1b[2J

    mx1.example.org [2001:db8::1]:25, looked at for 120 ms
        banner             220 mx1.example.org ESMTP
        offers in clear    PIPELINING, STARTTLS
        offers inside TLS  PIPELINING
        TLS                TLSv1.3 TLS_AES_256_GCM_SHA384 X25519MLKEM768
        revocation         not-checked
        certificate 0
            subject      CN=mx1.example.org
            issuer       CN=Test CA
            names        mx1.example.org
            valid        2025-10-01T00:00:00Z to 2026-01-01T00:00:00Z
            key          RSA-2048
            signature    sha256WithRSAEncryption
            serial       0a
            sha256       11aa
            spki sha256  22bb

    mx2.example.org [192.0.2.2]:25, looked at for 120 ms
        banner             220 mx2.example.org ESMTP
        offers in clear    PIPELINING, STARTTLS
        offers inside TLS  PIPELINING
        TLS                TLSv1.3 TLS_AES_256_GCM_SHA384 X25519MLKEM768
        revocation         not-checked
        certificate 0
            subject      CN=mx2.example.org
            issuer       CN=Test CA
            names        mx2.example.org
            valid        2025-10-01T00:00:00Z to 2026-03-13T23:59:59Z
            key          RSA-2048
            signature    sha256WithRSAEncryption
            serial       0a
            sha256       11aa
            spki sha256  22bb

    proved at 2026-01-31T12:00:02Z; evidence sha256:0123abcd
    ");
}

#[test]
fn text_on_a_narrow_terminal_stacks_what_does_not_fit() {
    let style = Style { width: Some(72), ..PLAIN };
    let text = written(vec![two_mx_one_expired()], Format::Text, style);
    assert!(text.lines().skip(1).all(|line| line.chars().count() <= 72), "{text}");
    insta::assert_snapshot!(text, @r"
    example.org: violated — 2 of 3 endpoints fall short: certificate expired (level name, TLS 1.2 or newer)

      ✗ violated  mx1.example.org [192.0.2.1]:25, preference 10
          reached      STARTTLS offered, TLS 1.3, channel encrypted
          certificate  expired 2026-01-01, trusted, name ok
      ✗ violated  mx1.example.org [2001:db8::1]:25, preference 10
          reached      STARTTLS offered, TLS 1.3, channel encrypted
          certificate  expired 2026-01-01, trusted, name ok
      ✓ compliant  mx2.example.org [192.0.2.2]:25, preference 20
          reached      STARTTLS offered, TLS 1.3, channel matched
          certificate  until 2026-03-13, trusted, name ok

      ✗ violation  cert-expired
          at         mx1.example.org [192.0.2.1]:25
                     mx1.example.org [2001:db8::1]:25
          seen       not_after 2026-01-01T00:00:00Z
          expected   in date
          advice     Tell the partner that the certificate of this server
                     has run out and that senders with forced TLS no longer
                     deliver to it; renewing it and reloading the mail
                     server is enough.
          reference  RFC 5280 §4.1.2.5

      ! warning  dns-insecure
          at         example.org
          seen       unsigned answers
          expected   DNSSEC, or required names
          reference  RFC 7672 §1.3.2
    ");
}

#[test]
fn text_lines_end_in_no_space_and_hold_no_control_character() {
    for verbose in [false, true] {
        for width in [None, Some(20), Some(80), Some(100_000)] {
            let text = written(everything(), Format::Text, Style { verbose, width, ..PLAIN });
            for line in text.lines() {
                assert_eq!(line, line.trim_end());
                assert!(!line.contains(char::is_control), "{line}");
            }
            assert!(text.ends_with('\n') && !text.ends_with("\n\n"));
        }
    }
}

#[test]
fn colour_only_repeats_what_the_words_say() {
    let style = Style { colour: true, ..PLAIN };
    let coloured = written(everything(), Format::Text, style);
    assert!(coloured.contains("evil.test: \u{1b}[31mviolated\u{1b}[39m — "));
    assert!(coloured.contains("\u{1b}[32m✓ compliant\u{1b}[39m\n"));
    assert!(coloured.contains("\u{1b}[33m? obstacle\u{1b}[39m  nxdomain"));
    let mut bare = coloured;
    for escape in ["\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m", "\u{1b}[39m"] {
        bare = bare.replace(escape, "");
    }
    assert_eq!(bare, written(everything(), Format::Text, PLAIN));
}

#[test]
fn several_claims_of_one_partner_are_told_apart() {
    let mut partner = two_mx_one_expired();
    partner.claims.insert(0, all_good().claims.remove(0));
    partner.claims.push(refuses_nothing());
    let text = written(vec![partner], Format::Text, PLAIN);
    // Findings and endpoints are asserted elsewhere.
    let told: Vec<_> = text
        .lines()
        .filter(|line| {
            [" — ", "  inbound/", "  outbound/", "probe ", "control ", "plaintext "]
                .iter()
                .any(|mark| line.contains(mark))
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    example.org: violated — 2 of 3 claims violated: outbound/receiver-offers: 2 of 3 endpoints fall short: certificate expired
      ✗ violated   outbound/receiver-offers   2 of 3 endpoints fall short: certificate expired
      ✗ violated   inbound/receiver-enforces  mx.contoso.test took the envelope in clear
      ✓ compliant  outbound/receiver-offers   2 of 2 endpoints do what is required
      outbound/receiver-offers: ✗ violated (level name, TLS 1.2 or newer)
      inbound/receiver-enforces: ✗ violated (level name, TLS 1.2 or newer)
        probe      at                               outcome   phase  reply
        control    mx.contoso.test [192.0.2.25]:25  accepted  rcpt   250 2.1.5 Ok
        plaintext  mx.contoso.test [192.0.2.25]:25  accepted  rcpt   250 2.1.5 Ok
      outbound/receiver-offers: ✓ compliant (level name, TLS 1.2 or newer)
    ");
}

#[test]
fn no_target_is_said_to_be_none() {
    assert_eq!(written(Vec::new(), Format::Text, PLAIN), "0 targets: nothing was looked at\n");
}

#[test]
fn csv_has_a_row_an_endpoint_and_no_formula() {
    let rows = written(everything(), Format::Csv, PLAIN);
    insta::assert_snapshot!(rows, @r"
    partner,claim,state,level,mx,preference,address,port,endpoint_state,channel,starttls,tls_version,cipher_suite,group,trust,validity,name,not_after,findings,obstacles,banner,probe,probe_target,probe_outcome,probe_reply
    good.test,outbound/receiver-offers,compliant,name,mx.good.test,10,192.0.2.10,25,compliant,matched,offered,TLSv1.3,TLS_AES_256_GCM_SHA384,X25519MLKEM768,ok,ok,match,2026-03-13T23:59:59Z,,,220 mx.good.test ESMTP,,,,
    good.test,outbound/receiver-offers,compliant,name,mx.good.test,10,2001:db8::10,25,compliant,matched,offered,TLSv1.3,TLS_AES_256_GCM_SHA384,X25519MLKEM768,ok,ok,match,2026-03-13T23:59:59Z,,,220 mx.good.test ESMTP,,,,
    slow.test,outbound/receiver-offers,unknown,name,mx.slow.test,10,192.0.2.3,25,unknown,none,unknown,,,,,,,,,connect-timeout,,,,,
    example.org,outbound/receiver-offers,violated,name,mx1.example.org,10,192.0.2.1,25,violated,encrypted,offered,TLSv1.3,TLS_AES_256_GCM_SHA384,X25519MLKEM768,ok,expired,match,2026-01-01T00:00:00Z,cert-expired dns-insecure,,220 mx1.example.org ESMTP,,,,
    example.org,outbound/receiver-offers,violated,name,mx1.example.org,10,2001:db8::1,25,violated,encrypted,offered,TLSv1.3,TLS_AES_256_GCM_SHA384,X25519MLKEM768,ok,expired,match,2026-01-01T00:00:00Z,cert-expired dns-insecure,,220 mx1.example.org ESMTP,,,,
    example.org,outbound/receiver-offers,violated,name,mx2.example.org,20,192.0.2.2,25,compliant,matched,offered,TLSv1.3,TLS_AES_256_GCM_SHA384,X25519MLKEM768,ok,ok,match,2026-03-13T23:59:59Z,dns-insecure,,220 mx2.example.org ESMTP,,,,
    evil.test,outbound/receiver-offers,violated,name,mx.evil.test,10,192.0.2.66,2525,violated,plain,not-offered,,,,,,,,starttls-not-offered,,'=cmd|' /C calc'!A0 \x1b[31m<b>&\x00\u{fffe}\u{202e} two\r\nlines,,,,
    gone.test,outbound/receiver-offers,unknown,name,,,,,,,,,,,,,,,,nxdomain,,,,,
    soon.test,outbound/receiver-offers,compliant,name,mx.soon.test,10,192.0.2.11,25,compliant,matched,offered,TLSv1.3,TLS_AES_256_GCM_SHA384,X25519MLKEM768,ok,ok,match,2026-02-13T11:00:00Z,cert-expires-soon,,220 mx.soon.test ESMTP,,,,
    ");
}

#[test]
fn csv_cells_never_begin_like_a_formula() {
    #[track_caller]
    fn check(name: &str, expect: &str) {
        let mut partner = nxdomain();
        partner.partner = name.to_owned();
        let rows = written(vec![partner], Format::Csv, PLAIN);
        let row = rows.lines().nth(1).unwrap();
        assert_eq!(row.split(',').next(), Some(expect));
    }
    check("a=b.test", "a=b.test");
    check("=1+1", "'=1+1");
    check("+1", "'+1");
    check("-1", "'-1");
    check("@sum", "'@sum");
    check(" =1", "' =1"); // some trim before they look
    check("＝1", "'＝1");
    check("\t=1", "\\t=1"); // a tab is written out, so the cell begins with a backslash
}

#[test]
fn junit_is_green_only_for_what_was_proved() {
    let partners = vec![all_good(), two_mx_one_expired(), times_out(), hostile()];
    insta::assert_snapshot!(written(partners, Format::Junit, PLAIN), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="mxwarden" tests="4" skipped="0" failures="2" errors="1" time="2.000">
        <testsuite name="good.test" tests="1" skipped="0" errors="0" failures="0" timestamp="2026-01-31T12:00:00Z">
            <testcase name="outbound/receiver-offers" classname="good.test">
                <system-out>required: level name, TLS 1.2 or newer
    mx.good.test [192.0.2.10]:25: compliant, channel matched, starttls offered, TLSv1.3, banner 220 mx.good.test ESMTP
    mx.good.test [2001:db8::10]:25: compliant, channel matched, starttls offered, TLSv1.3, banner 220 mx.good.test ESMTP
    </system-out>
            </testcase>
        </testsuite>
        <testsuite name="example.org" tests="1" skipped="0" errors="0" failures="1" timestamp="2026-01-31T12:00:00Z">
            <testcase name="outbound/receiver-offers" classname="example.org">
                <failure message="2 of 3 endpoints fall short: certificate expired" type="violated">violation cert-expired at mx1.example.org [192.0.2.1]:25: not_after 2026-01-01T00:00:00Z; expected: in date. Tell the partner that the certificate of this server has run out and that senders with forced TLS no longer deliver to it; renewing it and reloading the mail server is enough. (RFC 5280 §4.1.2.5)
    violation cert-expired at mx1.example.org [2001:db8::1]:25: not_after 2026-01-01T00:00:00Z; expected: in date. Tell the partner that the certificate of this server has run out and that senders with forced TLS no longer deliver to it; renewing it and reloading the mail server is enough. (RFC 5280 §4.1.2.5)
    warning dns-insecure at example.org: unsigned answers; expected: DNSSEC, or required names (RFC 7672 §1.3.2)
    </failure>
                <system-out>required: level name, TLS 1.2 or newer
    mx1.example.org [192.0.2.1]:25: violated, channel encrypted, starttls offered, TLSv1.3, banner 220 mx1.example.org ESMTP
    mx1.example.org [2001:db8::1]:25: violated, channel encrypted, starttls offered, TLSv1.3, banner 220 mx1.example.org ESMTP
    mx2.example.org [192.0.2.2]:25: compliant, channel matched, starttls offered, TLSv1.3, banner 220 mx2.example.org ESMTP
    </system-out>
            </testcase>
        </testsuite>
        <testsuite name="slow.test" tests="1" skipped="0" errors="1" failures="0" timestamp="2026-01-31T12:00:00Z">
            <testcase name="outbound/receiver-offers" classname="slow.test">
                <error message="0 of 1 endpoint could be reached" type="unknown">obstacle connect-timeout at mx.slow.test [192.0.2.3]:25: no answer within 10 s
    </error>
                <system-out>required: level name, TLS 1.2 or newer
    mx.slow.test [192.0.2.3]:25: unknown, channel none, starttls unknown
    </system-out>
            </testcase>
        </testsuite>
        <testsuite name="evil.test" tests="1" skipped="0" errors="0" failures="1" timestamp="2026-01-31T12:00:00Z">
            <testcase name="outbound/receiver-offers" classname="evil.test">
                <failure message="STARTTLS not offered | OK" type="violated">violation starttls-not-offered at mx.evil.test [192.0.2.66]:2525: =cmd|&apos; /C calc&apos;!A0 \x1b[31m&lt;b&gt;&amp;\x00\u{fffe}\u{202e} two\r\nlines; expected: STARTTLS. Ask for it. (RFC 3207 §4)
    </failure>
                <system-out>required: level name, TLS 1.2 or newer
    mx.evil.test [192.0.2.66]:2525: violated, channel plain, starttls not-offered, banner =cmd|&apos; /C calc&apos;!A0 \x1b[31m&lt;b&gt;&amp;\x00\u{fffe}\u{202e} two\r\nlines
    </system-out>
            </testcase>
        </testsuite>
    </testsuites>
    "#);
}

#[test]
fn junit_output_is_bounded() {
    let mut partner = two_mx_one_expired();
    for claim in &mut partner.claims {
        claim.endpoints = vec![claim.endpoints[0].clone(); 2000];
        claim.findings = vec![claim.findings[0].clone(); 2000];
    }
    let text = written(vec![partner], Format::Junit, PLAIN);
    assert_eq!(text.matches("[cut here]").count(), 2);
    assert!(text.len() < 70 * 1024);
}

#[test]
fn nagios_is_one_line_with_performance_data() {
    #[track_caller]
    fn check(partners: Vec<PartnerReport>, code: u8, expect: &str) {
        let run = run(partners.clone());
        let worst = worst_severity(&run.partners);
        assert_eq!(exit_code(run.state, Format::Nagios, worst), code);
        assert_eq!(written(partners, Format::Nagios, PLAIN), format!("{expect}\n"));
    }
    check(
        vec![all_good()],
        0,
        "MXWARDEN OK - good.test: 2 of 2 endpoints do what is required \
         (level name, TLS 1.2 or newer) | 'days_to_expiry'=41;30;0 'time'=2.0s",
    );
    check(
        vec![expires_soon()],
        1,
        "MXWARDEN WARNING - soon.test: 1 of 1 endpoint does what is required \
         (level name, TLS 1.2 or newer); cert-expires-soon | 'days_to_expiry'=12;30;0 'time'=2.0s",
    );
    check(
        vec![all_good(), two_mx_one_expired()],
        2,
        "MXWARDEN CRITICAL - 2 targets: 1 violated, 1 compliant; example.org: \
         2 of 3 endpoints fall short: certificate expired (level name, TLS 1.2 or newer) \
         | 'days_to_expiry'=-31;30;0 'time'=2.0s",
    );
    check(
        vec![nxdomain()],
        3,
        "MXWARDEN UNKNOWN - gone.test: the domain does not exist \
         (level name, TLS 1.2 or newer) | 'time'=2.0s",
    );
    // The summary of the hostile one holds a bar.
    check(
        vec![hostile()],
        2,
        "MXWARDEN CRITICAL - evil.test: STARTTLS not offered  OK \
         (level name, TLS 1.2 or newer) | 'time'=2.0s",
    );
}

#[test]
fn exit_codes_are_those_of_the_contract() {
    use State::{Compliant, Unknown, Violated};
    #[track_caller]
    fn check(state: State, worst: Option<Severity>, usual: u8, nagios: u8) {
        assert_eq!(exit_code(state, Format::Nagios, worst), nagios);
        for format in [Format::Csv, Format::Json, Format::Jsonl, Format::Junit, Format::Text] {
            assert_eq!(exit_code(state, format, worst), usual);
        }
    }
    check(Compliant, None, 0, 0);
    check(Compliant, Some(Severity::Info), 0, 0);
    check(Compliant, Some(Severity::Warning), 0, 1);
    check(Violated, Some(Severity::Violation), 1, 2);
    check(Unknown, None, 3, 3);
    check(Unknown, Some(Severity::Warning), 3, 3);
}

#[test]
fn jsonl_is_one_partner_a_line() {
    let lines = written(everything(), Format::Jsonl, PLAIN);
    let names: Vec<_> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["partner"].clone())
        .collect();
    assert_eq!(
        names,
        ["good.test", "slow.test", "example.org", "evil.test", "gone.test", "soon.test"]
    );
}

/// Every key and value of `expect` stands in `actual`; there may be more keys.
#[track_caller]
fn assert_holds(actual: &Value, expect: &Value, path: &str) {
    match (actual, expect) {
        (Value::Object(actual), Value::Object(expect)) => {
            for (key, expect) in expect {
                let path = format!("{path}.{key}");
                let actual = actual.get(key).unwrap_or_else(|| panic!("{path} is missing"));
                assert_holds(actual, expect, &path);
            }
        }
        (Value::Array(actual), Value::Array(expect)) => {
            assert_eq!(actual.len(), expect.len(), "{path}");
            for (index, (actual, expect)) in actual.iter().zip(expect).enumerate() {
                assert_holds(actual, expect, &format!("{path}[{index}]"));
            }
        }
        _ => assert_eq!(actual, expect, "{path}"),
    }
}

/// The example of the contract (§6) but for `probes`, which no claim has yet.
const CONTRACT_EXAMPLE: &str = r#"{
  "format": "mxwarden/1",
  "tool": { "name": "mxwarden", "version": "0.1.0" },
  "started_at": "2026-01-31T12:00:00Z", "finished_at": "2026-01-31T12:00:02Z",
  "state": "violated",
  "partners": [{
    "partner": "example.org", "state": "violated",
    "claims": [{
      "claim": "outbound/receiver-offers", "state": "violated",
      "requirement": { "level": "name", "names": ["mx1.example.org"], "min_version": "1.2" },
      "summary": "2 of 3 endpoints fall short: certificate expired",
      "findings": [{ "id": "cert-expired", "severity": "violation",
                     "subject": "mx1.example.org [192.0.2.1]:25",
                     "seen": "not_after 2026-01-01T00:00:00Z", "expected": "in date",
                     "advice": "…", "reference": "RFC 5280 §4.1.2.5" }],
      "obstacles": [{ "id": "connect-timeout", "subject": "…", "detail": "…" }],
      "endpoints": [{
        "mx": "mx1.example.org", "preference": 10, "address": "192.0.2.1", "port": 25,
        "state": "violated", "channel": "encrypted",
        "banner": "220 mx1.example.org ESMTP", "capabilities": ["PIPELINING", "STARTTLS"],
        "starttls": "offered",
        "tls": { "version": "TLSv1.3", "cipher_suite": "TLS_AES_256_GCM_SHA384", "group": "X25519MLKEM768",
                 "legacy_versions": ["TLSv1.0"], "weak_ciphers": [],
                 "certificates": [{ "subject": "CN=mx1.example.org", "issuer": "CN=Test CA", "names": ["mx1.example.org"],
                    "not_before": "2025-10-01T00:00:00Z", "not_after": "2026-01-01T00:00:00Z", "key": "RSA-2048",
                    "signature": "sha256WithRSAEncryption", "sha256": "11aa", "spki_sha256": "22bb" }],
                 "trust": "ok", "validity": "expired", "name": "match", "revocation": "not-checked" },
        "dane": { "state": "not-checked" },
        "findings": ["cert-expired"], "obstacles": []
      }],
      "proven_at": "2026-01-31T12:00:02Z", "evidence": "sha256:0123abcd"
    }]
  }]
}"#;

#[test]
fn json_is_the_object_of_the_contract() {
    let mut partner = two_mx_one_expired();
    for claim in &mut partner.claims {
        claim.requirement.names = vec!["mx1.example.org".parse().unwrap()];
        claim.findings.truncate(1);
        claim.findings[0].advice = "…".to_owned();
        claim.obstacles = times_out().claims.remove(0).obstacles;
        claim.obstacles[0].subject = "…".to_owned();
        claim.obstacles[0].detail = "…".to_owned();
        claim.endpoints.truncate(1);
        let tls: &mut TlsReport = claim.endpoints[0].tls.as_mut().unwrap();
        tls.legacy_versions = vec![TlsVersion::Tls10];
    }
    let text = written(vec![partner], Format::Json, PLAIN);
    assert!(text.starts_with("{\n") && text.ends_with("}\n"));
    let expect = serde_json::from_str(CONTRACT_EXAMPLE).unwrap();
    assert_holds(&serde_json::from_str(&text).unwrap(), &expect, "");
}

#[test]
fn json_says_null_and_empty_aloud() {
    let text = written(vec![times_out()], Format::Json, PLAIN);
    let value: Value = serde_json::from_str(&text).unwrap();
    let claim = &value["partners"][0]["claims"][0];
    assert_eq!(claim["requirement"], json!({ "level": "name", "names": [], "min_version": "1.2" }));
    assert_eq!(claim["proven_at"], Value::Null);
    assert!(claim.as_object().unwrap().contains_key("proven_at"));
    let endpoint = &claim["endpoints"][0];
    let keys = endpoint.as_object().unwrap();
    assert!(keys.contains_key("tls") && keys.contains_key("banner"));
    assert_eq!((&endpoint["tls"], &endpoint["banner"]), (&Value::Null, &Value::Null));
    assert_eq!((&endpoint["channel"], &endpoint["starttls"]), (&json!("none"), &json!("unknown")));
    assert_eq!(endpoint["obstacles"], json!(["connect-timeout"]));
}

#[test]
fn a_clock_set_back_during_the_run_is_no_failure() {
    let mut backwards = run(vec![all_good()]);
    backwards.finished_at = at("2026-01-31T11:00:00Z");
    for format in [Format::Junit, Format::Nagios] {
        report(&mut Vec::new(), &backwards, &[], format, PLAIN).unwrap();
    }
}
