//! Connections of a journey's own: opened for one request, used by its journey alone, closed when that is over.

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_timebase::Clock as _;

use super::Connections;
use super::pool::{Errand, Waiting};
use crate::driver::Completion;
use crate::extract::Fault;

impl Connections {
    /// A connection is open, for whoever comes or for one request. When that does not wait any more, the connection was
    /// opened for nothing, and serves nobody else.
    pub(super) fn employ(&mut self, key: usize, errand: Errand) {
        let Errand::One(id) = errand else { return self.free(key) };
        let Some(connection) = self.connections.get_mut(key) else { return };
        let picked = self.pools.get_mut(connection.pool).and_then(|pool| pool.pick(id));
        let Some(Waiting { since, job, .. }) = picked else { return self.close(key) };
        connection.user = Some(id.key);
        if self.serve(key, since, job) {
            self.free(key);
        } else {
            // It cannot take even its first request.
            self.close(key);
        }
    }

    /// A connection has ended before it could take anything: so does the request that it was opened for.
    pub(super) fn lost(&mut self, place: usize, errand: Errand) {
        let Errand::One(id) = errand else { return };
        let Some(Waiting { .. }) = self.pools.get_mut(place).and_then(|pool| pool.pick(id)) else { return };
        let detail = "the peer closed the connection before the request".to_owned();
        let result = Err(Fault { class: ErrorClass::Closed, detail });
        self.told.completions.push_back(Completion::Done { id, at: self.clock.mono(), result });
    }

    /// A journey is over: closes what was its own. None of its requests is under way any more.
    pub(super) fn close_own(&mut self, user: u32) {
        for place in 0..self.pools.len() {
            let Some(pool) = self.pools.get_mut(place).filter(|pool| pool.is_per_user()) else { continue };
            let Some(key) = pool.take(user) else { continue };
            self.leave_behind(key);
        }
    }

    /// Closes a connection that is on no list of its pool any more.
    pub(super) fn leave_behind(&mut self, key: usize) {
        if let Some(connection) = self.connections.get_mut(key) {
            connection.listed = false;
        }
        self.close(key);
    }
}
