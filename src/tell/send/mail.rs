//! Mail, by a smart host of its own: text and HTML, threaded by partner.
//!
//! Every message about a partner answers to one that was never sent and that all of them name, so that mail programs
//! show them together, whichever came first.
//!
//! Invariant: what strangers wrote reaches a header only as one line that the mail library encodes.

use super::{Channel, SendError, Sending, http::file, http::secret, shown};
use crate::model::{alert::MailTarget, connector::SubmitSecurity, finding::Severity};
use crate::tell::message::{Message, Part, time};
use crate::wire::text::hex;
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls, TlsParameters},
        extension::ClientId,
    },
};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

/// How long one command may take; and the whole of it.
const COMMAND: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(60);
/// Parts told in one mail.
const PARTS: usize = 100;
/// Partners whose threads one mail joins.
const THREADS: usize = 20;

#[derive(Debug)]
pub(super) struct Mail {
    target: MailTarget,
}

impl Mail {
    pub(super) fn new(target: &MailTarget) -> Self {
        Self { target: target.clone() }
    }

    async fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, SendError> {
        let MailTarget { security, host, port, from, login, .. } = &self.target;
        let host = host.to_string();
        let tls = match security {
            SubmitSecurity::None => Tls::None,
            SubmitSecurity::Implicit => Tls::Wrapper(self.tls(&host).await?),
            SubmitSecurity::Required => Tls::Required(self.tls(&host).await?),
            SubmitSecurity::Opportunistic => Tls::Opportunistic(self.tls(&host).await?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(*port)
            .tls(tls)
            .timeout(Some(COMMAND))
            .hello_name(ClientId::Domain(from.domain().to_string()));
        if let Some(login) = login {
            let password = secret(&login.password_file).await?;
            let password = password.expose_secret().to_owned();
            builder = builder.credentials(Credentials::new(login.username.clone(), password));
        }
        Ok(builder.build())
    }

    async fn tls(&self, host: &str) -> Result<TlsParameters, SendError> {
        let mut builder = TlsParameters::builder(host.to_owned());
        match (&self.target.ca_file, self.target.security) {
            // RFC 3207 §4.1, RFC 7435: what nobody asked for is not verified either.
            (_, SubmitSecurity::Opportunistic) => {
                builder = builder.dangerous_accept_invalid_certs(true);
            }
            (Some(path), _) => {
                let unusable = |what| SendError::File { path: path.clone(), what };
                let pem = file(path).await?;
                let root = Certificate::from_pem(&pem);
                let root = root.map_err(|_| unusable("holds no certificate in PEM form"))?;
                builder =
                    builder.certificate_store(CertificateStore::None).add_root_certificate(root);
            }
            (None, _) => {}
        }
        builder.build_rustls().map_err(|_| SendError::Build("TLS with the smart host".to_owned()))
    }

    /// The mail.
    pub(super) fn mail(&self, message: &Message) -> Result<lettre::Message, SendError> {
        let unusable = |_| SendError::Build("the mail".to_owned());
        let address = |mailbox: &crate::wire::mailbox::Mailbox| {
            mailbox.to_string().parse().map_err(|_| SendError::Build("an address".to_owned()))
        };
        let since = u64::try_from(message.at.as_millisecond()).unwrap_or_default();
        let date = std::time::UNIX_EPOCH + Duration::from_millis(since);
        let domain = self.target.from.domain();
        let name = format!("mxwarden of {}", message.organisation);
        let mut builder = lettre::Message::builder()
            .from(Mailbox::new(Some(name), address(&self.target.from)?))
            .date(date)
            .subject(format!("[mxwarden] {}", message.headline))
            .message_id(Some(format!("<{}@{domain}>", message.id)))
            .user_agent(concat!("mxwarden/", env!("CARGO_PKG_VERSION")).to_owned());
        for to in &self.target.to {
            builder = builder.to(Mailbox::new(None, address(to)?));
        }
        let roots = roots(message, &domain.to_string());
        if let Some(first) = roots.first() {
            builder = builder.in_reply_to(first.clone()).references(roots.join(" "));
        }
        // RFC 3834 §5.1: no out-of-office reply is wanted.
        let headers = [
            ("Auto-Submitted", "auto-generated".to_owned()),
            ("X-Mxwarden-Reason", message.reason.to_string()),
            ("X-Mxwarden-Severity", message.severity.to_string()),
        ];
        for (name, value) in headers {
            if let Ok(name) = HeaderName::new_from_ascii(name.to_owned()) {
                builder = builder.raw_header(HeaderValue::new(name, value));
            }
        }
        builder
            .multipart(MultiPart::alternative_plain_html(text(message), html(message)))
            .map_err(unusable)
    }
}

/// The messages that this one belongs behind, one a partner.
fn roots(message: &Message, domain: &str) -> Vec<String> {
    let partners: BTreeSet<&str> =
        message.parts.iter().filter_map(|part| part.partner.as_deref()).collect();
    let root = |partner: &&str| {
        let digest = Sha256::digest(partner.as_bytes());
        format!("<partner-{}@{domain}>", hex(digest.get(..12).unwrap_or_default()))
    };
    partners.iter().take(THREADS).map(root).collect()
}

/// The text.
pub(super) fn text(message: &Message) -> String {
    let mut out = format!("{}\n\n", message.headline);
    let (parts, more) = shown(message, PARTS);
    for part in parts {
        if message.parts.len() > 1 {
            let _ = writeln!(out, "* {}", part.title);
        }
        for line in &part.lines {
            let _ = writeln!(out, "{}: {}", line.label, line.text);
        }
        if let Some(link) = &part.link {
            let _ = writeln!(out, "Page: {link}");
        }
        out.push('\n');
    }
    if more > 0 {
        let _ = writeln!(out, "… and {more} more\n");
    }
    let _ = writeln!(
        out,
        "-- \nmxwarden of {}, {}, reason {}",
        message.organisation,
        time(message.at),
        message.reason
    );
    out
}

/// Takes the meaning of HTML from a text.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            character => out.push(character),
        }
    }
    out
}

fn colour(message: &Message) -> &'static str {
    match (message.reason.is_end(), message.severity) {
        (true, _) => "#1a7f37",
        (false, Severity::Violation) => "#b42318",
        (false, Severity::Warning) => "#8a6100",
        (false, Severity::Info) => "#175cd3",
    }
}

fn html_part(out: &mut String, part: &Part, is_alone: bool) {
    if !is_alone {
        let _ = write!(out, "<h2 style=\"font-size:16px\">{}</h2>", escaped(&part.title));
    }
    out.push_str(
        "<table role=\"presentation\" cellpadding=\"4\" style=\"border-collapse:collapse\">",
    );
    for line in &part.lines {
        let _ = write!(
            out,
            "<tr><th scope=\"row\" style=\"text-align:left;vertical-align:top;white-space:nowrap\">{}</th><td>{}</td></tr>",
            escaped(line.label),
            escaped(&line.text)
        );
    }
    out.push_str("</table>");
    if let Some(link) = &part.link {
        let link = escaped(link);
        let _ = write!(out, "<p><a href=\"{link}\">{link}</a></p>");
    }
}

/// The same as HTML, without anything that is fetched.
pub(super) fn html(message: &Message) -> String {
    let (parts, more) = shown(message, PARTS);
    let headline = escaped(&message.headline);
    let mut out = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{headline}</title></head>\
         <body style=\"font-family:sans-serif;font-size:14px\"><h1 style=\"font-size:18px;color:{}\">{headline}</h1>",
        colour(message)
    );
    for part in parts {
        html_part(&mut out, part, message.parts.len() == 1);
    }
    if more > 0 {
        let _ = write!(out, "<p>… and {more} more</p>");
    }
    let _ = write!(
        out,
        "<p style=\"color:#555\">mxwarden of {}, {}, reason {}</p></body></html>",
        escaped(&message.organisation),
        escaped(&time(message.at)),
        message.reason
    );
    out
}

/// What the smart host said, in our words: its own may hold an address of ours, but no more than a code is needed.
fn why(error: &lettre::transport::smtp::Error) -> String {
    match error.status() {
        Some(code) => format!("it answered {code}"),
        None if error.is_timeout() => "it took too long".to_owned(),
        None if error.is_client() => "it does not offer what was asked of it".to_owned(),
        None => "the connection, or its TLS, was not made".to_owned(),
    }
}

impl Channel for Mail {
    fn send<'a>(&'a self, message: &'a Message) -> Sending<'a> {
        Box::pin(async move {
            let mail = self.mail(message)?;
            let transport = self.transport().await?;
            match tokio::time::timeout(PATIENCE, transport.send(mail)).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(SendError::Mail(why(&error))),
                Err(_) => Err(SendError::NoAnswer("it took too long")),
            }
        })
    }
}
