//! The fuzz targets over their corpus, and over its neighbours: cut short, and with bits turned.

#[path = "../../fuzz/targets/certificates.rs"]
mod certificates;
#[path = "../../fuzz/targets/legacy_tls.rs"]
mod legacy_tls;
#[path = "../../fuzz/targets/replies.rs"]
mod replies;

use std::{fs, path::Path};

/// Every seed of a corpus, whole, cut and turned; the same in every run.
fn check(corpus: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(corpus);
    let mut seeds: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
    seeds.sort();
    assert!(seeds.len() >= 8, "{corpus}: {}", seeds.len());
    for seed in seeds {
        target(&seed);
        // At most a few dozen of each, spread over the seed.
        let step = seed.len().div_ceil(40).max(1);
        for at in (0..seed.len()).step_by(step) {
            target(&seed[..at]);
            let mut turned = seed.clone();
            turned[at] ^= 1 << (at % 8);
            target(&turned);
            turned[at] = 0xff;
            target(&turned);
        }
    }
}

#[test]
fn replies_are_read_or_refused() {
    check("replies", replies::run);
}

#[test]
fn certificates_are_judged_or_refused() {
    check("certificates", certificates::run);
}

#[test]
fn legacy_handshakes_are_finished_or_refused() {
    check("legacy_tls", legacy_tls::run);
}
