//! Places orders: stock, payment, database, queue.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Extension, Json};
use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::payment::{Charge, Charged};
use super::stock::Reserved;
use super::{NewOrder, ORDER_ID_PREFIX, check_name, parse};
use crate::caller::{Ask, Peer};
use crate::db::{Database, Statement};
use crate::failure::Failure;
use crate::hop::Hop;
use crate::queue::Queue;
use crate::slots::Slots;
use crate::trace::Incoming;

const INSERT_ORDER: &str = "INSERT INTO orders (id, idempotency_key, sku, qty, amount_cents, created_ms) \
                            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (idempotency_key) DO NOTHING";
const INSERT_ITEM: &str = "INSERT INTO order_items (order_id, line, sku, qty, price_cents) \
                           VALUES ($1, $2, $3, $4, $5) ON CONFLICT (order_id, line) DO NOTHING";
const SELECT: &str = "SELECT id, sku, qty, amount_cents FROM orders WHERE id = $1";

/// The order service.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) hop: Hop,
    pub(crate) slots: Slots,
    pub(crate) db: Arc<Database>,
    pub(crate) stock: Peer,
    pub(crate) payment: Peer,
    pub(crate) queue: Queue,
}

/// An order that was placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PlacedOrder {
    pub(crate) id: String,
    pub(crate) sku: String,
    pub(crate) qty: i64,
    pub(crate) amount_cents: i64,
}

/// The message that tells of a placed order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OrderPlaced {
    pub(crate) order_id: String,
    pub(crate) idempotency_key: String,
    pub(crate) sku: String,
    pub(crate) qty: i64,
}

impl Order {
    pub(crate) fn routes(self: Arc<Self>) -> axum::Router {
        let router = axum::Router::new()
            .route("/orders", self.hop.route("/orders", post(place)))
            .route("/orders/{id}", self.hop.route("/orders/{id}", get(order)));
        Hop::finish(router.with_state(self))
    }

    async fn reserve_and_charge(&self, work: &Incoming, order: &NewOrder) -> Result<i64, Failure> {
        let ask = Ask::post_json("/reserve", order)?;
        let Reserved { price_cents } = self.hop.caller.ask(work, self.stock, ask).await?.success()?;
        let amount_cents = price_cents.saturating_mul(order.qty);
        let charge = Charge { idempotency_key: order.idempotency_key.clone(), amount_cents };
        let ask = Ask::post_json("/charge", &charge)?;
        let _: Charged = self.hop.caller.ask(work, self.payment, ask).await?.success()?;
        Ok(amount_cents)
    }

    async fn insert(&self, work: &Incoming, key: &str, placed: &PlacedOrder) -> Result<(), Failure> {
        let PlacedOrder { id, sku, qty, amount_cents } = placed;
        let [id, key, sku] = [id, key, sku].map(crate::db::Value::from);
        let order = [id.clone(), key, sku.clone(), (*qty).into(), (*amount_cents).into(), now_ms().into()];
        let item = [id, 1.into(), sku, (*qty).into(), (amount_cents / qty).into()];
        let statements = [Statement::new(INSERT_ORDER, order), Statement::new(INSERT_ITEM, item)];
        let changed = self.db.write(work, "INSERT orders", &statements).await?;
        if changed.first() == Some(&1) {
            return Ok(());
        }
        Err(Failure::new(
            StatusCode::CONFLICT,
            "duplicate",
            "an order with this idempotency_key is there already",
        ))
    }
}

async fn place(
    State(shop): State<Arc<Order>>,
    Extension(work): Extension<Incoming>,
    body: Bytes,
) -> Result<(StatusCode, Json<PlacedOrder>), Failure> {
    let order: NewOrder = parse(&body)?;
    order.check()?;
    shop.slots.serve().await?;
    let amount_cents = shop.reserve_and_charge(&work, &order).await?;
    // The place in the queue is taken before the order is written, so that no order is written and not told of.
    let place = shop.queue.reserve()?;
    let NewOrder { idempotency_key, sku, qty } = order;
    let placed = PlacedOrder {
        id: format!("{ORDER_ID_PREFIX}{idempotency_key}"),
        sku: sku.clone(),
        qty,
        amount_cents,
    };
    shop.insert(&work, &idempotency_key, &placed).await?;
    let message = OrderPlaced { order_id: placed.id.clone(), idempotency_key, sku, qty };
    shop.queue.send(place, &shop.hop, &work, &message)?;
    Ok((StatusCode::CREATED, Json(placed)))
}

async fn order(
    State(shop): State<Arc<Order>>,
    Extension(work): Extension<Incoming>,
    Path(id): Path<String>,
) -> Result<Json<PlacedOrder>, Failure> {
    check_name("id", id.strip_prefix(ORDER_ID_PREFIX).unwrap_or(&id))?;
    shop.slots.serve().await?;
    let rows = shop.db.read(&work, "SELECT orders", &Statement::new(SELECT, [id.as_str().into()])).await?;
    match rows.as_slice() {
        [row] => Ok(Json(PlacedOrder {
            id: row.text(0).to_owned(),
            sku: row.text(1).to_owned(),
            qty: row.int(2),
            amount_cents: row.int(3),
        })),
        _ => Err(Failure::new(StatusCode::NOT_FOUND, "no_such_order", format!("there is no order {id}"))),
    }
}

fn now_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
