//! Charges, by way of the bank.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Extension, Json};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{check_name, parse};
use crate::caller::{Ask, Peer};
use crate::db::{Database, Statement};
use crate::failure::Failure;
use crate::hop::Hop;
use crate::slots::Slots;
use crate::trace::Incoming;

const CHARGE: &str = "INSERT INTO charges (idempotency_key, amount_cents, reference) VALUES ($1, $2, $3) \
                      ON CONFLICT (idempotency_key) DO NOTHING";

/// The payment service.
#[derive(Debug)]
pub(crate) struct Payment {
    pub(crate) hop: Hop,
    pub(crate) slots: Slots,
    pub(crate) db: Arc<Database>,
    pub(crate) bank: Peer,
}

/// What is to be charged.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Charge {
    pub(crate) idempotency_key: String,
    pub(crate) amount_cents: i64,
}

/// What was charged.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Charged {
    pub(crate) reference: String,
}

impl Payment {
    pub(crate) fn routes(self: Arc<Self>) -> axum::Router {
        let router = axum::Router::new().route("/charge", self.hop.route("/charge", post(charge)));
        Hop::finish(router.with_state(self))
    }
}

async fn charge(
    State(payment): State<Arc<Payment>>,
    Extension(work): Extension<Incoming>,
    body: Bytes,
) -> Result<Json<Charged>, Failure> {
    let charge: Charge = parse(&body)?;
    check_name("idempotency_key", &charge.idempotency_key)?;
    if charge.amount_cents <= 0 {
        return Err(Failure::invalid("amount_cents must be more than 0"));
    }
    payment.slots.serve().await?;
    let ask = Ask::post_json("/pay", &json!({"amount_cents": charge.amount_cents}))?;
    let charged: Charged = payment.hop.caller.ask(&work, payment.bank, ask).await?.success()?;
    let values = [
        charge.idempotency_key.as_str().into(),
        charge.amount_cents.into(),
        charged.reference.as_str().into(),
    ];
    payment.db.write(&work, "INSERT charges", &[Statement::new(CHARGE, values)]).await?;
    Ok(Json(charged))
}
