//! Golden flights of real servers, refusals in two columns, and properties of the reader.

mod clients;
mod offers;

use super::*;
use crate::wire::text;
use proptest::prelude::*;

const CHAIN: usize = 64 << 10;

macro_rules! flight {
    ($name:literal) => {
        unhex(include_str!(concat!("../../../tests/data/flights/", $name, ".hex")))
    };
}

fn unhex(lines: &str) -> Vec<u8> {
    text::from_hex(&lines.split_whitespace().collect::<String>()).unwrap()
}

fn read(mut bytes: &[u8]) -> Result<Option<Flight>, FlightError> {
    FlightReader::new(FlightLimits::around(CHAIN)).take_from(&mut bytes)
}

/// A flight in one line.
fn told(flight: &Flight) -> String {
    let mut words: Vec<String> = flight.negotiated().iter().map(ToString::to_string).collect();
    words.extend(flight.dh_bits.map(|bits| format!("dh={bits}")));
    if !flight.certificates.is_empty() {
        words.push(format!("certificates={}", flight.certificates.len()));
    }
    words.extend(flight.ocsp.iter().map(|_| "stapled".to_owned()));
    let marks = [
        (flight.hello_retry, "retry"),
        (flight.client_certificate_requested, "asks"),
        (flight.done, "done"),
    ];
    words.extend(marks.iter().filter(|(is_so, _)| *is_so).map(|(_, word)| (*word).to_owned()));
    words.extend(flight.alert.map(|alert| format!("alert={alert}")));
    words.join(" ")
}

#[test]
fn golden_flights_are_read() {
    #[track_caller]
    fn check(bytes: &[u8], expect: &str) {
        assert_eq!(read(bytes).unwrap().as_ref().map(told).as_deref(), Some(expect));
    }
    const CBC: &str = "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA x25519 certificates=2 done";
    check(&flight!("ssl3-made-by-hand"), "SSLv3 TLS_RSA_WITH_RC4_128_SHA certificates=1 done");
    check(&flight!("tls10"), &format!("TLSv1.0 {CBC}"));
    check(&flight!("tls11"), &format!("TLSv1.1 {CBC}"));
    check(&flight!("tls10-asked-11"), &format!("TLSv1.0 {CBC}"));
    check(
        &flight!("tls12-cbc"),
        "TLSv1.2 TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384 x25519 certificates=2 done",
    );
    check(
        &flight!("tls12-rsa-key-exchange"),
        "TLSv1.2 TLS_RSA_WITH_AES_256_CBC_SHA certificates=2 done",
    );
    check(
        &flight!("tls12-dhe-1024"),
        "TLSv1.2 TLS_DHE_RSA_WITH_AES_128_CBC_SHA dh=1024 certificates=2 done",
    );
    check(&flight!("tls12-anonymous-dh"), "TLSv1.2 TLS_DH_anon_WITH_AES_128_CBC_SHA dh=1024 done");
    check(
        &flight!("tls12-anonymous-ecdh"),
        "TLSv1.2 TLS_ECDH_anon_WITH_AES_128_CBC_SHA x25519 done",
    );
    check(
        &flight!("tls12-client-certificate"),
        "TLSv1.2 TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384 x25519 certificates=2 asks done",
    );
    check(
        &flight!("tls12-stapled"),
        "TLSv1.2 TLS_RSA_WITH_AES_128_CBC_SHA certificates=2 stapled done",
    );
    check(&flight!("tls12-fragmented"), "TLSv1.2 TLS_RSA_WITH_AES_128_CBC_SHA certificates=2 done");
    check(&flight!("tls13"), "TLSv1.3 TLS_AES_256_GCM_SHA384 x25519");
    check(&flight!("tls13-retry-p384"), "TLSv1.3 TLS_AES_256_GCM_SHA384 secp384r1 retry");
    check(&flight!("alert-protocol-version"), "alert=protocol_version");
    check(&flight!("alert-handshake-failure"), "alert=handshake_failure");
    // What each sender gets from OpenSSL 3.0 as it comes.
    check(&flight!("sender-exchange-online"), "TLSv1.3 TLS_AES_256_GCM_SHA384 x25519");
    check(&flight!("sender-gmail"), "TLSv1.3 TLS_AES_128_GCM_SHA256 x25519");
    check(&flight!("sender-postfix"), "TLSv1.3 TLS_AES_256_GCM_SHA384 x25519");
}

#[test]
fn certificates_come_out_whole() {
    let flight = read(&flight!("tls12-fragmented")).unwrap().unwrap();
    let names: Vec<String> = flight
        .certificates
        .iter()
        .map(|der| crate::wire::x509::Certificate::parse(der).unwrap().subject)
        .collect();
    assert_eq!(names, ["CN=mx.example.org", "CN=Flight test CA"]);
}

#[test]
fn a_version_is_accepted_only_when_named_and_done() {
    let asked = Offer::up_to(TlsVersion::Tls11);
    let older = read(&flight!("tls10-asked-11")).unwrap().unwrap();
    assert!(!older.is_accepting(&asked) && older.is_within(&asked));
    assert!(older.is_accepting(&Offer::up_to(TlsVersion::Tls10)));
    let whole = flight!("tls11");
    assert!(read(&whole).unwrap().unwrap().is_accepting(&asked));
    // The server broke off before its last message.
    let mut reader = FlightReader::new(FlightLimits::around(CHAIN));
    let mut cut = &whole[..whole.len() - 9];
    assert_eq!(reader.take_from(&mut cut), Ok(None));
    assert_eq!(reader.so_far().version, Some(TlsVersion::Tls11));
    assert_eq!(reader.so_far().certificates.len(), 2);
    assert!(!reader.so_far().is_accepting(&asked));
    // A suite nobody offered.
    assert!(!older.is_within(&asked.without(&[older.suite.unwrap()])));
    let latest = read(&flight!("tls13")).unwrap().unwrap();
    assert!(latest.is_accepting(&Offer::up_to(TlsVersion::Tls13)));
}

/// A record of this type, at TLS 1.2.
fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind, 3, 3], length.as_slice(), body].concat()
}

/// A handshake message in a record of its own.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    record(22, &[&[kind], &length[1..], body].concat())
}

fn hello(version: [u8; 2], suite: u16, extensions: &[u8]) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend_from_slice(&[5; 32]);
    body.push(0);
    body.extend_from_slice(&suite.to_be_bytes());
    body.push(0);
    body.extend_from_slice(extensions);
    message(2, &body)
}

#[test]
fn what_is_no_flight_is_refused() {
    #[track_caller]
    fn check(bytes: &[u8], expect: &str) {
        let got = match read(bytes) {
            Ok(None) => "more".to_owned(),
            Ok(Some(flight)) => told(&flight),
            Err(error) => error.to_string(),
        };
        assert_eq!(got, expect);
    }
    let rsa = hello([3, 3], 0x002f, &[]);
    check(b"", "more");
    check(b"220", "more"); // not decided yet
    check(b"220 go\r\n", "the server sent bytes that are no TLS: `220 g`");
    check(
        b"\x80\x2e\x04\0\0\0\x02",
        "the server sent bytes that are no TLS: `\\x80.\\x04\\x00\\x00`",
    ); // SSL 2
    check(&[22, 3, 9, 0, 1, 0], "the server sent bytes that are no TLS: `\\x16\\x03\\t\\x00\\x01`");
    check(
        &[22, 3, 3, 0xff, 0xff],
        "the server sent bytes that are no TLS: `\\x16\\x03\\x03\\xff\\xff`",
    );
    check(&record(22, &[]), "a malformed record");
    check(&[rsa.clone(), b"garbage".to_vec()].concat(), "a malformed record");
    check(&record(20, &[1]), "ChangeCipherSpec out of place");
    check(&record(23, &[0; 40]), "application data out of place");
    check(&record(21, &[2]), "a malformed alert");
    check(&record(21, &[2, 86]), "alert=inappropriate_fallback");
    check(&record(21, &[1, 0]), "alert=close_notify");
    check(&record(21, &[1, 112]), "more"); // a warning about the name (RFC 6066 §3)
    check(
        &[record(21, &[1, 112]), rsa.clone(), message(14, &[])].concat(),
        "TLSv1.2 TLS_RSA_WITH_AES_128_CBC_SHA done alert=unrecognized_name",
    );
    check(
        &[rsa.clone(), record(21, &[2, 80])].concat(),
        "TLSv1.2 TLS_RSA_WITH_AES_128_CBC_SHA alert=internal_error",
    );
    check(&message(14, &[]), "ServerHelloDone out of place");
    check(&[rsa.clone(), rsa.clone()].concat(), "ServerHello out of place");
    check(&[rsa.clone(), message(20, &[0; 12])].concat(), "Finished out of place");
    check(&[rsa.clone(), message(99, &[])].concat(), "a message of another kind out of place");
    check(&[message(0, &[]), rsa.clone()].concat(), "more"); // HelloRequest means nothing
    check(&message(2, &[3, 3, 0]), "a malformed ServerHello");
    check(&hello([3, 4], 0x1301, &[]), "a malformed ServerHello"); // RFC 8446 §4.1.3
    check(&hello([3, 3], 0x1301, &[0, 6, 0, 43, 0, 2, 0x7f, 0x1c]), "a malformed ServerHello"); // a draft
    check(&hello([3, 3], 0x1301, &[0, 6, 0, 43, 0, 2, 3, 3]), "a malformed ServerHello");
    check(&hello([3, 3], 0x1301, &[0, 6, 0, 43, 0, 2, 3, 4]), "TLSv1.3 TLS_AES_128_GCM_SHA256");
    check(&hello([3, 3], 0x1301, &[0, 7, 0, 43, 0, 2, 3, 4]), "a malformed ServerHello"); // cut short
    check(&hello([3, 3], 0x1301, &[0, 7, 0, 43, 0, 2, 3, 4, 0]), "a malformed ServerHello");
    check(
        &[rsa.clone(), message(11, &[0, 0, 5, 0, 0, 9, 1, 2])].concat(),
        "a malformed Certificate",
    );
    check(&[rsa, message(11, &[0, 0, 4, 0, 0, 9, 1])].concat(), "a malformed Certificate");
    let dhe = hello([3, 3], 0x0033, &[]);
    check(&[dhe.clone(), message(12, &[0, 9, 1])].concat(), "a malformed ServerKeyExchange");
    check(
        &[dhe, message(12, &[0, 3, 0, 1, 0, 0, 1, 2, 0, 1, 3]), message(14, &[])].concat(),
        "TLSv1.2 TLS_DHE_RSA_WITH_AES_128_CBC_SHA dh=9 done",
    );
    // The temporary key of an export suite is not Diffie-Hellman.
    check(
        &[hello([3, 1], 0x0003, &[]), message(12, &[0, 1, 9]), message(14, &[])].concat(),
        "TLSv1.0 TLS_RSA_EXPORT_WITH_RC4_40_MD5 done",
    );
}

#[test]
fn what_a_peer_may_make_us_store_is_bounded() {
    #[track_caller]
    fn check(limits: FlightLimits, bytes: &[u8], expect: &str) {
        let error = FlightReader::new(limits).take_from(&mut &*bytes).unwrap_err();
        assert!(error.is_excess());
        assert_eq!(error.to_string(), expect);
    }
    let limits = FlightLimits { chain: 1000, octets: 4000, messages: 3 };
    check(limits, &flight!("tls10"), "more than 1000 octets of certificates");
    check(limits, &flight!("tls12-stapled"), "more than 1000 octets of certificates");
    check(limits, &record(22, &[0, 0, 0, 0].repeat(4)), "more than 3 messages");
    check(limits, &record(21, &[1, 90]).repeat(4), "more than 3 messages");
    check(limits, &record(22, &[2, 0xff, 0xff, 0xff]), "more than 4000 octets");
    check(limits, &record(22, &[2, 0, 15, 0]).repeat(500), "more than 4000 octets");
    check(limits, &[22, 3, 3, 0x40, 0], "more than 4000 octets"); // before it comes
}

#[test]
fn what_follows_the_flight_is_left() {
    let bytes = [flight!("tls12-cbc"), b"220 x".to_vec()].concat();
    let mut input = bytes.as_slice();
    let mut reader = FlightReader::new(FlightLimits::around(CHAIN));
    assert!(reader.take_from(&mut input).unwrap().unwrap().done);
    assert_eq!(input, b"220 x");
    assert_eq!(reader.take_from(&mut input), Err(FlightError::NotTls("220 x".to_owned())));
    assert_eq!(reader.unfinished().as_deref(), Some("220 x"));
}

fn golden() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(vec![
        flight!("ssl3-made-by-hand"),
        flight!("tls10"),
        flight!("tls12-dhe-1024"),
        flight!("tls12-anonymous-ecdh"),
        flight!("tls12-client-certificate"),
        flight!("tls12-stapled"),
        flight!("tls12-fragmented"),
        flight!("tls13-retry-p384"),
    ])
}

/// A golden flight with some octets changed, and perhaps cut short.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    (golden(), changes, any::<prop::sample::Index>(), any::<bool>()).prop_map(
        |(mut bytes, changes, end, is_cut)| {
            for (at, octet) in changes {
                let at = at.index(bytes.len().min(200)); // headers are where the harm is
                bytes[at] = octet;
            }
            if is_cut {
                bytes.truncate(end.index(bytes.len()));
            }
            bytes
        },
    )
}

/// Result, what was understood, and what was left, with the input fed in pieces.
fn fed(bytes: &[u8], cuts: &[usize]) -> (Result<Option<Flight>, FlightError>, Flight, usize) {
    let mut reader = FlightReader::new(FlightLimits::around(4096));
    let mut start = 0;
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    for end in ends {
        let mut piece = &bytes[start..end];
        let outcome = reader.take_from(&mut piece);
        start = end;
        if outcome != Ok(None) {
            return (outcome, reader.so_far().clone(), bytes.len() - end + piece.len());
        }
    }
    (Ok(None), reader.so_far().clone(), 0)
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = read(&bytes);
        let _ = read(&record(22, &bytes));
        for kind in [2, 11, 12, 13, 14, 22] {
            let _ = read(&[hello([3, 3], 0x0033, &[]), message(kind, &bytes)].concat());
            let _ = read(&[hello([3, 3], 0xc013, &[]), message(kind, &bytes)].concat());
        }
        let _ = read(&message(2, &[&[3, 3], bytes.as_slice()].concat()));
        let _ = read(&hello([3, 3], 0x1301, &bytes));
    }

    /// However the network cuts it, good or bad, the outcome is the same.
    #[test]
    fn cuts_do_not_matter(bytes in mutated(), cuts in prop::collection::vec(any::<usize>(), 0..8)) {
        prop_assert_eq!(fed(&bytes, &[]), fed(&bytes, &cuts));
    }
}
