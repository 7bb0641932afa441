//! TLS before any server that speaks in the clear, and the certificates for it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{self, HandshakeKind, RootCertStore, ServerConfig};

/// Path of the authority of servers' certificate, which is for `127.0.0.1` and `localhost`.
pub const CA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/ca.pem");
/// Path of the authority of [`CLIENT`].
pub const CLIENT_CA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/client-ca.pem");
/// Path of a client's certificate.
pub const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/client.pem");
/// Path of the key of [`CLIENT`].
pub const CLIENT_KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/client.key");

const CERTIFICATE: &[u8] = include_bytes!("../fixtures/server.pem");
const KEY: &[u8] = include_bytes!("../fixtures/server.key");

/// Of a server whose certificate is from [`CA`]. `client_ca`: path of the authority whose clients alone are let in.
///
/// # Errors
/// When that cannot be read.
pub fn server_config(client_ca: Option<&str>) -> io::Result<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_slice(KEY).map_err(io::Error::other)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            let authority = CertificateDer::from_pem_file(path).map_err(io::Error::other)?;
            roots.add(authority).map_err(io::Error::other)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().map_err(io::Error::other)?)
        }
    };
    builder.with_single_cert(vec![certificate], key).map_err(io::Error::other)
}

/// Ends TLS and passes on what comes, until it is dropped.
pub struct Front {
    address: SocketAddr,
    seen: Arc<Seen>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Connections, by how their handshake went.
#[derive(Default)]
struct Seen {
    taken: AtomicU64,
    resumed: AtomicU64,
    refused: AtomicU64,
}

impl Front {
    /// Stands before the server at `behind`.
    ///
    /// # Errors
    /// When no port, thread or runtime is to be had.
    pub fn start(config: ServerConfig, behind: SocketAddr) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let seen = Arc::new(Seen::default());
        let seeing = Arc::clone(&seen);
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("tls-front".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(&listener, &acceptor, behind, &seeing) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        })?;
        Ok(Self { address, seen, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Handshakes that were done, and those that failed, so far.
    #[must_use]
    pub fn handshakes(&self) -> (u64, u64) {
        (self.seen.taken.load(Ordering::SeqCst), self.seen.refused.load(Ordering::SeqCst))
    }

    /// Handshakes that took up the session of a connection before, so far.
    #[must_use]
    pub fn resumed(&self) -> u64 {
        self.seen.resumed.load(Ordering::SeqCst)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: &TcpListener, acceptor: &TlsAcceptor, behind: SocketAddr, seen: &Arc<Seen>) {
    loop {
        // An error here is one connection that broke, or too many files for a moment.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        let (acceptor, seen) = (acceptor.clone(), Arc::clone(seen));
        tokio::spawn(async move {
            let Ok(mut outside) = acceptor.accept(stream).await else {
                seen.refused.fetch_add(1, Ordering::SeqCst);
                return;
            };
            let is_resumed = outside.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
            seen.resumed.fetch_add(u64::from(is_resumed), Ordering::SeqCst);
            seen.taken.fetch_add(1, Ordering::SeqCst);
            if let Ok(mut inside) = TcpStream::connect(behind).await {
                // Either side may have gone: that is for the client under test to see.
                let _ = copy_bidirectional(&mut outside, &mut inside).await;
            }
        });
    }
}
