//! The way out by HTTP: inside with all carriers, to third parties without any, and for shadow work to a stub.

mod response;
mod stub;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use peakdrill_drill_model::ledger::Outcome;
use peakdrill_shadow_rules::http::{Egress, Host, resource};
use peakdrill_shadow_rules::{Refused, Stub, code};
use peakdrill_shadow_tag::{Class, Traceparent, traceparent};
use reqwest::Url;
use serde::Serialize;

pub use response::{BODY_MAX_BYTES, Response};
pub use stub::{STUB_SLEEPING_MAX, STUB_WAIT_MAX};

use crate::error::Error;
use crate::router::Router;
use crate::task;
use crate::work::{TRACESTATE, foreign_baggage};
use stub::StubServer;

/// Seed of the stubs' latencies, when none is set.
const DEFAULT_SEED: u64 = 1;

/// An HTTP client that knows whose work it does. Clones share connections and stubs.
///
/// It follows no redirect, since a redirect may lead out of the house, and repeats no call: a repetition would be one
/// more that nobody counted.
#[derive(Clone, Debug)]
pub struct HttpClient(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    router: Router,
    client: reqwest::Client,
    stub_slots: Option<NonZeroU32>,
    seed: u64,
    stubs: Mutex<HashMap<String, Arc<StubServer>>>,
}

impl HttpClient {
    /// A client of the service, on a client of the given set-up. Redirects and repetitions are switched off in it.
    ///
    /// # Errors
    /// When the client cannot be built.
    pub fn new(router: &Router, builder: reqwest::ClientBuilder) -> Result<Self, Error> {
        let (redirects, retries) = (reqwest::redirect::Policy::none(), reqwest::retry::never());
        let client = builder.redirect(redirects).retry(retries).build()?;
        let (router, stubs) = (router.clone(), Mutex::default());
        Ok(Self(Arc::new(Shared { router, client, stub_slots: None, seed: DEFAULT_SEED, stubs })))
    }

    /// How many calls each stub serves at once, where its rule says nothing: a slow third party is then a slow stub,
    /// with a queue. Without, as many as [`STUB_SLEEPING_MAX`].
    #[must_use]
    pub fn stub_slots(self, slots: NonZeroU32) -> Self {
        self.change(|shared| shared.stub_slots = Some(slots))
    }

    /// The seed of the stubs' latencies.
    #[must_use]
    pub fn stub_seed(self, seed: u64) -> Self {
        self.change(|shared| shared.seed = seed)
    }

    fn change(self, set: impl FnOnce(&mut Shared)) -> Self {
        let Shared { router, client, stub_slots, seed, .. } = &*self.0;
        let (router, client, stubs) = (router.clone(), client.clone(), Mutex::default());
        let mut shared = Shared { router, client, stub_slots: *stub_slots, seed: *seed, stubs };
        set(&mut shared);
        Self(Arc::new(shared))
    }

    /// Begins a call.
    pub fn request(&self, method: Method, url: impl Into<String>) -> RequestBuilder {
        let (client, url, error) = (self.clone(), url.into(), None);
        let (headers, body, timeout) = (HeaderMap::new(), Bytes::new(), None);
        RequestBuilder { client, method, url, headers, body, timeout, error }
    }

    /// Begins a GET.
    pub fn get(&self, url: impl Into<String>) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// Begins a POST.
    pub fn post(&self, url: impl Into<String>) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    fn stub(&self, stub: &Stub) -> Arc<StubServer> {
        let mut stubs = self.0.stubs.lock().unwrap_or_else(PoisonError::into_inner);
        // Bounded by the number of stubs in the rules.
        let server = stubs.entry(stub.host.clone()).or_insert_with(|| {
            let slots = stub.slots.and_then(NonZeroU32::new).or(self.0.stub_slots);
            Arc::new(StubServer::new(stub, slots, self.0.seed))
        });
        Arc::clone(server)
    }
}

/// A call to be sent.
#[derive(Debug)]
#[must_use = "a call does nothing until it is sent"]
pub struct RequestBuilder {
    client: HttpClient,
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Bytes,
    timeout: Option<Duration>,
    error: Option<Error>,
}

impl RequestBuilder {
    /// Sets a header. The carriers of the tag are not set this way: what stands in them is replaced.
    pub fn header(mut self, name: impl TryInto<HeaderName>, value: impl TryInto<HeaderValue>) -> Self {
        match (name.try_into(), value.try_into()) {
            (Ok(name), _) if name == HOST => self.fail(Error::config("the host is that of the URL")),
            (Ok(name), Ok(value)) => {
                self.headers.insert(name, value);
            }
            _ => self.fail(Error::config("not a header")),
        }
        self
    }

    /// The span that makes this call, as parent of what it causes. Without, it is the one that came in.
    pub fn traceparent(self, parent: Traceparent) -> Self {
        self.header(traceparent::HEADER, parent.to_string())
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets a JSON body, and its content type.
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(text) => {
                self.body = text.into();
                self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }
            Err(error) => self.fail(error.into()),
        }
        self
    }

    /// The time that the call may take, whoever answers it.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    fn fail(&mut self, error: Error) {
        self.error.get_or_insert(error);
    }

    /// Decides, counts, and sends the call or lets the stub answer it.
    ///
    /// # Errors
    /// When the isolation refuses it, when it fails on its way, or when time runs out.
    pub async fn send(mut self) -> Result<Response, Error> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let url: Url = self.url.parse().map_err(|_| Error::config("not a URL"))?;
        let host = host_of(&url)?;
        let client = self.client.clone();
        let router = &client.0.router;
        let work = task::current();
        let class = work.as_ref().map_or(Class::Unknown, |work| *work.class());
        match router.egress(&class, &host)? {
            Egress::Mock(stub) => {
                let server = self.client.stub(stub);
                let Some(answer) = server.take() else {
                    let text = "the stub has too many calls waiting: this one is shed";
                    return Err(router.refuse(&class, Refused::new(code::OVERLOADED, resource(&host), text)));
                };
                router.count(&class, resource(&host), Outcome::Mocked);
                match self.timeout {
                    Some(limit) => {
                        tokio::time::timeout(limit, answer.wait()).await.map_err(|_| Error::timeout())
                    }
                    None => Ok(answer.wait().await),
                }
            }
            Egress::Internal => {
                match &work {
                    Some(work) => work.put_carriers(&mut self.headers),
                    None => strip(router, &mut self.headers),
                }
                self.call(url).await
            }
            Egress::ThirdParty => {
                strip(router, &mut self.headers);
                self.call(url).await
            }
        }
    }

    async fn call(self, url: Url) -> Result<Response, Error> {
        let mut request =
            self.client.0.client.request(self.method, url).headers(self.headers).body(self.body);
        if let Some(limit) = self.timeout {
            request = request.timeout(limit);
        }
        Ok(Response::real(request.send().await?))
    }
}

fn host_of(url: &Url) -> Result<Host, Error> {
    let port = url.port_or_known_default();
    match (url.host_str(), port) {
        (Some(name), Some(port)) => Ok(Host::new(name, port)),
        _ => Err(Error::config("the URL has no host")),
    }
}

/// Takes out of the headers whatever is ours: token, stamp, and a trace id that carries a mark.
fn strip(router: &Router, headers: &mut HeaderMap) {
    headers.remove(&router.0.header);
    let others = foreign_baggage(headers);
    headers.remove(peakdrill_shadow_tag::baggage::HEADER);
    if let Ok(value) = HeaderValue::from_bytes(&others)
        && !others.is_empty()
    {
        headers.insert(HeaderName::from_static(peakdrill_shadow_tag::baggage::HEADER), value);
    }
    let marked = |value: &HeaderValue| {
        let parsed = Traceparent::parse(value.as_bytes());
        parsed.map_or(true, |parsed| router.0.verifier.runs().find_mark(parsed.trace_id).is_some())
    };
    if headers.get(traceparent::HEADER).is_some_and(marked) {
        headers.remove(traceparent::HEADER);
        headers.remove(TRACESTATE);
    }
}
