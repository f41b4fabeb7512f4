//! What is asked of a sender's ClientHello.

use crate::model::requirement::TlsVersion;
use crate::wire::hello::ClientHello;

/// What a hello offers.
pub(super) trait Offered {
    /// Whether the client itself says that it speaks nothing below `version`.
    fn rules_out_below(&self, version: TlsVersion) -> bool;
    /// The cipher suites, by their IANA names.
    fn suites_offered(&self) -> Vec<String>;
}

impl Offered for ClientHello {
    fn rules_out_below(&self, _version: TlsVersion) -> bool {
        // What is kept of a hello so far lists no versions, so it rules none out.
        false
    }

    fn suites_offered(&self) -> Vec<String> {
        Vec::new()
    }
}
