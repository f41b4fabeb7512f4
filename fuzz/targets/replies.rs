//! SMTP replies, one after another, as they come off the wire. Shared by the fuzzer and `tests/it/fuzz.rs`.

use mxwarden::{
    model::limits::Limits,
    wire::smtp::{Capabilities, Reply, ReplyReader},
};

/// Panics where an invariant does not hold.
pub(crate) fn run(bytes: &[u8]) {
    let limits = Limits::default().reply;
    let mut reader = ReplyReader::new(limits);
    let mut input = bytes;
    while let Ok(Some(reply)) = reader.take_from(&mut input) {
        assert!((100..1000).contains(&reply.code));
        assert!(reply.lines.len() <= limits.lines);
        let told = reply.to_string();
        assert!(!told.chars().any(char::is_control), "{told:?}");
        let _ = (reply.enhanced(), Capabilities::of(&reply).has("STARTTLS"));
    }
    // However it comes in pieces, it is the same.
    assert_eq!(first(bytes, 1), first(bytes, bytes.len().max(1)));
}

fn first(bytes: &[u8], octets: usize) -> Option<Reply> {
    let mut reader = ReplyReader::new(Limits::default().reply);
    for mut chunk in bytes.chunks(octets) {
        match reader.take_from(&mut chunk) {
            Ok(Some(reply)) => return Some(reply),
            Ok(None) => {}
            Err(_) => return None,
        }
    }
    None
}
