//! What a canary answers: an SMTP receiver ([RFC 5321]) that takes one message, for a probe, and no other.
//!
//! 1. EHLO and HELO, then MAIL, RCPT, DATA or BDAT, in that order; what is out of order is answered 503.
//! 2. A recipient is taken where its domain is ours and its local part is the token of a probe of ours; everybody
//!    else is answered 550. Nothing is relayed, and no mail is ever answered.
//! 3. One transaction a connection: the second MAIL is answered 421.
//! 4. Too many commands, or too many that make no sense, are answered 421.
//!
//! Invariant: no I/O here; what comes of a command is a [`Step`].
//! Invariant: the same keywords whatever the personality, STARTTLS apart.
//!
//! Deviates from RFC 5321 §4.5.1: `postmaster` is refused as everybody is, because nothing that comes here is read.
//!
//! [RFC 5321]: https://www.rfc-editor.org/rfc/rfc5321

use super::{
    CanaryLimits, Tokens,
    message::Message,
    visit::{Over, Visit},
};
use crate::model::{delivery::CanaryEnding, session::Phase};
use crate::wire::{
    name::{Domain, Host},
    smtp::{Command, Envelope, Parameter, Reply},
};

/// What is done about STARTTLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StartTls {
    /// Offered, and agreed to.
    Agreed,
    /// Not offered.
    Hidden,
    /// Offered, and answered 454.
    Refused,
}

/// What follows a command.
#[derive(Debug)]
pub(super) enum Step {
    /// So many octets follow and are to be read, whatever comes of them.
    Chunk { octets: u64, last: bool, taken: Taken },
    /// Answer, and read a message.
    Data(Reply),
    /// Answer EHLO.
    Ehlo(Reply),
    /// Answer, and end the session.
    Leave(Reply, CanaryEnding),
    /// Answer.
    Say(Reply),
    /// Answer, and shake hands.
    StartTls(Reply),
}

/// Whether a chunk belongs to a message.
#[derive(Debug)]
pub(super) enum Taken {
    No(Reply),
    Yes,
}

/// Where the one transaction is.
#[derive(Debug)]
enum Transaction {
    /// MAIL was answered 250, and perhaps RCPT.
    Open { recipients: usize },
    /// There was one, and it is over.
    Over,
    /// Chunks are coming.
    Taking(Box<Message>),
    /// There was none yet.
    Unbegun,
}

/// The receiver of one session.
pub(super) struct Receiver {
    hostname: Host,
    domains: Vec<Domain>,
    tokens: Tokens,
    limits: CanaryLimits,
    starttls: StartTls,
    over: Over,
    greeted: bool,
    transaction: Transaction,
    commands: usize,
    errors: usize,
}

impl Receiver {
    pub(super) fn new(
        hostname: Host,
        domains: Vec<Domain>,
        starttls: StartTls,
        tokens: Tokens,
        limits: CanaryLimits,
    ) -> Self {
        Self {
            hostname,
            domains,
            tokens,
            limits,
            starttls,
            over: Over::Clear,
            greeted: false,
            transaction: Transaction::Unbegun,
            commands: 0,
            errors: 0,
        }
    }

    /// What the conversation goes over.
    pub(super) fn over(&self) -> Over {
        self.over
    }

    /// The greeting ([RFC 5321 §3.1]).
    ///
    /// [RFC 5321 §3.1]: https://www.rfc-editor.org/rfc/rfc5321#section-3.1
    pub(super) fn greeting(&self) -> Reply {
        reply(220, format!("{} ESMTP", self.hostname))
    }

    /// The handshake is done. RFC 3207 §4.2: what was said before it is forgotten; that a transaction was had is not.
    pub(super) fn secure(&mut self) {
        self.over = Over::Tls;
        self.greeted = false;
    }

    /// Hears one command; what it is worth as evidence goes into `visit`.
    pub(super) fn hear(&mut self, command: Command, visit: &mut Visit) -> Step {
        self.commands += 1;
        if self.commands > self.limits.commands {
            return leave("Too many commands", format!("{} commands", self.limits.commands));
        }
        let step = self.answer(command, visit);
        if let Step::Say(reply) = &step
            && reply.is_permanent()
        {
            self.errors += 1;
            if self.errors > self.limits.errors {
                return leave("Too many errors", format!("{} errors", self.limits.errors));
            }
        }
        step
    }

    /// A line longer than a command may be.
    pub(super) fn hear_too_long(&mut self, visit: &mut Visit) -> Step {
        visit.note(&format!("a line of more than {} octets", self.limits.line));
        // Counted as any other command that makes no sense.
        match self.hear(Command::Unknown, visit) {
            Step::Say(_) => Step::Say(reply(500, "5.5.2 Line too long")),
            other => other,
        }
    }

    /// Octets of a chunk that is being taken.
    pub(super) fn take(&mut self, octets: &[u8]) {
        if let Transaction::Taking(message) = &mut self.transaction {
            message.take(octets);
        }
    }

    /// A chunk is whole, and not the last.
    pub(super) fn end_chunk(&self) -> Reply {
        reply(250, "2.0.0 Continue")
    }

    /// The last chunk is whole.
    pub(super) fn end_last_chunk(&mut self, visit: &mut Visit) -> Reply {
        match std::mem::replace(&mut self.transaction, Transaction::Over) {
            Transaction::Taking(message) => self.end_message(*message, visit),
            other => {
                self.transaction = other;
                out_of_order()
            }
        }
    }

    /// A message is whole.
    pub(super) fn end_message(&mut self, message: Message, visit: &mut Visit) -> Reply {
        self.transaction = Transaction::Over;
        if message.octets() > self.limits.message {
            return too_big();
        }
        visit.reach(Phase::Accepted);
        visit.session.message = Some(message.seen());
        reply(250, "2.0.0 Taken, hashed and thrown away: this is a canary")
    }

    fn answer(&mut self, command: Command, visit: &mut Visit) -> Step {
        match command {
            Command::Bdat { octets, last } => self.bdat(octets, last, visit),
            Command::Data => self.data(visit),
            Command::Ehlo(name) => match self.greet(name, visit) {
                Some(refusal) => Step::Say(refusal),
                None => Step::Ehlo(self.keywords()),
            },
            Command::Helo(name) => match self.greet(name, visit) {
                Some(refusal) => Step::Say(refusal),
                None => Step::Say(reply(250, self.hostname.to_string())),
            },
            Command::Help => Step::Say(reply(214, "2.0.0 See RFC 5321; this is a canary")),
            Command::Mail(envelope) => self.mail(envelope, visit),
            Command::Malformed(what) => Step::Say(reply(501, format!("5.5.4 {what}"))),
            Command::Noop => Step::Say(reply(250, "2.0.0 OK")),
            Command::Quit => Step::Leave(reply(221, "2.0.0 Bye"), CanaryEnding::Quit),
            Command::Rcpt(envelope) => Step::Say(self.rcpt(&envelope, visit)),
            Command::Rset => {
                self.forget();
                Step::Say(reply(250, "2.0.0 Forgotten"))
            }
            Command::StartTls => self.start_tls(visit),
            Command::Unknown => Step::Say(reply(500, "5.5.2 Command not recognized")),
            // RFC 5321 §3.5.3: 252 where nothing is told.
            Command::Vrfy => Step::Say(reply(252, "2.5.2 Send some mail")),
        }
    }

    /// What one introduction changes; a reply where it is refused.
    fn greet(&mut self, name: String, visit: &mut Visit) -> Option<Reply> {
        if name.is_empty() {
            return Some(reply(501, "5.5.4 A name is missing"));
        }
        visit.reach(match self.over {
            Over::Clear => Phase::Ehlo,
            Over::Tls => Phase::EhloTls,
        });
        visit.session.ehlo = Some(name);
        self.greeted = true;
        self.forget();
        None
    }

    /// RFC 5321 §4.1.4: EHLO does what RSET does.
    fn forget(&mut self) {
        if !matches!(self.transaction, Transaction::Unbegun) {
            self.transaction = Transaction::Over;
        }
    }

    fn keywords(&self) -> Reply {
        let size = format!("SIZE {}", self.limits.message);
        let mut lines = vec![self.hostname.to_string(), "PIPELINING".to_owned(), size];
        // RFC 3207 §4.2: not once TLS is on.
        if self.over == Over::Clear && self.starttls != StartTls::Hidden {
            lines.push("STARTTLS".to_owned());
        }
        let rest = ["ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8", "CHUNKING"];
        lines.extend(rest.map(str::to_owned));
        Reply { code: 250, lines }
    }

    fn start_tls(&self, visit: &mut Visit) -> Step {
        if self.over == Over::Tls {
            return Step::Say(reply(503, "5.5.1 TLS is on already"));
        }
        visit.reach(Phase::Starttls);
        let (step, code): (fn(Reply) -> Step, Reply) = match self.starttls {
            _ if !self.greeted => (Step::Say, reply(503, "5.5.1 EHLO first")),
            // A transaction would go over both, and belong to neither.
            _ if !matches!(self.transaction, Transaction::Unbegun) => {
                (Step::Say, reply(503, "5.5.1 Not behind MAIL"))
            }
            StartTls::Agreed => (Step::StartTls, reply(220, "2.0.0 Ready to start TLS")),
            StartTls::Hidden => (Step::Say, reply(502, "5.5.1 Command not implemented")),
            StartTls::Refused => {
                (Step::Say, reply(454, "4.7.0 TLS not available due to local problem"))
            }
        };
        visit.session.starttls = Some(code.code);
        step(code)
    }

    fn mail(&mut self, envelope: Envelope, visit: &mut Visit) -> Step {
        // Whatever the answer: it was said.
        if let Some(path) = &envelope.path {
            visit.mail(path.clone(), self.over);
        }
        if !self.greeted {
            return Step::Say(reply(503, "5.5.1 EHLO first"));
        }
        if !matches!(self.transaction, Transaction::Unbegun) {
            return leave(
                "One transaction a connection",
                "a second MAIL: one transaction a connection".to_owned(),
            );
        }
        let path = envelope.path.as_deref().unwrap_or_default();
        if let Some(defect) = envelope.defect {
            return Step::Say(reply(501, format!("5.1.7 {defect}")));
        }
        let parameters = &envelope.parameters;
        if let Some(refusal) = parameters.iter().find_map(|one| self.refusal_of(one)) {
            return Step::Say(refusal);
        }
        let is_international = parameters.iter().any(|one| one.keyword == "SMTPUTF8");
        // RFC 6531 §3.5.
        if !path.is_ascii() && !is_international {
            return Step::Say(reply(553, "5.6.7 SMTPUTF8 is needed for this address"));
        }
        self.transaction = Transaction::Open { recipients: 0 };
        Step::Say(reply(250, "2.1.0 OK"))
    }

    /// Why a parameter of MAIL is refused, if it is.
    fn refusal_of(&self, parameter: &Parameter) -> Option<Reply> {
        match (parameter.keyword.as_str(), parameter.value.as_deref()) {
            // RFC 1870 §6.
            ("SIZE", Some(digits)) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                let fits = digits.parse().is_ok_and(|octets: u64| octets <= self.limits.message);
                (!fits).then(too_big)
            }
            // RFC 6152 §2.
            ("BODY", Some(body))
                if ["7BIT", "8BITMIME"].iter().any(|b| b.eq_ignore_ascii_case(body)) =>
            {
                None
            }
            ("SMTPUTF8", None) => None,
            ("SIZE" | "BODY" | "SMTPUTF8", _) => {
                Some(reply(501, format!("5.5.4 {} has a wrong value", parameter.keyword)))
            }
            // RFC 5321 §4.1.1.11.
            _ => Some(reply(555, "5.5.4 A parameter that is not offered")),
        }
    }

    fn rcpt(&mut self, envelope: &Envelope, visit: &mut Visit) -> Reply {
        visit.reach(Phase::Rcpt);
        let Transaction::Open { recipients } = &mut self.transaction else {
            return out_of_order();
        };
        if let Some(defect) = envelope.defect {
            return reply(501, format!("5.1.3 {defect}"));
        }
        if !envelope.parameters.is_empty() {
            return reply(555, "5.5.4 A parameter that is not offered");
        }
        let Some((local, domain)) = envelope.address() else {
            return reply(550, "5.1.1 Nobody reads mail here: this is a canary");
        };
        if !domain.parse::<Domain>().is_ok_and(|domain| self.domains.contains(&domain)) {
            return reply(550, "5.7.1 Nothing is relayed");
        }
        let Some(probe) = (self.tokens)(local) else {
            return reply(550, "5.1.1 Nobody reads mail here: this is a canary");
        };
        // Two probes in one session could not be told apart by what comes of it.
        let is_another = visit.session.probe.as_ref().is_some_and(|known| *known != probe);
        if is_another || *recipients >= self.limits.recipients {
            return reply(452, "4.5.3 One probe at a time");
        }
        *recipients += 1;
        visit.session.probe = Some(probe);
        visit.session.rcpt_to.push(format!("{local}@{domain}").to_lowercase());
        reply(250, "2.1.5 OK")
    }

    fn data(&self, visit: &mut Visit) -> Step {
        match &self.transaction {
            Transaction::Open { recipients: 1.. } => {
                visit.reach(Phase::Data);
                Step::Data(reply(354, "End with a dot"))
            }
            // RFC 5321 §3.3: 554 where no recipient was taken.
            Transaction::Open { .. } => Step::Say(reply(554, "5.5.1 No valid recipients")),
            Transaction::Over | Transaction::Taking(_) | Transaction::Unbegun => {
                Step::Say(out_of_order())
            }
        }
    }

    fn bdat(&mut self, octets: u64, last: bool, visit: &mut Visit) -> Step {
        if let Transaction::Open { recipients: 1.. } = &self.transaction {
            self.transaction = Transaction::Taking(Box::default());
        }
        let so_far = match &self.transaction {
            Transaction::Taking(message) => message.octets(),
            Transaction::Open { .. } => {
                let refusal = reply(554, "5.5.1 No valid recipients");
                return Step::Chunk { octets, last, taken: Taken::No(refusal) };
            }
            Transaction::Over | Transaction::Unbegun => {
                return Step::Chunk { octets, last, taken: Taken::No(out_of_order()) };
            }
        };
        visit.reach(Phase::Data);
        if so_far.saturating_add(octets) > self.limits.message {
            self.transaction = Transaction::Over;
            return Step::Chunk { octets, last, taken: Taken::No(too_big()) };
        }
        Step::Chunk { octets, last, taken: Taken::Yes }
    }
}

/// One line.
pub(super) fn reply(code: u16, text: impl Into<String>) -> Reply {
    Reply { code, lines: vec![text.into()] }
}

fn leave(text: &str, why: String) -> Step {
    Step::Leave(reply(421, format!("4.7.0 {text}")), CanaryEnding::Ours(why))
}

fn out_of_order() -> Reply {
    reply(503, "5.5.1 Bad sequence of commands")
}

fn too_big() -> Reply {
    reply(552, "5.3.4 Message too big")
}
