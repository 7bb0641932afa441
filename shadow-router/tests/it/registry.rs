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
