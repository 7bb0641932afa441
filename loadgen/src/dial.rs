//! Opens connections, and names what went wrong.

mod book;
mod local;
mod route;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::Target;
use peakdrill_tls::Client;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub use self::book::{ADDRESSES_MAX, AVOIDED_S, TRIES_MAX};
pub(crate) use self::route::Route;
pub use self::route::{DNS_TTL_S, Resolver};
use crate::extract::Fault;
use crate::target::Address;

/// Opens connections to one target.
pub(crate) struct Dialer {
    name: String,
    pub(crate) route: Arc<Route>,
    tls: Option<Client>,
    timeout: Duration,
}

/// A connection: in the clear or in TLS.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection, and where to.
pub(crate) struct Dialed {
    pub(crate) stream: Stream,
    pub(crate) peer: SocketAddr,
}

fn fault(class: ErrorClass, detail: impl ToString) -> Fault {
    Fault { class, detail: detail.to_string() }
}

impl Dialer {
    /// `tls` is there for every target with TLS.
    pub(crate) fn new(target: &Target, address: &Address, route: Arc<Route>, tls: Option<Client>) -> Self {
        let timeout = Duration::from_nanos(target.connect_timeout_ns);
        Self { name: address.name.clone(), route, tls, timeout }
    }

    /// The limit for opening a connection.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Opens a connection within the target's limit, name service and TLS included.
    pub(crate) async fn dial(&self) -> Result<Dialed, Fault> {
        match tokio::time::timeout(self.timeout, self.connect()).await {
            Ok(result) => result,
            Err(_) => Err(fault(ErrorClass::ConnectTimeout, "no connection in time")),
        }
    }

    /// Tries the target's addresses. None of them may use up the time of those that are left.
    async fn connect(&self) -> Result<Dialed, Fault> {
        let until = Instant::now() + self.timeout;
        let mut last = fault(ErrorClass::Dns, "the name has no address");
        let peers = self.route.turn().await?;
        let tries = peers.len();
        for (k, peer) in peers.into_iter().enumerate() {
            let left = u32::try_from(tries - k).unwrap_or(u32::MAX);
            let limit = until.saturating_duration_since(Instant::now()) / left;
            match tokio::time::timeout(limit, self.route.local.connect(peer)).await {
                Ok(Ok(tcp)) => return self.secure(tcp).await.map(|stream| Dialed { stream, peer }),
                Ok(Err((kind, text))) => last = fault(connect_class(kind), text),
                Err(_) => last = fault(ErrorClass::ConnectTimeout, format!("{peer}: no connection in time")),
            }
            self.route.avoid(peer);
        }
        Err(last)
    }

    async fn secure(&self, tcp: TcpStream) -> Result<Stream, Fault> {
        tcp.set_nodelay(true).map_err(|error| fault(ErrorClass::Connect, error))?;
        match &self.tls {
            None => Ok(Stream::Plain(tcp)),
            Some(client) => {
                let stream = TlsConnector::from(client.config()).connect(client.name(), tcp).await;
                stream.map(|tls| Stream::Tls(Box::new(tls))).map_err(|error| {
                    fault(ErrorClass::Tls, client.why(&error).unwrap_or_else(|| error.to_string()))
                })
            }
        }
    }
}

fn connect_class(kind: io::ErrorKind) -> ErrorClass {
    match kind {
        io::ErrorKind::ConnectionRefused => ErrorClass::ConnectRefused,
        io::ErrorKind::TimedOut => ErrorClass::ConnectTimeout,
        _ => ErrorClass::Connect,
    }
}
