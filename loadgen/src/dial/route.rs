//! The way to one target, shared by all shards: its addresses as they are known now, and where connections come from.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::Target;
use peakdrill_timebase::{Clock as _, MonoNs, NS_PER_S, OsClock};

use super::book::Book;
use super::local::Local;
use crate::error::StartError;
use crate::extract::Fault;
use crate::target::Address;

/// How long resolved addresses are used where the plan does not say how often they are looked up, in seconds.
pub const DNS_TTL_S: u64 = 30;

type Lookup = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// Turns a name and a port into addresses. Blocks; it is called on threads of its own.
#[derive(Clone)]
pub struct Resolver(Arc<Lookup>);

impl Resolver {
    /// A resolver of one's own.
    pub fn new(lookup: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(lookup))
    }
}

/// The system's.
impl Default for Resolver {
    fn default() -> Self {
        Self::new(|name, port| Ok((name, port).to_socket_addrs()?.collect()))
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

/// The way to one target.
pub(crate) struct Route {
    domain: String,
    port: u16,
    resolver: Resolver,
    clock: OsClock,
    book: Mutex<Book>,
    /// Counts the times that addresses had gone.
    gone: AtomicU64,
    /// How often the name is looked up also when no connection is opened.
    refresh_ns: Option<u64>,
    pub(super) local: Local,
}

impl Route {
    /// Must be called inside of a runtime.
    ///
    /// # Errors
    /// When a local address is not one of this machine.
    pub(crate) fn new(
        target: &Target,
        address: &Address,
        resolver: Resolver,
        clock: OsClock,
    ) -> Result<Arc<Self>, StartError> {
        let Address { name, domain, port, .. } = address;
        let local = Local::new(&target.connections.from);
        local.check().map_err(|because| StartError::Target { target: name.clone(), because })?;
        let book = match domain.parse() {
            _ if !target.resolve.addresses.is_empty() => Book::fixed(target.resolve.addresses.clone()),
            Ok(ip) => Book::fixed([SocketAddr::new(ip, *port)]),
            Err(_) => Book::default(),
        };
        Ok(Arc::new(Self {
            domain: domain.clone(),
            port: *port,
            resolver,
            clock,
            book: Mutex::new(book),
            gone: AtomicU64::new(0),
            refresh_ns: target.resolve.refresh_ns,
            local,
        }))
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many times addresses had gone: connections to them are to be closed.
    pub(crate) fn gone(&self) -> u64 {
        self.gone.load(Ordering::Acquire)
    }

    /// Whether connections to addresses that are gone are closed: a name that is only looked up to open connections may
    /// answer with others each time.
    pub(crate) fn is_followed(&self) -> bool {
        self.refresh_ns.is_some()
    }

    /// Whether an address is one of the target's now.
    pub(crate) fn leads_to(&self, peer: SocketAddr) -> bool {
        self.book().holds(peer)
    }

    pub(super) fn avoid(&self, peer: SocketAddr) {
        let now = self.clock.mono();
        self.book().avoid(peer, now);
    }

    /// Addresses to try for one connection, in this order. Who finds them old looks the name up.
    pub(super) async fn turn(self: &Arc<Self>) -> Result<Vec<SocketAddr>, Fault> {
        let now = self.clock.mono();
        let asks = {
            let mut book = self.book();
            // What is looked up now and then anyway is not looked up here again.
            book.is_empty() || self.refresh_ns.is_none() && book.asks(now, DNS_TTL_S * NS_PER_S)
        };
        if asks {
            let route = Arc::clone(self);
            let looked = tokio::task::spawn_blocking(move || route.look_up()).await;
            let looked = looked.unwrap_or_else(|broken| Err(io::Error::other(broken)));
            looked.map_err(|error| Fault {
                class: ErrorClass::Dns,
                detail: format!("{}: {error}", self.domain),
            })?;
        }
        Ok(self.book().turn(now))
    }

    /// Looks the name up.
    fn look_up(&self) -> io::Result<()> {
        let found = (self.resolver.0)(&self.domain, self.port);
        let now = self.clock.mono();
        match found {
            Ok(found) => {
                if self.book().learn(found, now) {
                    self.gone.fetch_add(1, Ordering::Release);
                }
                Ok(())
            }
            Err(error) => {
                self.book().learned_nothing(now);
                Err(error)
            }
        }
    }

    /// Has the name looked up again, by a thread of its own, when that is due. Nobody waits for it: a name service that
    /// does not answer holds nothing up, and what was known is used on.
    pub(crate) fn refresh(self: &Arc<Self>, now: MonoNs) {
        let Some(every_ns) = self.refresh_ns else { return };
        {
            let mut book = self.book();
            // Who opens the first connection looks it up first.
            if book.is_empty() || !book.asks(now, every_ns) {
                return;
            }
        }
        let route = Arc::clone(self);
        let look = move || {
            if let Err(error) = route.look_up() {
                tracing::warn!(name = route.domain, %error, "the name was not looked up again");
            }
        };
        if std::thread::Builder::new().name("pd-resolve".into()).spawn(look).is_err() {
            self.book().learned_nothing(now);
        }
    }
}
