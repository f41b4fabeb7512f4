//! What a certificate shall say.

use jiff::SignedDuration;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// One certificate to be issued. The default is a P-256 server certificate in date, for no name at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafSpec {
    /// The SAN dNSNames; without any there is no SAN extension.
    pub dns_names: Vec<String>,
    /// The subject's common name; without it the subject is empty.
    pub common_name: Option<String>,
    /// Start of validity, counted from the CA's `now`.
    pub not_before: SignedDuration,
    /// End of validity, counted from the CA's `now`.
    pub not_after: SignedDuration,
    /// The key to make.
    pub key: KeyKind,
    /// basicConstraints.
    pub role: Role,
    /// Extended key usage.
    pub usage: LeafUsage,
    /// AIA caIssuers.
    pub issuer_url: Option<String>,
    /// Who signs.
    pub signer: Signer,
}

/// A kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Edwards curve 25519.
    Ed25519,
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// RSA with 2048 bits.
    Rsa2048,
}

/// basicConstraints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// CA:TRUE.
    Ca,
    /// CA:FALSE.
    Leaf,
}

/// Extended key usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeafUsage {
    /// clientAuth alone.
    Client,
    /// OCSPSigning alone.
    OcspSigning,
    /// serverAuth alone.
    Server,
    /// No such extension.
    Unrestricted,
}

/// Who signs a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signer {
    /// The CA it is asked of.
    Ca,
    /// Its own key.
    Itself,
}

impl Default for LeafSpec {
    fn default() -> Self {
        Self {
            dns_names: Vec::new(),
            common_name: None,
            not_before: -DAY,
            not_after: DAY * 90,
            key: KeyKind::P256,
            role: Role::Leaf,
            usage: LeafUsage::Server,
            issuer_url: None,
            signer: Signer::Ca,
        }
    }
}

impl LeafSpec {
    /// A good certificate for one host, in SAN and common name.
    pub fn host(name: &str) -> Self {
        Self {
            dns_names: vec![name.to_owned()],
            common_name: Some(name.to_owned()),
            ..Self::default()
        }
    }

    /// With these SAN dNSNames instead.
    #[must_use]
    pub fn names(mut self, names: &[&str]) -> Self {
        self.dns_names = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// With the common name alone.
    #[must_use]
    pub fn no_san(mut self) -> Self {
        self.dns_names.clear();
        self
    }

    /// Its validity ended a day ago.
    #[must_use]
    pub fn expired(self) -> Self {
        self.valid(DAY * -90, -DAY)
    }

    /// Its validity begins in a day.
    #[must_use]
    pub fn not_yet_valid(self) -> Self {
        self.valid(DAY, DAY * 90)
    }

    /// Its validity ends this many days from now.
    #[must_use]
    pub fn expires_in_days(self, days: i32) -> Self {
        self.valid(DAY * -90, DAY * days)
    }

    /// Valid between these instants, counted from the CA's `now`.
    #[must_use]
    pub fn valid(mut self, not_before: SignedDuration, not_after: SignedDuration) -> Self {
        (self.not_before, self.not_after) = (not_before, not_after);
        self
    }

    /// With another kind of key.
    #[must_use]
    pub fn key(mut self, key: KeyKind) -> Self {
        self.key = key;
        self
    }

    /// CA:TRUE.
    #[must_use]
    pub fn ca_true(mut self) -> Self {
        self.role = Role::Ca;
        self
    }

    /// With another extended key usage.
    #[must_use]
    pub fn usage(mut self, usage: LeafUsage) -> Self {
        self.usage = usage;
        self
    }

    /// Saying where the issuer's certificate can be fetched.
    #[must_use]
    pub fn issuer_url(mut self, url: &str) -> Self {
        self.issuer_url = Some(url.to_owned());
        self
    }

    /// Signed by its own key.
    #[must_use]
    pub fn self_signed(mut self) -> Self {
        self.signer = Signer::Itself;
        self
    }
}
