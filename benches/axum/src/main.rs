//! Small axum apps that the benchmark puts under load. `benches/README.md` says what is measured
//! with them.

mod fill;
mod repeat;

use std::{
    error::Error,
    io::{self, Write as _},
    net::{Ipv4Addr, SocketAddr},
};

use axum::{
    Router,
    extract::Query,
    http::{Method, StatusCode},
    routing::{get, post},
};
use lexopt::{Arg, Parser, ValueExt as _};
use passerby_server::{
    PostgresStore, Principal, Sessions, SqliteStore, User, Visitor, VisitorError,
};
use serde::Deserialize;
use tokio::net::TcpListener;
use tower_sessions::{MemoryStore, Session, SessionManagerLayer};

const USAGE: &str = "\
passerby-benches bare|passerby|tower-sessions [--port N] [--origin URL] \
                 [--database FILE|postgres://…] [--no-anonymous] [--mint-limits]
                 [--repeat N [--guest]]
passerby-benches fill --database FILE|postgres://… --sessions N";

#[derive(Default)]
struct Options {
    /// 0: any that is free.
    port: u16,
    origin: Option<String>,
    database: Option<String>,
    sessions: u64,
    without_anonymous: bool,
    with_mint_limits: bool,
    /// No server: this many requests of one visitor, within the process.
    repeat: Option<u64>,
    as_guest: bool,
}

#[derive(Deserialize)]
struct Login {
    user: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (command, options) = parse()?;
    if command == "fill" {
        let count = fill::fill(options.database.as_deref().ok_or(USAGE)?, options.sessions).await?;
        return Ok(writeln!(io::stdout(), "{count} sessions")?);
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
    let address = format!("http://localhost:{}", listener.local_addr()?.port());
    let (repeat, as_guest) = (options.repeat, options.as_guest);
    let app = match command.as_str() {
        "bare" => bare(),
        "passerby" => passerby(&address, options).await?,
        "tower-sessions" => tower_sessions(),
        _ => return Err(USAGE.into()),
    };
    if let Some(times) = repeat {
        return match (as_guest, command.as_str()) {
            (true, _) => repeat::repeat(app, (Method::GET, "/any"), "/any", times).await,
            (false, "bare") => repeat::repeat(app, (Method::GET, "/user"), "/user", times).await,
            (false, _) => {
                repeat::repeat(app, (Method::POST, "/login?user=ada"), "/user", times).await
            }
        };
    }
    // The benchmark reads the address from it.
    writeln!(io::stdout(), "listening on {address}")?;
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

fn parse() -> Result<(String, Options), Box<dyn Error>> {
    let mut parser = Parser::from_env();
    let (mut command, mut options) = (None, Options::default());
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Value(name) if command.is_none() => command = Some(name.string()?),
            Arg::Long("port") => options.port = parser.value()?.parse()?,
            Arg::Long("origin") => options.origin = Some(parser.value()?.string()?),
            Arg::Long("database") => options.database = Some(parser.value()?.string()?),
            Arg::Long("sessions") => options.sessions = parser.value()?.parse()?,
            Arg::Long("no-anonymous") => options.without_anonymous = true,
            Arg::Long("mint-limits") => options.with_mint_limits = true,
            Arg::Long("repeat") => options.repeat = Some(parser.value()?.parse()?),
            Arg::Long("guest") => options.as_guest = true,
            other => return Err(other.unexpected().into()),
        }
    }
    Ok((command.ok_or(USAGE)?, options))
}

/// The same answers, without a session.
fn bare() -> Router {
    Router::new().route("/any", get(async || "anybody")).route("/user", get(async || "ada"))
}

async fn user(user: User) -> String {
    user.user_id().to_owned()
}

/// Passerby's layer, as an app has it. Nothing is left out but the limits of new sessions, which
/// this benchmark exceeds on purpose, and these only where they are not what is measured.
async fn passerby(address: &str, options: Options) -> Result<Router, Box<dyn Error>> {
    let builder = Sessions::builder()
        .api_domain(options.origin.as_deref().unwrap_or(address))
        .anonymous_enabled(!options.without_anonymous);
    let builder =
        if options.with_mint_limits { builder } else { builder.mint_limit(None).mint_budget(None) };
    let database = options.database.ok_or(USAGE)?;
    let builder = if fill::is_postgres(&database) {
        builder.store(PostgresStore::connect(&database).await?)
    } else {
        builder.store(SqliteStore::open(&database).await?)
    };
    let sessions = builder.build().await?;
    let routes = Router::new()
        .route("/any", get(async |principal: Principal| principal.anonymous_id().to_owned()))
        .route("/user", get(user))
        .route("/user/{tab}/{number}", get(user))
        .route(
            "/login",
            post(async |visitor: Visitor, Query(login): Query<Login>| {
                visitor.sign_in(&login.user).await?;
                Ok::<_, VisitorError>("signed in")
            }),
        )
        .route(
            "/expire",
            post(async |visitor: Visitor| {
                visitor.expire_access_token().await?;
                Ok::<_, VisitorError>("expired")
            }),
        );
    Ok(routes.layer(sessions.layer()))
}

/// The choice of a Rust app: a session in memory, found by a cookie.
fn tower_sessions() -> Router {
    const USER: &str = "user";
    Router::new()
        .route(
            "/user",
            get(async |session: Session| match session.get::<String>(USER).await {
                Ok(Some(user)) => Ok(user),
                _ => Err(StatusCode::UNAUTHORIZED),
            }),
        )
        .route(
            "/login",
            post(async |session: Session, Query(login): Query<Login>| {
                session.insert(USER, login.user).await.map_or("not signed in", |()| "signed in")
            }),
        )
        .layer(SessionManagerLayer::new(MemoryStore::default()).with_secure(false))
}
