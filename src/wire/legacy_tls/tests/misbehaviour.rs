//! What clients may do and the recorded ones do not, each by name.

use super::{
    super::record::{ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE},
    AES_128, NotOpen,
    client::{Client, certificates, key_exchange, of_type, secret},
    server, told,
};
use crate::wire::hello::TlsVersion;

const BOTH: [TlsVersion; 2] = [TlsVersion::Tls10, TlsVersion::Tls11];

/// Expects the same of both versions.
#[track_caller]
fn check(make: fn(TlsVersion) -> Client, act: impl Fn(&mut Client), expect: &str) {
    for version in BOTH {
        let mut client = make(version);
        act(&mut client);
        let expect = expect.replace("NEGOTIATED", &format!("{version} {AES_128}"));
        assert_eq!(told(&client.server), expect);
    }
}

#[test]
fn lines_go_both_ways() {
    for version in BOTH {
        let mut client = Client::connected(version);
        client.sealed(APPLICATION_DATA, b"EHLO mx.example.org\r\n");
        assert_eq!(client.server.plaintext(), b"EHLO mx.example.org\r\n");
        assert_eq!(client.server.plaintext(), b"");
        let long = vec![b'x'; 40_000];
        client.server.send(&long).unwrap();
        client.server.send(b"").unwrap();
        client.server.send(b"250 OK\r\n").unwrap();
        client.listen();
        assert_eq!(client.heard, [&long[..], b"250 OK\r\n"].concat());
        client.server.close();
        client.server.close();
        client.listen();
        assert_eq!(client.alerts, [[1, 0]]);
        assert_eq!(client.server.send(b"late"), Err(NotOpen));
        client.sealed(APPLICATION_DATA, b"late");
        assert_eq!(client.server.plaintext(), b"");
        assert!(told(&client.server).ends_with("closed by us"));
    }
}

#[test]
fn a_line_may_come_in_any_pieces() {
    for version in BOTH {
        let mut client = Client::connected(version);
        // An empty record first (OpenSSL), one octet first (NSS, SChannel), and no precaution.
        for pieces in [&[&b""[..], b"QUIT"][..], &[b"Q", b"UIT"], &[b"QUIT"]] {
            pieces.iter().for_each(|piece| client.sealed(APPLICATION_DATA, piece));
            assert_eq!(client.server.plaintext(), b"QUIT");
        }
    }
}

#[test]
fn messages_may_come_in_any_records() {
    check(
        Client::new,
        |client| {
            let hello = client.hello();
            client.say_cut(&hello, 1);
        },
        "FlightSent NEGOTIATED open",
    );
    // Several in one record, after one that is in two.
    check(
        Client::greeted,
        |client| {
            let both = [certificates(&[b"leaf", b"issuer"]), key_exchange(&[0; 256])].concat();
            client.record(HANDSHAKE, &both[..7]);
            client.record(HANDSHAKE, &both[7..]);
        },
        "KeysExchanged NEGOTIATED certificates=2 open",
    );
}

#[test]
fn client_certificates_are_taken_as_they_come() {
    // Somebody's certificate, and a proof that is none: nothing of it is judged.
    check(
        Client::greeted,
        |client| {
            client.say(&certificates(&[b"leaf"]));
            client.exchange(&secret(&[6; 48]));
            client.say(&of_type(15, &[0, 2, 1, 2]));
            client.finish();
        },
        "Finished NEGOTIATED certificates=1 open",
    );
    // None, and not a word about it; none, said as SSL 3.0 does.
    check(
        Client::greeted,
        |client| {
            client.exchange(&secret(&[6; 48]));
            client.finish();
        },
        "Finished NEGOTIATED open",
    );
    check(
        Client::greeted,
        |client| {
            client.record(ALERT, &[1, 41]);
            client.exchange(&secret(&[6; 48]));
            client.finish();
        },
        "Finished NEGOTIATED warning=no_certificate open",
    );
    check(
        Client::greeted,
        |client| client.say(&of_type(11, &[0, 0, 4, 0, 0, 9, 1])),
        "FlightSent NEGOTIATED ours=decode_error (a malformed Certificate)",
    );
}

#[test]
fn what_does_not_decrypt_is_one_alert() {
    const DECRYPT: &str = "NEGOTIATED ours=bad_record_mac (a record that does not decrypt)";
    let keys = format!("KeysExchanged {DECRYPT}");
    // No secret, one of another length, and another: none of them is told from the others.
    for encrypted in [vec![0; 256], secret(&[6; 47]), secret(&[9; 48]), vec![1, 2, 3]] {
        check(
            Client::greeted,
            |client| {
                client.exchange(&encrypted);
                client.finish();
            },
            &keys,
        );
    }
    let finished = format!("Finished {DECRYPT}");
    check(Client::connected, |client| client.record(APPLICATION_DATA, b""), &finished);
    check(Client::connected, |client| client.record(APPLICATION_DATA, &[0; 16]), &finished);
    check(Client::connected, |client| client.record(APPLICATION_DATA, &[0; 33]), &finished);
    check(Client::connected, |client| client.record(APPLICATION_DATA, &[0; 64]), &finished);
    // A record of one kind sent as another.
    check(
        Client::connected,
        |client| {
            let sealer = client.sealer.as_mut().unwrap();
            let body = sealer.seal(APPLICATION_DATA, b"QUIT", [3; 16]).unwrap();
            client.record(ALERT, &body);
        },
        &finished,
    );
}

#[test]
fn a_wrong_finished_is_no_handshake() {
    check(
        Client::keyed,
        |client| {
            client.record(CHANGE_CIPHER_SPEC, &[1]);
            client.sealed(HANDSHAKE, &of_type(20, &[0; 12]));
        },
        "KeysExchanged NEGOTIATED ours=decrypt_error (a Finished that does not verify)",
    );
    check(
        Client::keyed,
        |client| {
            client.record(CHANGE_CIPHER_SPEC, &[1]);
            client.sealed(HANDSHAKE, &of_type(20, &[]));
        },
        "KeysExchanged NEGOTIATED ours=decrypt_error (a Finished that does not verify)",
    );
    // The right one, in clear.
    check(
        Client::keyed,
        |client| {
            let finished = client.finished();
            client.record(HANDSHAKE, &finished);
        },
        "KeysExchanged NEGOTIATED ours=unexpected_message (Finished out of place)",
    );
}

#[test]
fn what_has_no_place_is_refused() {
    const CHANGE: &str = "ours=unexpected_message (ChangeCipherSpec out of place)";
    const DATA: &str = "ours=unexpected_message (application data out of place)";
    let early = format!("AwaitingHello {CHANGE}");
    check(Client::new, |client| client.record(CHANGE_CIPHER_SPEC, &[1]), &early);
    // Before the secret (CVE-2014-0224), and twice.
    let early = format!("FlightSent NEGOTIATED {CHANGE}");
    check(Client::greeted, |client| client.record(CHANGE_CIPHER_SPEC, &[1]), &early);
    let twice = format!("Finished NEGOTIATED {CHANGE}");
    check(Client::connected, |client| client.sealed(CHANGE_CIPHER_SPEC, &[1]), &twice);
    let within = format!("KeysExchanged NEGOTIATED {CHANGE}");
    check(
        Client::keyed,
        |client| {
            client.record(HANDSHAKE, &[20, 0, 0]);
            client.record(CHANGE_CIPHER_SPEC, &[1]);
        },
        &within,
    );
    let early = format!("FlightSent NEGOTIATED {DATA}");
    check(Client::greeted, |client| client.record(APPLICATION_DATA, b"EHLO"), &early);
    let early = format!("KeysExchanged NEGOTIATED {DATA}");
    check(
        Client::keyed,
        |client| {
            client.record(CHANGE_CIPHER_SPEC, &[1]);
            client.sealed(APPLICATION_DATA, b"EHLO");
        },
        &early,
    );
    check(
        Client::greeted,
        |client| {
            let hello = client.hello();
            client.say(&hello);
        },
        "FlightSent NEGOTIATED ours=unexpected_message (ClientHello out of place)",
    );
    check(
        Client::keyed,
        |client| client.say(&of_type(15, &[0, 2, 1, 2])),
        "KeysExchanged NEGOTIATED ours=unexpected_message (CertificateVerify out of place)",
    );
    check(
        Client::new,
        |client| client.say(&of_type(0, &[])),
        "AwaitingHello ours=unexpected_message (HelloRequest out of place)",
    );
}

#[test]
fn what_is_no_tls_is_told() {
    #[track_caller]
    fn check(bytes: &[u8], expect: &str) {
        let mut server = server();
        server.take_in(bytes);
        assert_eq!(told(&server), format!("AwaitingHello {expect}"));
    }
    check(
        b"EHLO mx\r\n",
        "ours=unexpected_message (the client sent bytes that are no TLS: `EHLO `)",
    );
    check(
        &[0x80, 0x2e, 1, 3, 1, 0, 0x15],
        "ours=unexpected_message (a ClientHello in the form of SSL 2.0)",
    );
    check(&[22, 3, 1, 0xff, 0xff], "ours=record_overflow (more than 18432 octets of a record)");
    check(
        &[22, 3, 1, 0, 4, 1, 1, 0, 1],
        "ours=record_overflow (more than 65536 octets of a message)",
    );
    check(&[22, 3, 1, 0, 5, 1, 0, 0, 1, 0], "ours=decode_error (a malformed ClientHello)");
    check(&[21, 3, 0, 0, 2, 1, 0], "closed");
    check(&[22, 3, 1], "open");
    check(b"", "open");
}

#[test]
fn alerts_are_kept_or_end_it() {
    check(
        Client::greeted,
        |client| client.record(ALERT, &[2, 46]),
        "FlightSent NEGOTIATED client=certificate_unknown",
    );
    // Under the client's keys, in two records and with a warning before.
    check(
        Client::connected,
        |client| {
            client.sealed(ALERT, &[1, 90, 2]);
            client.sealed(ALERT, &[48]);
        },
        "Finished NEGOTIATED warning=user_canceled client=unknown_ca",
    );
    check(
        Client::connected,
        |client| {
            client.sealed(ALERT, &[1, 0]);
            assert_eq!(client.alerts, [[1, 0]]);
            client.sealed(ALERT, &[2, 40]);
        },
        "Finished NEGOTIATED closed",
    );
}

#[test]
fn a_handshake_begun_anew_is_declined() {
    check(
        Client::connected,
        |client| {
            let hello = client.hello();
            client.sealed(HANDSHAKE, &hello[..10]);
            client.sealed(HANDSHAKE, &hello[10..]);
            assert_eq!(client.alerts, [[1, 100]]);
            // Some clients take no for an answer.
            client.sealed(APPLICATION_DATA, b"QUIT");
            assert_eq!(client.server.plaintext(), b"QUIT");
        },
        "Finished NEGOTIATED open",
    );
}

#[test]
fn floods_come_to_an_end() {
    check(
        Client::connected,
        |client| (0..40).for_each(|_| client.sealed(APPLICATION_DATA, b"")),
        "Finished NEGOTIATED ours=record_overflow (more than 32 empty records)",
    );
    check(
        Client::connected,
        |client| {
            let hello = client.hello();
            (0..40).for_each(|_| client.sealed(HANDSHAKE, &hello));
        },
        "Finished NEGOTIATED ours=record_overflow (more than 32 messages and alerts)",
    );
    for version in BOTH {
        let mut client = Client::greeted(version);
        (0..40).for_each(|_| client.record(ALERT, &[1, 90]));
        assert!(told(&client.server).ends_with("(more than 32 messages and alerts)"));
    }
    check(
        Client::connected,
        |client| client.sealed(APPLICATION_DATA, &vec![0; (1 << 14) + 1]),
        "Finished NEGOTIATED ours=record_overflow (more than 16384 octets in a record)",
    );
}
