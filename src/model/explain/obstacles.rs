//! What every obstacle means: a dictionary, in alphabetical order.
//!
//! Invariant: no text lets an obstacle count for or against a claim (contract §1).

use super::Explanation;
use crate::model::obstacle::ObstacleId;

pub(in crate::model) fn obstacle(id: ObstacleId) -> &'static Explanation {
    match id {
        ObstacleId::CanaryUnreachable => &Explanation {
            title: "the canary could not be reached",
            meaning: "A canary receiver that the proof needs did not answer on its public \
                      address, or the canary host did not hand over its sessions.",
            why: "A sender that cannot reach the canary does not deliver either, and that is no \
                  refusal. Nothing is proved about the sender.",
            advice: "Check from outside that the canary listens and that port 25 is open to it, \
                     that its MX and address records are right (`mxwarden canary zone`), and \
                     that `remote` and `token_file` fit the canary host.",
            reference: "mxwarden contract §4",
        },
        ObstacleId::ClockUnsure => &Explanation {
            title: "our own clock cannot be trusted",
            meaning: "This host's clock jumped, or is not synchronised, so that the times of \
                      what was seen are in doubt.",
            why: "Dates of certificates and the age of proofs are judged by the clock. What \
                  depends on it is unknown until the clock is sure.",
            advice: "Let the host keep time with NTP and see that it does: `timedatectl` or \
                     `chronyc tracking`.",
            reference: "mxwarden contract §1",
        },
        ObstacleId::ConnectRefused => &Explanation {
            title: "the connection was refused",
            meaning: "The address answered that nobody listens on the port (a TCP reset), or \
                      something in between answered so.",
            why: "It proves that no connection could be had just then, and nothing about TLS. \
                  The server may be restarting, or may turn our address away.",
            advice: "Try `nc -vz ADDRESS 25` from this host and from another network. If it \
                     fails everywhere, tell the host's operator; if only from here, ask whether \
                     our address is blocked.",
            reference: "RFC 9293 §3.5.2",
        },
        ObstacleId::ConnectTimeout => &Explanation {
            title: "nothing answered in time",
            meaning: "No connection came about, or the network said that there is no way to the \
                      address, within the time allowed.",
            why: "Silence is no proof: neither that the server does TLS nor that it does not. A \
                  firewall on either side looks the same as a server that is down.",
            advice: "Try `nc -vz ADDRESS 25` from this host and from another network. Outgoing \
                     port 25 is often blocked at hosting providers; the partner's firewall may \
                     block us, too.",
            reference: "RFC 5321 §4.5.4.1",
        },
        ObstacleId::ConnectionLost => &Explanation {
            title: "the connection was lost midway",
            meaning: "The peer closed or reset the connection before all that was needed had \
                      been seen.",
            why: "What was seen up to then stands; what would have followed is not known. A loss \
                  is not a refusal.",
            advice: "Repeat with `--verbose` to see after which command it happens. If it is \
                     always the same one, ask the host's operator what its log says; firewalls \
                     that inspect SMTP do this as well.",
            reference: "RFC 5321 §3.8",
        },
        ObstacleId::ControlNotArrived => &Explanation {
            title: "the control message did not arrive at the good canary",
            meaning: "The probe to the `good` canary, which has no defect, was not delivered \
                      within the time allowed.",
            why: "If not even the good canary gets its message, messages that stay away from the \
                  broken ones prove nothing. The sender may be slow, or the route may be down.",
            advice: "Follow the control message through the sending mail system (queue, message \
                     trace). Check the canary domain's MX record, its certificate, and that the \
                     connector takes the domain.",
            reference: "mxwarden contract §1",
        },
        ObstacleId::ControlRefused => &Explanation {
            title: "the control was refused as well",
            meaning: "The probe that does everything right, with good TLS and an allowed sender, \
                      was refused too.",
            why: "A refusal of the lesser probes then means nothing: the receiver may simply not \
                  want mail from us. Nothing is proved about enforcement.",
            advice: "Read the reply to the control. Reputation, SPF, an unknown recipient or a \
                     missing client certificate are the usual reasons; ask the receiver to let \
                     the probe's address or sender pass.",
            reference: "mxwarden contract §1",
        },
        ObstacleId::Deadline => &Explanation {
            title: "the time for one endpoint was used up",
            meaning: "The endpoint answered, but not all had been seen when its time \
                      (`--timeout`) was over.",
            why: "Slowness is no proof of anything. What was seen up to then stands.",
            advice: "Try again with a longer `--timeout`. Some servers wait on purpose before \
                     they greet a stranger, and a look at old TLS versions takes several \
                     sessions.",
            reference: "mxwarden contract §5",
        },
        ObstacleId::DnsBogus => &Explanation {
            title: "a DNS answer failed DNSSEC validation",
            meaning: "The zone is signed, and the signatures on the answer do not hold: expired, \
                      made with another key, missing, or tampered with.",
            why: "A bogus answer must not be used, so nothing is known of the hosts it names. It \
                  is usually a mistake in the zone, and it can be an attack.",
            advice: "Check with `delv MX DOMAIN` and another validating resolver. If they agree, \
                     tell the zone's operator (an expired RRSIG, or a DS record left at the \
                     parent); if not, look at our own resolver, its trust anchor and this host's \
                     clock.",
            reference: "RFC 4035 §4.3",
        },
        ObstacleId::DnsFailure => &Explanation {
            title: "a DNS lookup failed",
            meaning: "A lookup ended without an answer: no resolver answered in time, or it \
                      answered SERVFAIL or REFUSED, or what came was malformed.",
            why: "A lookup that failed is not an answer of no record. What the domain publishes \
                  is not known just now.",
            advice: "Try `dig MX DOMAIN`, then the same at another resolver (`dig @ADDRESS MX \
                     DOMAIN`). If only ours fails, see to it, or name another with `--resolver`; \
                     if all fail, tell the domain's DNS operator.",
            reference: "RFC 5321 §5.1",
        },
        ObstacleId::FamilyUnavailable => &Explanation {
            title: "this host cannot use IPv4, or cannot use IPv6",
            meaning: "The endpoint's address is of a family for which this host has no route. It \
                      was not tried.",
            why: "The fault is on our side. It says nothing about the endpoint, which others may \
                  well use.",
            advice: "Give this host a route for the family, or look from one that has it. If the \
                     other family is all that matters to you, say so with `-4` or `-6`; the rest \
                     is then not proved.",
            reference: "RFC 5321 §5.2",
        },
        ObstacleId::Greylisted => &Explanation {
            title: "the receiver asked us to come again later (greylisting)",
            meaning: "The receiver answered with a temporary refusal, such as `450 4.2.0 \
                      Greylisted`, as it does to senders it has not met before.",
            why: "This refusal has nothing to do with TLS and is no proof of enforcement.",
            advice: "Wait: later probes from the same address usually get through. Else ask the \
                     receiver to exempt the probe's address.",
            reference: "RFC 6647 §2",
        },
        ObstacleId::InternalError => &Explanation {
            title: "mxwarden itself failed",
            meaning: "A fault in mxwarden or on its host (a panic, no memory, no socket) ended \
                      the look early.",
            why: "The fault is ours; nothing is proved or disproved by it.",
            advice: "See the log at the time given. If it happens again, report it with the log \
                     lines and the output of `mxwarden doctor`.",
            reference: "mxwarden contract §1",
        },
        ObstacleId::NoAttemptSeen => &Explanation {
            title: "the sender never tried the canary",
            meaning: "The probe message was submitted, and no connection of the sending mail \
                      system reached the canary within `first_attempt_within`.",
            why: "A sender that did not even try has refused nothing. The message may wait in a \
                  queue, or have taken another route.",
            advice: "Follow the message through the sending mail system (queue, message trace), \
                     check that the canary's MX record is seen from there, and that \
                     `[connector.sender]` describes its addresses and EHLO name.",
            reference: "mxwarden contract §8",
        },
        ObstacleId::NoEcho => &Explanation {
            title: "the partner's echo address did not answer",
            meaning: "A message went to the partner's echo address, and no answer to it was seen \
                      at the canaries.",
            why: "Without an answer nothing is known of how the partner's system sends. Silence \
                  is not a refusal.",
            advice: "Ask the partner whether the echo address works and answers to the envelope \
                     sender, whatever the domain, and whether its filters stopped the message.",
            reference: "mxwarden contract §3",
        },
        ObstacleId::NotCovered => &Explanation {
            title: "the rule under proof does not cover the canaries",
            meaning: "The canary domains do not fall under the forced-TLS rule that the claim is \
                      about: the partner has not put them there (`covers_canaries`), or the \
                      connector's record does not list them.",
            why: "What the sender does with canaries then shows some other rule at work, and \
                  neither proves nor disproves this one.",
            advice: "Ask the partner to put the canary domains under the same rule as our mail \
                     domains, then set `covers_canaries = true`. For our own connector add them \
                     to `RecipientDomains` or `smtp_tls_policy_maps`, and import again.",
            reference: "mxwarden contract §8",
        },
        ObstacleId::NotTestable => &Explanation {
            title: "a needed canary is missing or cannot test what it should",
            meaning: "The level needs a canary personality that is not configured, or whose \
                      domain, certificate or DNS records do not make the test a fair one. No \
                      probe was sent to it.",
            why: "One way to get past the rule stays untested, so the claim is unknown at best, \
                  however well the others went.",
            advice: "The detail names the personality. Configure it under `[[canary]]` and \
                     `[connector.canaries]`, publish what `mxwarden canary zone` prints, and try \
                     `mxwarden config check`.",
            reference: "mxwarden contract §4",
        },
        ObstacleId::Nxdomain => &Explanation {
            title: "the domain does not exist",
            meaning: "DNS answered NXDOMAIN: there is no such name, with any type of record.",
            why: "Where there is no domain there is no receiver, and nothing about TLS can be \
                  proved either way.",
            advice: "Check the spelling in the configuration. If it is right, ask the partner \
                     whether the domain was given up or its registration has lapsed (`whois \
                     DOMAIN`).",
            reference: "RFC 2308 §2.1",
        },
        ObstacleId::Port25Blocked => &Explanation {
            title: "outgoing port 25 seems to be blocked here",
            meaning: "Every connection to port 25 that this host tried in this run timed out.",
            why: "That points at our own network: many hosting and access providers block \
                  outgoing port 25. It says nothing about the receivers.",
            advice: "Try `nc -vz HOST 25` from here to a few well-known mail servers. Ask the \
                     provider to open outgoing port 25, or run mxwarden where it is open.",
            reference: "mxwarden contract §1",
        },
        ObstacleId::ProtocolError => &Explanation {
            title: "the peer did not keep to the protocol",
            meaning: "The peer answered with something that is no SMTP reply, or with a reply \
                      that makes no sense at this point.",
            why: "What it meant cannot be told, so nothing is concluded from it. It may be no \
                  mail server at all.",
            advice: "See what it said with `--verbose`, and check that host and port are those \
                     of a mail server; port 465 speaks TLS at once, port 25 does not.",
            reference: "RFC 5321 §4.2",
        },
        ObstacleId::RateLimited => &Explanation {
            title: "the server turned us away for coming too often",
            meaning: "The server answered 421, or with words about too many connections or \
                      messages, and did not go on.",
            why: "It is no refusal for want of TLS, and it is no proof that TLS is missing. The \
                  server just would not talk to us then.",
            advice: "Wait for the next round. If it goes on, lower `per_operator_per_minute` or \
                     `sessions_per_address` in `[rounds]`, or ask the receiver to exempt the \
                     probe's address.",
            reference: "RFC 5321 §3.8",
        },
        ObstacleId::RecordIncomplete => &Explanation {
            title: "the imported records do not tell",
            meaning: "What the claim hangs on is not in the imported connector records: an export \
                      that was not made, a property that was not reported, or a condition that \
                      records alone cannot settle.",
            why: "A property that is absent is neither on nor off. Until the record says it, \
                  nothing is proved about what the connector was told to do.",
            advice: "Run the commands that `mxwarden import exchange --help` prints, whole, and \
                     import all of their files at once. Where a mail flow rule decides, check its \
                     conditions by hand.",
            reference: "mxwarden contract §3",
        },
        ObstacleId::RefusedForOtherReason => &Explanation {
            title: "the probe was refused, but not for want of TLS",
            meaning: "The receiver refused the lesser probe with a reply about something else, \
                      such as reputation, SPF, relaying or an unknown recipient.",
            why: "Whether it would have insisted on TLS is not known: the other reason came \
                  first.",
            advice: "Read the reply, or paste it into `mxwarden explain`, and remove its reason: \
                     send from a clean address with a PTR record, use a recipient that exists, \
                     or ask the receiver for an exemption. If the reply is about TLS in words of \
                     its own, add it as `[[reply]]`.",
            reference: "mxwarden contract §1",
        },
        ObstacleId::SelfOutage => &Explanation {
            title: "our own network was down",
            meaning: "Everything failed at once and our own witnesses (the hosts in `beacons`, our \
                      resolver) did not answer either; or STARTTLS went missing, or one same \
                      unknown issuer appeared, at several unrelated operators in one round, as \
                      a firewall or proxy on our own way would have it.",
            why: "What failed meanwhile is put down to us, not to the partner. Nothing is proved \
                  or disproved by it.",
            advice: "See to this host's network and resolver, and to firewalls that inspect SMTP or \
                     TLS on the way out. If the network was fine, choose other `beacons` in \
                     `[rounds]`.",
            reference: "mxwarden contract §8",
        },
        ObstacleId::Stale => &Explanation {
            title: "the last proof is too old",
            meaning: "The oldest proof that the state rests on is older than the claim's \
                      `max_age`, or the requirement, the connector record or the set of canaries \
                      changed after it.",
            why: "It was true once. Whether it still is has not been shown.",
            advice: "Run `mxwarden verify PARTNER`, and see why no later round came to a result: \
                     the other obstacles of the claim, or a daemon that does not run, tell why.",
            reference: "mxwarden contract §1",
        },
        ObstacleId::SubmitFailed => &Explanation {
            title: "the probe message could not be handed in",
            meaning: "Our own mail system did not take the probe message: no connection, a login \
                      that failed, or a refusal.",
            why: "A message that was never sent cannot be refused by anyone. Nothing is proved \
                  about the sender.",
            advice: "Check `[connector.submit]`: `url`, `from`, `username` and the password or \
                     token. At Exchange Online SMTP AUTH may be turned off (`Get-CASMailbox` \
                     shows `SmtpClientAuthenticationDisabled`), or the sender may lack the right \
                     to send as `from`.",
            reference: "mxwarden contract §8",
        },
        ObstacleId::TooMuchData => &Explanation {
            title: "the peer sent more than we read",
            meaning: "A reply, a certificate chain or a policy was larger than our limits allow, \
                      and reading stopped there.",
            why: "What lay beyond the limit was not seen. Honest peers stay far below it, so it \
                  is worth a look, but it proves nothing.",
            advice: "See the beginning with `--verbose`. If it is an honest peer with an unusual \
                     reply, tell its operator what is too long; a reply line has at most 512 \
                     octets by the standard.",
            reference: "RFC 5321 §4.5.3.1",
        },
        ObstacleId::Unattributed => &Explanation {
            title: "a session at the canary could not be tied to a probe",
            meaning: "Somebody spoke to the canary while a probe was under way, and neither \
                      address, EHLO name, sender nor recipient shows for certain that it was our \
                      probe.",
            why: "It cannot count for or against the sender: scanners and strangers speak to \
                  every open port 25.",
            advice: "Complete `[connector.sender]`: `networks` and `ehlo` should describe every \
                     way out of the sending mail system.",
            reference: "mxwarden contract §8",
        },
        ObstacleId::Unconfirmed => &Explanation {
            title: "a change was seen, but not often enough yet",
            meaning: "The latest look differs from what was known, and fewer looks than \
                      `[rounds] confirm` asks for agree on it so far.",
            why: "One look can be mistaken. Until another one agrees, the change is neither \
                  believed nor dismissed.",
            advice: "Wait for the next round, or run `mxwarden verify PARTNER` now.",
            reference: "mxwarden contract §8",
        },
        ObstacleId::Undecided => &Explanation {
            title: "the time was over before the outcome was clear",
            meaning: "The waiting time (`--wait`) ended while a probe was still under way: the \
                      sender may yet try again.",
            why: "A sender that has not delivered yet may still do so on a later attempt, even \
                  in clear. Until then the claim is neither compliant nor violated.",
            advice: "Give it more time with `--wait`, or let the daemon (`mxwarden run`) watch \
                     the rest; refusals that must be seen more than once take as long as the \
                     sender's retry interval.",
            reference: "mxwarden contract §5",
        },
        ObstacleId::WitnessesDisagree => &Explanation {
            title: "two witnesses tell different stories",
            meaning: "Two sources about the same event contradict each other, such as the canary \
                      and the sender's delivery report or message trace, two validating \
                      resolvers, five looks of ours within minutes, or looks at our own MX from \
                      two of our addresses.",
            why: "As long as it is not known which of them is right, neither is believed.",
            advice: "Compare the two in the detail, time by time. A message that was sent twice, \
                     a clock that is off, a resolver with an old trust anchor, or a firewall that \
                     takes STARTTLS out on one way of two is the usual cause.",
            reference: "mxwarden contract §1",
        },
    }
}
