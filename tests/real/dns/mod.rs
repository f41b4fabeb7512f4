//! A real unbound that knows the zone `test.`, and the ways a domain leads to its mail servers, or does not.
//!
//! Setup: unbound holds `test.` as an authority zone below its own resolver, so that aliases are followed as in the wild.
//! It holds `broken.test.` too, but its primary does not answer: SERVFAIL. All other names are NXDOMAIN; it asks nobody.

use crate::{
    check::check,
    dovecot,
    lab::{DNS_PORT, Host, Network, lab, serve},
};
use std::{fs, path::Path, process::Command};

/// Starts unbound.
pub(crate) fn start(scratch: &Path, network: &Network, hosts: &[Host]) {
    let directory = scratch.join("unbound");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("test.zone"), zone(network, hosts)).unwrap();
    let config = directory.join("unbound.conf");
    fs::write(&config, configuration(network, &directory)).unwrap();
    let mut unbound = Command::new("unbound");
    unbound.args(["-dd", "-c"]).arg(config);
    serve(scratch, "unbound", &unbound, &[network.resolver()]);
}

fn configuration(network: &Network, directory: &Path) -> String {
    format!(
        r#"
server:
    directory: "{directory}"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    interface: {address}@{DNS_PORT}
    access-control: 127.0.0.0/8 allow
    do-not-query-localhost: no
    num-threads: 1
    module-config: "iterator"
    local-zone: "." static
    local-zone: "test." transparent
remote-control:
    control-enable: no
auth-zone:
    name: "test."
    zonefile: "test.zone"
    for-downstream: no
    for-upstream: yes
    fallback-enabled: no
auth-zone:
    name: "broken.test."
    primary: {nobody}@{DNS_PORT}
    for-downstream: no
    for-upstream: yes
    fallback-enabled: no
"#,
        directory = directory.display(),
        address = network.resolver().ip(),
        nobody = network.nobody(),
    )
}

fn zone(network: &Network, hosts: &[Host]) -> String {
    let mut zone = format!(
        "$ORIGIN test.\n$TTL 60\n\
         @ SOA ns.test. hostmaster.test. 1 3600 600 86400 60\n@ NS ns.test.\nns A {}\n",
        network.resolver().ip()
    );
    for Host { domain, name, preference, address } in hosts {
        zone += &format!("{domain}. MX {preference} {name}.\n{name}. A {address}\n");
    }
    let good = hosts.iter().find(|host| host.name == "mx.good-rsa.test").unwrap().address;
    zone += &format!(
        "null-mx MX 0 .\n\
         no-mx TXT neither\n\
         no-address MX 10 mx.no-address\nmx.no-address TXT none\n\
         closed MX 10 mx.closed\nmx.closed A {nobody}\n\
         one-closed MX 10 mx.good-rsa\none-closed MX 20 mx.closed\n\
         mx-alias MX 10 alias.mx-alias\nalias.mx-alias CNAME mx.good-rsa\n\
         mx-address MX 10 {good}.\n\
         implicit A {good}\n",
        nobody = network.nobody(),
    );
    zone += &dovecot::records(network);
    zone
}

/// Setup: no such name in the zone.
/// Test: nothing is known of the partner's mail, so nothing is proved; a typo must not look like a violation.
#[test]
fn nxdomain() {
    let report = check(&["no-such-domain.test", "--require", "encrypt"]);
    report.assert_state("NXDOMAIN", "unknown");
    report.assert_obstacles("NXDOMAIN", &["nxdomain"]);
    report.assert_findings("NXDOMAIN", &[]);
}

/// Setup: the zone's primary is dead; unbound answers SERVFAIL.
/// Test: an obstacle, which says in what way the lookup failed.
#[test]
fn servfail() {
    let report = check(&["partner.broken.test", "--require", "encrypt"]);
    report.assert_state("SERVFAIL", "unknown");
    report.assert_obstacles("SERVFAIL", &["dns-failure"]);
    let detail = report.claim()["obstacles"][0]["detail"].as_str().unwrap();
    assert!(detail.to_ascii_uppercase().contains("SERVFAIL"), "{report}");
}

/// Setup: nobody listens where the resolver should be.
/// Test: the given resolver is the only one asked, so nothing is known.
#[test]
fn resolver_away() {
    let nobody = format!("{}:{DNS_PORT}", lab().network.nobody());
    let said = crate::lab::finish(
        Command::new(env!("CARGO_BIN_EXE_mxwarden"))
            .args(["check", "good-rsa.test", "--format", "json", "--require", "encrypt"])
            .args(["--resolver", &nobody, "--timeout", "10"]),
    );
    assert_eq!(said.status, Some(3), "{said:?}");
    assert!(said.stdout.contains(r#""dns-failure""#), "{said:?}");
}

/// Setup: `MX 0 .` (RFC 7505).
/// Test: a domain that takes no mail takes none by TLS either.
#[test]
fn null_mx() {
    let report = check(&["null-mx.test", "--require", "encrypt"]);
    report.assert_state("null MX", "violated");
    report.assert_findings("null MX", &[("null-mx", "violation")]);
    assert_eq!(report.claim()["endpoints"].as_array().unwrap().len(), 0, "{report}");
}

/// Setup: a domain with neither MX nor address.
/// Test: proved by DNS, not an obstacle.
#[test]
fn no_mx() {
    let report = check(&["no-mx.test", "--require", "encrypt"]);
    report.assert_state("no MX", "violated");
    report.assert_findings("no MX", &[("no-mx", "violation")]);
}

/// Setup: the MX host exists and has no address.
/// Test: a violation.
#[test]
fn mx_no_address() {
    let report = check(&["no-address.test", "--require", "encrypt"]);
    report.assert_state("MX without address", "violated");
    report.assert_findings("MX without address", &[("mx-no-address", "violation")]);
}

/// Setup: no MX record; the domain's own address is a good server's.
/// Test: that server stands in (RFC 5321 §5.1), and this is no finding.
#[test]
fn implicit_mx() {
    let report = check(&["implicit.test", "--require", "ca"]);
    report.assert_state("implicit MX", "compliant");
    // The server's certificate is not this domain's; at level ca that is worth knowing and nothing more.
    report.assert_findings("implicit MX", &[("cert-name-mismatch", "info")]);
    let endpoint = &report.claim()["endpoints"][0];
    assert_eq!(endpoint["mx"], "implicit.test", "{report}");
    assert!(endpoint["preference"].is_null(), "{report}");
}

/// Setup: the MX host is an alias of a good server.
/// Test: RFC 2181 §10.3 forbids it, senders follow it: a warning. The name that counts is the one in the MX record.
#[test]
fn mx_is_cname() {
    let report = check(&["mx-alias.test", "--require", "ca"]);
    report.assert_state("MX at an alias", "compliant");
    report.assert_findings(
        "MX at an alias",
        &[("cert-name-mismatch", "info"), ("mx-is-cname", "warning")],
    );
    let endpoint = &report.claim()["endpoints"][0];
    assert_eq!(endpoint["mx"], "alias.mx-alias.test", "{report}");

    let report = check(&["mx-alias.test", "--require", "name"]);
    report.assert_state("MX at an alias", "violated");
    report.assert_findings(
        "MX at an alias",
        &[
            ("cert-name-mismatch", "violation"),
            ("dns-insecure", "warning"),
            ("mx-is-cname", "warning"),
        ],
    );
}

/// Setup: the MX record holds a good server's address where a name belongs.
/// Test: it is told. Senders differ in what they make of it: some connect, Postfix looks for a host of that name.
#[test]
fn mx_is_address() {
    let report = check(&["mx-address.test", "--require", "encrypt"]);
    let findings = report.claim()["findings"].as_array().unwrap();
    let told = findings.iter().find(|finding| finding["id"] == "mx-is-address");
    assert_eq!(told.unwrap_or_else(|| panic!("{report}"))["severity"], "warning", "{report}");
}

/// Setup: nobody listens at the MX host's address.
/// Test: a closed port proves nothing about TLS.
#[test]
fn connection_refused() {
    let report = check(&["closed.test", "--require", "encrypt"]);
    report.assert_state("closed port", "unknown");
    report.assert_findings("closed port", &[]);
    report.assert_obstacles("closed port", &["connect-refused"]);
    assert_eq!(report.claim()["endpoints"][0]["channel"], "none", "{report}");
}

/// Setup: one good MX host, and one that nobody listens at.
/// Test: unknown, and the good one is still told; with `--quorum any` the good one is enough.
#[test]
fn two_mx_one_unreachable() {
    let report = check(&["one-closed.test", "--require", "ca"]);
    report.assert_state("one of two unreachable", "unknown");
    report.assert_obstacles("one of two unreachable", &["connect-refused"]);
    let endpoints = report.claim()["endpoints"].as_array().unwrap();
    assert_eq!(endpoints.len(), 2, "{report}");
    assert_eq!(endpoints[0]["state"], "compliant", "{report}");
    assert_eq!(endpoints[1]["state"], "unknown", "{report}");

    let report = check(&["one-closed.test", "--require", "ca", "--quorum", "any"]);
    report.assert_state("one of two unreachable, any", "compliant");
}

/// Setup: a good server at a loopback address, and no `--allow-private`.
/// Test: a partner's DNS cannot lead us into our own network: nothing is connected to.
#[test]
fn mx_is_private() {
    let said = crate::lab::finish(
        Command::new(env!("CARGO_BIN_EXE_mxwarden"))
            .args(["check", "good-rsa.test", "--format", "json", "--require", "encrypt"])
            .args(["--resolver", &lab().resolver(), "--port", "2525", "--timeout", "10"]),
    );
    assert!(said.status == Some(3), "{said:?}");
    assert!(said.stdout.contains(r#""mx-is-private""#), "{said:?}");
    assert!(!said.stdout.contains(r#""banner": "220"#), "{said:?}");
}
