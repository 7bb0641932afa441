//! The drill's own metrics, from the newest snapshot: as a Prometheus endpoint (`GET /metrics`), and sent by OTLP.

mod families;
mod push;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use peakdrill_collector::export::{PROMETHEUS, prometheus};
use peakdrill_drill_model::snapshot::Snapshot;

use crate::error::ControlError;

pub use families::families;
pub use peakdrill_collector::export::{Endpoint, Receiver};
pub use peakdrill_tls::Keys;
pub use push::{Push, endpoint};

/// Gives the newest snapshot; none before the first.
pub type Newest = Arc<dyn Fn() -> Option<Arc<Snapshot>> + Send + Sync>;

/// A served endpoint. Dropping it ends the service.
#[derive(Debug)]
pub struct Exposition {
    address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Exposition {
    /// Serves what `newest` gives.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn serve(address: SocketAddr, newest: Newest) -> Result<Self, ControlError> {
        let failed = |error: std::io::Error| ControlError::Exposition(format!("{address}: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let listener = runtime.block_on(tokio::net::TcpListener::bind(address)).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let app = axum::Router::new().route("/metrics", axum::routing::get(metrics)).with_state(newest);
        let serve = move || {
            runtime.block_on(async {
                // Whoever still reads is cut off: the drill is over.
                tokio::select! {
                    served = axum::serve(listener, app).into_future() => {
                        if let Err(error) = served {
                            tracing::warn!(%error, "the endpoint of the drill's metrics ended");
                        }
                    }
                    _ = stopped => {}
                }
            });
        };
        std::thread::Builder::new().name("pd-metrics".into()).spawn(serve).map_err(failed)?;
        Ok(Self { address: bound, stop: Some(stop) })
    }

    /// Where it is read.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }
}

impl Drop for Exposition {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended by itself.
            let _ = stop.send(());
        }
    }
}

async fn metrics(State(newest): State<Newest>) -> Response {
    match newest() {
        Some(snapshot) => ([(CONTENT_TYPE, PROMETHEUS)], prometheus(&families(&snapshot))).into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "the drill has not begun\n").into_response(),
    }
}
