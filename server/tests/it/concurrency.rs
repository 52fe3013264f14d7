//! Two server processes on one database: each test runs two engines, with keys and connections of
//! their own, on either store.

use std::time::Duration;

use futures_util::future::join_all;
use jsonwebtoken::decode_header;
use passerby_server::{PostgresStore, SqliteStore, store::SessionStore};
use tempfile::TempDir;

use crate::{
    app::{App, Browser, store_with_keys},
    cluster,
};

const AFTER_THE_GRACE: Duration = Duration::from_secs(31);

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
    let (first, second) =
        tokio::join!(PostgresStore::connect(&address), PostgresStore::connect(&address));
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

async fn fifty_refreshes_end_with_one_session<S: SessionStore + Clone>(
    first: &App<S>,
    second: &App<S>,
) {
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
    first.wait(AFTER_THE_GRACE);
    let answers = join_all(
        copies(&thief, 10, servers)
            .into_iter()
            .map(|mut copy| tokio::spawn(async move { copy.refresh().await })),
    )
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

async fn children_at_once_are_one_session_and_their_parent_is_none<S: SessionStore + Clone>(
    first: &App<S>,
    second: &App<S>,
) {
    let servers = [first, second];
    let mut browser = first.browser();
    browser.login("bob").await;
    let siblings = refresh_all(copies(&browser, 20, servers)).await;
    // Each child is presented at the same time, as if each had been the answer that arrived last.
    refresh_all(siblings).await;
    assert_eq!(first.sessions.session_handles_of_user("bob").await.unwrap().len(), 1);
    first.wait(AFTER_THE_GRACE);
    let calls = copies(&browser, 10, servers)
        .into_iter()
        .map(|mut copy| tokio::spawn(async move { copy.refresh().await }));
    let answers: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 0);
    assert_eq!(
        answers.iter().filter(|answer| answer.message() == "token theft detected").count(),
        1
    );
    assert!(
        first.sessions.session_handles_of_user("bob").await.unwrap().is_empty(),
        "a reuse is always a theft"
    );
}

async fn a_revocation_is_seen_by_the_other<S: SessionStore + Clone>(
    first: &App<S>,
    second: &App<S>,
) {
    let mut browser = first.browser();
    browser.login("carol").await;
    let mut there = browser.moved_to(second);
    assert_eq!(there.get("/api/fresh").await.body, "carol");
    first.sessions.revoke_all_sessions_of_user("carol").await.unwrap();
    there.get("/api/fresh").await.assert_demoted_by_app("unauthorised");
}

async fn rotation_is_shared<S: SessionStore + Clone>(first: &App<S>, second: &App<S>) {
    let servers = [first, second];
    let key_of = |browser: &Browser| {
        decode_header(browser.cookie("sAccessToken").unwrap()).unwrap().kid.unwrap()
    };
    let mut browsers = copies(&first.browser(), 8, servers);
    for browser in &mut browsers {
        browser.login("dave").await;
    }
    let old_key = key_of(&browsers[0]);
    assert!(browsers.iter().all(|browser| key_of(browser) == old_key));
    let before = first.store.keys().await.unwrap().len();

    // All notice at the same time that a new key is due, in both processes.
    first.wait(Duration::from_secs(169 * 3600));
    let browsers = refresh_all(browsers).await;
    assert_eq!(first.store.keys().await.unwrap().len(), before + 1, "one new key, whoever made it");
    assert!(
        browsers.iter().all(|browser| key_of(browser) == old_key),
        "not used before others can know it"
    );
    for server in servers {
        let set = server.browser().get("/auth/jwt/jwks.json").await.body;
        assert_eq!(set["keys"].as_array().unwrap().len(), 3, "published by both: old, new, static");
    }
    first.wait(Duration::from_secs(61));
    let browsers = refresh_all(browsers).await;
    let new_key = key_of(&browsers[0]);
    assert_ne!(new_key, old_key);
    assert!(
        browsers.iter().all(|browser| key_of(browser) == new_key),
        "both processes sign with it"
    );
    assert_eq!(first.store.keys().await.unwrap().len(), before + 1);
    for browser in browsers {
        for server in servers {
            assert_eq!(browser.moved_to(server).get("/api/user").await.body, "dave");
        }
    }
}

/// One process rotates while the other has nothing to sign.
async fn an_idle_process_knows_the_new_key<S: SessionStore + Clone>(
    first: &App<S>,
    second: &App<S>,
) {
    let mut browser = first.browser();
    let id = browser.id().await;
    browser.login("erin").await;
    first.wait(Duration::from_secs(169 * 3600));
    browser.refresh().await;
    first.wait(Duration::from_secs(61));
    browser.refresh().await;
    assert_eq!(
        browser.moved_to(second).get("/api/user").await.body,
        "erin",
        "it looks an unknown key up"
    );
    assert_eq!(browser.moved_to(second).id().await, id);
    let set = second.browser().get("/auth/jwt/jwks.json").await.body.to_string();
    assert!(
        set.contains(&decode_header(browser.cookie("sAccessToken").unwrap()).unwrap().kid.unwrap())
    );
}

/// By hand, and seen by the other without a restart.
async fn a_static_key_is_replaced_for_both<S: SessionStore + Clone>(
    first: &App<S>,
    second: &App<S>,
) {
    let mut old = first.browser();
    let id = old.id().await;
    let key_of = |browser: &Browser| {
        decode_header(browser.cookie("sAnonymousToken").unwrap()).unwrap().kid.unwrap()
    };
    first.sessions.rotate_static_key().await.unwrap();
    let mut early = first.browser();
    early.id().await;
    assert_eq!(key_of(&early), key_of(&old), "published before it signs");
    first.wait(Duration::from_secs(61));
    let mut keys = Vec::new();
    for server in [first, second] {
        // Reading happens in the background, so that no visitor waits for it.
        for _ in 0..100 {
            let mut visitor = server.browser();
            visitor.id().await;
            if key_of(&visitor) != key_of(&old) {
                keys.push(key_of(&visitor));
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    assert_eq!(keys.len(), 2, "both processes changed over");
    assert_eq!(keys[0], keys[1]);
    for server in [first, second] {
        assert_eq!(old.moved_to(server).id().await, id, "tokens of the former key stay good");
    }
}

async fn expired_sessions_are_pruned_in_batches<S: SessionStore + Clone>(
    first: &App<S>,
    second: &App<S>,
) {
    let mut living = first.browser();
    for _ in 0..7 {
        first.browser().login("frank").await;
    }
    first.wait(Duration::from_secs(101 * 24 * 3600));
    assert!(first.sessions.session_handles_of_user("frank").await.unwrap().is_empty());
    let mut removed = first.sessions.prune(2).await.unwrap();
    assert_eq!(removed, 2, "no more than asked for");
    while removed < 7 {
        let (here, there) = tokio::join!(first.sessions.prune(2), second.sessions.prune(2));
        removed += here.unwrap() + there.unwrap();
    }
    living.login("frank").await;
    let pruning = second.sessions.prune_every(Duration::from_millis(5));
    first.wait(Duration::from_secs(50 * 24 * 3600));
    let handles = first.sessions.session_handles_of_user("frank").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(first.store.load(&handles[0]).await.unwrap().is_some(), "what has not expired stays");
    first.wait(Duration::from_secs(51 * 24 * 3600));
    for _ in 0..200 {
        if first.store.load(&handles[0]).await.unwrap().is_none() {
            pruning.abort();
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the task removed nothing");
}

async fn two_servers<S: SessionStore + Clone>(first: App<S>, second: App<S>) {
    fifty_refreshes_end_with_one_session(&first, &second).await;
    children_at_once_are_one_session_and_their_parent_is_none(&first, &second).await;
    a_revocation_is_seen_by_the_other(&first, &second).await;
    rotation_is_shared(&first, &second).await;
    an_idle_process_knows_the_new_key(&first, &second).await;
    a_static_key_is_replaced_for_both(&first, &second).await;
    expired_sessions_are_pruned_in_batches(&first, &second).await;
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
