//! Which path says what, and what every answer carries.
//!
//! Invariant: no page runs a script, loads anything, is framed, or is kept by a cache.

use super::{
    Shared, WebLimits, WebPlan, archive,
    guard::{Entry, Guard},
    page, probe,
};
use crate::tell::metrics::CONTENT_TYPE;
use axum::{
    Router,
    body::{Body, HttpBody as _},
    extract::State,
    http::{
        HeaderValue, Request, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE as TYPE, HeaderName,
            REFERRER_POLICY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        },
    },
    response::{Html, IntoResponse, Response},
    routing::get,
};
use http_body_util::Limited;
use hyper::body::Incoming;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::Semaphore,
    task::spawn_blocking,
    time::{error::Elapsed, timeout},
};
use tower::ServiceExt as _;

/// What a probe may take beyond its own deadline: to be written down.
const PROBE_GRACE: Duration = Duration::from_secs(5);

/// What answers.
pub(super) struct Desk {
    guard: Guard,
    limits: WebLimits,
    policy: HeaderValue,
    router: Router,
}

/// What the handlers share.
#[derive(Clone)]
pub(super) struct Means {
    pub(super) plan: Arc<WebPlan>,
    pub(super) shared: Arc<Shared>,
    pub(super) probes: Arc<Semaphore>,
    pub(super) reads: Arc<Semaphore>,
}

impl Desk {
    pub(super) fn new(plan: WebPlan, shared: Arc<Shared>) -> Self {
        let guard = Guard::new(&plan);
        let limits = plan.limits;
        let probes = Arc::new(Semaphore::new(limits.probes));
        let reads = Arc::new(Semaphore::new(limits.reads));
        let means = Means { plan: Arc::new(plan), shared, probes, reads };
        let router = Router::new()
            .route("/", get(index))
            .route("/evidence/{digest}", get(archive::evidence))
            .route("/healthz", get(async || "ok\n"))
            .route("/metrics", get(metrics))
            .route("/partner/{name}", get(archive::partner))
            .route("/probe", get(probe::probe))
            .route("/readyz", get(ready))
            .fallback(async || (StatusCode::NOT_FOUND, "there is no such page\n"))
            .method_not_allowed_fallback(async || {
                (StatusCode::METHOD_NOT_ALLOWED, "this page can only be read\n")
            })
            .with_state(means);
        Self { guard, limits, policy: page::policy(), router }
    }

    /// Answers one request, whatever it is.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response {
        let mut response = match self.refuse(&request) {
            Some(refused) => refused,
            None => self.route(request).await,
        };
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(CONTENT_SECURITY_POLICY, self.policy.clone());
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        headers.insert(
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("same-origin"),
        );
        response
    }

    fn refuse(&self, request: &Request<Incoming>) -> Option<Response> {
        let challenge = match self.guard.reading(request.uri().path(), request.headers()) {
            Entry::Granted => None,
            Entry::NoToken => Some(("Bearer realm=\"mxwarden\"", "a token is needed\n")),
            // RFC 6750 §3.1.
            Entry::WrongToken => {
                Some(("Bearer realm=\"mxwarden\", error=\"invalid_token\"", "the wrong token\n"))
            }
        };
        if let Some((challenge, words)) = challenge {
            let header = [(WWW_AUTHENTICATE, challenge)];
            return Some((StatusCode::UNAUTHORIZED, header, words).into_response());
        }
        // Whoever does not say how much it sends is cut off by the limit below.
        let announced = request.body().size_hint().lower();
        let fits = usize::try_from(announced).is_ok_and(|octets| octets <= self.limits.body);
        (!fits).then(|| (StatusCode::PAYLOAD_TOO_LARGE, "that is too much\n").into_response())
    }

    async fn route(&self, request: Request<Incoming>) -> Response {
        let within = match request.uri().path() {
            "/probe" => self.limits.probe_within.saturating_add(PROBE_GRACE),
            _ => self.limits.request_within,
        };
        let request = request.map(|body| Body::new(Limited::new(body, self.limits.body)));
        match timeout(within, self.router.clone().oneshot(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(Elapsed { .. }) => {
                (StatusCode::SERVICE_UNAVAILABLE, "that took too long\n").into_response()
            }
        }
    }
}

/// Our own fault, told in the log.
pub(super) fn failed(error: &(dyn std::error::Error + 'static)) -> Response {
    tracing::error!(error, "an HTTP request could not be answered");
    (StatusCode::INTERNAL_SERVER_ERROR, "this failed; the log says why\n").into_response()
}

async fn metrics(State(means): State<Means>) -> Response {
    let metrics = Arc::clone(&means.shared.metrics);
    match spawn_blocking(move || metrics.encode()).await {
        Ok(Ok(text)) => ([(TYPE, CONTENT_TYPE)], text).into_response(),
        Ok(Err(error)) => failed(&error),
        Err(error) => failed(&error),
    }
}

async fn ready(State(means): State<Means>) -> Response {
    let readiness = means.shared.snapshot.borrow().readiness.clone();
    let mut missing = Vec::new();
    if !readiness.config_loaded {
        missing.push("config: none is loaded".to_owned());
    }
    if let Err(why) = readiness.store {
        missing.push(format!("store: it takes no writes: {why}"));
    }
    if !readiness.first_round_under_way {
        missing.push("round: the first has not begun".to_owned());
    }
    if missing.is_empty() {
        return "ready\n".into_response();
    }
    let text = format!("not ready\n{}\n", missing.join("\n"));
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

async fn index(State(means): State<Means>) -> Response {
    let snapshot = Arc::clone(&means.shared.snapshot.borrow());
    let silences = Arc::clone(&means.shared.silences);
    match spawn_blocking(move || page::index(&snapshot, &silences.muted())).await {
        Ok(text) => Html(text).into_response(),
        Err(error) => failed(&error),
    }
}
