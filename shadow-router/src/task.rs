//! The work of the running task. It goes where the task goes, and nowhere by itself: a task that is spawned plainly
//! has none, and what has none is unknown.

use http::{HeaderName, HeaderValue};
use peakdrill_shadow_rules::{Refused, code};
use peakdrill_shadow_tag::{Class, DEFAULT_HEADER};
use tokio::task::JoinHandle;

use crate::error::Error;
use crate::work::{Stamp, Work};

tokio::task_local! {
    static WORK: Work;
}

/// The work that the running task does, if it was told.
#[must_use]
pub fn current() -> Option<Work> {
    WORK.try_with(Work::clone).ok()
}

/// The class of the running task: unknown when it was not told.
#[must_use]
pub fn current_class() -> Class {
    WORK.try_with(|work| *work.class()).unwrap_or(Class::Unknown)
}

/// The headers that carry the current work to another hop inside, for clients other than
/// [`HttpClient`](crate::HttpClient). Such a client must not follow redirects, nor be used for third parties.
#[must_use]
pub fn carriers() -> Vec<(HeaderName, HeaderValue)> {
    current().map(|work| work.carriers()).unwrap_or_default()
}

/// Runs the future as this work.
pub async fn with<F: Future>(work: Work, future: F) -> F::Output {
    WORK.scope(work, future).await
}

/// Calls the function as this work.
pub(crate) fn with_sync<T>(work: Work, call: impl FnOnce() -> T) -> T {
    WORK.sync_scope(work, call)
}

/// Runs the future as live work. For what no request caused: a scheduled job, a warm-up.
///
/// # Errors
/// When the running task is shadow work: nothing goes from shadow to live.
pub async fn live<F: Future>(future: F) -> Result<F::Output, Error> {
    if matches!(current_class(), Class::Shadow(_)) {
        let text = "shadow work may not declare itself live";
        return Err(Refused::new(code::CLASS_CHANGED, "task", text).into());
    }
    let work = Work::new(Class::Live, Stamp::Live, HeaderName::from_static(DEFAULT_HEADER));
    Ok(WORK.scope(work, future).await)
}

/// Runs the future as this shadow work. For the shadow twin of a job; the work comes from
/// [`Router::shadow_work`](crate::Router::shadow_work).
///
/// # Errors
/// When the work is not shadow, or the running task is of another class or run.
pub async fn in_shadow<F: Future>(work: Work, future: F) -> Result<F::Output, Error> {
    let refuse = |text: &'static str| Refused::new(code::CLASS_CHANGED, "task", text).into();
    if !work.is_shadow() {
        return Err(refuse("the work is not shadow"));
    }
    let other = |current: &Work| current.run() != work.run() && *current.class() != Class::Unknown;
    if current().as_ref().is_some_and(other) {
        return Err(refuse("the running task is of another class or run"));
    }
    Ok(WORK.scope(work, future).await)
}

/// Spawns a task that goes on with the current work. A task without work spawns one without work.
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match current() {
        Some(work) => tokio::spawn(WORK.scope(work, future)),
        None => tokio::spawn(future),
    }
}
