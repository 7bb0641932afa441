use peakdrill_shadow_router::{Class, current, current_class, in_shadow, live, spawn, with};
use peakdrill_shadow_tag::RunState;

use crate::support::*;

#[tokio::test]
async fn spawn_keeps_the_class_and_a_plain_spawn_loses_it() {
    let router = inner(r#"{"v":1}"#);
    let work = shadow_work(&router, 7);
    with(work.clone(), async {
        assert_eq!(current().unwrap().run(), Some(run()));
        let nested = spawn(async { spawn(async { current_class() }).await.unwrap() });
        assert!(matches!(nested.await.unwrap(), Class::Shadow(shadow) if shadow.run == run()));
        assert_eq!(tokio::spawn(async { current_class() }).await.unwrap(), Class::Unknown);
        assert_eq!(std::thread::spawn(current_class).join().unwrap(), Class::Unknown);
    })
    .await;
    assert_eq!(current_class(), Class::Unknown);
    assert_eq!(spawn(async { current_class() }).await.unwrap(), Class::Unknown);
}

#[tokio::test]
async fn jobs_declare_themselves() {
    let router = inner(r#"{"v":1}"#);
    assert_eq!(live(async { current_class() }).await.unwrap(), Class::Live);

    let twin = router.shadow_work(&token()).unwrap();
    let seen = in_shadow(twin.clone(), async { current().unwrap().run() }).await.unwrap();
    assert_eq!(seen, Some(run()));
    assert_eq!(router.shadow_work("pd1.x").unwrap_err().refused().unwrap().code(), "malformed_token");
    assert!(router.shadow_work("").is_err());
}

#[tokio::test]
async fn nothing_goes_from_one_class_to_the_other() {
    let router = inner(r#"{"v":1}"#);
    let (shadow, plain) = (shadow_work(&router, 7), live_work(&router));
    let code = |error: peakdrill_shadow_router::Error| error.refused().unwrap().code();
    let out = with(shadow.clone(), live(async {})).await;
    assert_eq!(code(out.unwrap_err()), "class_changed");
    let out = with(plain.clone(), in_shadow(shadow.clone(), async {})).await;
    assert_eq!(code(out.unwrap_err()), "class_changed");
    assert_eq!(code(in_shadow(plain, async {}).await.unwrap_err()), "class_changed");

    router.verifier().replace_runs(table(RunState::Draining));
    assert_eq!(code(router.shadow_work(&token()).unwrap_err()), "run_draining");
}
