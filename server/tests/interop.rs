//! Other services verify our anonymous tokens from the key set alone: `jose` in Node, PyJWT in
//! Python. The scripts are in `tests/interop`.
//!
//! And SuperTokens back ends run on our session core: the real `supertokens-node`,
//! `supertokens-python` and `supertokens-golang` with the frameworks that they are for. The apps,
//! and what exercises them, are in `tests/interop/back-ends`: a browser of few words with every
//! turn of the protocol, and our SDK in Chromium (`cargo xtask test e2e`, which builds it first).
//!
//! Every change has both exercises for Express and FastAPI, and cookie mode in Chromium for the
//! other frameworks. The rest has names that begin with `whole`, and `cargo xtask test` leaves it
//! out unless `PASSERBY_BACK_ENDS` is `all`.
//!
//! Needs Node with npm, and Python 3 with venv; brings the packages itself, as the committed lock
//! files have them. The back end in Go is left out where Go is not installed.

#![allow(clippy::unwrap_used, missing_docs)]
#![allow(
    clippy::explicit_write,
    reason = "past the test harness, which keeps what passes to itself"
)]

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, Once, PoisonError},
    time::{Duration, Instant},
};

use axum::{Json, Router, body::Body, routing::get};
use http::{Request, header};
use passerby_protocol::payload::PROTECTED_CLAIMS;
use passerby_server::{JwtKey, Principal, Sessions, SqliteStore, Visitor, VisitorError};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

fn in_tests(scripts: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("tests").join(scripts)
}

fn installed(scripts: &str, language: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{language}", scripts.replace('/', "-")))
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"))
}

fn must(command: &mut Command) {
    let output = run(command);
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Does something unless it was done with this very lock file before.
fn once(folder: &Path, lock_file: &Path, install: impl FnOnce()) {
    // Two tests use one folder.
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _installing = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let lock = fs::read_to_string(lock_file).unwrap();
    let stamp = folder.join(".installed-from");
    if !fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        fs::create_dir_all(folder).unwrap();
        install();
        fs::write(stamp, lock).unwrap();
    }
}

/// A script of this folder of `tests`, copied beside its packages, so that nothing is written
/// outside of the target directory.
fn node(scripts: &str, script: &str) -> Command {
    let (scripts, folder) = (in_tests(scripts), installed(scripts, "node"));
    once(&folder, &scripts.join("package-lock.json"), || {
        for name in ["package.json", "package-lock.json", ".npmrc"] {
            fs::copy(scripts.join(name), folder.join(name)).unwrap();
        }
        let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
        must(
            Command::new(npm)
                .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
                .current_dir(&folder),
        );
    });
    copy_scripts(&scripts, &folder);
    let mut command = Command::new("node");
    command.arg(folder.join(script));
    command
}

/// All of them, because they import each other.
fn copy_scripts(from: &Path, to: &Path) {
    // Another test may be starting one of them.
    static COPYING: Mutex<()> = Mutex::new(());
    let _copying = COPYING.lock().unwrap_or_else(PoisonError::into_inner);
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "mjs") {
            let (text, copy) = (fs::read(&path).unwrap(), to.join(path.file_name().unwrap()));
            if !fs::read(&copy).is_ok_and(|copied| copied == text) {
                fs::write(copy, text).unwrap();
            }
        }
    }
}

/// A back end whose framework brings so many packages that they are installed only when everything
/// is asked for.
fn large(script: &str) -> Command {
    const SCRIPTS: &str = "interop/back-ends/large";
    let command = node(SCRIPTS, script);
    // The shop is the same.
    copy_scripts(&in_tests("interop/back-ends"), &installed(SCRIPTS, "node"));
    command
}

/// The back end in Go, compiled with the modules that its committed sums name.
fn go() -> Command {
    let (source, folder) = (in_tests("interop/back-ends/go"), installed("interop/back-ends", "go"));
    let program = folder.join(format!("back-end{}", std::env::consts::EXE_SUFFIX));
    static BUILD: Once = Once::new();
    BUILD.call_once(|| {
        fs::create_dir_all(&folder).unwrap();
        must(
            Command::new("go")
                .args(["build", "-mod=readonly", "-o"])
                .arg(&program)
                .arg(".")
                .current_dir(source),
        );
    });
    Command::new(program)
}

fn python(scripts: &str, script: &str) -> Command {
    let (scripts, folder) = (in_tests(scripts), installed(scripts, "python"));
    let interpreter = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let requirements = scripts.join("requirements.txt");
    once(&folder, &requirements, || {
        let python = if cfg!(windows) { "python" } else { "python3" };
        must(Command::new(python).args(["-m", "venv"]).arg(&folder));
        must(
            Command::new(&interpreter)
                .args(["-m", "pip", "install", "--quiet", "--requirement"])
                .arg(&requirements),
        );
    });
    let mut command = Command::new(interpreter);
    // Scripts import each other where they are, and nothing is written there.
    command.arg(scripts.join(script)).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Django, in one of its two ways to be served.
fn django(mode: &str) -> Command {
    let mut command = python("interop/back-ends", "django_app.py");
    command.env("MODE", mode);
    command
}

fn verify_in_node() -> Command {
    node("interop", "verify.mjs")
}

fn verify_in_python() -> Command {
    python("interop", "verify.py")
}

/// A server that can be reached, and three tokens of its: of a visitor, of a user, and one that the
/// app made for something else.
async fn server(folder: &TempDir, anonymous_subject: bool) -> (String, [String; 3]) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let store = SqliteStore::open(folder.path().join("sessions.db")).await.unwrap();
    let sessions = Sessions::builder()
        .api_domain(origin.as_str())
        .store(store)
        .anonymous_subject(anonymous_subject);
    let sessions = sessions.build().await.unwrap();
    let app = Router::new()
        .route(
            "/api/cart",
            get(|visitor: Visitor, _: Principal| async move {
                visitor
                    .anonymous()
                    .update_payload(Map::from_iter([("cart".to_owned(), json!(["茶"]))]))
                    .await
                    .map(drop)
            }),
        )
        .route(
            "/api/login",
            get(|visitor: Visitor| async move {
                visitor.sign_in("alice").await?;
                Ok::<_, VisitorError>(Json(()))
            }),
        )
        .layer(sessions.layer());
    let served = app.clone();
    tokio::spawn(async move { axum::serve(listener, served).await });
    let token = async |path: &str, cookie: &str| {
        let response =
            app.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        let lines = response
            .headers()
            .get_all(header::SET_COOKIE)
            .iter()
            .map(|line| line.to_str().unwrap());
        let value = lines
            .filter_map(|line| line.strip_prefix(cookie))
            .find(|value| !value.starts_with(';'))
            .unwrap();
        value.split(';').next().unwrap().to_owned()
    };
    let service = Map::from_iter([("sub".to_owned(), json!("alice"))]);
    let other =
        sessions.create_jwt(service, Duration::from_secs(60), JwtKey::Static).await.unwrap();
    (
        origin,
        [
            token("/api/cart", "sAnonymousToken=").await,
            token("/api/login", "sAccessToken=").await,
            other,
        ],
    )
}

async fn verifies_from_the_key_set_alone(verifier: fn() -> Command) {
    for has_subject in [false, true] {
        let folder = TempDir::new().unwrap();
        let (origin, [anonymous, access, other]) = server(&folder, has_subject).await;
        let issuer = format!("{origin}/auth");
        let verify = |issuer: &str, token: &str| {
            let arguments =
                [format!("{origin}/auth/jwt/jwks.json"), issuer.to_owned(), token.to_owned()];
            tokio::task::spawn_blocking(move || run(verifier().args(arguments)))
        };
        let verified = async |token: &str| {
            let output = verify(&issuer, token).await.unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let mut said: Value = serde_json::from_slice(&output.stdout).unwrap();
            (said["payload"].take(), said["isVisitor"] == true, said["isUser"] == true)
        };

        let (claims, is_visitor, is_user) = verified(&anonymous).await;
        assert_eq!((is_visitor, is_user), (true, false));
        assert_eq!((&claims["isAnonymous"], &claims["cart"]), (&json!(true), &json!(["茶"])));
        let id = claims["anonymousId"].as_str().unwrap();
        assert_eq!(id.len(), 36);
        assert_eq!(claims.get("sub"), has_subject.then(|| json!(format!("G-{id}"))).as_ref());
        let known = |claim: &String| claim == "cart" || PROTECTED_CLAIMS.contains(&claim.as_str());
        assert!(claims.as_object().unwrap().keys().all(known));

        let (claims, is_visitor, is_user) = verified(&access).await;
        assert_eq!((is_visitor, is_user, &claims["sub"]), (false, true, &json!("alice")));

        let (signed, signature) = anonymous.rsplit_once('.').unwrap();
        let flipped = if signature.starts_with('A') { 'B' } else { 'A' };
        let forged = format!("{signed}.{flipped}{}", &signature[1..]);
        for (name, issuer, token) in [
            ("forged", issuer.as_str(), forged.as_str()),
            ("another issuer", "https://evil.example/auth", anonymous.as_str()),
            ("no session's", issuer.as_str(), other.as_str()),
        ] {
            assert!(!verify(issuer, token).await.unwrap().status.success(), "{name}");
        }
    }
}

#[tokio::test]
#[ignore = "needs Node and the network at its first run: cargo test --test interop -- --ignored"]
async fn jose_in_node() {
    verifies_from_the_key_set_alone(verify_in_node).await;
}

#[tokio::test]
#[ignore = "needs Python and the network at its first run: cargo test --test interop -- --ignored"]
async fn pyjwt_in_python() {
    verifies_from_the_key_set_alone(verify_in_python).await;
}

/// Ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The session core as a program, and its address.
fn session_core(folder: &TempDir, access_token_validity: &str) -> (Running, String) {
    let mut core = Command::new(env!("CARGO_BIN_EXE_passerby-server"))
        .args(["core", "--port", "0", "--database"])
        .arg(folder.path().join("core.db"))
        .env("PASSERBY_SERVER_ACCESS_TOKEN_VALIDITY", access_token_validity)
        .env("PASSERBY_SERVER_API_KEYS", "the-key-of-this-test")
        // A stolen token shows at once.
        .env("PASSERBY_SERVER_REFRESH_GRACE", "0")
        .env("PASSERBY_SERVER_LOG", "warn")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(core.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Running(core), line.trim().strip_prefix("listening on ").unwrap().to_owned())
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// To connect proves nothing: a program that another test is just starting may have inherited the
/// socket of [`free_port`].
fn answers(port: u16) -> io::Result<usize> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    stream.read(&mut [0])
}

fn listens(port: u16) -> bool {
    let end = Instant::now() + Duration::from_secs(60);
    while Instant::now() < end {
        if answers(port).is_ok_and(|bytes| bytes > 0) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

/// A back end on a session core of its own.
struct BackEnd {
    _program: Running,
    _core: Running,
    _folder: TempDir,
    core: String,
    api: String,
    website: String,
}

impl BackEnd {
    fn start(name: &str, mut program: Command, access_token_validity: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let (running, core) = session_core(&folder, access_token_validity);
        let port = free_port();
        let website = format!("http://localhost:{}", free_port());
        program
            .args([&core, &port.to_string()])
            .env("CORE_API_KEY", "the-key-of-this-test")
            .env("WEBSITE", &website);
        let program = Running(program.stdout(Stdio::null()).spawn().unwrap());
        assert!(listens(port), "{name} does not listen");
        let api = format!("http://localhost:{port}");
        Self { _program: program, _core: running, _folder: folder, core, api, website }
    }
}

/// A back end of this language, exercised by a browser.
fn runs_on_the_session_core(name: &str, back_end: Command) {
    // Seconds, enough for what comes before its end on a slow machine.
    const VALIDITY: &str = "10";
    let BackEnd { core, api, .. } = &BackEnd::start(name, back_end, VALIDITY);
    let mut exercise = node("interop/back-ends", "exercise.mjs");
    exercise.args([api, core, VALIDITY]).env("CORE_API_KEY", "the-key-of-this-test");
    let output = run(&mut exercise);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{name}: {said}{}", String::from_utf8_lossy(&output.stderr));
    let parts = said.lines().filter(|line| line.starts_with("ok: ")).count();
    writeln!(io::stderr(), "{name}: {parts} parts of the protocol").unwrap();
    assert_eq!(parts, 9, "{said}");
}

#[test]
#[ignore = "needs Node and the network at its first run: cargo test --test interop -- --ignored"]
fn express_on_the_session_core() {
    runs_on_the_session_core("supertokens-node 24.0.3", node("interop/back-ends", "express.mjs"));
}

#[test]
#[ignore = "needs Node, Python and the network at its first run: \
            cargo test --test interop -- --ignored"]
fn fastapi_on_the_session_core() {
    runs_on_the_session_core(
        "supertokens-python 0.31.4",
        python("interop/back-ends", "fastapi_app.py"),
    );
}

/// How new sessions travel, and how many tests there are of it.
#[derive(Clone, Copy)]
enum Modes {
    Both,
    Cookie,
    Header,
}

/// A back end of this language, used through our SDK in Chromium.
fn serves_our_sdk_in_chromium(name: &str, back_end: Command, modes: Modes) {
    const VALIDITY: &str = "3";
    let root = in_tests("").parent().unwrap().to_owned();
    let packed = root.join("pkg/dist/index.js");
    assert!(packed.is_file(), "{} is missing; run `cargo xtask test e2e`", packed.display());
    let BackEnd { api, website, .. } = &BackEnd::start(name, back_end, VALIDITY);
    let mut tests = Command::new("node");
    tests
        .args(["--test", "--test-reporter=spec", "tests/interop/back-ends/chromium.test.mjs"])
        .current_dir(root);
    let (modes, passed) = match modes {
        Modes::Both => ("cookie,header", "pass 9\n"),
        Modes::Cookie => ("cookie", "pass 5\n"),
        Modes::Header => ("header", "pass 4\n"),
    };
    let output = run(tests.envs([
        ("API", api.as_str()),
        ("WEBSITE", website.as_str()),
        ("LIFE", VALIDITY),
        ("MODES", modes),
    ]));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{name}: {said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(passed), "{name}: {said}");
}

#[test]
#[ignore = "needs the built SDK and Chromium: cargo xtask test e2e"]
fn our_sdk_in_chromium_with_express() {
    serves_our_sdk_in_chromium(
        "supertokens-node 24.0.3",
        node("interop/back-ends", "express.mjs"),
        Modes::Both,
    );
}

#[test]
#[ignore = "needs the built SDK and Chromium: cargo xtask test e2e"]
fn our_sdk_in_chromium_with_fastapi() {
    serves_our_sdk_in_chromium(
        "supertokens-python 0.31.4",
        python("interop/back-ends", "fastapi_app.py"),
        Modes::Both,
    );
}

/// Both exercises of one more framework. A test that is named `whole…` is left out of a usual
/// `cargo xtask test`.
macro_rules! back_end {
    ($framework:ident, $name:literal, $program:expr, $cookie_mode:ident) => {
        mod $framework {
            use super::*;

            #[test]
            #[ignore = "long: PASSERBY_BACK_ENDS=all cargo xtask test native"]
            fn whole_protocol() {
                runs_on_the_session_core($name, $program);
            }

            #[test]
            #[ignore = "needs the built SDK and Chromium: cargo xtask test e2e"]
            fn $cookie_mode() {
                serves_our_sdk_in_chromium($name, $program, Modes::Cookie);
            }

            #[test]
            #[ignore = "long: PASSERBY_BACK_ENDS=all cargo xtask test e2e"]
            fn whole_header_mode_in_chromium() {
                serves_our_sdk_in_chromium($name, $program, Modes::Header);
            }
        }
    };
}

back_end!(hapi, "Hapi 21.4.10", node("interop/back-ends", "hapi.mjs"), cookie_mode_in_chromium);
back_end!(
    fastify,
    "Fastify 5.12.8",
    node("interop/back-ends", "fastify.mjs"),
    cookie_mode_in_chromium
);
back_end!(koa, "Koa 3.3.0", node("interop/back-ends", "koa.mjs"), cookie_mode_in_chromium);
back_end!(
    lambda,
    "Lambda, middy 6.4.5",
    node("interop/back-ends", "lambda.mjs"),
    cookie_mode_in_chromium
);
back_end!(nestjs, "NestJS 12.5.1", large("nestjs.mjs"), cookie_mode_in_chromium);
back_end!(loopback, "LoopBack 15.0.16", large("loopback.mjs"), cookie_mode_in_chromium);
back_end!(
    flask,
    "Flask 3.1.3",
    python("interop/back-ends", "flask_app.py"),
    cookie_mode_in_chromium
);
back_end!(django_asgi, "Django 5.2.19, ASGI", django("asgi"), cookie_mode_in_chromium);
back_end!(django_wsgi, "Django 5.2.19, WSGI", django("wsgi"), cookie_mode_in_chromium);
back_end!(net_http, "supertokens-golang 0.25.2", go(), cookie_mode_in_chromium);

/// The program that `docs/anonymous-sessions.md` shows.
#[test]
#[ignore = "needs Node and the network at its first run: cargo test --test interop -- --ignored"]
fn the_express_guide_brings_the_guests_cart_into_the_account() {
    let folder = TempDir::new().unwrap();
    let (_core, core) = session_core(&folder, "3600");
    // The exercise starts it.
    node("interop/guide", "guest-cart.mjs");
    let output = run(node("interop/guide", "exercise.mjs")
        .arg(&core)
        .env("SUPERTOKENS_API_KEY", "the-key-of-this-test"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "OK");
}

#[test]
#[ignore = "needs Node and the network at its first run: cargo test --test interop -- --ignored"]
fn roles_and_email_verification_of_supertokens_do_not_stand_in_the_way_of_a_login() {
    let folder = TempDir::new().unwrap();
    let (_core, core) = session_core(&folder, "3600");
    let output = run(node("interop/guide", "recipes.mjs")
        .arg(&core)
        .env("SUPERTOKENS_API_KEY", "the-key-of-this-test"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "OK");
}

/// The roles that `docs/server.md` shows: its code is that of the program.
#[test]
#[ignore = "needs Node and the network at its first run: cargo test --test interop -- --ignored"]
fn roles_of_the_apps_own_are_a_claim_of_the_session() {
    let program = include_str!("../../tests/interop/guide/roles.mjs");
    let document = include_str!("../../docs/server.md");
    let start = program.find("/** Stand for your database. */").unwrap();
    let shown = &program[start..program.find("const onlyAdmins").unwrap()];
    assert!(
        document.contains(shown.trim()),
        "docs/server.md shows other roles than tests/interop/guide/roles.mjs"
    );

    let folder = TempDir::new().unwrap();
    let (_core, core) = session_core(&folder, "3600");
    let output = run(node("interop/guide", "roles.mjs")
        .arg(&core)
        .env("SUPERTOKENS_API_KEY", "the-key-of-this-test"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "OK");
}
