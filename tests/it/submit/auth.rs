//! The password: how it is said, to whom it is not, and that nothing that is kept has it.

use super::{Login, PASSWORD, USER, ehlo, offers, secrets, submit, up_to_tls};
use crate::world::World;
use mxwarden::{
    lab::smtp::{Say, Script},
    model::connector::SubmitSecurity,
    wire::text,
};

/// Each way to say the password that is offered, in TLS, and in clear where `smtp+plain` says so.
#[tokio::test]
async fn the_password_is_said_in_the_way_that_is_offered() {
    let mut world = World::new().await;
    let [plain, password, _] = secrets();
    let user = text::base64(USER.as_bytes());
    let by_plain = vec![format!("AUTH PLAIN {plain}")];
    let by_login = vec!["AUTH LOGIN".to_owned(), user.clone(), password.clone()];
    let welcome = Say::line("235 2.7.0 Authentication successful");
    let go_on = || Say::line("334 VXNlcm5hbWU6");
    let takes_plain = |auth: &str| {
        let script = offers(world.good(), auth).in_tls("AUTH", welcome.clone());
        script.in_clear("AUTH", welcome.clone())
    };
    let takes_login = |auth: &str| {
        let script = offers(world.good(), auth).in_tls("AUTH", go_on());
        script.in_tls(&user, Say::line("334 UGFzc3dvcmQ6")).in_tls(&password, welcome.clone())
    };
    let (required, none) = (SubmitSecurity::Required, SubmitSecurity::None);
    let cases = [
        ("both", takes_plain("LOGIN PLAIN"), required, &by_plain),
        ("equals", takes_plain("CRAM-MD5=PLAIN"), required, &by_plain),
        ("in-clear", takes_plain("PLAIN"), none, &by_plain),
        ("login", takes_login("LOGIN"), required, &by_login),
        ("login-lower", takes_login("cram-md5 login"), required, &by_login),
    ];
    for (name, script, security, expect) in cases {
        let seen = submit(&mut world, name, script, security, Login::Password).await;
        assert_eq!(seen.told(), "accepted without an id", "{name}");
        let (in_clear, in_tls) = seen.said();
        let said = if security == none { in_clear } else { in_tls };
        assert_eq!(said[1..=expect.len()], expect[..], "{name}");
        seen.has_no_secret();
    }
}

#[tokio::test]
async fn a_refused_password_is_told_without_it() {
    let mut world = World::new().await;
    let [plain, base64, password] = secrets();
    let user = text::base64(USER.as_bytes());
    let bare = "535 5.7.8 Error: authentication failed";
    let echo = format!("535 5.7.8 AUTH PLAIN {plain}, {base64}, {password}");
    let shouted = echo.to_ascii_uppercase();
    let unpadded = echo.replace('=', "");
    let login = |line: &str| {
        let script = offers(world.good(), "LOGIN").in_tls("AUTH", Say::line("334 "));
        script.in_tls(&user, Say::line("334 ")).in_tls(&base64, Say::line(line))
    };
    let by_plain = |line: &str| offers(world.good(), "PLAIN").in_tls("AUTH", Say::line(line));
    let cases = vec![
        ("plain", by_plain(bare), bare),
        ("plain-echo", by_plain(&echo), "535 5.7.8 AUTH PLAIN [secret]"),
        ("plain-shouted", by_plain(&shouted), "535 5.7.8 AUTH PLAIN [secret]"),
        ("plain-unpadded", by_plain(&unpadded), "535 5.7.8 AUTH PLAIN [secret]"),
        ("login", login(bare), bare),
        ("login-echo", login(&echo), "535 5.7.8 AUTH PLAIN [secret]"),
    ];
    for (name, script, expect) in cases {
        let security = SubmitSecurity::Required;
        let seen = submit(&mut world, name, script, security, Login::Password).await;
        let told = seen.told();
        assert!(told.starts_with(&format!("failed: authentication refused: {expect}")), "{told}");
        seen.has_no_secret();
        let (_, in_tls) = seen.said();
        assert!(!in_tls.iter().any(|line| line.starts_with("MAIL")), "{in_tls:?}");
    }
}

/// An echo that is no reply is told cut short, and one behind the message comes with the queue id.
#[tokio::test]
async fn echoes_elsewhere_are_told_without_the_password() {
    let mut world = World::new().await;
    let [plain, base64, password] = secrets();
    let welcome = Say::line("235 2.7.0 Authentication successful");
    let echoes = format!("{plain} {base64} {password}");
    let offers = |auth: Say| offers(world.good(), "PLAIN").in_tls("AUTH", auth);
    let at = |verb: &str, code: u16| {
        offers(welcome.clone()).in_tls(verb, Say::line(&format!("{code} {echoes}")))
    };
    let cases = vec![
        ("echoes-line", offers(Say::line(&format!("AUTH PLAIN {plain}"))), "failed"),
        ("echoes-nul", offers(Say::line(&format!("535 \0{USER}\0{PASSWORD}"))), "failed"),
        ("echoes-much", offers(Say::line(&format!("535 {}", echoes.repeat(200)))), "failed"),
        ("echoes-at-mail", at("MAIL", 550), "failed"),
        ("echoes-at-dot", at(".", 550), "failed"),
        ("echoes-queued", at(".", 250), "accepted"),
    ];
    for (name, script, expect) in cases {
        let security = SubmitSecurity::Required;
        let seen = submit(&mut world, name, script, security, Login::Password).await;
        assert!(seen.told().starts_with(expect), "{name}: {}", seen.told());
        seen.has_no_secret();
    }
}

/// What follows a refusal of AUTH LOGIN would pass for commands, and lie in logs.
#[tokio::test]
async fn who_refuses_auth_login_is_told_neither_user_nor_password() {
    let mut world = World::new().await;
    let user = text::base64(USER.as_bytes());
    let refusal = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled";
    let at_once = offers(world.good(), "LOGIN").in_tls("AUTH", Say::line(refusal));
    let at_user = offers(world.good(), "LOGIN").in_tls("AUTH", Say::line("334 "));
    let at_user = at_user.in_tls(&user, Say::line(refusal));
    let login = || "AUTH LOGIN".to_owned();
    for (name, script, expect) in [
        ("at-once", at_once, vec![ehlo(), login()]),
        ("at-user", at_user, vec![ehlo(), login(), user.clone()]),
    ] {
        let security = SubmitSecurity::Required;
        let seen = submit(&mut world, name, script, security, Login::Password).await;
        assert_eq!(seen.told(), format!("failed: authentication refused: {refusal}"));
        assert_eq!(seen.said().1, expect);
    }
}

#[tokio::test]
async fn no_password_goes_in_clear_or_where_none_is_asked_for() {
    let mut world = World::new().await;
    let in_clear = Script::starttls_stripped()
        .in_clear("EHLO", Say::lines(250, ["mx.lab.test", "AUTH PLAIN LOGIN"]));
    let cram_md5 = offers(world.good(), "CRAM-MD5");
    for (name, script, expect) in [
        (
            "in-clear",
            in_clear,
            "failed: it does not offer STARTTLS, and the password is not sent in clear",
        ),
        ("cram-md5", cram_md5, "failed: it offers neither AUTH PLAIN nor AUTH LOGIN"),
    ] {
        let security = SubmitSecurity::Opportunistic;
        let seen = submit(&mut world, name, script, security, Login::Password).await;
        assert_eq!(seen.told(), expect);
        let (in_clear, in_tls) = seen.said();
        let mut all = in_clear.iter().chain(&in_tls);
        assert!(all.all(|line| up_to_tls().contains(line)), "{in_clear:?} {in_tls:?}");
    }
}
