//! The ids of findings: each a name users script against (contract §7).
//!
//! Invariant: an id never changes its meaning; a new meaning is a new id.

use super::explain::Explanation;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr};

macro_rules! ids {
    ($($variant:ident = $name:literal,)*) => {
        /// What broke or weakens a claim.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each id is explained at length by `explanation`, and a test asks for it")]
        pub enum FindingId { $($variant,)* }

        impl FindingId {
            /// Every id, in alphabetical order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name of the contract.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

ids! {
    CertBadSignature = "cert-bad-signature",
    CertChainIncomplete = "cert-chain-incomplete",
    CertChanged = "cert-changed",
    CertDependsOnSni = "cert-depends-on-sni",
    CertDiffersBetweenEndpoints = "cert-differs-between-endpoints",
    CertExpired = "cert-expired",
    CertExpiresSoon = "cert-expires-soon",
    CertInvalid = "cert-invalid",
    CertIsCa = "cert-is-ca",
    CertNameMismatch = "cert-name-mismatch",
    CertNoSan = "cert-no-san",
    CertNotYetValid = "cert-not-yet-valid",
    CertPinMismatch = "cert-pin-mismatch",
    CertRevoked = "cert-revoked",
    CertSelfSigned = "cert-self-signed",
    CertUnknownIssuer = "cert-unknown-issuer",
    CertVersion = "cert-version",
    CertWeakKey = "cert-weak-key",
    CertWeakSignature = "cert-weak-signature",
    CertWrongUsage = "cert-wrong-usage",
    ClientCertNotRequired = "client-cert-not-required",
    ClientCertRequired = "client-cert-required",
    ConfiguredContradicted = "configured-contradicted",
    ConnectorAmbiguous = "connector-ambiguous",
    ConnectorCertNotRestricted = "connector-cert-not-restricted",
    ConnectorChanged = "connector-changed",
    ConnectorDisabled = "connector-disabled",
    ConnectorMissing = "connector-missing",
    ConnectorNotPartner = "connector-not-partner",
    ConnectorPolicyOff = "connector-policy-off",
    ConnectorRerouted = "connector-rerouted",
    ConnectorRuleScoped = "connector-rule-scoped",
    ConnectorShadowed = "connector-shadowed",
    ConnectorTestMode = "connector-test-mode",
    ConnectorWeaker = "connector-weaker",
    DaneInsecure = "dane-insecure",
    DaneMismatch = "dane-mismatch",
    DaneMissing = "dane-missing",
    DaneRollover = "dane-rollover",
    DaneUnusable = "dane-unusable",
    DeliveredInPlaintext = "delivered-in-plaintext",
    DeliveredOverLegacyTls = "delivered-over-legacy-tls",
    DeliveredOverUnverifiedTls = "delivered-over-unverified-tls",
    DnsInsecure = "dns-insecure",
    EnvelopeInPlaintext = "envelope-in-plaintext",
    Intermittent = "intermittent",
    MailAcceptedOverLegacyTls = "mail-accepted-over-legacy-tls",
    MxIsAddress = "mx-is-address",
    MxIsCname = "mx-is-cname",
    MxIsPrivate = "mx-is-private",
    MxNoAddress = "mx-no-address",
    MxSetChanged = "mx-set-changed",
    NoMx = "no-mx",
    NullMx = "null-mx",
    PersonalityAllowed = "personality-allowed",
    PlaintextAccepted = "plaintext-accepted",
    PostureRegressed = "posture-regressed",
    PqIntolerant = "pq-intolerant",
    ProvedOnClone = "proved-on-clone",
    ScopeAssumed = "scope-assumed",
    SenderCallOut = "sender-call-out",
    StarttlsBroken = "starttls-broken",
    StarttlsInjection = "starttls-injection",
    StarttlsNotOffered = "starttls-not-offered",
    StarttlsRefused = "starttls-refused",
    StsIdUnchanged = "sts-id-unchanged",
    StsInvalid = "sts-invalid",
    StsMissing = "sts-missing",
    StsModeNone = "sts-mode-none",
    StsModeTesting = "sts-mode-testing",
    StsMxNotListed = "sts-mx-not-listed",
    StsUnreachable = "sts-unreachable",
    TenantNotProbed = "tenant-not-probed",
    TlsLegacyAccepted = "tls-legacy-accepted",
    TlsNoCommonCipher = "tls-no-common-cipher",
    TlsVersionTooOld = "tls-version-too-old",
    TlsWeakCipher = "tls-weak-cipher",
    TlsWeakDh = "tls-weak-dh",
    TlsrptFailures = "tlsrpt-failures",
    TlsrptInvalid = "tlsrpt-invalid",
    TlsrptMissing = "tlsrpt-missing",
    WrongClientCertAccepted = "wrong-client-cert-accepted",
}

impl FindingId {
    /// What it means, why it matters and what to do.
    pub fn explanation(self) -> &'static Explanation {
        super::explain::finding(self)
    }
}

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No such id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no finding is called `{0}`")]
pub struct UnknownFindingId(String);

impl FromStr for FindingId {
    type Err = UnknownFindingId;

    fn from_str(text: &str) -> Result<Self, UnknownFindingId> {
        let found = Self::ALL.iter().find(|id| id.as_str() == text);
        found.copied().ok_or_else(|| UnknownFindingId(text.chars().take(80).collect()))
    }
}

impl Serialize for FindingId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for FindingId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// How much a finding weighs.
///
/// The order is that of weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Weakens the claim, or will break it.
    Warning,
    /// Breaks the claim.
    Violation,
}

impl Severity {
    /// The word of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Violation => "violation",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A fact that breaks or weakens a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What kind of fact.
    pub id: FindingId,
    /// How much it weighs under the requirement it was judged by.
    pub severity: Severity,
    /// What it is about: an endpoint, a host, a domain.
    pub subject: String,
    /// What was seen.
    pub seen: String,
    /// What was expected.
    pub expected: String,
    /// What to do, in words a postmaster understands.
    pub advice: String,
    /// The section that makes it a fact worth telling.
    pub reference: String,
}

impl Finding {
    /// A finding with the advice and reference of its id.
    pub fn new(
        id: FindingId,
        severity: Severity,
        subject: impl fmt::Display,
        seen: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        let explanation = id.explanation();
        Self {
            id,
            severity,
            subject: subject.to_string(),
            seen: seen.into(),
            expected: expected.into(),
            advice: explanation.advice.to_owned(),
            reference: explanation.reference.to_owned(),
        }
    }
}
