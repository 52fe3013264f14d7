//! The middleware for actix-web: the same rules, in another framework.

use actix_web::{
    App as ActixApp, HttpResponse,
    body::{BoxBody, to_bytes},
    dev::{Service, ServiceRequest, ServiceResponse},
    http::header::{COOKIE, SET_COOKIE},
    middleware::{Next, from_fn},
    test::{TestRequest, init_service},
    web,
};
use passerby_server::{CheckedUser, Principal, SessionRejection, User, Visitor, VisitorError};
use serde_json::Value;

use crate::app::{App, REFRESH};

async fn login(visitor: Visitor) -> Result<HttpResponse, VisitorError> {
    visitor.sign_in("alice").await?;
    Ok(HttpResponse::Ok().insert_header(("x-own", "kept")).body("welcome"))
}

/// Sends the cookies of a browser, and remembers those that come.
async fn send<S>(
    app: &S,
    cookies: &mut Vec<(String, String)>,
    request: TestRequest,
) -> (u16, Value, ServiceResponse)
where
    S: Service<
            actix_http::Request,
            Response = ServiceResponse<actix_web::body::EitherBody<BoxBody>>,
            Error = actix_web::Error,
        >,
{
    let mut request = request.to_request();
    // The path of that cookie is the refresh call's.
    let has_refresh = request.path() == REFRESH;
    let line = cookies
        .iter()
        .filter(|(name, _)| has_refresh || name != "sRefreshToken")
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join("; ");
    request.headers_mut().insert(COOKIE, line.parse().unwrap());
    let response = app.call(request).await.unwrap();
    for line in response.headers().get_all(SET_COOKIE) {
        let (name, value) =
            line.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
        cookies.retain(|(known, _)| known != name);
        if !value.is_empty() {
            cookies.push((name.to_owned(), value.to_owned()));
        }
    }
    let (request, response) = response.into_parts();
    let (response, body) = response.into_parts();
    let bytes = to_bytes(body).await.unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    (
        response.status().as_u16(),
        body,
        ServiceResponse::new(request, response.set_body(BoxBody::new(()))),
    )
}

#[tokio::test]
async fn the_rules_are_the_same() {
    let server = App::new().await;
    let app = init_service(
        ActixApp::new()
            .wrap(server.sessions.actix())
            .route(
                "/api/id",
                web::get()
                    .to(|principal: Principal| async move { principal.anonymous_id().to_owned() }),
            )
            .route("/api/login", web::post().to(login))
            .route(
                "/api/user",
                web::get().to(|user: User| async move { user.user_id().to_owned() }),
            )
            .route(
                "/api/fresh",
                web::get().to(|user: CheckedUser| async move { user.user_id().to_owned() }),
            )
            .route("/api/echo", web::post().to(|body: web::Bytes| async move { body })),
    )
    .await;
    let mut cookies = Vec::new();
    let get = |path: &str| TestRequest::get().uri(path);
    let post = |path: &str| TestRequest::post().uri(path);

    let (status, id, response) = send(&app, &mut cookies, get("/api/id")).await;
    assert_eq!((status, id.as_str().unwrap().len()), (200, 36));
    assert!(response.headers().contains_key("st-anonymous-front-token"));
    assert_eq!(response.headers().get("cache-control").unwrap(), "no-store");
    assert_eq!(send(&app, &mut cookies, get("/api/id")).await.1, id, "one visitor, one id");

    let (status, body, _) = send(&app, &mut cookies, get("/api/user")).await;
    assert_eq!((status, &body["message"]), (401, &Value::from("unauthorised")));
    let (status, body, response) = send(&app, &mut cookies, post("/api/login")).await;
    assert_eq!((status, body.as_str()), (200, Some("welcome")));
    assert_eq!(response.headers().get("x-own").unwrap(), "kept");
    assert!(response.headers().contains_key("front-token"));
    assert_eq!(send(&app, &mut cookies, get("/api/user")).await.1, "alice");
    assert_eq!(send(&app, &mut cookies, get("/api/id")).await.1, id);
    let (status, _, response) = send(&app, &mut cookies, post(REFRESH)).await;
    assert_eq!(status, 200);
    assert!(response.headers().contains_key("front-token"));
    let cross = post("/api/echo").insert_header(("sec-fetch-site", "cross-site")).set_payload("x");
    assert_eq!(send(&app, &mut cookies, cross).await.0, 403);
    let large = "茶".repeat(10_000);
    assert_eq!(
        send(&app, &mut cookies, post("/api/echo").set_payload(large.clone())).await.1,
        large.as_str()
    );

    server.sessions.revoke_all_sessions_of_user("alice").await.unwrap();
    let (status, _, response) = send(&app, &mut cookies, get("/api/fresh")).await;
    assert_eq!(status, 401);
    assert_eq!(
        response.headers().get("front-token").unwrap(),
        "remove",
        "a refusal carries the tokens too"
    );
    let names = |cookies: &[(String, String)]| {
        ["sAccessToken", "sRefreshToken"].map(|name| cookies.iter().any(|(known, _)| known == name))
    };
    assert_eq!(names(&cookies), [false, true], "the request did not have the refresh cookie");
    assert_eq!(
        send(&app, &mut cookies, get("/api/id")).await.1,
        id,
        "anonymous again, the same visitor"
    );
    assert_eq!(send(&app, &mut cookies, post(REFRESH)).await.0, 401);
    assert_eq!(names(&cookies), [false, false]);
    assert_eq!(send(&app, &mut cookies, get("/api/id")).await.1, id);
    assert_eq!(send(&app, &mut cookies, get("/auth/jwt/jwks.json")).await.0, 200);
}

#[tokio::test]
async fn an_error_carries_the_tokens_too() {
    let server = App::new().await;
    let fails = from_fn(|_: ServiceRequest, _: Next<BoxBody>| async {
        Err::<ServiceResponse, _>(SessionRejection::Unauthorised.into())
    });
    let app = init_service(ActixApp::new().wrap(fails).wrap(server.sessions.actix())).await;
    let error = app.call(TestRequest::get().uri("/x").to_request()).await.unwrap_err();
    let response = error.as_response_error().error_response();
    assert_eq!(response.status().as_u16(), 401);
    assert!(
        response.headers().contains_key("st-anonymous-front-token")
            && response.headers().contains_key(SET_COOKIE)
    );
}
