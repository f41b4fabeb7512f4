//! Receivers that refuse some mail and not other, each by its name in the house: those that enforce, and
//! those that only seem to.
//!
//! The words are those of real servers.

use crate::lab::ca::Identity;
use crate::lab::smtp::{
    say::Say,
    script::{ClientCertificate, Rule, Script, Tls, When},
};
use crate::model::requirement::TlsVersion;
use std::net::IpAddr;

/// What Exchange Online ends its replies with.
const TRAILER: &str =
    "[CH3PEPF00000016.namprd21.prod.outlook.com 2025-01-29T19:07:30.476Z 08DD3FA5DBC8F401]";

impl Script {
    /// With a reply to one verb where all of this holds.
    #[must_use]
    pub fn rule(mut self, verb: &'static str, when: Vec<When>, say: Say) -> Self {
        self.rules.push(Rule { verb, when, say });
        self
    }

    /// Answers a verb in clear with this line: `MAIL` as Postfix does that demands TLS of everybody, `RCPT`
    /// as it does with a restriction, `.` as a filter does behind the message.
    pub fn requires_tls_at(identity: Identity, verb: &'static str, line: &str) -> Self {
        Self::healthy(identity).rule(verb, vec![When::InClear], Say::line(line))
    }

    /// The same for the senders of one domain alone.
    pub fn requires_tls_from(
        identity: Identity,
        domain: &'static str,
        verb: &'static str,
        line: &str,
    ) -> Self {
        let when = vec![When::InClear, When::From(domain)];
        Self::healthy(identity).rule(verb, when, Say::line(line))
    }

    /// Healthy, but closes without a word when mail is offered in clear.
    pub fn closes_in_clear(identity: Identity) -> Self {
        Self::healthy(identity).rule("MAIL", vec![When::InClear], Say::Close)
    }

    /// Demands TLS, and inside it turns away everybody without a certificate for this name, at EHLO: Postfix
    /// with `smtpd_tls_req_ccert`.
    pub fn requires_certificate(identity: Identity, name: &'static str) -> Self {
        let asks = Tls { client_certificate: ClientCertificate::Optional, ..Tls::new(identity) };
        let when = vec![When::InTls, When::WithoutCertificate(name)];
        let away = "421 4.7.1 mx.lab.test Error: Client certificate not trusted";
        Self::tls(asks).rule("EHLO", when, Say::last_line(away)).rule(
            "MAIL",
            vec![When::InClear],
            Say::line("530 5.7.0 Must issue a STARTTLS command first"),
        )
    }

    /// Demands a certificate in the handshake, whichever; in clear it takes everything: Exim with
    /// `tls_verify_hosts`.
    pub fn requires_any_certificate(identity: Identity, versions: Vec<TlsVersion>) -> Self {
        let asks = ClientCertificate::Required;
        Self::tls(Tls { client_certificate: asks, versions, ..Tls::new(identity) })
    }

    /// Healthy, but every new triplet of address, sender and recipient gets a 450 first.
    pub fn greylists_new(identity: Identity) -> Self {
        Self::greylists_where(identity, vec![When::New])
    }

    /// The same to clients in clear alone.
    pub fn greylists_in_clear(identity: Identity) -> Self {
        Self::greylists_where(identity, vec![When::InClear, When::New])
    }

    fn greylists_where(identity: Identity, when: Vec<When>) -> Self {
        let reply = "450 4.2.0 <tls-probe@contoso.test>: Recipient address rejected: Greylisted";
        Self::healthy(identity).rule("RCPT", when, Say::line(reply))
    }

    /// Healthy, but knows no recipient.
    pub fn knows_nobody(identity: Identity) -> Self {
        let reply = "550 5.1.1 <tls-probe@contoso.test>: Recipient address rejected: User unknown";
        Self::healthy(identity).rule("RCPT", Vec::new(), Say::line(reply))
    }

    /// Healthy, and answers old hellos with these flights.
    pub fn takes_legacy(identity: Identity, flights: Vec<(TlsVersion, Vec<u8>)>) -> Self {
        Self::tls(Tls { legacy: flights.into_iter().collect(), ..Tls::new(identity) })
    }

    /// Exchange Online with RequireTls for this domain: at MAIL, and gone.
    pub fn exchange_requires_tls(identity: Identity, domain: &'static str) -> Self {
        let reply = format!("451 5.7.3 STARTTLS is required to send mail {TRAILER}");
        let when = vec![When::InClear, When::From(domain)];
        Self::healthy(identity).rule("MAIL", when, Say::last_line(&reply))
    }

    /// Exchange Online with RestrictDomainsToCertificate for this domain: at RCPT.
    pub fn exchange_requires_certificate(
        identity: Identity,
        domain: &'static str,
        name: &'static str,
    ) -> Self {
        let asks = Tls { client_certificate: ClientCertificate::Optional, ..Tls::new(identity) };
        let when = vec![When::From(domain), When::WithoutCertificate(name)];
        Self::tls(asks).rule("RCPT", when, Self::not_attributed())
    }

    /// Exchange Online with RestrictDomainsToIPAddresses for this domain: at RCPT.
    pub fn exchange_requires_address(
        identity: Identity,
        domain: &'static str,
        address: IpAddr,
    ) -> Self {
        let when = vec![When::From(domain), When::ElsewhereThan(address)];
        Self::healthy(identity).rule("RCPT", when, Self::not_attributed())
    }

    fn not_attributed() -> Say {
        Say::line(&format!(
            "550 5.7.51 TenantInboundAttribution; There is a partner connector configured that matched \
             the message's recipient domain. The connector had either the RestrictDomainsToIPAddresses \
             or RestrictDomainsToCertificate set {TRAILER}"
        ))
    }
}
