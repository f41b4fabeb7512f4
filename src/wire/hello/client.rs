//! A sender's ClientHello, as a canary saw it.

use serde::{Deserialize, Serialize};

/// What a ClientHello says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientHello {
    /// The server name asked for.
    pub sni: Option<String>,
}
