//! What every service has: its telemetry, its router, its way to call others.

use std::convert::Infallible;

use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, get};
use http::HeaderMap;
use opentelemetry_sdk::trace::SdkTracer;
use peakdrill_shadow_router::{Router, carriers};
use peakdrill_shadow_tag::baggage;

use crate::caller::Caller;
use crate::services::BODY_MAX_BYTES;
use crate::trace::{Incoming, Traced, server_span, tell_class};

/// What every service has.
#[derive(Debug)]
pub(crate) struct Hop {
    pub(crate) tracer: SdkTracer,
    /// Keeps shadow work out of live data; only a service that makes a mistake on purpose has none.
    pub(crate) router: Option<Router>,
    pub(crate) caller: Caller,
}

impl Hop {
    /// A route that is traced and guarded. The span is the outermost: it covers what the router refuses too.
    pub(crate) fn route<S>(&self, route: &'static str, methods: MethodRouter<S>) -> MethodRouter<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        let traced = Traced { tracer: self.tracer.clone(), route };
        let guarded = match &self.router {
            Some(router) => methods.layer::<_, Infallible>(from_fn(tell_class)).layer(router.layer()),
            None => methods,
        };
        guarded.layer(from_fn_with_state(traced, server_span))
    }

    /// What all services answer alike: bounded bodies, and `/healthz`, which is neither traced nor guarded.
    pub(crate) fn finish(router: axum::Router) -> axum::Router {
        router.layer(DefaultBodyLimit::max(BODY_MAX_BYTES)).route("/healthz", get(async || "ok"))
    }

    /// What a message carries besides the trace context.
    pub(crate) fn carriers(&self, work: &Incoming) -> HeaderMap {
        if self.router.is_some() {
            return carriers().into_iter().collect();
        }
        work.baggage
            .iter()
            .map(|value| (http::HeaderName::from_static(baggage::HEADER), value.clone()))
            .collect()
    }
}
