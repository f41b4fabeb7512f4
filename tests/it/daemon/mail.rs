//! Probe mail in the daemon: what arrives hours behind its round, and across a restart, counts; what was drained does
//! not.

use super::{HOUR, Lab, MINUTE};
use mxwarden::{
    lab::smtp::{Say, Script},
    model::{claim::Claim, finding::FindingId, state::State::Violated},
    record::{Settled, Whose},
};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::sleep,
};

/// A daemon with one connector, two canaries, and a mail system that takes probes and delivers when the test says so.
struct Mailing {
    lab: Lab,
    canary: SocketAddr,
    mail: usize,
}

impl Mailing {
    async fn begin() -> Self {
        let mut lab = Lab::of(&["fabrikam"]).await;
        let taken = Script::healthy(lab.world.good()).in_clear(".", Say::line("250 2.0.0 Ok"));
        let mail = lab.world.host("mail", taken).await;
        let port = lab.world.port();
        let mut more = format!(
            "[connector.submit]\nurl = \"smtp+plain://mail.lab.test:{port}\"\nfrom = \"tls-probe@contoso.test\"\n\
             [connector.canaries]\ngood = \"good.canary.test\"\nno-starttls = \"notls.canary.test\"\n\
             [connector.sender]\nnetworks = [\"127.0.0.0/8\"]\n"
        );
        let addresses: Vec<Ipv4Addr> = (0..2).map(|at| lab.world.spare(at)).collect();
        for (at, (name, personality)) in
            [("good", "good"), ("notls", "no-starttls")].into_iter().enumerate()
        {
            let (domain, address) = (format!("{name}.canary.test"), addresses[at]);
            let host = format!("mx.{domain}");
            lab.world.write(|zone| zone.a(&host, address).mx(&domain, 10, &host));
            more += &format!(
                "[[canary]]\npersonality = \"{personality}\"\nlisten = [\"{address}:{port}\"]\n\
                 domains = [\"{domain}\"]\nhostname = \"{host}\"\n"
            );
        }
        lab.connector = more;
        let canary = SocketAddr::from((addresses[1], port));
        let mut mailing = Self { lab, canary, mail };
        mailing.lab.start().await;
        mailing
            .lab
            .until("both probes are sent", 5 * MINUTE, |lab| lab.sent(mail).len() == 2)
            .await;
        mailing
    }

    /// The recipient of the probe to the canary that offers no STARTTLS.
    fn recipient(&self) -> String {
        let sent = self.lab.sent(self.mail);
        sent.into_iter().find(|to| to.ends_with("@notls.canary.test")).unwrap()
    }

    /// Delivers in clear, as a sender does that does not mind; the last reply.
    async fn deliver(&self, to: &str) -> String {
        let stream = TcpStream::connect(self.canary).await.unwrap();
        let (reading, mut writing) = stream.into_split();
        let mut reading = BufReader::new(reading);
        let mut last = hear(&mut reading).await;
        for line in [
            "EHLO out.contoso.test",
            "MAIL FROM:<tls-probe@contoso.test>",
            &format!("RCPT TO:<{to}>"),
            "DATA",
            "Subject: late\r\n\r\n.",
        ] {
            writing.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
            last = hear(&mut reading).await;
        }
        writing.write_all(b"QUIT\r\n").await.unwrap();
        hear(&mut reading).await;
        last
    }
}

async fn hear(reading: &mut (impl AsyncBufReadExt + Unpin)) -> String {
    let mut line = String::new();
    loop {
        line.clear();
        if reading.read_line(&mut line).await.unwrap() == 0 || line.as_bytes()[3] != b'-' {
            return line;
        }
    }
}

impl Lab {
    /// The recipients of what was submitted.
    fn sent(&self, mail: usize) -> Vec<String> {
        let heard = self.world.peer(mail).heard();
        let lines = heard.iter().flat_map(|one| &one.in_clear);
        let to =
            |line: &String| Some(line.strip_prefix("RCPT TO:<")?.strip_suffix('>')?.to_owned());
        lines.filter_map(to).collect()
    }
}

fn claim() -> Claim {
    "outbound/sender-enforces".parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_delivery_in_clear_hours_later_and_behind_a_restart_violates_at_once() {
    let mut mailing = Mailing::begin().await;
    let to = mailing.recipient();
    sleep(HOUR).await;
    assert!(!mailing.lab.states("fabrikam").contains(&Violated));
    mailing.lab.stop().await;
    sleep(2 * HOUR).await;
    mailing.lab.start().await;
    sleep(MINUTE).await;
    let reply = mailing.deliver(&to).await;
    assert!(reply.starts_with("250"), "{reply}");
    let violated = |lab: &Lab| {
        lab.standing("fabrikam", claim()).is_some_and(|standing| standing.state == Violated)
    };
    mailing.lab.until("the delivery counts", MINUTE, violated).await;
    let standing = mailing.lab.standing("fabrikam", claim()).unwrap();
    let id = FindingId::DeliveredInPlaintext;
    assert!(standing.findings.iter().any(|finding| finding.id == id), "{:?}", standing.findings);
    let reader = mailing.lab.reader().unwrap();
    assert!(reader.evidence(&standing.evidence).unwrap().is_some(), "its evidence is kept");
    // The same again is no news: nothing that stands is put in its place.
    let looks = |lab: &Lab| {
        let since = jiff::Timestamp::UNIX_EPOCH;
        lab.reader().unwrap().looks("fabrikam", claim(), since, 100).unwrap().len()
    };
    let before = looks(&mailing.lab);
    mailing.deliver(&to).await;
    sleep(MINUTE).await;
    assert_eq!(looks(&mailing.lab), before);
    assert_eq!(mailing.lab.standing("fabrikam", claim()).unwrap().evidence, standing.evidence);
    mailing.lab.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_was_drained_says_nothing_also_behind_a_restart() {
    let mut mailing = Mailing::begin().await;
    let to = mailing.recipient();
    mailing.lab.stop().await;
    // The default drain_after.
    sleep(6 * HOUR + 10 * MINUTE).await;
    mailing.lab.start().await;
    sleep(MINUTE).await;
    let reply = mailing.deliver(&to).await;
    assert!(reply.starts_with("250"), "{reply}");
    let drained = |lab: &Lab| {
        let reader = lab.reader().unwrap();
        let domain = "notls.canary.test".parse().unwrap();
        let open = reader.open_probes(Whose::Domain(&domain), lab.clock.now()).unwrap();
        let id = reader.sessions_since(&domain, jiff::Timestamp::UNIX_EPOCH).unwrap();
        let settled = id.iter().filter_map(|one| reader.probe(&one.probe).unwrap());
        let how: Vec<_> = settled.filter_map(|one| one.settled.map(|(how, _)| how)).collect();
        open.is_empty() && how.contains(&Settled::Drained)
    };
    mailing.lab.until("the probe is settled", MINUTE, drained).await;
    sleep(MINUTE).await;
    assert!(!mailing.lab.states("fabrikam").contains(&Violated));
    // The canary is itself again: what comes now counts.
    let reply = mailing.deliver(&to).await;
    assert!(reply.starts_with("250"), "{reply}");
    mailing
        .lab
        .until("the second delivery counts", MINUTE, |lab| {
            lab.standing("fabrikam", claim()).is_some_and(|standing| standing.state == Violated)
        })
        .await;
    mailing.lab.stop().await;
}
