//! The target for libfuzzer.
#![no_main]

#[path = "../targets/legacy_tls.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target::run(bytes));
