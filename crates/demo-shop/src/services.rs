//! The services of the shop.

pub(crate) mod bank;
pub(crate) mod fulfilment;
pub(crate) mod gateway;
pub(crate) mod order;
pub(crate) mod payment;
pub(crate) mod stock;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// Longest request body that is read.
pub(crate) const BODY_MAX_BYTES: usize = 64 * 1024;
/// What the id of an order is made of, with its idempotency key.
pub(crate) const ORDER_ID_PREFIX: &str = "ord-";
/// Longest key or stock-keeping unit.
const NAME_MAX_BYTES: usize = 64;
/// Most pieces of one item in one order.
const QTY_MAX: i64 = 1_000;

/// An order as it is placed, and as it is passed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOrder {
    pub(crate) idempotency_key: String,
    pub(crate) sku: String,
    pub(crate) qty: i64,
}

impl NewOrder {
    pub(crate) fn check(&self) -> Result<(), Failure> {
        check_name("idempotency_key", &self.idempotency_key)?;
        check_name("sku", &self.sku)?;
        if (1..=QTY_MAX).contains(&self.qty) {
            Ok(())
        } else {
            Err(Failure::invalid(format!("qty must be 1 to {QTY_MAX}")))
        }
    }
}

pub(crate) fn check_name(what: &str, name: &str) -> Result<(), Failure> {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
    if !name.is_empty() && name.len() <= NAME_MAX_BYTES && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(Failure::invalid(format!("{what} must be 1 to {NAME_MAX_BYTES} letters, digits, '-', '_' or '.'")))
}

pub(crate) fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| Failure::invalid(format!("body: {error}")))
}

#[cfg(test)]
mod tests {
    use super::NewOrder;

    #[test]
    fn orders_are_checked() {
        let order = |key: &str, sku: &str, qty| {
            NewOrder { idempotency_key: key.into(), sku: sku.into(), qty }.check().is_ok()
        };
        assert!(order("a-1", "sku-001", 1));
        assert!(!order("", "sku-001", 1));
        assert!(!order("a'b", "sku-001", 1));
        assert!(!order(&"a".repeat(65), "sku-001", 1));
        assert!(!order("a", "sku 1", 1));
        assert!(!order("a", "sku-001", 0));
        assert!(!order("a", "sku-001", 1_001));
    }
}
