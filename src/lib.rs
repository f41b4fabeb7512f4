//! mxwarden proves that mail between an organisation and its partners is really protected by TLS, in
//! both directions, and raises the alarm the moment it is not.
//!
//! # The one idea
//!
//! A remote failure is evidence, not an error. Evidence is a value. A state is a function of values.
//!
//! ```text
//!           requirements                                   what was said before
//!                │                                                  │
//! the world ─▶ observe ─▶ Evidence ─▶ judge ─▶ State ──▶ record ─▶ tell
//!             (async, I/O)  (value)   (pure)   (value)
//! ```
//!
//! # Code map
//!
//! | module | does | may import |
//! | --- | --- | --- |
//! | [`wire`] | bytes in, values out: names, replies, certificates, hellos; no I/O, no clock | – |
//! | [`model`] | our nouns: requirement, target, session, evidence, finding, obstacle, judgement, report | `wire` |
//! | [`judge`] | evidence + requirement + now → state; pure and total | `wire` `model` |
//! | [`observe`] | looks at the world: DNS, SMTP, TLS, and as canaries lets it come; the only module that touches the network | `wire` `model` |
//! | [`config`] | what the operator has said: TOML in, the nouns of `model` out, every mistake at once | `wire` `model` |
//! | [`record`] | the store: evidence, states, events, probes and who came for them; SQL stands here alone | `wire` `model` |
//! | [`tell`] | says it: metrics, HTTP, notifications; deciding to speak and the words are pure | `wire` `model` `record` |
//! | [`daemon`] | ties the verbs together: looks, rounds, the matrix of claims, the loop | all but `cli` `lab` |
//! | [`lab`] | DNS, SMTP peers, a mail system and a CA in this process, for `demo` and tests | `wire` `model` |
//! | [`cli`] | commands, and how they speak | all |
//!
//! Strict layers, lower never sees higher: `tests/architecture.rs` holds this table, and the crates each
//! module may name, and reads the sources.
//!
//! # Invariants
//!
//! - **Never a false green, never a false alarm.** `compliant` needs a [`model::judgement::Proof`],
//!   `violated` a finding of that severity, and everything else is `unknown` with an obstacle named.
//! - A time-out, a refusal for another reason, our own outage are obstacles. Silence is no proof.
//! - The handshake is accepted whatever the certificate; trust, dates and name are judged afterwards,
//!   apart, from the recorded chain. Old evidence can be judged under new rules.
//! - Every read from a peer is bounded in octets, lines and time; nothing a peer sends panics us, moves a
//!   cursor or reaches a spreadsheet unescaped.
//! - A look is polite, whoever of us looks: one session at a time with an address, QUIT, an honest EHLO name, no DATA
//!   but to our own probe mailbox, and to a partner's receiver no envelope but by agreement.
//! - A change counts once looks agree on it, and until then nothing is known; a proof that is too old is none. One task
//!   owns the books, and nothing is marked as told before somebody took it.
//! - A probe is on disk before it is submitted, and a canary never relays, never answers mail, never keeps a body.

pub mod cli;
pub mod config;
pub mod daemon;
pub mod judge;
pub mod lab;
pub mod model;
pub mod observe;
pub mod record;
pub mod tell;
pub mod wire;
