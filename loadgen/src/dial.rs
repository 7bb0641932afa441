//! Opens connections, and names what went wrong.

use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::Target;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::StartError;
use crate::extract::Fault;
use crate::target::Address;

/// How long resolved addresses are used, in seconds.
pub const DNS_TTL_S: u64 = 30;
/// Most addresses of a name that are tried.
pub const ADDRESSES_MAX: usize = 16;

/// Opens connections to one target.
pub(crate) struct Dialer {
    address: Address,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    timeout: Duration,
    resolved: Mutex<Option<Resolved>>,
}

/// Addresses, and since when they are known.
type Resolved = (Instant, Vec<SocketAddr>);

/// A connection: in the clear or in TLS.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

fn fault(class: ErrorClass, detail: impl ToString) -> Fault {
    Fault { class, detail: detail.to_string() }
}

impl Dialer {
    /// `connector` is there for every target with TLS.
    pub(crate) fn new(
        target: &Target,
        address: &Address,
        connector: Option<TlsConnector>,
    ) -> Result<Self, StartError> {
        let tls = if let Some(connector) = connector {
            let name = ServerName::try_from(address.domain.clone()).map_err(|error| StartError::Target {
                target: address.name.clone(),
                because: error.to_string(),
            })?;
            Some((connector, name))
        } else {
            None
        };
        let timeout = Duration::from_nanos(target.connect_timeout_ns);
        Ok(Self { address: address.clone(), tls, timeout, resolved: Mutex::default() })
    }

    /// The limit for opening a connection.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn name(&self) -> &str {
        &self.address.name
    }

    /// Opens a connection, TLS included, within the target's limit.
    pub(crate) async fn dial(&self) -> Result<Stream, Fault> {
        match tokio::time::timeout(self.timeout, self.connect()).await {
            Ok(result) => result,
            Err(_) => Err(fault(ErrorClass::ConnectTimeout, "no connection in time")),
        }
    }

    async fn connect(&self) -> Result<Stream, Fault> {
        let mut last = fault(ErrorClass::Dns, "the name has no address");
        for address in self.resolve().await? {
            match TcpStream::connect(address).await {
                Ok(tcp) => return self.secure(tcp).await,
                Err(error) => last = fault(connect_class(&error), format!("{address}: {error}")),
            }
        }
        Err(last)
    }

    async fn secure(&self, tcp: TcpStream) -> Result<Stream, Fault> {
        tcp.set_nodelay(true).map_err(|error| fault(ErrorClass::Connect, error))?;
        match &self.tls {
            None => Ok(Stream::Plain(tcp)),
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), tcp).await;
                stream.map(|tls| Stream::Tls(Box::new(tls))).map_err(|error| fault(ErrorClass::Tls, error))
            }
        }
    }

    async fn resolve(&self) -> Result<Vec<SocketAddr>, Fault> {
        let Address { domain, port, .. } = &self.address;
        if let Ok(ip) = domain.parse() {
            return Ok(vec![SocketAddr::new(ip, *port)]);
        }
        let resolved = || self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, known)) = &*resolved()
            && at.elapsed().as_secs() < DNS_TTL_S
        {
            return Ok(known.clone());
        }
        let found = tokio::net::lookup_host((domain.as_str(), *port)).await;
        let found = found.map_err(|error| fault(ErrorClass::Dns, format!("{domain}: {error}")))?;
        let found: Vec<SocketAddr> = found.take(ADDRESSES_MAX).collect();
        *resolved() = Some((Instant::now(), found.clone()));
        Ok(found)
    }
}

fn connect_class(error: &io::Error) -> ErrorClass {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ErrorClass::ConnectRefused,
        io::ErrorKind::TimedOut => ErrorClass::ConnectTimeout,
        _ => ErrorClass::Connect,
    }
}
