//! The HTTP/1.1 driver: a pool of keep-alive connections per target, a task per connection.
//!
//! A request is handed to one connection once. It is never sent again: a connection that breaks before the answer is
//! complete is an error of its own class. A connection is asked whether it is still open right before the hand-over.

mod pool;

use std::rc::Rc;

use peakdrill_timebase::{MonoNs, OsClock};

use crate::dial::Dialer;
use crate::driver::{Completion, Driver, ExchangeId, Submission};
use crate::extract::Fault;
use crate::hub::Hub;
pub use pool::CONNECTING_MAX;
use pool::Pool;

/// All pools of a shard.
pub(crate) struct Http1 {
    hub: Rc<Hub>,
    pools: Vec<Rc<Pool>>,
}

/// The pool of one target.
pub(crate) struct PoolConfig {
    pub(crate) dialer: Dialer,
    pub(crate) max_connections: usize,
    pub(crate) exact: bool,
}

impl Http1 {
    /// Must be called, and used, inside of a `LocalSet`.
    pub(crate) fn new(pools: Vec<PoolConfig>, hub: Rc<Hub>, clock: OsClock) -> Self {
        let pools = pools.into_iter().map(|config| Pool::new(config, Rc::clone(&hub), clock)).collect();
        Self { hub, pools }
    }

    /// Opens the connections of all targets that want them open before the start.
    ///
    /// # Errors
    /// The target's name, and the first thing that went wrong.
    pub(crate) async fn preopen(&self) -> Result<(), (String, Fault)> {
        for pool in &self.pools {
            pool.preopen().await.map_err(|fault| (pool.name().to_owned(), fault))?;
        }
        Ok(())
    }
}

impl Driver for Http1 {
    fn submit(&mut self, submission: Submission) {
        if let Some(pool) = self.pools.get(submission.target) {
            pool.submit(submission);
        }
    }

    fn cancel(&mut self, id: ExchangeId) {
        let _ = self.pools.iter().any(|pool| pool.cancel(id));
    }

    fn next(&mut self) -> Option<Completion> {
        self.hub.next()
    }

    fn tick(&mut self, now: MonoNs) {
        self.pools.iter().for_each(|pool| pool.expire(now));
    }

    fn withdraw(&mut self, now: MonoNs) {
        self.pools.iter().for_each(|pool| pool.withdraw(now));
    }

    fn abort(&mut self) {
        self.pools.iter().for_each(|pool| pool.abort());
        while self.hub.next().is_some() {}
    }

    fn opened(&self) -> u64 {
        self.pools.iter().map(|pool| pool.opened()).sum()
    }
}
