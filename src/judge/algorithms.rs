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
    OldRsa {
        parameters: &RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        // sha1WithRSAEncryption with NULL parameters (RFC 3279 §2.2.1).
        signature: AlgorithmIdentifier::from_slice(&[
            0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05, 0x05, 0x00,
        ]),
    },
];

static ALL: LazyLock<Vec<&'static dyn SignatureVerificationAlgorithm>> = LazyLock::new(|| {
    let old = OLD.iter().map(|algorithm| algorithm as &dyn SignatureVerificationAlgorithm);
    old.chain(webpki::ALL_VERIFICATION_ALGS.iter().copied()).collect()
});

/// Every algorithm, old ones first.
pub(super) fn all() -> &'static [&'static dyn SignatureVerificationAlgorithm] {
    &ALL
}

/// Whether one of them finds the signature good. `algorithm` and `key_algorithm` are DER without their outer tags.
pub(super) fn is_signed(
    algorithm: &[u8],
    key_algorithm: &[u8],
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    all()
        .iter()
        .filter(|known| known.signature_alg_id().as_ref() == algorithm)
        .filter(|known| known.public_key_alg_id().as_ref() == key_algorithm)
        .any(|known| known.verify_signature(key, message, signature).is_ok())
}
