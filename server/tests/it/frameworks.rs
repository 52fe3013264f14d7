//! The layer where there is no axum handler: plain hyper, and tonic.

use axum::body::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use passerby_server::{Principal, Visitor};
use serde_json::json;
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::{app::App, program::client};

/// A handler of plain hyper: the visitor is in the request's extensions.
async fn whose(
    request: Request<hyper::body::Incoming>,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let visitor = request.extensions().get::<Visitor>().cloned().unwrap();
    let echoed = request.into_body().collect().await.unwrap().to_bytes();
    let who = match visitor.principal() {
        Some(Principal::Anonymous(session)) => session.anonymous_id().to_owned(),
        Some(Principal::User(user)) => user.user_id().to_owned(),
        None => "nobody".to_owned(),
    };
    let body = [who.as_bytes(), b" ", &echoed].concat();
    Ok(Response::builder().header("x-own", "kept").body(Full::from(body)).unwrap())
}

#[tokio::test]
async fn plain_hyper() {
    let app = App::new().await;
    let service = TowerToHyperService::new(app.sessions.layer().layer(service_fn(whose)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let _ = auto::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    let body = "\u{0}茶".repeat(50_000);
    let request =
        Request::post(format!("http://{address}/x")).body(Full::from(body.clone())).unwrap();
    let response = client().request(request).await.unwrap();
    assert_eq!(
        (response.status(), &response.headers()["x-own"]),
        (StatusCode::OK, &"kept".parse().unwrap())
    );
    let cookie = response.headers()[header::SET_COOKIE]
        .to_str()
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let text = String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec())
        .unwrap();
    let (id, echoed) = text.split_once(' ').unwrap();
    assert_eq!(echoed, body, "bodies are left alone");
    let request = Request::post(format!("http://{address}/x"))
        .header(header::COOKIE, cookie)
        .body(Full::from("again"))
        .unwrap();
    let response = client().request(request).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), format!("{id} again"));
    let keys =
        Request::get(format!("http://{address}/auth/jwt/jwks.json")).body(Full::default()).unwrap();
    assert_eq!(client().request(keys).await.unwrap().status(), 200);
}

/// A gRPC call as it stands on the wire: an empty message.
fn check(cookie: Option<&str>) -> Request<axum::body::Body> {
    let mut request = Request::post("/grpc.health.v1.Health/Check")
        .header(header::CONTENT_TYPE, "application/grpc");
    if let Some(cookie) = cookie {
        request = request.header(header::COOKIE, cookie);
    }
    request.body(axum::body::Body::from(vec![0; 5])).unwrap()
}

#[tokio::test]
async fn tonic() {
    let app = App::new().await;
    let (reporter, _) = tonic_health::server::health_reporter();
    let health = tonic_health::pb::health_server::HealthServer::with_interceptor(
        tonic_health::server::HealthService::from_health_reporter(reporter),
        |request: tonic::Request<()>| match request
            .extensions()
            .get::<Visitor>()
            .and_then(Visitor::principal)
        {
            Some(Principal::User(_)) => Ok(request),
            _ => Err(tonic::Status::unauthenticated("users only")),
        },
    );
    let service =
        tonic::service::Routes::new(health).into_axum_router().layer(app.sessions.layer());

    let refused = service.clone().oneshot(check(None)).await.unwrap();
    assert_eq!(refused.headers()["grpc-status"], "16");
    assert!(
        refused.headers().contains_key("st-anonymous-front-token"),
        "visitors get their session here too"
    );

    let mut browser = app.browser();
    browser.post_json("/api/login?user=alice", json!({})).await;
    let cookie = format!("sAccessToken={}", browser.cookie("sAccessToken").unwrap());
    let answer = service.oneshot(check(Some(&cookie))).await.unwrap();
    assert_eq!(answer.status(), 200);
    let body = answer.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["grpc-status"], "0", "trailers are left alone");
    assert_eq!(body.to_bytes()[..], [0, 0, 0, 0, 2, 8, 1], "SERVING");
}
