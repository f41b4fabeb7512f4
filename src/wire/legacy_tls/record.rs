//! Records, put together from a byte stream ([RFC 4346 §6.2]).
//!
//! [RFC 4346 §6.2]: https://www.rfc-editor.org/rfc/rfc4346#section-6.2

use super::Fault;
use crate::wire::text;

pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION_DATA: u8 = 23;

/// Octets of content a record may carry.
pub(super) const CONTENT_MOST: usize = 1 << 14;
/// Octets of a record's body, what encryption may add included.
const BODY_MOST: usize = CONTENT_MOST + 2048;
const HEADER: usize = 5;

/// One record, its body as it was sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) kind: u8,
    pub(super) body: Vec<u8>,
}

/// Takes a stream apart.
#[derive(Debug, Default)]
pub(super) struct RecordReader {
    /// A record that is not whole yet.
    record: Vec<u8>,
    /// Whether a whole one came before.
    is_tls: bool,
}

impl RecordReader {
    /// Takes bytes off the front of `input` until a record is whole or the input is used up.
    pub(super) fn take_from(&mut self, input: &mut &[u8]) -> Result<Option<Record>, Fault> {
        self.fill(input, HEADER);
        let Some(([kind, major, minor, high, low], _)) = self.record.split_first_chunk::<HEADER>()
        else {
            return Ok(None);
        };
        let (kind, length) = (*kind, usize::from(u16::from_be_bytes([*high, *low])));
        // Any minor version: some clients name their highest in the first record, some the lowest.
        if !(CHANGE_CIPHER_SPEC..=APPLICATION_DATA).contains(&kind) || *major != 3 {
            return Err(match (self.is_tls, kind & 0x80 != 0 && *minor == 1) {
                (true, _) => Fault::Malformed("record"),
                // RFC 2246 §E: a length of two octets with the highest bit set, the type 1, the version.
                (false, true) => Fault::Ssl2Hello,
                (false, false) => {
                    Fault::NotTls(text::printable(self.record.get(..HEADER).unwrap_or_default()))
                }
            });
        }
        if length > BODY_MOST {
            return Err(Fault::TooMuch { what: "octets of a record", limit: BODY_MOST });
        }
        self.fill(input, HEADER + length);
        if self.record.len() < HEADER + length {
            return Ok(None);
        }
        self.is_tls = true;
        let body = self.record.split_off(HEADER);
        self.record.clear();
        Ok(Some(Record { kind, body }))
    }

    fn fill(&mut self, input: &mut &[u8], wanted: usize) {
        let missing = wanted.saturating_sub(self.record.len());
        let (taken, rest) = input.split_at_checked(missing).unwrap_or((*input, &[]));
        self.record.extend_from_slice(taken);
        *input = rest;
    }
}
