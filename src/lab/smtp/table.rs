//! The ways a peer can misbehave, each by its name in the house.
//!
//! What hangs on the certificate alone (expired, wrong name, …) is [`Script::healthy`] with such an identity.

use crate::lab::ca::Identity;
use crate::lab::smtp::{
    say::Say,
    script::{ClientCertificate, Handshake, Intolerance, Replies, Script, Starts, Tls, When},
};
use crate::model::{requirement::TlsVersion, session::Phase};
use std::time::Duration;

const GREETING: &str = "220 mx.lab.test ESMTP";
const GO: &str = "220 2.0.0 Ready to start TLS";
const KEYWORDS: [&str; 4] = ["PIPELINING", "SIZE 10240000", "8BITMIME", "ENHANCEDSTATUSCODES"];
/// What firewalls that inspect SMTP write over the keyword, so that lengths stay the same.
const STRIPPED: [&str; 2] = ["PIPELINING", "XXXXXXXA"];

/// A sound peer.
impl Script {
    /// STARTTLS, TLS 1.2 and 1.3, this identity, mail taken.
    pub fn healthy(identity: Identity) -> Self {
        Self::tls(Tls::new(identity))
    }

    /// As healthy, with the handshake as given.
    pub fn tls(tls: Tls) -> Self {
        Self {
            handshake: Handshake::Tls(Box::new(tls)),
            ..Self::no_tls(&[KEYWORDS.as_slice(), &["STARTTLS"]].concat())
        }
        .in_clear("STARTTLS", Say::line(GO))
    }

    /// As healthy, with TLS from the first octet (port 465).
    pub fn implicit_tls(identity: Identity) -> Self {
        Self { starts: Starts::InTls, ..Self::healthy(identity) }
    }

    /// With another reply to one verb in clear.
    #[must_use]
    pub fn in_clear(mut self, verb: &str, say: Say) -> Self {
        self.in_clear.set(verb, say);
        self
    }

    /// With another reply to one verb inside TLS.
    #[must_use]
    pub fn in_tls(mut self, verb: &str, say: Say) -> Self {
        self.in_tls.set(verb, say);
        self
    }

    /// With another greeting.
    #[must_use]
    pub fn greeting(mut self, say: Say) -> Self {
        self.greeting = say;
        self
    }

    /// With other greetings for the first connections.
    #[must_use]
    pub fn first(mut self, greetings: Vec<Say>) -> Self {
        self.first = greetings;
        self
    }

    fn no_tls(capabilities: &[&str]) -> Self {
        Self {
            first: Vec::new(),
            greeting: Say::line(GREETING),
            starts: Starts::InClear,
            rules: Vec::new(),
            in_clear: Replies::sound(capabilities),
            handshake: Handshake::AtOnce(Say::Close),
            in_tls: Replies::sound(&KEYWORDS),
        }
    }

    fn agrees_then(handshake: Handshake) -> Self {
        let offered = [KEYWORDS.as_slice(), &["STARTTLS"]].concat();
        Self { handshake, ..Self::no_tls(&offered) }.in_clear("STARTTLS", Say::line(GO))
    }
}

/// Before the greeting is over.
impl Script {
    /// Connects and says nothing.
    pub fn hangs() -> Self {
        Self::no_tls(&KEYWORDS).greeting(Say::Nothing)
    }

    /// Healthy, but the greeting takes its time.
    pub fn greets_late(identity: Identity, wait: Duration) -> Self {
        Self::healthy(identity).greeting(Say::line(GREETING).late(wait))
    }

    /// Answers EHLO before it was asked, in the same write as the greeting, and again when it is.
    pub fn talks_early(identity: Identity) -> Self {
        let script = Self::healthy(identity);
        let early = [GREETING.as_bytes(), b"\r\n", script.in_clear.to("EHLO").start()].concat();
        script.greeting(Say::Bytes(early))
    }

    /// A greeting of lines without end.
    pub fn endless_banner() -> Self {
        Self::no_tls(&KEYWORDS).greeting(Say::Endless(b"220-mx.lab.test says more\r\n".to_vec()))
    }

    /// A greeting of this many octets without a line end.
    pub fn floods(octets: u64) -> Self {
        Self::no_tls(&KEYWORDS).greeting(Say::Flood(b"220 ".to_vec(), octets))
    }

    /// A sound greeting, one octet per interval.
    pub fn drips(identity: Identity, every: Duration) -> Self {
        let greeting = format!("{GREETING}\r\n").into_bytes();
        Self::healthy(identity).greeting(Say::Drip(greeting, every))
    }

    /// A NUL in the greeting.
    pub fn greets_with_nul() -> Self {
        Self::no_tls(&KEYWORDS).greeting(Say::Bytes(b"220 mx\0.lab.test\r\n".to_vec()))
    }

    /// Healthy, with 8-bit octets and a terminal escape in the greeting.
    pub fn greets_in_8_bit(identity: Identity) -> Self {
        Self::healthy(identity).greeting(Say::Bytes(b"220 \xff\xfe\x1b[2Jmx\r\n".to_vec()))
    }

    /// A greeting that is no SMTP.
    pub fn speaks_http() -> Self {
        Self::no_tls(&KEYWORDS).greeting(Say::last_line("HTTP/1.1 400 Bad Request"))
    }

    /// 554 for greeting, then a close.
    pub fn refuses() -> Self {
        Self::no_tls(&KEYWORDS).greeting(Say::last_line("554 5.7.1 No SMTP service here"))
    }

    /// 421 for greeting, then a close, always.
    pub fn busy() -> Self {
        Self::no_tls(&KEYWORDS).greeting(Self::too_many())
    }

    /// 421 to so many connections first, then healthy.
    pub fn busy_at_first(identity: Identity, connections: usize) -> Self {
        Self::healthy(identity).first(vec![Self::too_many(); connections])
    }

    /// Healthy for so many connections, then 421 to all.
    pub fn rate_limits(identity: Identity, connections: usize) -> Self {
        let script = Self::healthy(identity);
        let greeting = script.greeting.clone();
        script.first(vec![greeting; connections]).greeting(Self::too_many())
    }

    fn too_many() -> Say {
        Say::last_line("421 4.7.0 Too many connections, try again later")
    }
}

/// At EHLO and STARTTLS.
impl Script {
    /// Healthy, but knows HELO alone, and so offers nothing.
    pub fn helo_only() -> Self {
        Self::no_tls(&[]).in_clear("EHLO", Say::line("502 5.5.1 Command not implemented"))
    }

    /// A reply to EHLO of this many lines, STARTTLS the last of them.
    pub fn offers_lines(identity: Identity, lines: usize) -> Self {
        let more = (1..lines.saturating_sub(1)).map(|at| format!("X-LAB-{at}"));
        let all: Vec<String> =
            ["mx.lab.test".to_owned()].into_iter().chain(more).chain(["STARTTLS".into()]).collect();
        Self::healthy(identity).in_clear("EHLO", Say::lines(250, all.iter().map(String::as_str)))
    }

    /// A reply to EHLO without end.
    pub fn endless_reply() -> Self {
        Self::no_tls(&KEYWORDS).in_clear("EHLO", Say::Endless(b"250-X-LAB\r\n".to_vec()))
    }

    /// STARTTLS is not offered.
    pub fn no_starttls() -> Self {
        Self::no_tls(&KEYWORDS)
    }

    /// Something on the path wrote over STARTTLS.
    pub fn starttls_stripped() -> Self {
        Self::no_tls(&STRIPPED)
    }

    /// Healthy, but for clients of whom all of this holds something on the path wrote over STARTTLS.
    pub fn starttls_stripped_where(identity: Identity, mut when: Vec<When>) -> Self {
        when.push(When::InClear);
        let stripped = Self::starttls_stripped().in_clear.to("EHLO");
        Self::healthy(identity).rule("EHLO", when, stripped)
    }

    /// STARTTLS is offered and answered with this line, such as `454 4.7.0 TLS not available`.
    pub fn starttls_refused(line: &str) -> Self {
        Self::agrees_then(Handshake::AtOnce(Say::Close)).in_clear("STARTTLS", Say::line(line))
    }

    /// STARTTLS is offered and never answered.
    pub fn starttls_unanswered() -> Self {
        Self::agrees_then(Handshake::AtOnce(Say::Close)).in_clear("STARTTLS", Say::Nothing)
    }

    /// Healthy, but a command lies in clear behind the 220 to STARTTLS, in the same write (CVE-2011-0411).
    pub fn injects(identity: Identity) -> Self {
        let go = format!("{GO}\r\n250 2.0.0 Injected\r\n").into_bytes();
        Self::healthy(identity).in_clear("STARTTLS", Say::Bytes(go))
    }

    /// Healthy, but octets come in clear between the ClientHello and the ServerHello.
    pub fn injects_late(identity: Identity) -> Self {
        Self::tls(Tls { injected: b"250 2.0.0 Injected\r\n".to_vec(), ..Tls::new(identity) })
    }
}

/// In the handshake and behind it.
impl Script {
    /// Agrees to STARTTLS and closes at once.
    pub fn accepts_then_drops() -> Self {
        Self::agrees_then(Handshake::AtOnce(Say::Close))
    }

    /// Agrees to STARTTLS, then does this with the ClientHello.
    pub fn answers_hello(say: Say) -> Self {
        Self::agrees_then(Handshake::AfterHello(say))
    }

    /// Agrees to STARTTLS and resets the connection at the ClientHello.
    pub fn resets_handshake() -> Self {
        Self::answers_hello(Say::Reset)
    }

    /// Agrees to STARTTLS and says no more.
    pub fn hangs_in_handshake() -> Self {
        Self::answers_hello(Say::Nothing)
    }

    /// Agrees to STARTTLS and closes when it has read the ClientHello.
    pub fn closes_at_hello() -> Self {
        Self::answers_hello(Say::Close)
    }

    /// Agrees to STARTTLS and answers the ClientHello with octets that are nothing.
    pub fn garbage() -> Self {
        Self::answers_hello(Say::Bytes(vec![0xde, 0xad, 0xbe, 0xef, 0x00, 0xff, 0x0d, 0x0a]))
    }

    /// Agrees to STARTTLS and answers the ClientHello with SMTP in clear.
    pub fn answers_in_clear() -> Self {
        Self::answers_hello(Say::line("500 error"))
    }

    /// Agrees to STARTTLS and answers the ClientHello with this fatal alert ([RFC 8446 §6]); 70 is
    /// protocol_version.
    ///
    /// [RFC 8446 §6]: https://www.rfc-editor.org/rfc/rfc8446#section-6
    pub fn tls_alert(description: u8) -> Self {
        Self::answers_hello(Say::Last(vec![0x15, 0x03, 0x01, 0x00, 0x02, 0x02, description]))
    }

    /// Healthy with TLS 1.2 alone.
    pub fn tls12_only(identity: Identity) -> Self {
        Self::tls(Tls { versions: vec![TlsVersion::Tls12], ..Tls::new(identity) })
    }

    /// Healthy with TLS 1.3 alone.
    pub fn tls13_only(identity: Identity) -> Self {
        Self::tls(Tls { versions: vec![TlsVersion::Tls13], ..Tls::new(identity) })
    }

    /// Healthy, asking for a client certificate or demanding one.
    pub fn wants_client_certificate(identity: Identity, asks: ClientCertificate) -> Self {
        Self::tls(Tls { client_certificate: asks, ..Tls::new(identity) })
    }

    /// Healthy, stapling this OCSP response.
    pub fn staples(identity: Identity, response: Vec<u8>) -> Self {
        Self::tls(Tls { ocsp: Some(response), ..Tls::new(identity) })
    }

    /// Healthy, with another identity for one SNI name; without SNI it shows the first.
    pub fn depends_on_sni(without: Identity, name: &str, with: Identity) -> Self {
        let by_sni = [(name.to_ascii_lowercase(), with)].into();
        Self::tls(Tls { by_sni, ..Tls::new(without) })
    }

    /// Healthy to a small ClientHello; more than 1000 octets (a post-quantum key share) it treats so.
    pub fn pq_intolerant(identity: Identity, then: Say) -> Self {
        let intolerance = Some(Intolerance { octets: 1000, then, connections: usize::MAX });
        Self::tls(Tls { intolerance, ..Tls::new(identity) })
    }

    /// Healthy, but the first connection is reset at the ClientHello.
    pub fn resets_one_handshake(identity: Identity) -> Self {
        let intolerance = Some(Intolerance { octets: 0, then: Say::Reset, connections: 1 });
        Self::tls(Tls { intolerance, ..Tls::new(identity) })
    }

    /// Healthy, but closes when the handshake is done.
    pub fn drops_after_handshake(identity: Identity) -> Self {
        Self::tls(Tls { afterwards: Some(Say::Close), ..Tls::new(identity) })
    }

    /// Healthy, but answers EHLO inside TLS with 421: what some do to clients without a certificate.
    pub fn turns_away_inside_tls(identity: Identity) -> Self {
        let reply = "421 4.7.0 A client certificate is required";
        Self::healthy(identity).in_tls("EHLO", Say::last_line(reply))
    }

    /// Healthy, but RCPT is answered with 450 inside TLS.
    pub fn greylists(identity: Identity) -> Self {
        Self::healthy(identity).in_tls("RCPT", Say::line("450 4.7.1 Greylisted, try again later"))
    }

    /// Healthy up to one phase, where it closes.
    pub fn close_at(phase: Phase, identity: Identity) -> Self {
        let script = Self::healthy(identity);
        match phase {
            Phase::Connect => script.greeting(Say::Close),
            Phase::Ehlo => script.in_clear("EHLO", Say::Close),
            Phase::Starttls => script.in_clear("STARTTLS", Say::Close),
            Phase::Handshake => Self { handshake: Handshake::AfterHello(Say::Close), ..script },
            Phase::EhloTls => script.in_tls("EHLO", Say::Close),
            Phase::Mail => script.in_tls("MAIL", Say::Close),
            Phase::Rcpt => script.in_tls("RCPT", Say::Close),
            Phase::Data => script.in_tls("DATA", Say::Close),
            Phase::Accepted => script.in_tls(".", Say::Close),
        }
    }
}
