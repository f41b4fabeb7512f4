//! What is read from the record when somebody asks: the page of a partner, and evidence by its digest.
//!
//! 1. A read waits for its turn: so many at once, and each keeps its turn until its answer is sent or given up.
//! 2. It is done on a thread that may block, with a reader of its own, beside whoever writes.
//! 3. Where the record cannot be read, a partner's page still says how its claims stand.
//!
//! Invariant: evidence leaves as it was stored, octet for octet: its SHA-256 is the digest in its address.

use super::{
    Snapshot,
    page::{self, Past},
    route::{Means, failed},
};
use crate::model::told::Muted;
use crate::record::{EventQuery, Reader, RecordError};
use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{Path, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{Html, IntoResponse, Response},
};
use http_body_util::BodyExt as _;
use hyper::body::{Frame, SizeHint};
use std::{
    collections::BTreeMap,
    convert::Infallible,
    path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::{sync::OwnedSemaphorePermit, task::spawn_blocking};

/// Octets of an answer that are handed out at once.
const PIECE: usize = 64 << 10;

/// How each claim of a partner stands, and what changed.
pub(super) async fn partner(State(means): State<Means>, Path(name): Path<String>) -> Response {
    let snapshot = Arc::clone(&means.shared.snapshot.borrow());
    let silences = Arc::clone(&means.shared.silences);
    read(&means, move |state_dir| about(state_dir, &snapshot, &name, silences.muted().get(&name)))
        .await
}

/// Evidence, as it was stored.
pub(super) async fn evidence(State(means): State<Means>, Path(asked): Path<String>) -> Response {
    let Some(digest) = digest_of(&asked) else {
        let words = "this is no digest: ask for sha256: and 64 hexadecimal digits, or for the digits alone\n";
        return (StatusCode::BAD_REQUEST, words).into_response();
    };
    read(&means, move |state_dir| body_of(state_dir, &digest)).await
}

/// Answers from the record, in its turn.
async fn read(
    means: &Means,
    answer: impl FnOnce(&path::Path) -> Response + Send + 'static,
) -> Response {
    let turn = match Arc::clone(&means.reads).acquire_owned().await {
        Ok(turn) => turn,
        Err(closed) => return failed(&closed),
    };
    let shared = Arc::clone(&means.shared);
    // The turn goes along: whoever asked may have left, and the thread still reads.
    let (response, turn) = match spawn_blocking(move || (answer(&shared.state_dir), turn)).await {
        Ok(answered) => answered,
        Err(error) => return failed(&error),
    };
    let (head, body) = response.into_parts();
    match body.collect().await {
        Ok(body) => Response::from_parts(head, Body::new(Held::new(body.to_bytes(), turn))),
        Err(error) => failed(&error),
    }
}

/// An answer that keeps its turn until its last piece is taken: hyper takes another once it has sent some, and would
/// take the whole at once if it were given so.
struct Held {
    rest: Bytes,
    _turn: OwnedSemaphorePermit,
}

impl Held {
    fn new(whole: Bytes, turn: OwnedSemaphorePermit) -> Self {
        Self { rest: whole, _turn: turn }
    }
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let octets = self.rest.len().min(PIECE);
        // A copy: a piece that is slow to leave must not hold the whole.
        let piece = Bytes::copy_from_slice(&self.rest.split_to(octets));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.rest.len()).unwrap_or(u64::MAX))
    }
}

fn about(
    state_dir: &path::Path,
    snapshot: &Snapshot,
    name: &str,
    muted: Option<&Muted>,
) -> Response {
    let is_configured = snapshot.standings.iter().any(|standing| standing.partner == name)
        || snapshot.targets.iter().any(|target| target.partner == name);
    let past = match past(state_dir, snapshot, name) {
        Ok(Past::Read { changes, .. }) if changes.is_empty() && !is_configured => {
            return (StatusCode::NOT_FOUND, Html(page::nobody(name))).into_response();
        }
        Ok(past) => past,
        Err(error) if !is_configured => return failed(&error),
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a page is served without the history"
            );
            Past::Unreadable
        }
    };
    Html(page::partner(snapshot, name, muted, &past)).into_response()
}

fn past(state_dir: &path::Path, snapshot: &Snapshot, name: &str) -> Result<Past, RecordError> {
    let reader = Reader::open(state_dir)?;
    // One more than is shown tells whether there are more.
    let limit = Some(page::CHANGES + 1);
    let query = EventQuery { partner: Some(name.to_owned()), limit, ..EventQuery::default() };
    let changes = reader.events(&query)?;
    let mut kept = BTreeMap::new();
    for standing in snapshot.standings.iter().filter(|standing| standing.partner == name) {
        if let Some(digest) = reader.kept(name, standing.claim, &standing.evidence)? {
            kept.insert(standing.claim, digest);
        }
    }
    Ok(Past::Read { changes, kept })
}

fn body_of(state_dir: &path::Path, digest: &str) -> Response {
    match Reader::open(state_dir).and_then(|reader| reader.evidence(digest)) {
        Ok(Some(json)) => ([(CONTENT_TYPE, "application/json")], json).into_response(),
        Ok(None) => {
            let words = format!(
                "{digest} is not kept: bodies are kept on change, for violations and daily, for as long as [record] says; \
                 the page of the partner links to the one that stands for it\n"
            );
            (StatusCode::NOT_FOUND, words).into_response()
        }
        Err(error) => failed(&error),
    }
}

/// `sha256:` and 64 hexadecimal digits, or the digits alone, as the record writes it.
fn digest_of(asked: &str) -> Option<String> {
    let digits = asked.strip_prefix("sha256:").unwrap_or(asked);
    let is_digest = digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_digest.then(|| format!("sha256:{}", digits.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::Semaphore;

    #[tokio::test]
    async fn an_answer_keeps_its_turn_until_its_last_piece_is_taken() {
        let turns = Arc::new(Semaphore::new(1));
        let turn = Arc::clone(&turns).acquire_owned().await.unwrap();
        let whole: Vec<u8> = (0..=u8::MAX).cycle().take(2 * PIECE + 1).collect();
        let mut body = Body::new(Held::new(Bytes::from(whole.clone()), turn));
        assert_eq!(body.size_hint().exact(), Some(2 * PIECE as u64 + 1));
        let mut taken = Vec::new();
        for octets in [PIECE, PIECE, 1] {
            assert_eq!(turns.available_permits(), 0);
            let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert_eq!(piece.len(), octets);
            taken.extend(piece);
        }
        assert!(body.is_end_stream() && body.frame().await.is_none());
        assert_eq!(taken, whole);
        drop(body);
        assert_eq!(turns.available_permits(), 1);
    }
}
