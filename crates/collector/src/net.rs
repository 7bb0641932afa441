//! The receivers: OTLP over gRPC and HTTP.

mod accept;
mod admission;
mod body;
mod budget;
mod connections;
mod grpc;
mod http;

use std::net::{SocketAddr, TcpListener};
use std::num::NonZero;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;

pub use admission::{Classify, Refused};
pub(crate) use admission::{Ingest, Job, TextsPool};
pub(crate) use budget::{Budget, Charge};
use connections::{Doors, Receiver};

use crate::limits::Limits;

/// Threads that serve connections.
const WORKERS: usize = 1;
/// Threads that decode, at least: one waits for the other's lock, or for memory, now and then.
const DECODERS_MIN: usize = 2;
/// And at most, as many as there are cores.
const DECODERS_MAX: usize = 16;
/// How long connections may take to end when the collector stops.
const GRACE: Duration = Duration::from_secs(2);

/// Listeners that are bound, not served yet.
pub(crate) struct Listeners {
    grpc: TcpListener,
    http: Option<TcpListener>,
}

impl Listeners {
    pub(crate) fn bind(grpc: SocketAddr, http: Option<SocketAddr>) -> std::io::Result<Self> {
        let bind = |address: SocketAddr| {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok::<_, std::io::Error>(listener)
        };
        Ok(Self { grpc: bind(grpc)?, http: http.map(bind).transpose()? })
    }

    pub(crate) fn addresses(&self) -> std::io::Result<(SocketAddr, Option<SocketAddr>)> {
        Ok((self.grpc.local_addr()?, self.http.as_ref().map(TcpListener::local_addr).transpose()?))
    }
}

/// The receivers, at work on threads of their own.
pub(crate) struct Receivers {
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl Receivers {
    pub(crate) fn start(listeners: Listeners, ingest: Ingest, limits: &Limits) -> std::io::Result<Self> {
        let doors = Doors::new(limits, &ingest.shared);
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .max_blocking_threads(cores.clamp(DECODERS_MIN, DECODERS_MAX))
            .thread_name("collector-net")
            .enable_all()
            .build()?;
        let (stop, stopped) = watch::channel(false);
        let thread = std::thread::Builder::new().name("collector-net-main".to_owned()).spawn(move || {
            runtime.block_on(serve(listeners, ingest, doors, stopped));
            runtime.shutdown_timeout(GRACE);
        })?;
        Ok(Self { stop, thread })
    }

    /// Takes no new request, ends those under way within the grace time, and returns.
    pub(crate) fn stop(self) {
        self.stop.send_replace(true);
        if self.thread.join().is_err() {
            tracing::error!("the receivers' thread panicked");
        }
    }
}

async fn serve(listeners: Listeners, ingest: Ingest, doors: Doors, stopped: watch::Receiver<bool>) {
    let accept = |listener, receiver| {
        tokio::spawn(connections::serve(listener, doors.clone(), receiver, stopped.clone()))
    };
    let grpc = accept(listeners.grpc, Receiver::Grpc(ingest.clone()));
    let http = listeners.http.map(|listener| accept(listener, Receiver::Http(http::routes(ingest))));
    told(stopped.clone()).await;
    let all = async {
        report("grpc", grpc.await);
        if let Some(http) = http {
            report("http", http.await);
        }
        doors.empty().await;
    };
    if tokio::time::timeout(GRACE, all).await.is_err() {
        tracing::warn!("connections to the collector were cut off at its end");
    }
}

async fn told(mut stopped: watch::Receiver<bool>) {
    // An error is a sender that is gone: stop as well.
    let _ = stopped.wait_for(|stop| *stop).await;
}

fn report<E: std::fmt::Display>(what: &str, end: Result<Result<(), E>, tokio::task::JoinError>) {
    match end {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, what, "receiver failed"),
        Err(error) => tracing::error!(%error, what, "receiver panicked"),
    }
}
