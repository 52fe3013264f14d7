//! Two processes on one database. One is killed, or the database goes away, while users sign in,
//! refresh and are signed out. Nothing that was answered is lost.

use std::{
    io::{self, Write as _},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    cluster,
    program::{HttpClient, Program, call, client},
};

const USERS: usize = 24;
/// Sign-ins that are answered before the fault, and after it.
const EACH_SIDE: usize = 60;
/// Only for a machine that stands still.
const PATIENCE: Duration = Duration::from_secs(120);

/// The events, for the record.
#[derive(Default)]
struct Counts {
    created: AtomicUsize,
    refreshed: AtomicUsize,
    changed: AtomicUsize,
    ended: AtomicUsize,
    unanswered: AtomicUsize,
}

impl Counts {
    async fn reach(&self, created: usize) {
        let enough = async {
            while self.created.load(Ordering::Relaxed) < created {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, enough).await.expect("the storm goes on");
    }
}

/// The last answer to a user.
struct Told {
    handle: String,
    refresh: Value,
    payload: u64,
    ended: bool,
}

/// One user: signs in, and from then on refreshes and changes the payload; ends every third
/// session, and signs in again.
struct User {
    number: usize,
    bases: [String; 2],
    storm: Arc<AtomicBool>,
    counts: Arc<Counts>,
    client: HttpClient,
}

impl User {
    /// Asks one process, then the other, until there is an answer.
    async fn ask(&self, turn: usize, method: &Method, path: &str, body: &Value) -> Value {
        let start = Instant::now();
        // As long as a database needs to come back on a busy machine, however quickly each process
        // says that it is away.
        for attempt in turn.. {
            if start.elapsed() > PATIENCE {
                break;
            }
            let base = &self.bases[attempt % 2];
            match call(&self.client, method.clone(), &format!("{base}{path}"), body.clone()).await {
                Some((status, body)) if status != StatusCode::SERVICE_UNAVAILABLE => {
                    assert_eq!(status, 200, "{path}: {body}");
                    return body;
                }
                // Nobody knows whether it was done.
                _ => {
                    self.counts.unanswered.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        }
        panic!("nobody answers {path}");
    }

    async fn live(self) -> Vec<Told> {
        let (mut all, mut turn) = (Vec::new(), self.number);
        while self.storm.load(Ordering::Acquire) {
            let body =
                json!({ "userId": format!("user-{}", self.number), "enableAntiCsrf": false });
            let created = self.ask(turn, &Method::POST, "/recipe/session", &body).await;
            self.counts.created.fetch_add(1, Ordering::Relaxed);
            let handle = created["session"]["handle"].as_str().unwrap().to_owned();
            let mut told = Told {
                handle,
                refresh: created["refreshToken"]["token"].clone(),
                payload: 0,
                ended: false,
            };
            for _ in 0..5 {
                turn += 1;
                let body = json!({ "refreshToken": told.refresh, "enableAntiCsrf": false });
                let refreshed =
                    self.ask(turn, &Method::POST, "/recipe/session/refresh", &body).await;
                assert_eq!(refreshed["status"], "OK", "false alarm");
                told.refresh = refreshed["refreshToken"]["token"].clone();
                self.counts.refreshed.fetch_add(1, Ordering::Relaxed);
                let body = json!({
                    "sessionHandle": told.handle,
                    "userDataInJWT": { "n": told.payload + 1 },
                });
                assert_eq!(
                    self.ask(turn, &Method::PUT, "/recipe/jwt/data", &body).await["status"],
                    "OK"
                );
                told.payload += 1;
                self.counts.changed.fetch_add(1, Ordering::Relaxed);
            }
            if (all.len() + self.number) % 3 == 2 {
                let body = json!({ "sessionHandles": [told.handle] });
                self.ask(turn, &Method::POST, "/recipe/session/remove", &body).await;
                told.ended = true;
                self.counts.ended.fetch_add(1, Ordering::Relaxed);
            }
            all.push(told);
            turn += 1;
        }
        all
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_answered_is_lost_when_a_process_on_postgres_is_killed() {
    let database = cluster::shared().await.database().await;
    let mut first = Program::start(&database, &[]);
    let second = Program::start(&database, &[]);
    let bases = [first.address.clone(), second.address.clone()];
    storm("PostgreSQL, one process killed", bases, async |_| first.kill()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_answered_is_lost_when_a_process_on_sqlite_is_killed() {
    let folder = tempfile::TempDir::new().unwrap();
    let database = folder.path().join("core.db").display().to_string();
    let mut first = Program::start(&database, &[]);
    let second = Program::start(&database, &[]);
    let bases = [first.address.clone(), second.address.clone()];
    storm("SQLite, one process killed", bases, async |_| first.kill()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_answered_is_lost_when_postgres_goes_away_and_comes_back() {
    let cluster = cluster::Cluster::start().await;
    let database = cluster.database().await;
    let (first, second) = (Program::start(&database, &[]), Program::start(&database, &[]));
    let bases = [first.address.clone(), second.address.clone()];
    storm("PostgreSQL stopped and started twice", bases, async |counts| {
        for _ in 0..2 {
            let before = counts.created.load(Ordering::Relaxed);
            tokio::task::block_in_place(|| cluster.crash());
            tokio::time::sleep(Duration::from_millis(500)).await;
            tokio::task::block_in_place(|| cluster.resume());
            counts.reach(before + EACH_SIDE / 2).await;
        }
    })
    .await;
}

/// The first of the two processes may be gone afterwards.
async fn storm(name: &str, bases: [String; 2], fault: impl AsyncFnOnce(&Counts)) {
    let (storm, counts) = (Arc::new(AtomicBool::new(true)), Arc::new(Counts::default()));
    let users: Vec<_> = (0..USERS)
        .map(|number| {
            let bases = bases.clone();
            tokio::spawn(
                User {
                    number,
                    bases,
                    storm: storm.clone(),
                    counts: counts.clone(),
                    client: client(),
                }
                .live(),
            )
        })
        .collect();
    counts.reach(EACH_SIDE).await;
    fault(&counts).await;
    counts.reach(counts.created.load(Ordering::Relaxed) + EACH_SIDE).await;
    storm.store(false, Ordering::Release);

    let (client, mut lost, mut sessions) = (client(), Vec::new(), 0);
    let second = &bases[1];
    for user in users {
        for told in user.await.unwrap() {
            sessions += 1;
            let url = format!("{second}/recipe/session?sessionHandle={}", told.handle);
            let (_, known) = call(&client, Method::GET, &url, Value::Null).await.unwrap();
            let body = json!({ "refreshToken": told.refresh, "enableAntiCsrf": false });
            let (_, refreshed) =
                call(&client, Method::POST, &format!("{second}/recipe/session/refresh"), body)
                    .await
                    .unwrap();
            let expected = if told.ended { "UNAUTHORISED" } else { "OK" };
            let payload_kept = told.ended || known["userDataInJWT"]["n"] == told.payload;
            if known["status"] != expected || refreshed["status"] != expected || !payload_kept {
                lost.push((known["status"].clone(), refreshed["status"].clone()));
            }
        }
    }
    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    writeln!(
        io::stderr(),
        "storm ({name}): {USERS} users, 2 processes: {} sign-ins, {} refreshes, {} payload \
         changes, {} sign-outs answered; \
         {} requests without an answer, asked again; {sessions} sessions checked, {} lost",
        count(&counts.created),
        count(&counts.refreshed),
        count(&counts.changed),
        count(&counts.ended),
        count(&counts.unanswered),
        lost.len(),
    )
    .unwrap();
    assert!(lost.is_empty(), "{lost:?}");
    assert!(count(&counts.unanswered) > 0, "the fault met somebody");
    assert!(count(&counts.ended) > 0, "some were signed out");
}
