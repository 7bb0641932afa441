use std::sync::{Arc, Mutex};

use peakdrill_shadow_router::{Mode, Position, RegistryPoller, Router};
use peakdrill_shadow_tag::{RUN_TABLE_MAX_BYTES, RunState};

use crate::support::*;

fn state_of(router: &Router) -> Option<RunState> {
    router.verifier().runs().get(env(), run()).map(|entry| entry.state)
}

#[tokio::test]
async fn the_last_good_table_stays_in_force() {
    let served = Arc::new(Mutex::new(table(RunState::Draining).to_json()));
    let answer = Arc::clone(&served);
    let app = axum::Router::new().fallback(async move || answer.lock().unwrap().clone());
    let address = serve(app).await;
    let router = router_with(Position::Edge, Mode::Enforce, r#"{"v":1}"#);
    let mut poller = RegistryPoller::http(&router, &format!("http://{address}/runs")).unwrap();
    assert_eq!(state_of(&router), Some(RunState::Running));
    let state = poller.next().await;
    assert_eq!((state.failures, state_of(&router)), (0, Some(RunState::Draining)));
    assert!(state.at_unix_s.is_some());

    for bad in ["{".to_owned(), "x".repeat(RUN_TABLE_MAX_BYTES + 1)] {
        let before = poller.state().failures;
        *served.lock().unwrap() = bad;
        assert_eq!(poller.next().await.failures, before + 1);
        assert_eq!(state_of(&router), Some(RunState::Draining));
    }
    *served.lock().unwrap() = table(RunState::Closed).to_json();
    assert_eq!(poller.next().await.failures, 0);
    assert_eq!(state_of(&router), Some(RunState::Closed));
    assert!(RegistryPoller::http(&router, "not a url").is_err());
}

#[tokio::test]
async fn a_table_of_the_future_is_not_taken_and_stops_no_news() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.json");
    let dated = |state, at_unix_s| {
        let mut table = table(state);
        table.set_at(at_unix_s);
        table.to_json()
    };
    let router = router_with(Position::Edge, Mode::Enforce, r#"{"v":1}"#);
    std::fs::write(&path, dated(RunState::Draining, now() + 1_000)).unwrap();
    let mut poller = RegistryPoller::file(&router, &path);
    assert_eq!((poller.next().await.failures, state_of(&router)), (1, Some(RunState::Running)));

    let before = now() - 5;
    std::fs::write(&path, dated(RunState::Running, before)).unwrap();
    let state = poller.next().await;
    let in_force = router.verifier().runs().at_unix_s();
    assert_eq!((state.failures, state.at_unix_s), (0, Some(in_force)), "an older table changes no date");
    assert!(in_force > before);
    // A step forward is news, however old the table is that tells it.
    std::fs::write(&path, dated(RunState::Draining, before)).unwrap();
    assert_eq!(poller.next().await.at_unix_s, Some(in_force));
    assert_eq!(state_of(&router), Some(RunState::Draining));

    // A table of the future that is in force all the same gives way.
    let mut future = table(RunState::Draining);
    future.set_at(now() + 1_000);
    router.verifier().replace_runs(future);
    std::fs::write(&path, dated(RunState::Closed, before)).unwrap();
    assert_eq!(poller.next().await.at_unix_s, Some(before));
    assert_eq!(state_of(&router), Some(RunState::Closed));
}

#[tokio::test]
async fn a_file_will_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.json");
    let router = router_with(Position::Edge, Mode::Enforce, r#"{"v":1}"#);
    let mut poller = RegistryPoller::file(&router, &path);
    assert_eq!(poller.next().await.failures, 1);
    std::fs::write(&path, table(RunState::Closed).to_json()).unwrap();
    assert_eq!(poller.next().await.failures, 0);
    assert_eq!(state_of(&router), Some(RunState::Closed));
}
