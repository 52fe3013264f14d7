//! The events that operators count.

use metrics_exporter_prometheus::PrometheusBuilder;

use crate::app::{App, SIGN_OUT};

#[tokio::test]
async fn every_way_to_end_sessions_counts_as_many_as_it_ends() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _while_this_lives = metrics::set_default_local_recorder(&recorder);
    let app = App::new().await;
    app.browser_of("alice").await.post(SIGN_OUT).await;
    app.browser_of("bob").await;
    let handles = app.sessions.session_handles_of_user("bob").await.unwrap();
    assert!(app.sessions.revoke_session(&handles[0]).await.unwrap());
    for _ in 0..3 {
        app.browser_of("carol").await;
    }
    assert_eq!(app.sessions.revoke_all_sessions_of_user("carol").await.unwrap().len(), 3);
    let shown = recorder.handle().render();
    for line in ["passerby_sessions_created_total 5", "passerby_sessions_revoked_total 5"] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
}
