//! What the outside talks to: checks, and passes on.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use peakdrill_shadow_router::REFUSED_HEADER;

use super::{NewOrder, ORDER_ID_PREFIX, check_name, parse};
use crate::caller::{Ask, Peer, Reply};
use crate::failure::Failure;
use crate::hop::Hop;
use crate::slots::Slots;
use crate::trace::{Incoming, JSON};

/// The gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) hop: Hop,
    pub(crate) slots: Slots,
    pub(crate) order: Peer,
    pub(crate) stock: Peer,
}

impl Gateway {
    pub(crate) fn routes(self: Arc<Self>) -> axum::Router {
        let router = axum::Router::new()
            .route("/items", self.hop.route("/items", get(items)))
            .route("/orders", self.hop.route("/orders", post(place)))
            .route("/orders/{id}", self.hop.route("/orders/{id}", get(order)));
        Hop::finish(router.with_state(self))
    }

    async fn pass_on(&self, work: &Incoming, peer: Peer, ask: Ask) -> Result<Response, Failure> {
        self.slots.serve().await?;
        let Reply { status, body, refused, .. } = self.hop.caller.ask(work, peer, ask).await?;
        let mut response = (status, [JSON], body).into_response();
        if let Some(refused) = refused {
            response.headers_mut().insert(REFUSED_HEADER, refused);
        }
        Ok(response)
    }
}

async fn items(
    State(gateway): State<Arc<Gateway>>,
    Extension(work): Extension<Incoming>,
) -> Result<Response, Failure> {
    gateway.pass_on(&work, gateway.stock, Ask::get("/items", "/items".to_owned())).await
}

async fn order(
    State(gateway): State<Arc<Gateway>>,
    Extension(work): Extension<Incoming>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    check_name("id", id.strip_prefix(ORDER_ID_PREFIX).unwrap_or(&id))?;
    gateway.pass_on(&work, gateway.order, Ask::get("/orders/{id}", format!("/orders/{id}"))).await
}

async fn place(
    State(gateway): State<Arc<Gateway>>,
    Extension(work): Extension<Incoming>,
    body: Bytes,
) -> Result<Response, Failure> {
    parse::<NewOrder>(&body)?.check()?;
    gateway.pass_on(&work, gateway.order, Ask::post("/orders", body)).await
}
