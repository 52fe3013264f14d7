//! Things that go wrong below the server: disks that are full, files that vanish. Nothing is lost,
//! and nothing needs a restart.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use http::{Method, StatusCode};
use passerby_server::{
    EngineError, SqliteStore,
    store::{SessionRecord, SessionStore, StoreError, Write},
};
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

use crate::{
    app::App,
    cluster,
    program::{HttpClient, Program, call, client, command},
};

fn session() -> SessionRecord {
    SessionRecord::new("one", "alice", "id", "hash", 1, 10)
}

async fn prolong(store: &impl SessionStore) -> Result<Option<SessionRecord>, StoreError> {
    store
        .update("one", &mut |record| {
            record.expires_at += 1;
            Write::Save
        })
        .await
}

/// SQLite does this by itself when a disk is full or cannot be read: the statement fails, and the
/// transaction is gone.
const ENDS_THE_TRANSACTION: &str = "CREATE TRIGGER disk_full BEFORE UPDATE ON sessions BEGIN \
    SELECT RAISE(ROLLBACK, 'database or disk is full'); END";

#[tokio::test]
async fn sqlite_goes_on_after_a_transaction_that_the_database_ended() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("db");
    let store = SqliteStore::open(&file).await.unwrap();
    store.create(&session()).await.unwrap();
    let mut other =
        SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&file)).await.unwrap();
    sqlx::query(ENDS_THE_TRANSACTION).execute(&mut other).await.unwrap();
    for _ in 0..3 {
        assert!(prolong(&store).await.is_err());
    }
    sqlx::query("DROP TRIGGER disk_full").execute(&mut other).await.unwrap();
    for expected in 11..14 {
        assert_eq!(
            prolong(&store).await.unwrap().unwrap().expires_at,
            expected,
            "the space is back"
        );
    }
}

/// Requests that were given up in the middle of a transaction, at any point, leave nothing behind.
#[tokio::test]
async fn sqlite_goes_on_after_requests_that_were_given_up() {
    let folder = TempDir::new().unwrap();
    let store = SqliteStore::open(folder.path().join("db")).await.unwrap();
    store.create(&session()).await.unwrap();
    for micros in 0..300 {
        let _ = tokio::time::timeout(Duration::from_micros(micros), prolong(&store)).await;
    }
    let before = store.load("one").await.unwrap().unwrap().expires_at;
    assert_eq!(prolong(&store).await.unwrap().unwrap().expires_at, before + 1);
}

#[tokio::test]
async fn postgres_goes_on_after_a_transaction_that_failed() {
    let store = cluster::store().await;
    store.create(&session()).await.unwrap();
    // U+0000 fits into no column: the update fails in the middle of the transaction.
    for _ in 0..20 {
        let failed = store
            .update("one", &mut |record| {
                record.refresh_hash2 = "\0".into();
                Write::Save
            })
            .await;
        assert!(failed.is_err());
    }
    for expected in 11..31 {
        assert_eq!(prolong(&store).await.unwrap().unwrap().expires_at, expected);
    }
}

/// Requests that were given up in the middle of a transaction, at any point, take no other's row
/// along.
#[tokio::test]
async fn postgres_keeps_what_was_answered_after_requests_that_were_given_up() {
    let store = cluster::store().await;
    store.create(&session()).await.unwrap();
    let named =
        |number: u64| SessionRecord::new(format!("number {number}"), "alice", "id", "hash", 1, 10);
    for number in 0..400 {
        let micros = number * 5;
        let _ = tokio::time::timeout(Duration::from_micros(micros), prolong(&store)).await;
        store.create(&named(number)).await.unwrap();
        // A transaction that is open on that connection is ended here, one way or the other.
        let _ = store
            .update("one", &mut |record| {
                record.refresh_hash2 = "\0".into();
                Write::Save
            })
            .await;
    }
    for number in 0..400 {
        let handle = named(number).handle;
        assert!(
            store.load(&handle).await.unwrap().is_some(),
            "{handle} was answered, and is not there"
        );
    }
}

/// An app's users go on when the space is back, whatever they were doing when it ran out.
#[tokio::test]
async fn users_go_on_when_the_disk_has_space_again() {
    let app = App::new().await;
    let mut browser = app.browser_of("alice").await;
    assert_eq!(browser.refresh().await.status, 200);
    let options = SqliteConnectOptions::new().filename(app.database());
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query(ENDS_THE_TRANSACTION).execute(&mut other).await.unwrap();
    let refused = browser.get("/api/user").await;
    assert_eq!(refused.status, 503, "the first use of a refreshed token is written down");
    assert!(refused.is_silent(), "nothing is cleared");
    assert_eq!(browser.post_json("/api/merge", json!({ "a": 1 })).await.status, 503);
    sqlx::query("DROP TRIGGER disk_full").execute(&mut other).await.unwrap();
    app.goes_on_with(browser).await;
}

/// Another process holds the write lock, as a backup by hand does, or somebody's console.
#[tokio::test(flavor = "multi_thread")]
async fn a_locked_database_stops_only_what_must_write_and_nothing_needs_a_restart() {
    let app = App::new().await;
    let mut alice = app.browser_of("alice").await;
    let mut guest = app.browser();
    let id = guest.id().await;
    let options = SqliteConnectOptions::new().filename(app.database());
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();

    let start = Instant::now();
    assert_eq!(alice.get("/api/user").await.status, 200, "valid tokens are good");
    assert_eq!(alice.get("/api/fresh").await.status, 200, "sessions can be read");
    assert_eq!(guest.id().await, id);
    assert_eq!(app.browser().get("/api/me").await.status, 200, "visitors need no database");
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "nobody waits for the lock who does not need it: {:?}",
        start.elapsed()
    );

    // One after the other, because there is one writer in the process. Each waits five seconds at
    // most.
    let (mut merging, mut bob) = (alice.clone(), app.browser());
    let (merged, signed_in, ready) = tokio::join!(
        merging.post_json("/api/merge", json!({ "a": 1 })),
        bob.post("/api/login?user=bob"),
        app.sessions.ready()
    );
    assert_eq!(merged.status, 503);
    assert!(merged.is_silent(), "nothing is cleared");
    assert_eq!(signed_in.status, 503);
    assert!(ready.is_err(), "readiness did not notice");
    assert!(start.elapsed() < Duration::from_secs(25), "nobody waits long: {:?}", start.elapsed());

    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    app.sessions.ready().await.unwrap();
    assert_eq!(guest.id().await, id);
    app.goes_on_with(alice).await;
}

#[tokio::test]
async fn readiness_notices_a_file_that_was_removed_or_replaced() {
    let app = App::new().await;
    app.sessions.ready().await.unwrap();
    let (file, aside) = (app.database(), app.database().with_extension("aside"));
    fs::rename(&file, &aside).unwrap();
    let gone = app.sessions.ready().await.unwrap_err();
    assert!(matches!(gone, EngineError::Store(StoreError::Replaced { .. })), "{gone:?}");
    fs::copy(&aside, &file).unwrap();
    let replaced = app.sessions.ready().await.unwrap_err();
    assert!(matches!(replaced, EngineError::Store(StoreError::Replaced { .. })), "{replaced:?}");
    fs::rename(&aside, &file).unwrap();
    app.sessions.ready().await.unwrap();
}

/// A disk that can be filled: a small one of its own, or a limit on the size of files, beyond which
/// writing is an I/O error.
struct SmallDisk {
    folder: TempDir,
    mounted: bool,
}

impl SmallDisk {
    /// Where this process may mount.
    fn mounted() -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(folder.path())
            .output();
        let mounted = mount.is_ok_and(|output| output.status.success());
        mounted.then_some(Self { folder, mounted })
    }

    fn limited() -> Self {
        Self { folder: TempDir::new().unwrap(), mounted: false }
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("core.db")
    }

    /// The core on this disk.
    fn start(&self) -> Program {
        let database = self.database();
        if self.mounted {
            return Program::start(database.to_str().unwrap(), &[]);
        }
        let mut shell = Command::new("sh");
        // SIGXFSZ is ignored by what the shell starts: writing fails, and does not kill.
        let line = format!(
            "trap '' XFSZ; ulimit -S -f 400; exec \"$0\" core --port 0 --database '{}'",
            database.display()
        );
        shell.args(["-c", &line]).arg(command().get_program());
        shell
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        Program::spawn(&mut shell)
    }

    /// Until nothing more fits.
    fn fill(&self, filler: &Path) {
        if self.mounted {
            let _ = fs::write(filler, vec![0; 1 << 20]);
        }
    }

    fn make_space(&self, filler: &Path, program: &Program) {
        if self.mounted {
            fs::remove_file(filler).unwrap();
        } else {
            let limit = Command::new("prlimit")
                .args(["--fsize=unlimited", "--pid", &program.id().to_string()])
                .status();
            assert!(limit.unwrap().success());
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if self.mounted {
            let _ = Command::new("umount").arg("--lazy").arg(self.folder.path()).status();
        }
    }
}

async fn post(
    client: &HttpClient,
    program: &Program,
    path: &str,
    body: Value,
) -> (StatusCode, Value) {
    call(client, Method::POST, &format!("{}{path}", program.address), body).await.unwrap()
}

async fn sign_in(client: &HttpClient, program: &Program, size: usize) -> (StatusCode, Value) {
    let data = json!({ "filler": "x".repeat(size) });
    let body = json!({ "userId": "alice", "userDataInDatabase": data, "enableAntiCsrf": false });
    post(client, program, "/recipe/session", body).await
}

async fn refresh(client: &HttpClient, program: &Program, session: &Value) -> (StatusCode, Value) {
    let body = json!({ "refreshToken": session["refreshToken"]["token"], "enableAntiCsrf": false });
    post(client, program, "/recipe/session/refresh", body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_core_whose_disk_was_full_goes_on_without_a_restart() {
    match SmallDisk::mounted() {
        Some(disk) => goes_on_without_a_restart(disk).await,
        None => writeln!(io::stderr(), "a full disk: left out, because this process may not mount")
            .unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_core_whose_disk_had_errors_goes_on_without_a_restart() {
    goes_on_without_a_restart(SmallDisk::limited()).await;
}

async fn goes_on_without_a_restart(disk: SmallDisk) {
    let filler = disk.folder.path().join("filler");
    let (program, client) = (disk.start(), client());
    let readiness = format!("{}/readyz", program.address);
    let (_, first) = sign_in(&client, &program, 10).await;
    let (status, child) = refresh(&client, &program, &first).await;
    assert_eq!((status, &child["status"]), (StatusCode::OK, &json!("OK")), "{child}");

    disk.fill(&filler);
    // Fills what the log still had room for.
    let mut full = false;
    for _ in 0..100 {
        full =
            full || sign_in(&client, &program, 60_000).await.0 == StatusCode::SERVICE_UNAVAILABLE;
    }
    assert!(full, "the disk never was full");
    let mut refused = 0;
    for _ in 0..200 {
        // The first use of a child is written down; then a large change is.
        let verify = json!({
            "accessToken": child["accessToken"]["token"],
            "doAntiCsrfCheck": false,
            "enableAntiCsrf": false,
            "checkDatabase": true,
        });
        refused += u32::from(
            post(&client, &program, "/recipe/session/verify", verify).await.0.is_server_error(),
        );
        let data = json!({
            "sessionHandle": first["session"]["handle"],
            "userDataInDatabase": { "a": "y".repeat(60_000) },
        });
        let url = format!("{}/recipe/session/data", program.address);
        refused +=
            u32::from(call(&client, Method::PUT, &url, data).await.unwrap().0.is_server_error());
        if refused > 3 {
            break;
        }
    }
    assert!(refused > 3, "nothing was refused");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let ready_while_full = call(&client, Method::GET, &readiness, Value::Null).await.unwrap().0;

    disk.make_space(&filler, &program);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(
        call(&client, Method::GET, &readiness, Value::Null).await.unwrap().0,
        StatusCode::OK
    );
    let (status, grandchild) = refresh(&client, &program, &child).await;
    assert_eq!(
        (status, &grandchild["status"]),
        (StatusCode::OK, &json!("OK")),
        "{grandchild}\n{}",
        program.log()
    );
    assert_eq!(sign_in(&client, &program, 10).await.0, StatusCode::OK);
    if disk.mounted {
        // Below a limit on files, small changes still fit into the log.
        assert_eq!(ready_while_full, StatusCode::SERVICE_UNAVAILABLE, "readiness did not notice");
    }
}
