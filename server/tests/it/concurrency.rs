//! Two server processes on one database: each test runs two engines, with keys and connections of their own, on either store.

use std::time::Duration;

use futures_util::future::join_all;
use passerby_server::{PostgresStore, SqliteStore, store::SessionStore};
use tempfile::TempDir;

use crate::{
    app::{App, Browser, store_with_keys},
    cluster,
};

/// Two handles on one file.
async fn two_on_sqlite() -> (App, App, TempDir) {
    let folder = TempDir::new().unwrap();
    let open = || SqliteStore::open(folder.path().join("sessions.db"));
    let (first, second) = tokio::join!(open(), open());
    let first = App::on(store_with_keys(first.unwrap()).await).await;
    let second = first.twin(second.unwrap()).await;
    (first, second, folder)
}

/// Two pools on one database.
async fn two_on_postgres() -> (App<PostgresStore>, App<PostgresStore>) {
    let address = cluster::shared().await.database().await;
    let (first, second) = tokio::join!(PostgresStore::connect(&address), PostgresStore::connect(&address));
    let first = App::on(store_with_keys(first.unwrap()).await).await;
    let second = first.twin(second.unwrap()).await;
    (first, second)
}

/// The same browser `count` times, half of them routed to each server.
fn copies<S>(browser: &Browser, count: usize, servers: [&App<S>; 2]) -> Vec<Browser> {
    (0..count).map(|number| browser.moved_to(servers[number % 2])).collect()
}

/// All at the same time, on all threads.
async fn refresh_all(browsers: Vec<Browser>) -> Vec<Browser> {
    let calls = browsers.into_iter().map(|mut browser| {
        tokio::spawn(async move {
            let answer = browser.refresh().await;
            assert_eq!(answer.status, 200, "{answer:?}");
            browser
        })
    });
    join_all(calls).await.into_iter().map(Result::unwrap).collect()
}

async fn fifty_refreshes_end_with_one_session<S: SessionStore + Clone>(first: &App<S>, second: &App<S>) {
    let servers = [first, second];
    let mut browser = first.browser();
    let id = browser.id().await;
    browser.login("alice").await;
    // Three times over: with the first token, and with tokens that were obtained with another.
    for _ in 0..3 {
        let children = refresh_all(copies(&browser, 50, servers)).await;
        let newest = children.last().unwrap().clone();
        // All tabs share the cookies of the answer that came last, and use them at once.
        let uses = copies(&newest, 50, servers).into_iter().map(|mut tab| {
            tokio::spawn(async move { (tab.get("/api/fresh").await.status.as_u16(), tab) })
        });
        for used in join_all(uses).await {
            let (status, tab) = used.unwrap();
            assert_eq!(status, 200);
            browser = tab;
        }
        assert_eq!(first.sessions.session_handles_of_user("alice").await.unwrap().len(), 1);
    }
    assert_eq!(browser.id().await, id);

    // The parent of the token in use is a copy, wherever it is shown.
    let mut thief = browser.clone().moved_to(second);
    assert_eq!(browser.refresh().await.status, 200);
    assert_eq!(browser.get("/api/fresh").await.status, 200);
    let answers = join_all(copies(&thief, 10, servers).into_iter().map(|mut copy| {
        tokio::spawn(async move { copy.refresh().await })
    }))
    .await;
    let mut thefts = 0;
    for answer in answers {
        let answer = answer.unwrap();
        assert_eq!(answer.status, 401);
        assert_eq!(answer.announced_id(), id);
        thefts += usize::from(answer.message() == "token theft detected");
    }
    assert_eq!(thefts, 1, "one finds the theft, the others no session");
    assert!(first.sessions.session_handles_of_user("alice").await.unwrap().is_empty());
    assert_eq!(thief.get("/api/fresh").await.message(), "unauthorised");
}

async fn children_and_their_parent_at_once_promote_one<S: SessionStore + Clone>(first: &App<S>, second: &App<S>) {
    let servers = [first, second];
    let mut browser = first.browser();
    browser.login("bob").await;
    let siblings = refresh_all(copies(&browser, 20, servers)).await;
    // Each child is presented at the same time. One is promoted, and the others have come too late.
    let calls = siblings.into_iter().map(|mut child| tokio::spawn(async move { child.refresh().await }));
    let answers: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.message() == "token theft detected").count(), 1);
    assert!(first.sessions.session_handles_of_user("bob").await.unwrap().is_empty(), "a reuse is always a theft");
}

async fn a_revocation_is_seen_by_the_other<S: SessionStore + Clone>(first: &App<S>, second: &App<S>) {
    let mut browser = first.browser();
    browser.login("carol").await;
    let mut there = browser.moved_to(second);
    assert_eq!(there.get("/api/fresh").await.body, "carol");
    first.sessions.revoke_all_sessions_of_user("carol").await.unwrap();
    there.get("/api/fresh").await.assert_demoted("unauthorised");
}

async fn two_servers<S: SessionStore + Clone>(first: App<S>, second: App<S>) {
    fifty_refreshes_end_with_one_session(&first, &second).await;
    children_and_their_parent_at_once_promote_one(&first, &second).await;
    a_revocation_is_seen_by_the_other(&first, &second).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_servers_on_sqlite() {
    let (first, second, _folder) = two_on_sqlite().await;
    tokio::time::timeout(Duration::from_secs(60), two_servers(first, second)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_servers_on_postgres() {
    let (first, second) = two_on_postgres().await;
    tokio::time::timeout(Duration::from_secs(60), two_servers(first, second)).await.unwrap();
}
