//! Knows the items, and reserves them.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Extension, Json};
use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{NewOrder, parse};
use crate::db::{Database, Statement};
use crate::failure::Failure;
use crate::hop::Hop;
use crate::slots::Slots;
use crate::trace::Incoming;

const LIST: &str = "SELECT sku, name, price_cents FROM items ORDER BY sku LIMIT 20";
const PRICE: &str = "SELECT price_cents FROM items WHERE sku = $1";
const RESERVE: &str = "INSERT INTO reservations (idempotency_key, sku, qty) VALUES ($1, $2, $3) ON CONFLICT (idempotency_key) DO NOTHING";

/// The stock service.
#[derive(Debug)]
pub(crate) struct Stock {
    pub(crate) hop: Hop,
    pub(crate) slots: Slots,
    pub(crate) db: Arc<Database>,
}

/// What a reservation answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Reserved {
    pub(crate) price_cents: i64,
}

#[derive(Debug, Serialize)]
struct Item {
    sku: String,
    name: String,
    price_cents: i64,
}

impl Stock {
    pub(crate) fn routes(self: Arc<Self>) -> axum::Router {
        let router = axum::Router::new()
            .route("/items", self.hop.route("/items", get(items)))
            .route("/reserve", self.hop.route("/reserve", post(reserve)));
        Hop::finish(router.with_state(self))
    }
}

async fn items(
    State(stock): State<Arc<Stock>>,
    Extension(work): Extension<Incoming>,
) -> Result<Json<Vec<Item>>, Failure> {
    stock.slots.serve().await?;
    let rows = stock.db.read(&work, "SELECT items", &Statement::new(LIST, [])).await?;
    let item = |row: &crate::db::Row| Item {
        sku: row.text(0).to_owned(),
        name: row.text(1).to_owned(),
        price_cents: row.int(2),
    };
    Ok(Json(rows.iter().map(item).collect()))
}

async fn reserve(
    State(stock): State<Arc<Stock>>,
    Extension(work): Extension<Incoming>,
    body: Bytes,
) -> Result<Json<Reserved>, Failure> {
    let order: NewOrder = parse(&body)?;
    order.check()?;
    stock.slots.serve().await?;
    let price = Statement::new(PRICE, [order.sku.as_str().into()]);
    let rows = stock.db.read(&work, "SELECT items", &price).await?;
    let [row] = rows.as_slice() else {
        let text = format!("there is no item {}", order.sku);
        return Err(Failure::new(StatusCode::NOT_FOUND, "no_such_item", text));
    };
    let values = [order.idempotency_key.as_str().into(), order.sku.as_str().into(), order.qty.into()];
    stock.db.write(&work, "INSERT reservations", &[Statement::new(RESERVE, values)]).await?;
    Ok(Json(Reserved { price_cents: row.int(0) }))
}
