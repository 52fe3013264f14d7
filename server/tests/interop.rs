//! Other services verify our anonymous tokens from the key set alone: `jose` in Node, PyJWT in Python. And the Express guide of
//! `docs/anonymous-sessions.md` runs. The scripts are in `tests/interop`.
//!
//! Needs Node with npm, and Python 3 with venv; brings the packages itself, as the committed lock files have them.

#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use axum::{Json, Router, body::Body, routing::get};
use http::{Request, header};
use passerby_protocol::payload::PROTECTED_CLAIMS;
use passerby_server::{Principal, Sessions, SqliteStore, Visitor, VisitorError};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("tests").join("interop")
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"))
}

fn must(command: &mut Command) {
    let output = run(command);
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Does something unless it was done with this very lock file before.
fn once(folder: &Path, lock_file: impl AsRef<Path>, install: impl FnOnce()) {
    let lock = fs::read_to_string(scripts().join(lock_file)).unwrap();
    let stamp = folder.join(".installed-from");
    if !fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        fs::create_dir_all(folder).unwrap();
        install();
        fs::write(stamp, lock).unwrap();
    }
}

/// Copies of the scripts with their packages beside them, so that nothing is written outside of the target directory.
fn with_packages(name: &str, source: &Path, scripts: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    once(&folder, source.join("package-lock.json"), || {
        for name in ["package.json", "package-lock.json", ".npmrc"] {
            fs::copy(source.join(name), folder.join(name)).unwrap();
        }
        let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
        must(Command::new(npm).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder));
    });
    for name in scripts {
        fs::copy(source.join(name), folder.join(name)).unwrap();
    }
    folder
}

fn node() -> Command {
    let folder = with_packages("interop-node", &scripts(), &["verify.mjs"]);
    let mut command = Command::new("node");
    command.arg(folder.join("verify.mjs"));
    command
}

fn python() -> Command {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interop-python");
    let interpreter = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    once(&folder, "requirements.txt", || {
        let python = if cfg!(windows) { "python" } else { "python3" };
        must(Command::new(python).args(["-m", "venv"]).arg(&folder));
        let requirements = scripts().join("requirements.txt");
        must(Command::new(&interpreter).args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(requirements));
    });
    let mut command = Command::new(interpreter);
    command.arg(scripts().join("verify.py"));
    command
}

/// A server that can be reached, and two tokens of its: of a visitor and of a user.
async fn server(folder: &TempDir) -> (String, String, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let store = SqliteStore::open(folder.path().join("sessions.db")).await.unwrap();
    let sessions = Sessions::builder().api_domain(origin.as_str()).store(store).build().await.unwrap();
    let app = Router::new()
        .route(
            "/api/cart",
            get(|visitor: Visitor, _: Principal| async move {
                visitor.update_anonymous_payload(Map::from_iter([("cart".to_owned(), json!(["茶"]))])).await.map(drop)
            }),
        )
        .route(
            "/api/login",
            get(|visitor: Visitor| async move {
                visitor.sign_in("alice", Map::new()).await?;
                Ok::<_, VisitorError>(Json(()))
            }),
        )
        .layer(sessions.layer());
    let served = app.clone();
    tokio::spawn(async move { axum::serve(listener, served).await });
    let mut tokens = Vec::new();
    for (path, cookie) in [("/api/cart", "sAnonymousToken="), ("/api/login", "sAccessToken=")] {
        let response = app.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        let lines = response.headers().get_all(header::SET_COOKIE).iter().map(|line| line.to_str().unwrap());
        let value = lines.filter_map(|line| line.strip_prefix(cookie)).find(|value| !value.starts_with(';')).unwrap();
        tokens.push(value.split(';').next().unwrap().to_owned());
    }
    let access = tokens.pop().unwrap();
    (origin, tokens.pop().unwrap(), access)
}

async fn verifies_from_the_key_set_alone(verifier: fn() -> Command) {
    let folder = TempDir::new().unwrap();
    let (origin, anonymous, access) = server(&folder).await;
    let issuer = format!("{origin}/auth");
    let verify = |issuer: &str, token: &str| {
        let arguments = [format!("{origin}/auth/jwt/jwks.json"), issuer.to_owned(), token.to_owned()];
        tokio::task::spawn_blocking(move || run(verifier().args(arguments)))
    };
    let output = verify(&issuer, &anonymous).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let claims: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&claims["isAnonymous"], &claims["cart"]), (&json!(true), &json!(["茶"])));
    assert_eq!(claims["anonymousId"].as_str().unwrap().len(), 36);
    let known = |claim: &String| claim == "cart" || PROTECTED_CLAIMS.contains(&claim.as_str());
    assert!(claims.as_object().unwrap().keys().all(known));

    let (signed, signature) = anonymous.rsplit_once('.').unwrap();
    let flipped = if signature.starts_with('A') { 'B' } else { 'A' };
    let forged = format!("{signed}.{flipped}{}", &signature[1..]);
    for (name, issuer, token) in [
        ("forged", issuer.as_str(), forged.as_str()),
        ("another issuer", "https://evil.example/auth", anonymous.as_str()),
        ("a user's token", issuer.as_str(), access.as_str()),
    ] {
        assert!(!verify(issuer, token).await.unwrap().status.success(), "{name}");
    }
}

#[tokio::test]
#[ignore = "needs Node and the network at its first run: cargo test --test interop -- --ignored"]
async fn jose_in_node() {
    verifies_from_the_key_set_alone(node).await;
}

#[tokio::test]
#[ignore = "needs Python and the network at its first run: cargo test --test interop -- --ignored"]
async fn pyjwt_in_python() {
    verifies_from_the_key_set_alone(python).await;
}

/// A session core, for as long as this lives.
struct Core {
    process: Child,
    address: String,
    _folder: TempDir,
}

impl Core {
    fn start(program: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let mut process = Command::new(program)
            .args(["core", "--port", "0", "--database"])
            .arg(folder.path().join("core.db"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{program} does not start: {error}"));
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{program} says {line:?}")).to_owned();
        Self { process, address, _folder: folder }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        // Whatever has ended by itself needs no end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `passerby-server core`, or another one that `PASSERBY_CORE` names.
fn core_program() -> Option<String> {
    std::env::var("PASSERBY_CORE").ok().or_else(|| option_env!("CARGO_BIN_EXE_passerby-server").map(str::to_owned))
}

#[test]
#[ignore = "needs Node and the network at its first run: cargo test --test interop -- --ignored"]
fn the_express_guide_brings_the_guests_cart_into_the_account() {
    let folder = with_packages("interop-guide", &scripts().join("guide"), &["guest-cart.mjs", "exercise.mjs"]);
    let core = core_program().map(|program| Core::start(&program));
    let address = core.as_ref().map_or("none", |core| core.address.as_str());
    let output = run(Command::new("node").arg("exercise.mjs").arg(address).current_dir(&folder));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), if core.is_some() { "OK" } else { "loaded" });
}
