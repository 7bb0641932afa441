//! The way in for tower services: axum, hyper and what is built on them.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use peakdrill_shadow_tag::ack;
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::router::Router;
use crate::task;
use crate::work::Work;

/// Verifies, stamps, acknowledges, refuses. Everything inside finds its [`Work`](crate::Work) by
/// [`current`](crate::current()) and in the request's extensions; so does the body of the answer, which is often made
/// while it is sent.
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
    R: Body + From<Bytes> + Send + 'static,
{
    type Response = Response<WorkBody<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<WorkBody<R>>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let work = match self.router.accept(request.headers()) {
            Ok(work) => work,
            Err(rejected) => {
                let response = rejected.into_response().map(|body| WorkBody::new(None, body));
                return Box::pin(async move { Ok(response) });
            }
        };
        let ack = work.traceparent().filter(|_| work.is_shadow()).map(|trace| ack::ack_value(trace.trace_id));
        request.extensions_mut().insert(work.clone());
        let answer = task::with_sync(work.clone(), || self.inner.call(request));
        Box::pin(async move {
            let mut response = task::with(work.clone(), answer).await?;
            if let Some(ack) = ack
                && let Ok(value) = HeaderValue::from_str(ack.as_str())
            {
                response.headers_mut().insert(HeaderName::from_static(ack::HEADER), value);
            }
            Ok(response.map(|body| WorkBody::new(Some(work), body)))
        })
    }
}

pin_project! {
    /// The body of an answer, made as the work that the request was: a stream that asks a database or another hop
    /// while it is sent does so in its class.
    pub struct WorkBody<R> {
        work: Option<Work>,
        #[pin]
        body: R,
    }
}

impl<R> WorkBody<R> {
    fn new(work: Option<Work>, body: R) -> Self {
        Self { work, body }
    }
}

impl<R: Body> Body for WorkBody<R> {
    type Data = R::Data;
    type Error = R::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<R::Data>, R::Error>>> {
        let this = self.project();
        match this.work {
            Some(work) => task::with_sync(work.clone(), || this.body.poll_frame(context)),
            None => this.body.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<R> fmt::Debug for WorkBody<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkBody").field("work", &self.work).finish_non_exhaustive()
    }
}
