//! What every finding means: a dictionary, in alphabetical order.
//!
//! The receiver of `receiver-offers` and the sender of `sender-enforces` are the partner's in one
//! direction and ours in the other (contract §3), so the advice speaks of the host's operator.
//!
//! Invariant: a text never says more than the id does; what was seen in the case at hand stands in
//! the finding itself.

use super::Explanation;
use crate::model::finding::FindingId;

pub(in crate::model) fn finding(id: FindingId) -> &'static Explanation {
    match id {
        FindingId::CertBadSignature => &Explanation {
            title: "a signature in the certificate chain does not verify",
            meaning: "A certificate of the presented chain names an issuer whose public key does \
                      not verify the certificate's signature, or the server could not prove that \
                      it holds the key of its own certificate.",
            why: "A chain with a broken signature ties the server to no authority: anyone could \
                  have made it.",
            advice: "Tell the host's operator: key, certificate and intermediates do not belong \
                     together, often after half a renewal. Install the files of one and the same \
                     issue (in Postfix `smtpd_tls_chain_files`: the key, then `fullchain.pem`), \
                     reload, and look again with `openssl s_client -starttls smtp -connect \
                     HOST:25 -servername HOST -showcerts`.",
            reference: "RFC 5280 §6.1.3",
        },
        FindingId::CertChainIncomplete => &Explanation {
            title: "an intermediate certificate is missing from the chain",
            meaning: "The server's certificate is signed by an intermediate authority, and the \
                      server did not send that intermediate. The chain cannot be followed to a \
                      trusted root with what was sent.",
            why: "Many senders, Exchange Online among them, do not fetch missing intermediates. \
                  Where they must validate the certificate they refuse to deliver.",
            advice: "Tell the host's operator to send the whole chain: install `fullchain.pem`, \
                     not `cert.pem` (in Postfix `smtpd_tls_chain_files`, in Exim \
                     `tls_certificate`; on Windows import the intermediate into the computer's \
                     Intermediate Certification Authorities store). Browsers hide this fault; \
                     check with `openssl s_client -starttls smtp -connect HOST:25 -servername \
                     HOST -showcerts`.",
            reference: "RFC 8446 §4.4.2",
        },
        FindingId::CertChanged => &Explanation {
            title: "the certificate differs from the one seen before",
            meaning: "The endpoint presents another certificate than at the last confirmed look. \
                      The new one was judged by the same rules; its other faults, if any, are \
                      told apart.",
            why: "Renewals are routine, but a change nobody planned can be a mistake or a \
                  machine in between. Pins and TLSA records must follow the change.",
            advice: "Compare issuer, names, dates and public key with the renewal you expect, \
                     and ask the host's operator if none was announced. Where you pin, add the \
                     new SHA-256 to `pins` once it is confirmed over another channel.",
            reference: "mxwarden contract §2",
        },
        FindingId::CertDependsOnSni => &Explanation {
            title: "without SNI the server shows another certificate, or none",
            meaning: "The server was asked twice: with the host's name in the TLS server name \
                      extension (SNI) and without it. The two answers differ in the certificate, \
                      or the handshake without SNI failed.",
            why: "Many mail servers send no SNI: Postfix below its `dane` level, for one. Such a \
                  sender may be shown a certificate that fails where the other one passes.",
            advice: "Tell the host's operator to make the certificate of the MX name the default \
                     one, and compare `openssl s_client -starttls smtp -connect HOST:25 \
                     -servername HOST` with the same command and `-noservername`. If you know \
                     whether your own sender sends SNI, say so with `sni` in its \
                     `[[connector]]`.",
            reference: "RFC 6066 §3",
        },
        FindingId::CertDiffersBetweenEndpoints => &Explanation {
            title: "not all endpoints present the same certificate",
            meaning: "Endpoints of one target, such as two addresses of one MX host, present \
                      different certificates.",
            why: "A sender may pick any of them, so a fault in one shows in part of the mail \
                  only. A renewal that reached only some of the machines looks just like this.",
            advice: "Where it is not meant so, ask the operator to install the current \
                     certificate on every machine behind the name. Check each address: `openssl \
                     s_client -starttls smtp -connect ADDRESS:25 -servername HOST`.",
            reference: "RFC 5321 §5.1",
        },
        FindingId::CertExpired => &Explanation {
            title: "the certificate has expired",
            meaning: "A certificate of the chain was looked at after its notAfter time. Its \
                      trust and its name are judged apart and are told as they are.",
            why: "A sender that validates certificates must not accept it, so mail under forced \
                  TLS stays in the queue and bounces in the end.",
            advice: "Tell the host's operator: renew, install and reload; most often the renewal \
                     ran but the mail server still serves the old file (`postfix reload`; on \
                     Exchange Server `Enable-ExchangeCertificate -Services SMTP`). Check with \
                     `openssl s_client -starttls smtp -connect HOST:25 -servername HOST \
                     </dev/null | openssl x509 -noout -dates`.",
            reference: "RFC 5280 §4.1.2.5",
        },
        FindingId::CertExpiresSoon => &Explanation {
            title: "the certificate expires soon",
            meaning: "A certificate of the chain is still in date, and its notAfter time lies \
                      within the warning period (`warn_days`, or `--warn-days`).",
            why: "After that moment senders that validate certificates stop delivering. Nothing \
                  is broken yet.",
            advice: "Tell the host's operator the date, and ask whether renewal is automatic and \
                     includes a reload of the mail server. Replace pins and TLSA records before \
                     the new certificate goes live.",
            reference: "RFC 5280 §4.1.2.5",
        },
        FindingId::CertInvalid => &Explanation {
            title: "the certificate chain does not validate",
            meaning: "A certificate of the chain cannot be read, or the path breaks a rule other \
                      than signature, dates and issuer: a name constraint, a path length, an \
                      unknown critical extension, an issuer that is no CA.",
            why: "Senders that validate certificates refuse such a chain, each at the point where \
                  its own library notices.",
            advice: "Tell the host's operator what was seen, and to look at the chain with \
                     `openssl s_client -starttls smtp -connect HOST:25 -showcerts` and `openssl \
                     verify -show_chain`; the CA that issued it can say what is wrong.",
            reference: "RFC 5280 §6.1",
        },
        FindingId::CertIsCa => &Explanation {
            title: "the server's certificate is marked as a certificate authority",
            meaning: "The server presents as its own a certificate whose basic constraints say \
                      CA:TRUE. `openssl req -x509` makes such certificates unless told \
                      otherwise.",
            why: "A CA certificate is meant to sign others, not to identify a server. Strict \
                  validators refuse it, and whoever holds its key could issue certificates \
                  wherever it is trusted.",
            advice: "Tell the host's operator to use a server certificate issued by a CA; a \
                     self-signed one should at least be made anew with `-addext \
                     basicConstraints=critical,CA:FALSE`.",
            reference: "RFC 5280 §4.2.1.9",
        },
        FindingId::CertNameMismatch => &Explanation {
            title: "the certificate does not match the required name",
            meaning: "None of the certificate's DNS names matches a name that the requirement \
                      accepts (`names`, or the MX host name where none is given). A wildcard \
                      covers exactly one label, the left-most.",
            why: "Encryption to the wrong server protects nothing: a certificate for some other \
                  name can be had by anyone who owns that name.",
            advice: "First make sure that the required name is the agreed one; with hosted mail \
                     it is often the provider's, not the partner's own domain. Then ask the \
                     host's operator for a certificate that has the name among its subject \
                     alternative names: `openssl s_client -starttls smtp -connect HOST:25 \
                     -servername HOST </dev/null | openssl x509 -noout -ext subjectAltName`.",
            reference: "RFC 9525 §6.3",
        },
        FindingId::CertNoSan => &Explanation {
            title: "the certificate names its host in the common name only",
            meaning: "The certificate has no subject alternative name of type dNSName. Its \
                      subject common name (CN) was compared in place of one.",
            why: "The standard no longer lets the common name identify a server. Some senders \
                  still accept it, others already refuse it.",
            advice: "Ask the host's operator for a certificate that carries its names as subject \
                     alternative names; every public CA issues them so, an in-house CA may need \
                     `subjectAltName` in its request or profile.",
            reference: "RFC 9525 §2",
        },
        FindingId::CertNotYetValid => &Explanation {
            title: "the certificate is not valid yet",
            meaning: "A certificate of the chain was looked at before its notBefore time.",
            why: "A sender that validates certificates refuses it until then. If our clock were \
                  slow it would look the same.",
            advice: "Compare our clock with a time server (`timedatectl`). If it is right, tell \
                     the host's operator that the certificate was installed too early, or was \
                     issued by a machine whose clock is fast.",
            reference: "RFC 5280 §4.1.2.5",
        },
        FindingId::CertPinMismatch => &Explanation {
            title: "the certificate matches none of the pins",
            meaning: "The SHA-256 of the certificate and the SHA-256 of its public key were \
                      compared with `pins`; none is equal.",
            why: "At level `pinned` the pin alone says who the receiver is. A new key that \
                  nobody announced cannot be told from an impostor.",
            advice: "Ask the partner over another channel whether the key was changed, and for \
                     its SHA-256; only then change `pins`. Compute the key's with `openssl x509 \
                     -in cert.pem -noout -pubkey | openssl pkey -pubin -outform DER | openssl \
                     dgst -sha256`. A pin on the public key outlives renewals that keep the key.",
            reference: "mxwarden contract §2",
        },
        FindingId::CertRevoked => &Explanation {
            title: "the certificate has been revoked",
            meaning: "The server stapled an OCSP response to the handshake, and that response \
                      says that the certificate is revoked.",
            why: "The issuer has withdrawn the certificate, for instance because its key was \
                  stolen. Senders that check revocation refuse it.",
            advice: "Tell the host's operator at once: make a new key, have a new certificate \
                     issued, install both and reload. The old key must not be used again until \
                     the reason is known.",
            reference: "RFC 6960 §2.2",
        },
        FindingId::CertSelfSigned => &Explanation {
            title: "the certificate is self-signed",
            meaning: "The server's certificate is signed with its own key and is not itself \
                      among the trusted roots.",
            why: "It encrypts, but it does not prove who the receiver is: anyone can make one \
                  with the same names. Levels `ca`, `name` and `mta-sts` do not accept it.",
            advice: "Ask the host's operator for a certificate of a public CA (such as one \
                     obtained over ACME), or agree on level `pinned` or `dane`, where a \
                     self-signed certificate can be proof. `encrypt` accepts it, and does not \
                     tell an impostor from the partner.",
            reference: "RFC 5280 §3.2",
        },
        FindingId::CertUnknownIssuer => &Explanation {
            title: "the chain does not end at a trusted root",
            meaning: "The chain leads to an issuer that is not among the roots in use (`[tls] \
                      roots` and `ca_files`, or `--ca-file`). It may be a private CA, or a root \
                      that was removed or never included.",
            why: "Without a trusted root nobody known to us vouches for the name in the \
                  certificate.",
            advice: "Ask the host's operator for a certificate of a public CA. If the partner's \
                     private CA is part of the agreement, add its root with `ca_files`, and make \
                     sure that the sending mail system trusts it as well.",
            reference: "RFC 5280 §6.1",
        },
        FindingId::CertVersion => &Explanation {
            title: "the certificate is not X.509 version 3",
            meaning: "The server presents an X.509 certificate of version 1 or 2. Such a \
                      certificate has no extensions, so neither subject alternative names nor \
                      key usage.",
            why: "TLS asks for version 3, and strict validators refuse anything else.",
            advice: "Tell the host's operator to have the certificate issued anew by a current \
                     CA; old in-house scripts that call `openssl x509 -req` without an \
                     extensions file are the usual cause.",
            reference: "RFC 8446 §4.4.2.2",
        },
        FindingId::CertWeakKey => &Explanation {
            title: "the certificate's public key is too short",
            meaning: "A certificate of the chain has a public key that is short by today's \
                      measure, such as RSA below 2,048 bits.",
            why: "Short keys can be broken by those who can afford it, and some validators \
                  already refuse them.",
            advice: "Ask the host's operator for a new key of at least RSA 2,048 bits or ECDSA \
                     P-256, and a certificate issued for it.",
            reference: "RFC 9325 §4.5",
        },
        FindingId::CertWeakSignature => &Explanation {
            title: "the certificate is signed with SHA-1 or MD5",
            meaning: "A certificate of the chain, other than the root, is signed with SHA-1 or \
                      MD5.",
            why: "Two different certificates can be made to share one such signature, so it no \
                  longer proves what the issuer signed. Current TLS libraries refuse it.",
            advice: "Ask the host's operator to have the certificate issued anew with SHA-256 or \
                     better; an in-house CA must first change its own signing algorithm. \
                     `openssl x509 -in cert.pem -noout -text` shows the signature algorithm.",
            reference: "RFC 9325 §4.5",
        },
        FindingId::CertWrongUsage => &Explanation {
            title: "the certificate is not meant for a TLS server",
            meaning: "The certificate's key usage or extended key usage leaves out what a TLS \
                      server needs; most often the extended key usage lacks `serverAuth`.",
            why: "The issuer vouched for another use, such as client authentication or signing \
                  mail. Validators refuse the certificate for a server.",
            advice: "Ask the host's operator for a certificate with the extended key usage \
                     `serverAuth`. `openssl x509 -in cert.pem -noout -purpose` shows what the \
                     present one is good for.",
            reference: "RFC 5280 §4.2.1.12",
        },
        FindingId::ClientCertNotRequired => &Explanation {
            title: "mail was taken without a client certificate",
            meaning: "The requirement names client certificates (`client_names`), and a probe \
                      over TLS that presented none, sent as the partner, was accepted as far as \
                      `until` goes.",
            why: "Anyone who can speak TLS can hand in mail under the partner's name: the \
                  certificate is asked for, or not even that, but not insisted on.",
            advice: "Agree on the date with the partner, and see first that its mail comes with the \
                     certificate and the whole chain: what comes without is refused from then on. \
                     Then make it a condition: at Exchange Online `Set-InboundConnector -Identity \
                     NAME -TlsSenderCertificateName CERTNAME -RestrictDomainsToCertificate $true`; in \
                     Postfix use `check_ccert_access` and reject otherwise. `smtpd_tls_ask_ccert` \
                     alone refuses nobody.",
            reference: "mxwarden contract §3",
        },
        FindingId::ClientCertRequired => &Explanation {
            title: "the server insists on a client certificate",
            meaning: "The receiver does not go on with a sender that presents no certificate: it \
                      ends the handshake with an alert, closes the connection, or refuses the \
                      next command and says so.",
            why: "A sender without a certificate that this receiver accepts cannot deliver at \
                  all. That is right where it was agreed, and a surprise on a public MX.",
            advice: "Find out whether the partner means it. If so, make sure that the sending \
                     mail system presents an accepted certificate; if not, tell the operator to \
                     ask for one without insisting (in Postfix `smtpd_tls_ask_ccert = yes` with \
                     `smtpd_tls_req_ccert = no`).",
            reference: "RFC 8446 §4.4.2.4",
        },
        FindingId::ConfiguredContradicted => &Explanation {
            title: "the connector says one thing and the mail system does another",
            meaning: "The imported connector record satisfies the requirement, yet a probe of \
                      the same connector showed mail going through that it should have stopped.",
            why: "What the record says is not what happens: another connector or rule may take \
                  the mail, or the record may be out of date.",
            advice: "Believe the probe. Import the connectors again, then look for the rule that \
                     really handled the message: at Exchange Online in the message trace \
                     (`Get-MessageTraceDetailV2`), in Postfix with `postmap -q DOMAIN` on the \
                     table of `smtp_tls_policy_maps`.",
            reference: "mxwarden contract §3",
        },
        FindingId::ConnectorAmbiguous => &Explanation {
            title: "more than one connector claims the partner's domain",
            meaning: "Two or more enabled connectors cover the same domain equally well, and \
                      nothing in their records says which one is used.",
            why: "Microsoft documents no tie-break and warns against such duplicates. If the \
                  weaker one is chosen, TLS is not forced as agreed.",
            advice: "Leave the domain on one connector only: take it out of the others' \
                     `RecipientDomains` (outbound) or `SenderDomains` (inbound), then import \
                     again with `mxwarden import exchange FILE`.",
            reference: "Microsoft: Get-OutboundConnector, RecipientDomains",
        },
        FindingId::ConnectorCertNotRestricted => &Explanation {
            title: "the connector names a certificate but does not insist on it",
            meaning: "`TlsSenderCertificateName` is set on the inbound connector while \
                      `RestrictDomainsToCertificate` is not `$true`.",
            why: "A sender without that certificate is not refused by this connector. The name \
                  alone forces nothing.",
            advice: "Agree on the date with the partner, make sure that it presents the \
                     certificate with its whole chain, then `Set-InboundConnector -Identity NAME \
                     -RestrictDomainsToCertificate $true`.",
            reference: "Microsoft: Set-InboundConnector, RestrictDomainsToCertificate",
        },
        FindingId::ConnectorChanged => &Explanation {
            title: "the connector record differs from the one seen before",
            meaning: "The newly imported connector record differs from the last one in a \
                      property that matters to TLS or to which mail it takes.",
            why: "Proofs made under the old record no longer count: the claims of this connector \
                  are unknown until proved anew.",
            advice: "Check that the change was meant and by whom it was made, then run `mxwarden \
                     verify PARTNER` to prove the claims again.",
            reference: "mxwarden contract §1",
        },
        FindingId::ConnectorDisabled => &Explanation {
            title: "the connector is turned off",
            meaning: "The imported record says `Enabled` is `$false`.",
            why: "A connector that is turned off handles no mail, so its TLS settings force \
                  nothing, however well they look.",
            advice: "Find out why it is off, and test first with `mxwarden check DOMAIN`: mail that \
                     the partner cannot protect as agreed waits as soon as it is on. Then turn it on \
                     with `Set-OutboundConnector -Identity NAME -Enabled $true` (inbound: \
                     `Set-InboundConnector`), or point the partner at the connector that is really \
                     used.",
            reference: "Microsoft: Set-OutboundConnector, Enabled",
        },
        FindingId::ConnectorMissing => &Explanation {
            title: "no connector covers the partner",
            meaning: "None of the imported records covers this partner's domain in this \
                      direction.",
            why: "Without a rule mail is sent or taken with TLS when it happens to work, and in \
                  clear otherwise.",
            advice: "If the connector exists, import the file that holds it; a record for \
                     `*.example.org` need not cover `example.org` itself: list both. If it does not, \
                     agree on the date with the partner and test first with `mxwarden check DOMAIN`, \
                     since mail that cannot be protected stops from then on; then create it \
                     (`New-OutboundConnector`, `New-InboundConnector`, or an entry in \
                     `smtp_tls_policy_maps`).",
            reference: "mxwarden contract §3",
        },
        FindingId::ConnectorNotPartner => &Explanation {
            title: "the connector is not of the type Partner",
            meaning: "The record's `ConnectorType` is `OnPremises`. `RequireTls`, \
                      `SenderDomains` and the `RestrictDomains` properties of an inbound \
                      connector apply to the type `Partner` only.",
            why: "Settings that Exchange Online ignores on this type look right in the list and \
                  enforce nothing. An OnPremises connector also grants rights meant for your own \
                  servers.",
            advice: "Agree on the date with the partner and test first: settings that were ignored so \
                     far hold from then on, and stop mail that does not meet them. Then create a \
                     connector of the type `Partner` for this domain (`New-InboundConnector \
                     -ConnectorType Partner`, `New-OutboundConnector -ConnectorType Partner`) and \
                     take the domain off the other one.",
            reference: "Microsoft: Set-InboundConnector, ConnectorType",
        },
        FindingId::ConnectorPolicyOff => &Explanation {
            title: "the connector turns MTA-STS or DANE off",
            meaning: "The outbound connector's `MtaStsMode` or `SmtpDaneMode` is `None`: mail \
                      that takes this connector is sent without looking at the policy the \
                      partner publishes.",
            why: "The partner's published protection is not honoured on this route. What remains \
                  is what `TlsSettings` asks for.",
            advice: "Look first whether the partner meets what it publishes (`mxwarden check \
                     DOMAIN`): where it does not, mail to it waits from then on. Then, unless there \
                     is a reason on record, `Set-OutboundConnector -Identity NAME -MtaStsMode \
                     Opportunistic -SmtpDaneMode Opportunistic`; where the agreement says DANE, \
                     `-SmtpDaneMode Mandatory`.",
            reference: "Microsoft: Set-OutboundConnector, MtaStsMode and SmtpDaneMode",
        },
        FindingId::ConnectorRerouted => &Explanation {
            title: "the partner's mail leaves by another route",
            meaning: "The records send mail for this partner elsewhere than the agreement says: \
                      through our own servers (`RouteAllMessagesViaOnPremises`), or to smart \
                      hosts that are not the partner's configured targets.",
            why: "This connector protects only the hop it makes. What happens on the last hop to \
                  the partner is decided by the system that makes it.",
            advice: "Prove the system that really hands the mail over: configure it as the \
                     connector of this partner, or set `targets` to the smart hosts in use.",
            reference: "Microsoft: Set-OutboundConnector, RouteAllMessagesViaOnPremises",
        },
        FindingId::ConnectorRuleScoped => &Explanation {
            title: "the connector works only where a mail flow rule sends mail to it",
            meaning: "The record's `IsTransportRuleScoped` is `$true`: only messages that a mail \
                      flow rule routes to it take this connector.",
            why: "Messages the rule does not catch take another way. Whether TLS is forced \
                  cannot be told from the connector alone.",
            advice: "Check the rule with `Get-TransportRule` (`RouteMessageOutboundConnector`): \
                     conditions, exceptions, state and mode must cover all mail to the partner. \
                     Simpler is a connector for the partner's domains; test first with `mxwarden \
                     check DOMAIN`, since all mail to them depends on it from then on: then \
                     `-IsTransportRuleScoped $false` with the domains in `RecipientDomains`.",
            reference: "Microsoft: Set-OutboundConnector, IsTransportRuleScoped",
        },
        FindingId::ConnectorShadowed => &Explanation {
            title: "another connector is chosen before this one",
            meaning: "A more specific connector, or one picked by certificate or address before \
                      the sender's domain is looked at, takes this partner's mail.",
            why: "The settings compared with the agreement are not the ones that apply.",
            advice: "Compare `Get-OutboundConnector | Format-List \
                     Name,Enabled,RecipientDomains,TlsSettings,TlsDomain` (inbound: \
                     `Get-InboundConnector`). Test first what the partner can do, since stricter \
                     settings stop what does not meet them; then either remove the domain from the \
                     more specific connector or give that one the agreed settings.",
            reference: "Microsoft: Get-OutboundConnector, RecipientDomains",
        },
        FindingId::ConnectorTestMode => &Explanation {
            title: "the connector is in test mode",
            meaning: "The record's `TestMode` is `$true`.",
            why: "Microsoft does not document what test mode changes, so it cannot be taken to \
                  enforce anything.",
            advice: "When testing is over and the partner was seen to meet the settings (`mxwarden \
                     check DOMAIN`), since mail may depend on them from then on: \
                     `Set-OutboundConnector -Identity NAME -TestMode $false`, then import again. Such \
                     connectors are listed with `Get-OutboundConnector -IncludeTestModeConnectors \
                     $true`.",
            reference: "Microsoft: Set-OutboundConnector, TestMode",
        },
        FindingId::ConnectorWeaker => &Explanation {
            title: "the connector asks for less than the agreement",
            meaning: "The connector's level, required name or lowest TLS version, as imported, \
                      is weaker than the configured requirement.",
            why: "It may deliver to, or take mail from, a system that the agreement excludes. \
                  `EncryptionOnly` and `encrypt`, for instance, accept any certificate.",
            advice: "Agree on the date with the partner, and test first with `mxwarden check DOMAIN` \
                     that it meets the agreement: what does not is stopped from then on. Then raise \
                     the connector (`Set-OutboundConnector -Identity NAME -TlsSettings \
                     DomainValidation -TlsDomain NAME`; in Postfix `secure match=NAME` in \
                     `smtp_tls_policy_maps`), or change the requirement if the agreement really says \
                     less.",
            reference: "mxwarden contract §2",
        },
        FindingId::DaneInsecure => &Explanation {
            title: "TLSA records exist but are not protected by DNSSEC",
            meaning: "A TLSA record was found, but the MX, the address or the TLSA answer is not \
                      DNSSEC-secure.",
            why: "DANE counts only where all of these are signed. Senders ignore the record, and \
                  a forged answer could have brought another one.",
            advice: "Tell whoever runs the unsigned zone to sign it and to have the DS record \
                     published at the parent. Often the domain is signed and the provider's zone \
                     with the MX host is not: `delv MX DOMAIN` and `delv TLSA _25._tcp.HOST` \
                     show which.",
            reference: "RFC 7672 §2.2",
        },
        FindingId::DaneMismatch => &Explanation {
            title: "the certificate matches none of the TLSA records",
            meaning: "Usable, DNSSEC-secure TLSA records are published for the endpoint, and \
                      none matches the chain it presents.",
            why: "Every sender that does DANE refuses to deliver here. It is a half-done key \
                  change, or somebody in between.",
            advice: "Tell the host's operator to publish the record of the present key, then to \
                     renew in the right order: new record first, two TTLs later the new key. The \
                     value of a `3 1 1` record: `openssl x509 -in cert.pem -noout -pubkey | \
                     openssl pkey -pubin -outform DER | openssl dgst -sha256`.",
            reference: "RFC 7672 §3.2",
        },
        FindingId::DaneMissing => &Explanation {
            title: "no TLSA record is published for the endpoint",
            meaning: "DANE is required, and there is no TLSA record at `_25._tcp` below the MX \
                      host's name (or the port in use).",
            why: "Without a record there is nothing to match: a sender with mandatory DANE does \
                  not deliver, one with opportunistic DANE sends as if there were no DANE.",
            advice: "Ask the host's operator to sign the zone and to publish a TLSA record such \
                     as `_25._tcp.HOST. IN TLSA 3 1 1 SHA256-OF-THE-KEY`, for every MX host. \
                     Hosted mail: ask the provider; at Exchange Online `Enable-SmtpDaneInbound`.",
            reference: "RFC 7672 §6",
        },
        FindingId::DaneRollover => &Explanation {
            title: "some TLSA records match the certificate and some do not",
            meaning: "At least one of the endpoint's TLSA records matches the chain it presents, \
                      and at least one does not, as during a planned change of key.",
            why: "That is right for as long as the change takes. A left-over record lets an old \
                  key pass, and a next key without a record would stop DANE mail.",
            advice: "Nothing while a change is under way. Afterwards the host's operator should \
                     remove the records of keys that are no longer used.",
            reference: "RFC 7672 §4",
        },
        FindingId::DaneUnusable => &Explanation {
            title: "none of the TLSA records can be used for mail",
            meaning: "The TLSA records are DNSSEC-secure, but each has parameters that SMTP \
                      cannot use: certificate usage PKIX-TA(0) or PKIX-EE(1), an unknown \
                      selector or matching type, or malformed data.",
            why: "Senders that do DANE then insist on TLS but authenticate nobody. A sender with \
                  mandatory DANE does not deliver.",
            advice: "Ask the host's operator for records with usage DANE-EE(3) or DANE-TA(2) and \
                     matching type SHA2-256(1); `3 1 1` is the usual choice.",
            reference: "RFC 7672 §3.1.3",
        },
        FindingId::DeliveredInPlaintext => &Explanation {
            title: "the sender delivered a message in clear",
            meaning: "A probe message was handed to a canary without TLS: the canary offered no \
                      STARTTLS or could not complete it, and the sender went on with MAIL, RCPT \
                      and DATA in clear.",
            why: "The sender does not insist on TLS. Whoever can break or strip STARTTLS on the \
                  way can read and change its mail.",
            advice: "If TLS is set for the route, see first whether the probe took that route at all. \
                     If it is not, agree on the date with the partner and test with `mxwarden check \
                     DOMAIN`, since mail that cannot be protected waits from then on; then make TLS a \
                     condition: at Exchange Online `Set-OutboundConnector -TlsSettings` with \
                     `EncryptionOnly` or better, in Postfix `encrypt` or better in \
                     `smtp_tls_policy_maps`, in Exim `hosts_require_tls`.",
            reference: "mxwarden contract §4",
        },
        FindingId::DeliveredOverLegacyTls => &Explanation {
            title: "the sender delivered over a TLS version below the lowest allowed",
            meaning: "A probe message was handed to the `legacy-tls` canary, which speaks only \
                      versions below `min_version`.",
            why: "TLS 1.0 and 1.1 are withdrawn and must not be used. A forced-TLS level alone \
                  does not exclude them: many senders need a version floor as well.",
            advice: "Look first in the logs which partners still speak nothing better, and tell them \
                     the date: mail to them waits from then on. Then set a floor in the sending \
                     system: in Postfix `smtp_tls_mandatory_protocols = >=TLSv1.2`, in Exim \
                     `tls_require_ciphers` (GnuTLS) or `openssl_options`, elsewhere the system-wide \
                     TLS policy; then send the probe again.",
            reference: "mxwarden contract §4",
        },
        FindingId::DeliveredOverUnverifiedTls => &Explanation {
            title: "the sender delivered to a receiver whose certificate should not pass",
            meaning: "A probe message was handed over TLS to a canary whose certificate is wrong \
                      on purpose: self-signed, of an unknown CA, expired, for another name, or \
                      against its TLSA record.",
            why: "The sender encrypts without checking to whom, so an impostor with any \
                  certificate would get the mail.",
            advice: "If the agreement says encryption only, the level to configure is `encrypt`. \
                     Otherwise agree on the date with the partner and test first with `mxwarden check \
                     DOMAIN` that its certificate passes, since its mail waits from then on where it \
                     does not; then ask for validation on the route: at Exchange Online `-TlsSettings \
                     DomainValidation` with `-TlsDomain`, in Postfix `secure` rather than `encrypt`, \
                     in Exim `tls_verify_hosts` with `hosts_require_tls`.",
            reference: "mxwarden contract §4",
        },
        FindingId::DnsInsecure => &Explanation {
            title: "the MX host was learned from unsigned DNS",
            meaning: "Level `name` is checked against the MX host's own name, since `names` is \
                      empty, and the MX answer is not protected by DNSSEC.",
            why: "Whoever can forge the MX answer can name a host of his own, with a good \
                  certificate for it, and would pass.",
            advice: "Agree with the partner which names its certificates carry and put them into \
                     `names` (or `--name`; in Postfix `secure match=`, at Exchange Online \
                     `TlsDomain`), or ask the partner to sign its zone.",
            reference: "RFC 7672 §1.3.2",
        },
        FindingId::EnvelopeInPlaintext => &Explanation {
            title: "the sender gave the envelope away in clear",
            meaning: "At a canary that must not be delivered to, the sender said MAIL FROM, and \
                      perhaps RCPT TO, outside TLS, and then did not hand over a message.",
            why: "Who writes to whom was readable on the way, and nothing shows that the message \
                  would not have followed.",
            advice: "Agree on the date with the partner and test first with `mxwarden check DOMAIN`: \
                     mail that cannot be protected waits from then on. Then make TLS a condition \
                     before MAIL on the sending side: a forced level (Postfix `encrypt` or better, \
                     Exim `hosts_require_tls`, Exchange Online `TlsSettings`) leaves before MAIL when \
                     TLS cannot be had.",
            reference: "mxwarden contract §4",
        },
        FindingId::Intermittent => &Explanation {
            title: "the fault comes and goes",
            meaning: "Looks that followed one another did not agree: the same endpoint or probe \
                      showed the fault in some of them and not in others.",
            why: "Part of the mail meets the fault. One machine of several behind an address, or \
                  a firewall that steps in now and then, looks like this.",
            advice: "Tell the operator the times of the good and the bad looks, and ask for \
                     every machine behind the address to be compared; `mxwarden history PARTNER` \
                     lists them.",
            reference: "mxwarden contract §8",
        },
        FindingId::MailAcceptedOverLegacyTls => &Explanation {
            title: "the receiver took mail over a TLS version below the lowest allowed",
            meaning: "A probe completed the handshake with a version below `min_version`, sent \
                      as the partner, and the receiver accepted the commands that it should have \
                      refused.",
            why: "TLS 1.0 and 1.1 must not be used. A sender that can do no better should be \
                  refused rather than taken.",
            advice: "Look first in the logs who still sends with nothing better, and tell them the \
                     date: they are refused, or fall back to clear, from then on. Then set the floor \
                     at the receiver: in Postfix `>=TLSv1.2` for both `smtpd_tls_protocols` and \
                     `smtpd_tls_mandatory_protocols`, in Exim `openssl_options = +no_tlsv1 \
                     +no_tlsv1_1` (OpenSSL) or `tls_require_ciphers` (GnuTLS).",
            reference: "RFC 8996 §4 and §5",
        },
        FindingId::MxIsAddress => &Explanation {
            title: "the MX record holds an address in place of a host name",
            meaning: "The exchange of an MX record is the text of an IP address. The standard \
                      wants a domain name there that has address records of its own.",
            why: "Many senders do not use such a record, and no certificate name or TLSA record \
                  can be tied to it.",
            advice: "Tell the domain's DNS operator to name the host: `DOMAIN. IN MX 10 \
                     mail.DOMAIN.`, with the address in an A or AAAA record of `mail.DOMAIN`.",
            reference: "RFC 5321 §5.1",
        },
        FindingId::MxIsCname => &Explanation {
            title: "the MX record points at an alias",
            meaning: "The exchange of an MX record is a name that has a CNAME record. MX records \
                      must name a host that has addresses itself.",
            why: "Some senders refuse it, others replace the name by what the alias leads to. \
                  Then it is unclear which name the certificate must carry.",
            advice: "Tell the domain's DNS operator to put the alias's target into the MX \
                     record. `dig CNAME HOST` shows the alias.",
            reference: "RFC 2181 §10.3",
        },
        FindingId::MxIsPrivate => &Explanation {
            title: "the MX host has a private or reserved address",
            meaning: "An address of the MX host lies in private, loopback, link-local or \
                      otherwise reserved space. It is not connected to unless private addresses \
                      are allowed (`allow_private`, `--allow-private`).",
            why: "Senders on the Internet cannot reach it; from inside a network it may lead to \
                  a machine that has nothing to do with the partner.",
            advice: "Tell the domain's DNS operator to publish public addresses only. If you \
                     reach the partner over a private network, allow it with `[dns] \
                     allow_private = true`.",
            reference: "RFC 6890 §2.2",
        },
        FindingId::MxNoAddress => &Explanation {
            title: "the MX host has no address",
            meaning: "The MX host's name has neither an A nor an AAAA record; DNS said so, it \
                      did not fail.",
            why: "Mail cannot be handed to this host. If it is the only one, the domain cannot \
                  receive mail.",
            advice: "Tell the domain's DNS operator to give the host an address, or to remove \
                     the MX record. Check with `dig A HOST` and `dig AAAA HOST`.",
            reference: "RFC 5321 §5.1",
        },
        FindingId::MxSetChanged => &Explanation {
            title: "the set of MX hosts differs from the one seen before",
            meaning: "MX records were added or removed, or their preference was changed, since \
                      the last confirmed look.",
            why: "The partner's mail may now go to another provider or another country, with \
                  other certificates. A hijacked zone would look the same.",
            advice: "Ask the partner whether the change was planned, and adapt `names`, `pins` \
                     and connectors where they name the old hosts.",
            reference: "mxwarden contract §2",
        },
        FindingId::NoMx => &Explanation {
            title: "the domain has neither an MX record nor an address",
            meaning: "DNS has the domain, but with no MX record, and with no address record that \
                      could stand in for one.",
            why: "Mail to this domain cannot be delivered at all, protected or not.",
            advice: "Check that the domain is spelt right in the configuration, then ask the \
                     partner which domain receives its mail. `dig MX DOMAIN` shows what is \
                     published.",
            reference: "RFC 5321 §5.1",
        },
        FindingId::NullMx => &Explanation {
            title: "the domain says that it takes no mail",
            meaning: "The domain publishes a null MX: a single MX record with preference 0 and \
                      an empty host name (`MX 0 .`).",
            why: "Senders refuse mail to this domain at once, so nothing can be proved about its \
                  receivers.",
            advice: "Take the domain out of the partner's `domains` if it takes no mail; \
                     otherwise tell the partner that its record turns mail away.",
            reference: "RFC 7505 §3",
        },
        FindingId::PersonalityAllowed => &Explanation {
            title: "the sender delivered to a canary that the level allows",
            meaning: "A probe message was delivered to a canary whose defect the required level \
                      does not forbid, such as a self-signed certificate at level `encrypt`.",
            why: "This is right and breaks no claim. It shows what the level does not protect \
                  against: at `encrypt` any certificate will do.",
            advice: "Nothing. If the partner expects more, agree on level `ca` or `name` and \
                     raise the connector.",
            reference: "mxwarden contract §4",
        },
        FindingId::PlaintextAccepted => &Explanation {
            title: "the receiver takes mail without TLS",
            meaning: "A probe that never said STARTTLS, sent as the partner from one of the \
                      places the rule is for, was accepted as far as `until` goes.",
            why: "The receiver does not insist on TLS. A sender that loses TLS, by mistake or by \
                  an attack, delivers in clear and nobody notices.",
            advice: "Agree on the date with the partner, and see first in the logs that its mail \
                     comes over TLS: what comes in clear is refused from then on. Then make TLS a \
                     condition for this sender: at Exchange Online an inbound connector of the type \
                     `Partner` with `-RequireTls $true` and the partner in `SenderDomains`; in \
                     Postfix `reject_plaintext_session` by `check_sender_access` \
                     (`smtpd_tls_security_level = encrypt` asks it of every sender); in Exim an ACL \
                     `deny !encrypted = *` with `sender_domains`.",
            reference: "mxwarden contract §3",
        },
        FindingId::PostureRegressed => &Explanation {
            title: "the endpoint offers less than it did before",
            meaning: "Whether or not the requirement is still met, the endpoint shows a weaker \
                      channel, an older TLS version, a lesser key exchange or a smaller key \
                      than the best it has ever shown.",
            why: "Protection that was there is gone. It may be a rebuilt machine or a lost \
                  setting, or the first sign of interference.",
            advice: "Tell the operator what was offered before and since when it is not; \
                     `mxwarden history PARTNER` shows both.",
            reference: "mxwarden contract §2",
        },
        FindingId::PqIntolerant => &Explanation {
            title: "the server fails when offered a post-quantum key exchange",
            meaning: "The handshake failed with a post-quantum key share (X25519MLKEM768) in the \
                      ClientHello, and came further without it. The larger hello often arrives \
                      in two packets.",
            why: "A server must ignore what it does not know. Senders that offer post-quantum \
                  key exchange fail here, and fall back to clear or keep the mail.",
            advice: "Tell the host's operator to update the TLS library, and the firewall or \
                     load balancer in front of it. Check with OpenSSL 3.5 or later: `openssl \
                     s_client -starttls smtp -connect HOST:25 -groups X25519MLKEM768:X25519`.",
            reference: "RFC 8446 §9.3",
        },
        FindingId::ProvedOnClone => &Explanation {
            title: "the proof was made on a copy of the connector",
            meaning: "The canaries that prove this connector belong to another connector, named \
                      by `proved_on`.",
            why: "The proof holds as long as both have the same settings; that they have is our \
                  own assumption, or rests on the imported records.",
            advice: "The best proof covers the canary domains by the very connector under test: \
                     add them to its `RecipientDomains`. Otherwise change both connectors \
                     together and import them often.",
            reference: "mxwarden contract §8",
        },
        FindingId::ScopeAssumed => &Explanation {
            title: "that the rule covers the canaries is taken on trust",
            meaning: "The proof assumes that the sender's forced-TLS rule applies to the canary \
                      domains as it does to the real ones. We were told so and could not see it.",
            why: "If the canary domains fell under a stricter or a laxer rule, the outcome would \
                  say nothing of the real one.",
            advice: "Ask for the rule in writing or as an export, with the canary domains in it; \
                     for our own connectors import the record with `mxwarden import`.",
            reference: "mxwarden contract §8",
        },
        FindingId::SenderCallOut => &Explanation {
            title: "the sender checked an address at the canary",
            meaning: "A connection from the sending system said MAIL and RCPT at a canary and \
                      left without a message, in the manner of an address verification \
                      (call-out), not of a delivery.",
            why: "It is no delivery and breaks no claim by itself. But it may show addresses in \
                  clear where the delivery would not.",
            advice: "If verification is not needed towards partners, turn it off or put it under \
                     the same TLS rule: in Postfix `reject_unverified_recipient`, in Exim \
                     `verify = recipient/callout`.",
            reference: "mxwarden contract §4",
        },
        FindingId::StarttlsBroken => &Explanation {
            title: "the server agrees to STARTTLS, then the handshake fails",
            meaning: "The server offered STARTTLS, answered it 220, and the TLS handshake did \
                      not complete: an alert, bytes that are not TLS, or a closed connection.",
            why: "A sender that forces TLS cannot deliver. One that does not may well try again \
                  in clear.",
            advice: "Tell the host's operator to look into the mail server's log for the moment \
                     of the probe; a missing or unreadable key, or a proxy in front of the \
                     server, is the usual cause. Check with `openssl s_client -starttls smtp \
                     -connect HOST:25 -servername HOST`.",
            reference: "RFC 3207 §4.1",
        },
        FindingId::StarttlsInjection => &Explanation {
            title: "bytes in clear followed the server's answer to STARTTLS",
            meaning: "After the 220 to STARTTLS and before the TLS handshake more bytes came in \
                      clear. A sender that keeps them may take them for replies made inside TLS.",
            why: "Whoever sits on the way can slip replies into the protected session like this \
                  (CVE-2021-38371 is one such case). Real senders have also crashed on it.",
            advice: "Tell the host's operator, and look for a proxy or a mail filter on the way: \
                     nothing may follow the 220 in clear. Keep your own mail server up to date, \
                     so that it discards such bytes.",
            reference: "RFC 3207 §4.2",
        },
        FindingId::StarttlsNotOffered => &Explanation {
            title: "the server does not offer STARTTLS",
            meaning: "The reply to EHLO does not list STARTTLS, or EHLO itself was refused and \
                      only HELO worked.",
            why: "Mail can reach this server in clear only. A sender that forces TLS does not \
                  deliver to it.",
            advice: "Tell the host's operator to turn it on (in Postfix \
                     `smtpd_tls_security_level = may` with `smtpd_tls_chain_files`, in Exim \
                     `tls_advertise_hosts = *`). If it is on, a firewall may strip it: \
                     `XXXXXXXA` in the EHLO reply points at Cisco SMTP inspection (`inspect \
                     esmtp` without `allow-tls`).",
            reference: "RFC 3207 §2",
        },
        FindingId::StarttlsRefused => &Explanation {
            title: "the server offers STARTTLS and refuses it",
            meaning: "The server listed STARTTLS in its EHLO reply and answered the command with \
                      something other than 220, such as 454.",
            why: "A sender that forces TLS cannot deliver, and one that does not goes on in \
                  clear, often in the same connection.",
            advice: "Tell the host's operator the reply and the time. `454 4.7.0 TLS not \
                     available due to local problem` from Postfix means that certificate or key \
                     could not be loaded; the reason stands in its log.",
            reference: "RFC 3207 §4",
        },
        FindingId::StsIdUnchanged => &Explanation {
            title: "the MTA-STS policy changed but its id did not",
            meaning: "The policy fetched over HTTPS differs from the one seen before, while `id` \
                      in the `_mta-sts` TXT record is still the same.",
            why: "Senders fetch the policy again when the id changes. Until their copy ages out \
                  they go by the old one, and refuse MX hosts that only the new one lists.",
            advice: "Tell the domain's operator to set a new `id`, such as the present date and \
                     time, in the TXT record of `_mta-sts.DOMAIN` at every change of the policy.",
            reference: "RFC 8461 §3.1",
        },
        FindingId::StsInvalid => &Explanation {
            title: "the MTA-STS record or policy is malformed",
            meaning: "The TXT record at `_mta-sts`, or the policy file it announces, does not \
                      follow the grammar: for instance more than one STS record, no `id`, or a \
                      policy without `version`, `mode`, `max_age` or `mx`.",
            why: "Senders treat an invalid record or policy as none, so the domain is not \
                  protected by it.",
            advice: "Tell the domain's operator what was seen. The record reads `v=STSv1; \
                     id=20260131T1200;` and the policy has one `key: value` pair a line, \
                     `version: STSv1` among them.",
            reference: "RFC 8461 §3.2",
        },
        FindingId::StsMissing => &Explanation {
            title: "the domain publishes no MTA-STS policy",
            meaning: "There is no TXT record `v=STSv1` at `_mta-sts` below the domain.",
            why: "Without it senders have no policy to go by. At level `mta-sts` there is \
                  nothing that could be passed.",
            advice: "Ask the domain's operator to publish the TXT record at `_mta-sts.DOMAIN` \
                     and the policy at `https://mta-sts.DOMAIN/.well-known/mta-sts.txt`, first \
                     in mode `testing`, then `enforce`. Check with `dig TXT _mta-sts.DOMAIN`.",
            reference: "RFC 8461 §3.1",
        },
        FindingId::StsModeNone => &Explanation {
            title: "the MTA-STS policy is in mode none",
            meaning: "The policy was fetched and says `mode: none`.",
            why: "Senders treat the domain as if it had no policy. The mode is meant for taking \
                  MTA-STS away in good order.",
            advice: "Ask the domain's operator whether MTA-STS is being given up. If not, the \
                     policy should say `mode: enforce`, with a new `id` in the TXT record.",
            reference: "RFC 8461 §5",
        },
        FindingId::StsModeTesting => &Explanation {
            title: "the MTA-STS policy is in mode testing",
            meaning: "The policy was fetched and says `mode: testing`.",
            why: "Senders that meet a failure report it, where TLS reports are asked for, and \
                  deliver all the same. Mode `testing` enforces nothing.",
            advice: "When the TLS reports show no failures, ask the domain's operator to change \
                     to `mode: enforce` and to set a new `id` in the TXT record.",
            reference: "RFC 8461 §5",
        },
        FindingId::StsMxNotListed => &Explanation {
            title: "an MX host is not listed in the MTA-STS policy",
            meaning: "The name of an MX host matches none of the policy's `mx` patterns. A \
                      wildcard covers exactly one label, the left-most.",
            why: "In mode `enforce` senders must not deliver to this host. If no other is \
                  listed, mail from them is held back and then bounces.",
            advice: "Tell the domain's operator to add the host to the policy as `mx: HOST` and \
                     to set a new `id` in the TXT record, or to remove the MX record if it is \
                     not meant to be there.",
            reference: "RFC 8461 §4.1",
        },
        FindingId::StsUnreachable => &Explanation {
            title: "the MTA-STS policy cannot be fetched",
            meaning: "The TXT record announces a policy, but \
                      `https://mta-sts.DOMAIN/.well-known/mta-sts.txt` could not be had: no \
                      address, no connection, a certificate that does not pass, a redirect, or a \
                      status other than 200.",
            why: "Senders without a cached copy have no policy to go by and send as if there \
                  were none.",
            advice: "Tell the domain's operator to try `curl -v \
                     https://mta-sts.DOMAIN/.well-known/mta-sts.txt`; the certificate must be \
                     valid for `mta-sts.DOMAIN`, and redirects are not followed.",
            reference: "RFC 8461 §3.3",
        },
        FindingId::TenantNotProbed => &Explanation {
            title: "the tenant's own host behind the gateway is not probed",
            meaning: "Mail for us goes to a gateway by its MX records, and our mail system is \
                      Exchange Online, whose tenant host takes mail from anybody who knows its \
                      name.",
            why: "A sender that goes past the gateway meets the tenant's connectors and not the \
                  gateway's rules: what the gateway refuses may be taken there in clear.",
            advice: "Add `host:TENANT.mail.protection.outlook.com` to the `targets` of the \
                     connector's probe. To close the way past the gateway, see first that nothing \
                     else delivers to the tenant, since all that does not come from the gateway is \
                     refused from then on; then restrict the tenant to the gateway's certificate or \
                     addresses, and probe that.",
            reference: "mxwarden contract §8",
        },
        FindingId::TlsLegacyAccepted => &Explanation {
            title: "the server still accepts TLS 1.1 or older",
            meaning: "Beside a good version the server also accepted a handshake with TLS 1.1, \
                      TLS 1.0 or SSL.",
            why: "These versions must not be used. A sender that offers nothing better is served \
                  over them, and their weaknesses help an attacker who can force a step down.",
            advice: "Some old partner may depend on them, so tell the host's operator to look at the \
                     logs first, and then to set the floor: in Postfix `>=TLSv1.2` for \
                     `smtpd_tls_protocols` and `smtpd_tls_mandatory_protocols`; on Windows turn the \
                     old versions off in Schannel.",
            reference: "RFC 8996 §4 and §5",
        },
        FindingId::TlsNoCommonCipher => &Explanation {
            title: "the server has no current cipher suite in common with us",
            meaning: "The server speaks TLS, but no cipher suite, group or signature algorithm \
                      that it takes is among those a current client offers, for instance RSA key \
                      exchange or CBC suites only.",
            why: "Senders with current TLS libraries cannot deliver to it over TLS. Older ones \
                  may still do so.",
            advice: "Tell the host's operator to allow ECDHE suites with AES-GCM or \
                     ChaCha20-Poly1305 (in Postfix remove old lists such as \
                     `tls_high_cipherlist` and `smtpd_tls_exclude_ciphers`), or to update the \
                     TLS library.",
            reference: "RFC 9325 §4.2",
        },
        FindingId::TlsVersionTooOld => &Explanation {
            title: "the server's best TLS version is below the lowest allowed",
            meaning: "The highest TLS version that the server accepts is lower than the \
                      requirement's `min_version`.",
            why: "A sender that keeps to the agreement cannot deliver; one that delivers breaks \
                  it.",
            advice: "Tell the host's operator to allow TLS 1.2 and 1.3: update the TLS library, \
                     and look for settings that exclude them (in Postfix `smtpd_tls_protocols`, \
                     on Windows the Schannel settings). Check with `openssl s_client -starttls \
                     smtp -connect HOST:25 -tls1_2`.",
            reference: "RFC 9325 §3.1.1",
        },
        FindingId::TlsWeakCipher => &Explanation {
            title: "the server accepts a weak cipher suite",
            meaning: "The server accepted a cipher suite that gives too little protection today, \
                      such as one with no encryption, an anonymous or export suite, RC4, DES or \
                      3DES.",
            why: "Traffic under such a suite can be read, or its peer impersonated, by those who \
                  can afford it. Senders with good settings never use it.",
            advice: "Some old partner may depend on it, so tell the host's operator to look at the \
                     logs first, and then to take it out: in Postfix `smtpd_tls_ciphers = medium`, \
                     `smtpd_tls_mandatory_ciphers = high` and `smtpd_tls_exclude_ciphers = aNULL, \
                     eNULL, EXPORT, DES, 3DES, RC4`, in Exim `tls_require_ciphers`.",
            reference: "RFC 9325 §4.1",
        },
        FindingId::TlsWeakDh => &Explanation {
            title: "the server's Diffie-Hellman group is too small",
            meaning: "In a finite-field Diffie-Hellman exchange (DHE) the server used a prime of \
                      fewer than 2,048 bits.",
            why: "Groups of 1,024 bits and less can be broken by those who can afford it, and \
                  many share the same prime. Some clients refuse them.",
            advice: "Tell the host's operator to use a group of 2,048 bits or more, or to leave \
                     DHE out in favour of ECDHE (in Postfix 3.7 or later with OpenSSL 3 \
                     `smtpd_tls_dh1024_param_file = auto`; in Exim `tls_dhparam`).",
            reference: "RFC 9325 §4.5",
        },
        FindingId::TlsrptFailures => &Explanation {
            title: "senders report TLS failures",
            meaning: "A TLS report (TLSRPT) that was received counts sessions in which a sender \
                      could not get TLS as the domain's policy asks for.",
            why: "Somebody's mail was held back, or was delivered with less protection than \
                  meant. It is what that sender says, seen from its place.",
            advice: "Look at the report's result type and sending MTA, then `mxwarden check \
                     DOMAIN` for the same fault; `certificate-expired`, `validation-failure` and \
                     `starttls-not-supported` each have a finding here that says what to do.",
            reference: "RFC 8460 §4.3",
        },
        FindingId::TlsrptInvalid => &Explanation {
            title: "the TLS reporting record is malformed",
            meaning: "The TXT record at `_smtp._tls` does not follow the grammar, or there is \
                      more than one: it must begin `v=TLSRPTv1` and name an address with `rua=`.",
            why: "Senders do not report to a malformed record, so failures stay unseen.",
            advice: "Tell the domain's operator to publish exactly one record, such as \
                     `v=TLSRPTv1; rua=mailto:tlsrpt@DOMAIN`.",
            reference: "RFC 8460 §3",
        },
        FindingId::TlsrptMissing => &Explanation {
            title: "the domain asks for no TLS reports",
            meaning: "There is no TXT record `v=TLSRPTv1` at `_smtp._tls` below the domain.",
            why: "It weakens nothing by itself. But senders that fail at MTA-STS or DANE have \
                  nobody to tell.",
            advice: "Suggest to the domain's operator a TXT record at `_smtp._tls.DOMAIN`: \
                     `v=TLSRPTv1; rua=mailto:tlsrpt@DOMAIN`.",
            reference: "RFC 8460 §3",
        },
        FindingId::WrongClientCertAccepted => &Explanation {
            title: "mail was taken with a client certificate that is not the partner's",
            meaning: "The requirement names client certificates (`client_names`), and a probe \
                      that presented another one, self-made or issued for another name, was \
                      accepted as the partner.",
            why: "Anyone with some certificate can hand in mail under the partner's name.",
            advice: "Agree on the date with the partner, and see first that its mail comes with the \
                     agreed certificate and the whole chain: what comes with another is refused from \
                     then on. Then compare the name and validate the chain: at Exchange Online \
                     `TlsSenderCertificateName` with `-RestrictDomainsToCertificate $true`; in \
                     Postfix `check_ccert_access` with the fingerprint, since `smtpd_tls_req_ccert` \
                     takes any trusted certificate.",
            reference: "mxwarden contract §3",
        },
    }
}
