//! Bodies of evidence: JSON, compressed with zstd, addressed by the SHA-256 of what was compressed.
//!
//! Invariant: a body that is read back is the one that was addressed, or an error.

use super::{Reader, error::RecordError, fingerprint::fingerprint};
use crate::model::claim::Claim;
use crate::wire::text::hex;
use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest as _, Sha256};

/// The most octets of JSON that are unpacked. A look is bounded far below it.
const OCTETS_MOST: usize = 64 << 20;
/// zstd's own default. Higher levels cost a writer that must not be the slowest part more than they save.
const LEVEL: i32 = 3;

/// The digest evidence is addressed by: `sha256:` and the SHA-256 of its JSON.
pub fn digest(json: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(json)))
}

/// One body on its way into the store.
#[derive(Debug, Clone)]
pub(super) struct Body {
    pub(super) digest: String,
    pub(super) fingerprint: [u8; 16],
    octets: usize,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    Packed(Vec<u8>),
    Plain(Vec<u8>),
}

impl Body {
    /// The body of this JSON; none where it is empty.
    pub(super) fn of(json: Vec<u8>) -> Option<Self> {
        (!json.is_empty()).then(|| Self {
            digest: digest(&json),
            fingerprint: fingerprint(&json),
            octets: json.len(),
            content: Content::Plain(json),
        })
    }

    /// Compresses it, where it was not: for one that has to wait.
    pub(super) fn pack(&mut self) {
        if let Content::Plain(json) = &self.content
            && let Ok(packed) = zstd::bulk::compress(json, LEVEL)
        {
            self.content = Content::Packed(packed);
        }
    }

    /// Puts it into the store, where it is not there.
    pub(super) fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        let packed;
        let body = match &self.content {
            Content::Packed(packed) => packed,
            Content::Plain(json) => {
                packed = zstd::bulk::compress(json, LEVEL)
                    .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
                &packed
            }
        };
        let sql = "INSERT INTO evidence (digest, octets, body) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        let octets = i64::try_from(self.octets).unwrap_or(i64::MAX);
        connection.prepare(sql)?.execute((&self.digest, octets, body))?;
        Ok(())
    }
}

/// Whether a body is there.
pub(super) fn is_kept(connection: &Connection, digest: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM evidence WHERE digest = ?1)";
    connection.prepare(sql)?.query_row([digest], |row| row.get(0))
}

/// Lets a body go, unless something in the store still names it.
pub(super) fn release(connection: &Connection, digest: &str) -> rusqlite::Result<usize> {
    let sql = "DELETE FROM evidence WHERE digest = ?1
               AND NOT EXISTS (SELECT 1 FROM look WHERE look.evidence = ?1)
               AND NOT EXISTS (SELECT 1 FROM standing WHERE standing.evidence = ?1)
               AND NOT EXISTS (SELECT 1 FROM event WHERE event.evidence = ?1)";
    connection.prepare(sql)?.execute([digest])
}

impl Reader {
    /// The digest of the body that stands for this evidence of a claim: its own where it is kept, else that of the body
    /// kept last, which differs from it in times alone once the look is written; none where there is neither.
    ///
    /// # Errors
    ///
    /// The disk.
    pub fn kept(
        &self,
        partner: &str,
        claim: Claim,
        digest: &str,
    ) -> Result<Option<String>, RecordError> {
        let sql = "SELECT e.digest FROM subject u JOIN evidence e ON e.digest = u.evidence
                   WHERE u.partner = ?1 AND u.claim = ?2";
        self.doing("reading evidence from", |connection| {
            if is_kept(connection, digest)? {
                return Ok(Some(digest.to_owned()));
            }
            let values = (partner, claim.to_string());
            connection.prepare(sql)?.query_row(values, |row| row.get(0)).optional()
        })
    }

    /// The JSON of evidence, by its digest `sha256:…`; none where it was not kept, or no longer is.
    ///
    /// # Errors
    ///
    /// The disk; a body that is not the one it is filed under.
    pub fn evidence(&self, digest: &str) -> Result<Option<Vec<u8>>, RecordError> {
        let sql = "SELECT octets, body FROM evidence WHERE digest = ?1";
        let found: Option<(i64, Vec<u8>)> = self.doing("reading evidence from", |connection| {
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
            connection.prepare(sql)?.query_row([digest], read).optional()
        })?;
        let Some((octets, packed)) = found else { return Ok(None) };
        let altered =
            || RecordError::Altered { digest: digest.to_owned(), path: self.path.clone() };
        let octets = usize::try_from(octets).ok().filter(|octets| *octets <= OCTETS_MOST);
        let json = octets.and_then(|octets| zstd::bulk::decompress(&packed, octets).ok());
        let json = json.filter(|json| self::digest(json) == digest).ok_or_else(altered)?;
        Ok(Some(json))
    }
}
