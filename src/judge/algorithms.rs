//! The signature algorithms chains are checked with: today's, and those only old certificates use.
//!
//! Weak ones are verified all the same, because "signed by nobody" and "signed with SHA-1" are two
//! facts; the weakness is told as a finding of its own.

use aws_lc_rs::signature::{
    RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, RsaParameters, UnparsedPublicKey,
};
use rustls_pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use std::sync::LazyLock;

/// RSA PKCS #1 v1.5 with keys from 1024 bits.
#[derive(Debug)]
struct OldRsa {
    parameters: &'static RsaParameters,
    signature: AlgorithmIdentifier,
}

impl SignatureVerificationAlgorithm for OldRsa {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        UnparsedPublicKey::new(self.parameters, public_key)
            .verify(message, signature)
            .map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_ENCRYPTION
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}

/// sha1WithRSAEncryption with NULL parameters ([RFC 3279 §2.2.1]).
///
/// [RFC 3279 §2.2.1]: https://www.rfc-editor.org/rfc/rfc3279#section-2.2.1
const RSA_PKCS1_SHA1: AlgorithmIdentifier = AlgorithmIdentifier::from_slice(&[
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05, 0x05, 0x00,
]);

// webpki stops at the first algorithm that fits, so these take the place of their modern namesakes.
static OLD: [OldRsa; 3] = [
    OldRsa {
        parameters: &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        signature: alg_id::RSA_PKCS1_SHA256,
    },
    OldRsa {
        parameters: &RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
        signature: alg_id::RSA_PKCS1_SHA512,
    },
    OldRsa { parameters: &RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, signature: RSA_PKCS1_SHA1 },
];

static ALL: LazyLock<Vec<&'static dyn SignatureVerificationAlgorithm>> = LazyLock::new(|| {
    let old = OLD.iter().map(|algorithm| algorithm as &dyn SignatureVerificationAlgorithm);
    old.chain(webpki::ALL_VERIFICATION_ALGS.iter().copied()).collect()
});

static SOUND: LazyLock<Vec<&'static dyn SignatureVerificationAlgorithm>> = LazyLock::new(|| {
    let is_sound = |algorithm: &&'static dyn SignatureVerificationAlgorithm| {
        algorithm.signature_alg_id() != RSA_PKCS1_SHA1
    };
    ALL.iter().copied().filter(is_sound).collect()
});

/// Every algorithm, old ones first.
pub(super) fn all() -> &'static [&'static dyn SignatureVerificationAlgorithm] {
    &ALL
}

/// Those whose digest nobody has made collisions for.
pub(super) fn sound() -> &'static [&'static dyn SignatureVerificationAlgorithm] {
    &SOUND
}

/// What a signature check by hand comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checked {
    /// The signature holds.
    Good,
    /// None of our algorithms fits.
    NotCheckable,
    /// It does not hold.
    Wrong,
}

/// Checks one signature. `algorithm` and `key_algorithm` are DER without their outer tags.
pub(super) fn check(
    algorithm: &[u8],
    key_algorithm: &[u8],
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Checked {
    let mut fitting = all()
        .iter()
        .filter(|known| known.signature_alg_id().as_ref() == algorithm)
        .filter(|known| known.public_key_alg_id().as_ref() == key_algorithm)
        .peekable();
    if fitting.peek().is_none() {
        return Checked::NotCheckable;
    }
    if fitting.any(|known| known.verify_signature(key, message, signature).is_ok()) {
        Checked::Good
    } else {
        Checked::Wrong
    }
}
