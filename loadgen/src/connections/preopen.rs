//! Opening the connections that have to be open before the start.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use super::Connections;
use super::pool::Pool;
use crate::driver::Driver as _;
use crate::extract::Fault;

/// How long connections have to last before the start, in milliseconds.
const PREOPEN_LAST_MS: u64 = 1;
/// How often it is looked before the start whether connections that ended may be opened again, in milliseconds.
const PREOPEN_RETRY_MS: u64 = 10;

impl Connections {
    /// Opens the connections of all targets that want them open before the start.
    ///
    /// # Errors
    /// The target's name, and the first thing that went wrong.
    pub(crate) async fn preopen(&mut self) -> Result<(), (String, Fault)> {
        for place in 0..self.pools.len() {
            let Some(pool) = self.pools.get_mut(place).filter(|pool| pool.exact) else {
                continue;
            };
            let limit = pool.preopen_limit();
            self.open_more(place);
            let over = tokio::time::timeout(limit, self.all_open(place)).await;
            if let Some(pool) = self.pools.get(place) {
                let result = over.unwrap_or_else(|_| Err(pool.not_all_open(limit)));
                result.map_err(|fault| (pool.dialer.name().to_owned(), fault))?;
            }
        }
        Ok(())
    }

    /// Ready when as many connections are open as have to be, or one could not be opened.
    async fn all_open(&mut self, place: usize) -> Result<(), Fault> {
        loop {
            let opening = poll_fn(|cx| {
                self.turn(cx);
                match self.pools.get_mut(place).map_or(Ok(true), Pool::is_preopened) {
                    Ok(false) => Poll::Pending,
                    Ok(true) => Poll::Ready(Ok(())),
                    Err(fault) => Poll::Ready(Err(fault)),
                }
            });
            let pause = Duration::from_millis(PREOPEN_RETRY_MS);
            if let Ok(opened) = tokio::time::timeout(pause, opening).await {
                opened?;
            } else {
                // What ended unused is tried again after a pause, of which nothing else tells.
                self.open_more(place);
                continue;
            }
            // One that was opened just now may be closed by a peer that has enough of them: it has to last.
            let opened = self.opened();
            let idly = poll_fn(|cx| {
                self.turn(cx);
                Poll::<()>::Pending
            });
            let _ = tokio::time::timeout(Duration::from_millis(PREOPEN_LAST_MS), idly).await;
            if opened == self.opened() && self.pools.get_mut(place).map_or(Ok(true), Pool::is_preopened)? {
                return Ok(());
            }
        }
    }
}
