//! A gRPC server of `proto/all.proto`, with reflection in the version that is asked for.
//!
//! `Echo` answers with the message that it got, unless its `text` says otherwise: `fail 5 no such user` is answered by
//! that status, `wait 200` after so many milliseconds. `Many` answers by `i32` copies, and fails behind them. `Odd` gives
//! answers that are none.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes};
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use prost_reflect::{DescriptorPool, DynamicMessage};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use tokio::sync::oneshot;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, NamedService, ServerStreamingService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status};

/// The file that the server speaks.
pub const ALL_PROTO: &str = include_str!("../proto/all.proto");

/// Calls that are kept, at most.
const CALLS_MAX: usize = 100_000;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Which version of the reflection service there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reflection {
    /// `grpc.reflection.v1`.
    V1,
    /// `grpc.reflection.v1alpha`.
    V1Alpha,
    /// `grpc.reflection.v1`, refused so many times by a hop that does not know the run yet. These calls are kept too.
    Late(usize),
    /// None.
    None,
}

/// A call that came.
#[derive(Debug, Clone)]
pub struct Call {
    /// `/package.Service/Method`.
    pub path: String,
    /// Its metadata.
    pub metadata: HeaderMap,
    /// Its message, encoded.
    pub message: Vec<u8>,
}

impl Call {
    /// A metadatum as text.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.metadata.get(name)?.to_str().ok()
    }
}

/// The descriptors of [`ALL_PROTO`] and all that it imports, encoded.
///
/// # Errors
/// When the file cannot be compiled.
pub fn descriptor_set() -> Result<Vec<u8>, Failure> {
    struct Source;
    impl FileResolver for Source {
        fn open_file(&self, name: &str) -> Result<File, protox::Error> {
            let known = (name == "all.proto").then_some(ALL_PROTO);
            File::from_source(name, known.ok_or_else(|| protox::Error::file_not_found(name))?)
        }
    }
    let mut resolver = ChainFileResolver::new();
    resolver.add(Source);
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).open_file("all.proto")?;
    Ok(compiler.encode_file_descriptor_set())
}

/// A running server; it stops when it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    calls: Arc<Mutex<Vec<Call>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Starts a server on a free port.
    ///
    /// # Errors
    /// When the system refuses a port or a thread.
    pub fn start(reflection: Reflection) -> Result<Self, Failure> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let set = descriptor_set()?;
        let pool = DescriptorPool::decode(set.as_slice())?;
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = oneshot::channel();
        let log = Log(Arc::clone(&calls));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("grpc-server".into()).spawn(move || {
            let served = runtime.block_on(serve(listener, reflection, set, Echo { log, pool }, stopped));
            drop(served);
        })?;
        Ok(Self { address, calls, stop: Some(stop), thread: Some(thread) })
    }

    /// `grpc://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("grpc://{}", self.address)
    }

    /// All calls so far, in the order in which they came.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(
    listener: std::net::TcpListener,
    reflection: Reflection,
    set: Vec<u8>,
    echo: Echo,
    stopped: oneshot::Receiver<()>,
) -> Result<(), Failure> {
    let incoming = TcpIncoming::from(tokio::net::TcpListener::from_std(listener)?).with_nodelay(Some(true));
    let told = || tonic_reflection::server::Builder::configure().register_encoded_file_descriptor_set(&set);
    let (odd, log) = (Odd(echo.log.clone()), echo.log.clone());
    let router = tonic::transport::Server::builder().add_service(echo).add_service(odd);
    let router = match reflection {
        Reflection::V1 => router.add_service(told().build_v1()?),
        Reflection::V1Alpha => router.add_service(told().build_v1alpha()?),
        Reflection::Late(times) => {
            router.add_service(Late { told: told().build_v1()?, left: Arc::new(times.into()), log })
        }
        Reflection::None => router,
    };
    // The wait for connections to end would be the clients': they are cut.
    tokio::select! {
        served = router.serve_with_incoming(incoming) => Ok(served?),
        _ = stopped => Ok(()),
    }
}

#[derive(Debug, Clone)]
struct Log(Arc<Mutex<Vec<Call>>>);

impl Log {
    fn put(&self, path: &str, metadata: HeaderMap, message: Vec<u8>) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() < CALLS_MAX {
            calls.push(Call { path: path.to_owned(), metadata, message });
        }
    }
}

#[derive(Debug, Clone)]
struct Echo {
    log: Log,
    pool: DescriptorPool,
}

impl NamedService for Echo {
    const NAME: &'static str = "all.v1.Echo";
}

type Answer<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

impl tower::Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answer<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let echo = self.clone();
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            let method = Method { echo, path: path.clone() };
            Ok(match path.as_str() {
                "/all.v1.Echo/Unary" => Grpc::new(Plain).unary(method, request).await,
                "/all.v1.Echo/Many" => Grpc::new(Plain).server_streaming(method, request).await,
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

/// One method of `Echo`.
struct Method {
    echo: Echo,
    path: String,
}

impl Method {
    /// What is to be done with a message: how often it is sent back, and how it ends.
    async fn decide(
        &self,
        request: Request<Vec<u8>>,
    ) -> Result<(Vec<u8>, usize, Result<(), Status>), Status> {
        let (metadata, _, message) = request.into_parts();
        self.echo.log.put(&self.path, metadata.into_headers(), message.clone());
        let all = self.echo.pool.get_message_by_name("all.v1.All");
        let all = all.ok_or_else(|| Status::internal("there is no All"))?;
        let read = DynamicMessage::decode(all, message.as_slice());
        let read = read.map_err(|error| Status::invalid_argument(error.to_string()))?;
        let field = |name: &str| read.get_field_by_name(name).map(|value| value.into_owned());
        let text = field("text").and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
        let count = field("i32").and_then(|value| value.as_i32()).unwrap_or_default();
        let (word, rest) = text.split_once(' ').unwrap_or((&text, ""));
        let (number, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let number = number.parse::<u32>().unwrap_or_default();
        let ends = match word {
            "fail" => Err(Status::new(Code::from(number as i32), rest)),
            "wait" => {
                tokio::time::sleep(Duration::from_millis(number.into())).await;
                Ok(())
            }
            _ => Ok(()),
        };
        Ok((message, usize::try_from(count).unwrap_or_default(), ends))
    }
}

impl UnaryService<Vec<u8>> for Method {
    type Response = Vec<u8>;
    type Future = Answer<Response<Vec<u8>>, Status>;

    fn call(&mut self, request: Request<Vec<u8>>) -> Self::Future {
        let method = Self { echo: self.echo.clone(), path: self.path.clone() };
        Box::pin(async move {
            let (message, _, ends) = method.decide(request).await?;
            ends.map(|()| Response::new(message))
        })
    }
}

/// Messages of an answer.
type Messages = tokio_stream::Iter<std::vec::IntoIter<Result<Vec<u8>, Status>>>;

impl ServerStreamingService<Vec<u8>> for Method {
    type Response = Vec<u8>;
    type ResponseStream = Messages;
    type Future = Answer<Response<Messages>, Status>;

    fn call(&mut self, request: Request<Vec<u8>>) -> Self::Future {
        let method = Self { echo: self.echo.clone(), path: self.path.clone() };
        Box::pin(async move {
            let (message, count, ends) = method.decide(request).await?;
            let mut messages = vec![Ok(message); count];
            messages.extend(ends.err().map(Err));
            Ok(Response::new(tokio_stream::iter(messages)))
        })
    }
}

/// Messages as their bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Plain;

impl Codec for Plain {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Plain {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining()).to_vec()))
    }
}

/// A service behind a hop that refuses some requests before it knows the run.
#[derive(Debug, Clone)]
struct Late<S> {
    told: S,
    left: Arc<AtomicUsize>,
    log: Log,
}

impl<S: NamedService> NamedService for Late<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> tower::Service<http::Request<Body>> for Late<S>
where
    S: tower::Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answer<Self::Response, Infallible>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.told.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        self.log.put(request.uri().path(), request.headers().clone(), Vec::new());
        let one_less = |left: usize| left.checked_sub(1);
        if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_err() {
            return Box::pin(self.told.call(request));
        }
        let mut refused = http::Response::new(Body::empty());
        *refused.status_mut() = http::StatusCode::FORBIDDEN;
        refused.headers_mut().insert("x-peakdrill-refused", HeaderValue::from_static("run_unknown"));
        Box::pin(std::future::ready(Ok(refused)))
    }
}

/// Answers that are none.
#[derive(Debug, Clone)]
struct Odd(Log);

impl NamedService for Odd {
    const NAME: &'static str = "all.v1.Odd";
}

impl tower::Service<http::Request<Body>> for Odd {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answer<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let log = self.0.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            log.put(head.uri.path(), head.headers, body.to_vec());
            Ok(odd(head.uri.path()))
        })
    }
}

/// An answer of these bytes, with trailers or without.
fn odd(path: &str) -> http::Response<Body> {
    let ok = Some(("grpc-status", "0"));
    let (bytes, trailer): (&'static [u8], _) = match path {
        "/all.v1.Odd/NoStatus" => (b"\0\0\0\0\0", None),
        "/all.v1.Odd/Cut" => (b"\0\0\0\0\x05\x08", ok),
        "/all.v1.Odd/Compressed" => (b"\x01\0\0\0\0", ok),
        "/all.v1.Odd/Undecodable" => (b"\0\0\0\0\x01\x08", ok),
        // An `Any` of a type that nobody knows, which is well-formed.
        "/all.v1.Odd/Strange" => (b"\0\0\0\0\x0c\xf2\x03\x09\x0a\x07x/no.No", ok),
        "/all.v1.Odd/Twice" => (b"\0\0\0\0\0\0\0\0\0\0", ok),
        "/all.v1.Odd/Refused" => (b"\0\0\0\0\0", Some(("x-peakdrill-refused", "no rule"))),
        _ => {
            let mut busy = http::Response::new(Body::empty());
            *busy.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
            return busy;
        }
    };
    let trailers: HeaderMap = trailer
        .into_iter()
        .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
    let mut frames = vec![Ok::<_, Status>(Frame::data(Bytes::from_static(bytes)))];
    if !trailers.is_empty() {
        frames.push(Ok(Frame::trailers(trailers)));
    }
    let body = Body::new(StreamBody::new(tokio_stream::iter(frames)));
    let mut answer = http::Response::new(body);
    answer.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    answer
}
