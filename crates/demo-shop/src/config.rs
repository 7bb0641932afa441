//! What a shop is told before it starts.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use peakdrill_shadow_tag::EnvId;

/// Live orders a second unless set otherwise.
pub const LIVE_ORDERS_PER_S: f64 = 2.0;
/// Live looks at the list of items, a second, unless set otherwise.
pub const LIVE_BROWSES_PER_S: f64 = 2.0;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$vdoc])* $variant),+
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word for it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|known| known.as_str() == text).ok_or_else(|| UnknownWord {
                    what: $what,
                    word: text.to_owned(),
                    known: Self::ALL.iter().map(|known| known.as_str()).collect::<Vec<_>>().join(", "),
                })
            }
        }
    };
}

/// A word that is not one of those that are known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is no {what}: use one of {known}")]
pub struct UnknownWord {
    what: &'static str,
    word: String,
    known: String,
}

words! {
    /// Which node is given too little capacity.
    Bottleneck, "bottleneck" {
        /// The stock service.
        Stock = "stock",
        /// The payment service.
        Payment = "payment",
        /// The database of the orders.
        OrderDb = "order-db",
        /// The bank, and with it the stub that answers in its place.
        Bank = "bank",
        /// The consumer of the queue of placed orders.
        Queue = "queue",
        /// No node.
        None = "none",
    }
}

words! {
    /// A process of the shop that has its own telemetry and its own isolation rules.
    Service, "service" {
        /// What the outside talks to.
        Gateway = "gateway",
        /// Places orders.
        Order = "order",
        /// Knows items, and reserves them.
        Stock = "stock",
        /// Charges.
        Payment = "payment",
        /// Ships what was ordered: the consumer of the queue.
        Fulfilment = "fulfilment",
    }
}

words! {
    /// A node with limited capacity, by the name that traces and verdict use.
    Node, "node" {
        /// The gateway service.
        Gateway = "gateway",
        /// The order service.
        Order = "order",
        /// The stock service.
        Stock = "stock",
        /// The payment service.
        Payment = "payment",
        /// The database of the orders.
        OrderDb = "order-db",
        /// The bank outside.
        Bank = "bank",
        /// The queue of placed orders, which is as fast as its consumer.
        Queue = "queue",
    }
}

/// Where the services learn of the runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registry {
    /// An HTTP address that answers with the run table.
    Url(String),
    /// A file that holds the run table; read again when it changes.
    File(PathBuf),
}

/// Where the orders are kept. Stock, payment and fulfilment always have small SQLite databases of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderDatabase {
    /// A file in the shop's folder.
    Sqlite,
    /// A PostgreSQL database, by its connection string. It must not hold the shop's tables yet.
    Postgres(String),
}

/// How busy the live users are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LiveUsers {
    /// Orders a second; 0 for none.
    pub orders_per_s: f64,
    /// Looks at the list of items, a second; 0 for none.
    pub browses_per_s: f64,
}

impl Default for LiveUsers {
    fn default() -> Self {
        Self { orders_per_s: LIVE_ORDERS_PER_S, browses_per_s: LIVE_BROWSES_PER_S }
    }
}

/// Mistakes to make on purpose, so that what looks for them can be tested.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mistakes {
    /// This service's rules declare nothing.
    pub empty_rules_for: Option<Service>,
    /// This service has no router: it takes every request for a live one, and its OpenTelemetry passes trace
    /// context and baggage on.
    pub without_middleware: Option<Service>,
}

/// What a shop is told before it starts.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder for databases, rules and counts. It must not hold another shop's.
    pub dir: PathBuf,
    /// The OTLP gRPC endpoint, such as `http://127.0.0.1:4317`. Without one, no telemetry leaves.
    pub otlp: Option<String>,
    /// Where the runs are learnt from.
    pub registry: Registry,
    /// The file of public keys, `{"keys":[{"kid","public"}]}`.
    pub keys: PathBuf,
    /// The environment that tags must be for.
    pub env: EnvId,
    /// The node that is given too little capacity.
    pub bottleneck: Bottleneck,
    /// Seed of the service times.
    pub seed: u64,
    /// Where the orders are kept.
    pub orders: OrderDatabase,
    /// A folder with `<service>.json` isolation rules; without one the shop writes and uses its own.
    pub rules: Option<PathBuf>,
    /// How busy the live users are.
    pub live: LiveUsers,
    /// Mistakes to make on purpose.
    pub mistakes: Mistakes,
}

#[cfg(test)]
mod tests {
    use super::{Bottleneck, Node};

    #[test]
    fn words_both_ways() {
        for bottleneck in Bottleneck::ALL {
            assert_eq!(bottleneck.as_str().parse::<Bottleneck>().as_ref(), Ok(bottleneck));
        }
        let error = "orderdb".parse::<Node>().unwrap_err().to_string();
        assert!(error.contains("\"orderdb\" is no node") && error.contains("order-db"), "{error}");
    }
}
