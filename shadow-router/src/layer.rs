//! The way in for tower services: axum, hyper and what is built on them.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use peakdrill_shadow_tag::ack;
use tower::{Layer, Service};

use crate::router::Router;
use crate::task;

/// Verifies, stamps, acknowledges, refuses. Everything inside finds its [`Work`](crate::Work) by
/// [`current`](crate::current()) and in the request's extensions.
#[derive(Clone, Debug)]
pub struct ShadowLayer(Router);

impl Router {
    /// The layer for the service's HTTP server. It belongs on the outside of all that does work.
    #[must_use]
    pub fn layer(&self) -> ShadowLayer {
        ShadowLayer(self.clone())
    }
}

impl<S> Layer<S> for ShadowLayer {
    type Service = ShadowService<S>;

    fn layer(&self, inner: S) -> ShadowService<S> {
        ShadowService { inner, router: self.0.clone() }
    }
}

/// A service behind a [`ShadowLayer`].
#[derive(Clone, Debug)]
pub struct ShadowService<S> {
    inner: S,
    router: Router,
}

impl<S, B, R> Service<Request<B>> for ShadowService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: From<Bytes> + Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let work = match self.router.accept(request.headers()) {
            Ok(work) => work,
            Err(rejected) => return Box::pin(async move { Ok(rejected.into_response()) }),
        };
        let ack = work.traceparent().filter(|_| work.is_shadow()).map(|trace| ack::ack_value(trace.trace_id));
        request.extensions_mut().insert(work.clone());
        let answer = task::with_sync(work.clone(), || self.inner.call(request));
        Box::pin(async move {
            let mut response = task::with(work, answer).await?;
            if let Some(ack) = ack
                && let Ok(value) = HeaderValue::from_str(ack.as_str())
            {
                response.headers_mut().insert(HeaderName::from_static(ack::HEADER), value);
            }
            Ok(response)
        })
    }
}
