use super::*;
use crate::model::{
    imported::Forced,
    requirement::{Level, TlsVersion},
};

fn file(name: &str, text: &str) -> ExportFile {
    ExportFile {
        path: name.into(),
        bytes: text.as_bytes().to_vec(),
        written_at: Timestamp::UNIX_EPOCH,
    }
}

fn import(postconf: &str, table: &str) -> Result<Read, ImportErrors> {
    let mut files = vec![file("postconf.txt", postconf)];
    if !table.is_empty() {
        files.push(file("tls_policy", table));
    }
    read(&files, Timestamp::UNIX_EPOCH)
}

const WITH_TABLE: &str =
    "smtp_tls_policy_maps = hash:/etc/postfix/tls_policy\nsmtp_tls_security_level = may\n";

#[test]
fn every_entry_is_a_rule_and_the_default_is_one() {
    let table = "# ours\nfabrikam.test secure\n  match=nexthop\n.northwind.test\tencrypt protocols=>=TLSv1.3\n[gw.test]:587 encrypt\n";
    let read = import(WITH_TABLE, table).unwrap();
    let [fabrikam, northwind, default] = read.imported.outbound.unwrap().try_into().unwrap();
    assert_eq!(fabrikam.said, "secure match=nexthop", "continued lines are one");
    assert_eq!(fabrikam.names, ["fabrikam.test".parse().unwrap()]);
    assert_eq!(northwind.domains, ["*.northwind.test".parse().unwrap()]);
    assert_eq!(northwind.lowest, Some(TlsVersion::Tls13));
    assert_eq!((default.domains, default.forced), (vec![DomainPattern::All], Some(Forced::Not)));
    let [note] = read.notes.try_into().unwrap();
    assert_eq!(
        note.to_string(),
        "tls_policy: line 5: [gw.test]:587: is for a next hop and not for a mail domain: it is left out"
    );
}

#[test]
fn with_a_relayhost_its_own_rule_is_the_one() {
    let postconf = format!("{WITH_TABLE}relayhost = [gw.test]:587\n");
    let read = import(&postconf, "[gw.test]:587 encrypt\nfabrikam.test secure\n").unwrap();
    let [record] = read.imported.outbound.unwrap().try_into().unwrap();
    assert_eq!(
        (record.forced, record.smart_hosts),
        (Some(Forced::At(Level::Encrypt)), vec!["gw.test".to_owned()])
    );
    assert!(
        read.notes[0].to_string().contains("is never looked up: all mail goes to the relayhost")
    );
}

#[test]
fn our_domains_are_read_where_they_are_written_out() {
    let postconf = "mydomain = contoso.test\nmyhostname = mx.contoso.test\nmydestination = $myhostname, localhost.$mydomain, ${mydomain}, hash:/x.y\n";
    let read = import(postconf, "").unwrap();
    let domains: Vec<String> =
        read.imported.accepted_domains.unwrap().iter().map(|one| one.domain.to_string()).collect();
    assert_eq!(domains, ["mx.contoso.test", "contoso.test"]);
    // Variables that refer to themselves end.
    assert!(import("a = $b\nb = $a\nmydestination = $a.x\n", "").is_ok());
}

#[test]
fn the_old_switches_are_levels() {
    let forced =
        |postconf: &str| import(postconf, "").unwrap().imported.outbound.unwrap()[0].forced;
    assert_eq!(forced("smtp_enforce_tls = yes\n"), Some(Forced::At(Level::Encrypt)));
    assert_eq!(forced("smtp_use_tls = yes\n"), Some(Forced::Not));
    assert_eq!(forced("smtp_tls_security_level = encrypt\n"), Some(Forced::At(Level::Encrypt)));
}

#[test]
fn mistakes_say_where() {
    #[track_caller]
    fn check(postconf: &str, table: &str, expect: &str) {
        let errors = import(postconf, table).unwrap_err().to_string();
        assert!(errors.contains(expect), "{errors}");
    }
    check(
        WITH_TABLE,
        "fabrikam.test encrpyt\n",
        "tls_policy: line 1: fabrikam.test: `encrpyt` is no level",
    );
    check(WITH_TABLE, "/^fab/ encrypt\n", "tls_policy: line 1: /^fab/: ");
    check(
        WITH_TABLE,
        "",
        "smtp_tls_policy_maps is hash:/etc/postfix/tls_policy, and no table was given",
    );
    check(
        "smtp_tls_security_level = may\n",
        "fabrikam.test encrypt\n",
        "Postfix looks into no table",
    );
    check(
        "smtp_tls_policy_maps = mysql:/x\n",
        "a.test encrypt\n",
        "names mysql:/x, which is no text",
    );
    check("fabrikam.test encrypt\n", "", "none of the files is the output of postconf");
}
