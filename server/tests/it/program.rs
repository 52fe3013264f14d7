//! The program `passerby-server`, as an operator runs it.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tempfile::TempDir;

type Body = Full<axum::body::Bytes>;
pub(crate) type HttpClient = Client<HttpConnector, Body>;

/// A running core; ended with the test.
pub(crate) struct Program {
    child: Child,
    pub(crate) address: String,
    log: Arc<Mutex<String>>,
    _log_reader: JoinHandle<()>,
}

pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_passerby-server"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Program {
    pub(crate) fn start(database: &str, options: &[(&str, &str)]) -> Self {
        let mut command = command();
        command.args(["core", "--port", "0", "--database", database]);
        for (name, value) in options {
            command.env(format!("PASSERBY_SERVER_{}", name.to_uppercase()), value);
        }
        Self::spawn(&mut command)
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, sink) = (BufReader::new(child.stderr.take().unwrap()), log.clone());
        let log_reader = std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                *sink.lock().unwrap() += &(line + "\n");
            }
        });
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let address = first.trim().strip_prefix("listening on ").map(str::to_owned);
        let Some(address) = address else {
            let _ = child.wait();
            panic!("did not start: {}", log.lock().unwrap());
        };
        Self { child, address, log, _log_reader: log_reader }
    }

    /// Stops it as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn terminate(&self) {
        assert!(
            Command::new("kill")
                .args(["-TERM", &self.child.id().to_string()])
                .status()
                .unwrap()
                .success()
        );
    }

    fn ended(&mut self, within: Duration) -> Option<ExitStatus> {
        let end = Instant::now() + within;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    fn host(&self) -> &str {
        self.address.strip_prefix("http://").unwrap()
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn client() -> HttpClient {
    Client::builder(TokioExecutor::new()).build_http()
}

/// Status and body; `None` when the connection broke before there was an answer.
pub(crate) async fn call(
    client: &HttpClient,
    method: Method,
    url: &str,
    body: Value,
) -> Option<(StatusCode, Value)> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = Request::builder().method(method).uri(url).body(Body::from(body)).unwrap();
    let response = client.request(request).await.ok()?;
    let status = response.status();
    let bytes = response.into_body().collect().await.ok()?.to_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Some((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
}

async fn create(program: &Program, user: &str) -> Value {
    let body = json!({ "userId": user, "enableAntiCsrf": false });
    let (status, body) =
        call(&client(), Method::POST, &format!("{}/recipe/session", program.address), body)
            .await
            .unwrap();
    assert_eq!(status, 200, "{body}");
    body
}

fn in_folder() -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let database = folder.path().join("core.db").display().to_string();
    (folder, database)
}

#[tokio::test]
async fn health_readiness_and_metrics() {
    let (_folder, database) = in_folder();
    let program = Program::start(&database, &[]);
    let session = create(&program, "alice").await;
    let get = |path: &str| {
        let url = format!("{}{path}", program.address);
        async move { call(&client(), Method::GET, &url, Value::Null).await.unwrap() }
    };
    assert_eq!(get("/healthz").await.0, 200);
    assert_eq!(get("/readyz").await.0, 200);
    for _ in 0..2 {
        let body =
            json!({ "refreshToken": session["refreshToken"]["token"], "enableAntiCsrf": false });
        call(&client(), Method::POST, &format!("{}/recipe/session/refresh", program.address), body)
            .await
            .unwrap();
    }
    let (_, text) = get("/metrics").await;
    let text = text.as_str().unwrap();
    for line in [
        "passerby_sessions_created_total 1",
        "passerby_sessions_refreshed_total 2",
        "passerby_sessions_stolen_total 0",
        "passerby_anonymous_minted_total 0",
        "passerby_request_duration_seconds_count{operation=\"create\",status=\"200\"} 1",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

/// Sign-ins and thefts are nobody's business who has no key. Load balancers have none.
#[tokio::test]
async fn where_a_key_is_asked_for_the_metrics_ask_for_it_too() {
    let (_folder, database) = in_folder();
    let program = Program::start(&database, &[("api_keys", "key-for-this-test, another")]);
    for (path, key, status) in [
        ("/metrics", None, 401),
        ("/metrics", Some("key-for-this"), 401),
        ("/metrics", Some("KEY-FOR-THIS-TEST"), 401),
        ("/metrics", Some("key-for-this-test, another"), 401),
        ("/metrics", Some("another"), 200),
        ("/readyz", None, 200),
        ("/healthz", None, 200),
        ("/recipe/session/user?userId=alice", None, 401),
    ] {
        let mut request = Request::get(format!("{}{path}", program.address));
        if let Some(key) = key {
            request = request.header("api-key", key);
        }
        let response = client().request(request.body(Body::default()).unwrap()).await.unwrap();
        assert_eq!(response.status(), status, "{path} {key:?}");
        let text = response.into_body().collect().await.unwrap().to_bytes();
        let told = String::from_utf8_lossy(&text).contains("passerby_sessions");
        assert_eq!(told, status == 200 && path == "/metrics", "{path} {key:?}");
    }
}

#[tokio::test]
async fn a_database_that_goes_away_and_comes_back_is_no_reason_to_restart() {
    let cluster = crate::cluster::Cluster::start().await;
    let program = Program::start(&cluster.database().await, &[]);
    let session = create(&program, "alice").await;
    let ready = || async {
        call(&client(), Method::GET, &format!("{}/readyz", program.address), Value::Null)
            .await
            .unwrap()
            .0
    };
    let refresh = || async {
        let body =
            json!({ "refreshToken": session["refreshToken"]["token"], "enableAntiCsrf": false });
        call(&client(), Method::POST, &format!("{}/recipe/session/refresh", program.address), body)
            .await
            .unwrap()
            .0
    };
    cluster.crash();
    assert_eq!(ready().await, 503);
    assert_eq!(refresh().await, 503);
    assert_eq!(
        call(&client(), Method::GET, &format!("{}/healthz", program.address), Value::Null)
            .await
            .unwrap()
            .0,
        200
    );
    cluster.resume();
    assert_eq!(ready().await, 200);
    assert_eq!(refresh().await, 200);
}

#[tokio::test]
async fn no_token_and_no_id_is_logged() {
    let (_folder, database) = in_folder();
    let program = Program::start(
        &database,
        &[("log", "trace"), ("log_format", "json"), ("api_keys", "key-for-this-test")],
    );
    let url = format!("{}/recipe/session", program.address);
    let request = |body: Value| {
        Request::post(&url)
            .header("api-key", "key-for-this-test")
            .body(Body::from(body.to_string()))
            .unwrap()
    };
    let response = client()
        .request(request(json!({
            "userId": "alice-the-user",
            "enableAntiCsrf": false,
            "userDataInJWT": { "mail": "a@b.example" },
        })))
        .await
        .unwrap();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let session: Value = serde_json::from_slice(&bytes).unwrap();
    let handle = session["session"]["handle"].as_str().unwrap();
    let query = Request::get(format!("{url}?sessionHandle={handle}"))
        .header("api-key", "key-for-this-test");
    assert_eq!(client().request(query.body(Body::default()).unwrap()).await.unwrap().status(), 200);
    // The log arrives through a pipe.
    let end = Instant::now() + Duration::from_secs(5);
    while !program.log().contains("\"operation\":\"information\"") && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let log = program.log();
    assert!(log.contains("\"operation\":\"information\""), "{log}");
    let secrets = [
        handle,
        "alice-the-user",
        "a@b.example",
        "key-for-this-test",
        session["accessToken"]["token"].as_str().unwrap(),
        session["refreshToken"]["token"].as_str().unwrap(),
    ];
    for secret in secrets {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

/// Sends bytes as they are, and reads until the other end closes.
fn raw(program: &Program, parts: &[&[u8]]) -> String {
    let mut stream = TcpStream::connect(program.host()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    for part in parts {
        // SessionRejection in the middle, the rest has nowhere to go.
        let _ = stream.write_all(part);
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_request_that_is_too_large_or_too_slow_is_refused() {
    let (_folder, database) = in_folder();
    let options = [
        ("max_body_bytes", "2048"),
        ("max_header_bytes", "8192"),
        ("header_timeout", "1"),
        ("request_timeout", "1"),
    ];
    let program = Program::start(&database, &options);
    let (status, _) = call(
        &client(),
        Method::POST,
        &format!("{}/recipe/session", program.address),
        json!({ "userId": "x".repeat(3000) }),
    )
    .await
    .unwrap();
    assert_eq!(status, 413);
    for head in [format!("cookie: {}\r\n", "c".repeat(1 << 20)), "cookie: a=1\r\n".repeat(10_000)] {
        let answer =
            raw(&program, &[b"GET /hello HTTP/1.1\r\nhost: x\r\n", head.as_bytes(), b"\r\n"]);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    let start = Instant::now();
    let half_a_head = raw(&program, &[b"GET /hello HTTP/1.1\r\nhost:"]);
    assert!(half_a_head.is_empty() || half_a_head.starts_with("HTTP/1.1 408"), "{half_a_head}");
    let half_a_body = raw(
        &program,
        &[b"POST /recipe/session HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
            content-length: 10\r\n\r\n{"],
    );
    assert!(half_a_body.starts_with("HTTP/1.1 408"), "{half_a_body}");
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    let metrics =
        call(&client(), Method::GET, &format!("{}/metrics", program.address), Value::Null)
            .await
            .unwrap()
            .1;
    for (status, count) in [(413, 1), (408, 1)] {
        let line = format!(
            "passerby_request_duration_seconds_count{{operation=\"create\",status=\"{status}\"}} \
             {count}"
        );
        assert!(metrics.as_str().unwrap().contains(&line), "{line} is not in\n{metrics}");
    }
    // Two lengths, and a length with chunks: the ways to smuggle a second request in.
    for lines in [
        "content-length: 2\r\ncontent-length: 3\r\n",
        "transfer-encoding: x\r\ncontent-length: 2\r\n",
    ] {
        let request = format!(
            "POST /recipe/session HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{lines}\r\n{{}}"
        );
        assert!(raw(&program, &[request.as_bytes()]).starts_with("HTTP/1.1 4"), "{lines}");
    }
    assert_eq!(
        call(&client(), Method::GET, &format!("{}/healthz", program.address), Value::Null)
            .await
            .unwrap()
            .0,
        200
    );
}

#[tokio::test]
async fn sigterm_finishes_what_is_under_way() {
    let (_folder, database) = in_folder();
    let mut program = Program::start(&database, &[]);
    let body = br#"{"userId":"alice","enableAntiCsrf":false}"#;
    let mut stream = TcpStream::connect(program.host()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let head = format!(
        "POST /recipe/session HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body[..5]).unwrap();
    // Until the head has been read, the connection counts as idle.
    std::thread::sleep(Duration::from_millis(300));
    let idle = TcpStream::connect(program.host()).unwrap();
    program.terminate();
    assert!(program.ended(Duration::from_millis(500)).is_none(), "a request is under way");
    assert!(TcpStream::connect(program.host()).is_err(), "nobody new is let in");
    stream.write_all(&body[5..]).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(idle);
    assert!(program.ended(Duration::from_secs(5)).unwrap().success());
    let session: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    let again = Program::start(&database, &[]);
    let body = json!({ "refreshToken": session["refreshToken"]["token"], "enableAntiCsrf": false });
    let refreshed =
        call(&client(), Method::POST, &format!("{}/recipe/session/refresh", again.address), body)
            .await
            .unwrap();
    assert_eq!(refreshed.1["status"], "OK", "what was answered is stored");
}

#[tokio::test]
async fn sigterm_does_not_wait_for_ever() {
    let (_folder, database) = in_folder();
    let mut program = Program::start(&database, &[("shutdown_timeout", "1")]);
    let mut stream = TcpStream::connect(program.host()).unwrap();
    stream
        .write_all(b"POST /recipe/session HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{")
        .unwrap();
    std::thread::sleep(Duration::from_millis(300));
    program.terminate();
    assert!(program.ended(Duration::from_secs(5)).unwrap().success());
}

#[test]
fn a_wrong_configuration_is_said_at_start() {
    let (folder, _) = in_folder();
    let file = folder.path().join("passerby.toml");
    std::fs::write(&file, "listen = \"127.0.0.1:0\"\nkolor = 1\n").unwrap();
    let file = file.display().to_string();
    let missing = folder.path().join("missing").join("core.db").display().to_string();
    let nobody = format!(
        "postgres://alice:hunter2@{}/x",
        folder.path().display().to_string().replace('/', "%2F")
    );
    for (arguments, part) in [
        (&["core", "--config", file.as_str()][..], "kolor"),
        (&["core", "--config", "/no/such/file"], "/no/such/file"),
        (&["core", "--port", "0", "--database", &missing], "folder"),
        (&["core", "--port", "0", "--database", &nobody], "check that it runs"),
        (&["core", "--prot", "0"], "--prot"),
        (&["core", "--listen", "0.0.0.0:0"], "allow_without_key"),
        (&["serve"], "serve"),
        (&[], "passerby-server core"),
    ] {
        let output = command().args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains(part) && !said.contains("hunter2"), "{arguments:?}: {said}");
    }
    let help = command().arg("--help").output().unwrap();
    assert!(
        help.status.success()
            && String::from_utf8_lossy(&help.stdout).contains("PASSERBY_SERVER_DATABASE")
    );
}

/// A disk that is full: here a limit on the size of files, which the system enforces as it does a
/// full disk.
#[cfg(unix)]
#[tokio::test]
async fn a_full_disk_is_answered_503_and_ends_nothing() {
    let (_folder, database) = in_folder();
    let mut roomy = Program::start(&database, &[]);
    let session = create(&roomy, "alice").await;
    roomy.terminate();
    assert!(roomy.ended(Duration::from_secs(5)).unwrap().success());

    // 512 kB at most, and an error instead of a signal beyond.
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 1024; exec \"$0\" core --port 0 --database \"$1\""]);
    shell.arg(env!("CARGO_BIN_EXE_passerby-server")).arg(&database);
    let full =
        Program::spawn(shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()));
    let (url, client) = (format!("{}/recipe/session", full.address), client());
    let login =
        || call(&client, Method::POST, &url, json!({ "userId": "bob", "enableAntiCsrf": false }));
    let mut statuses = Vec::new();
    while statuses.last() != Some(&503) && statuses.len() < 1000 {
        statuses.push(login().await.unwrap().0.as_u16());
    }
    assert_eq!(
        (statuses.first(), statuses.last()),
        (Some(&200), Some(&503)),
        "{} logins",
        statuses.len()
    );
    let body = json!({ "refreshToken": session["refreshToken"]["token"], "enableAntiCsrf": false });
    let refreshed =
        call(&client, Method::POST, &format!("{url}/refresh"), body.clone()).await.unwrap().1;
    assert_eq!(refreshed["status"], "OK", "what needs no room goes on");
    drop(full);

    let again = Program::start(&database, &[]);
    let refreshed =
        call(&client, Method::POST, &format!("{}/recipe/session/refresh", again.address), body)
            .await
            .unwrap()
            .1;
    assert_eq!(refreshed["status"], "OK", "nothing was damaged");
    create(&again, "bob").await;
}
