//! CORS for a website on another origin than the API.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderName, HeaderValue, Method, Request, Response, header};
use passerby_protocol::names;
use tower::{Layer, Service};
use tower_http::cors::{Cors, CorsLayer, ResponseFuture};

/// How long browsers may remember the answer to a preflight request.
const PREFLIGHT_CACHE: Duration = Duration::from_secs(3600);

/// The layer that [`Sessions::cors`](crate::Sessions::cors) makes.
///
/// ```
/// use axum::{Router, body::Body, routing::put};
/// use http::{HeaderName, Request};
/// use passerby_server::{MemoryStore, Sessions};
/// use tower::ServiceExt as _;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sessions = Sessions::builder()
///     .api_domain("https://api.example.com")
///     .website_domain("https://www.example.com")
///     .store(MemoryStore::new())
///     .build()
///     .await?;
/// let app = Router::new()
///     .route("/api/cart", put(|| async {}))
///     .layer(sessions.layer())
///     .layer(sessions.cors().allow_headers([HeaderName::from_static("x-request-id")]));
/// let preflight = Request::options("/api/cart")
///     .header("origin", "https://www.example.com")
///     .header("access-control-request-method", "PUT");
/// let response = app.oneshot(preflight.body(Body::empty())?).await?;
/// assert_eq!(response.headers()["access-control-allow-origin"], "https://www.example.com");
/// let allowed = response.headers()["access-control-allow-headers"].to_str()?;
/// assert!(allowed.contains("st-auth-mode") && allowed.contains("x-request-id"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SessionsCors {
    origins: Vec<HeaderValue>,
    headers: Vec<HeaderName>,
}

impl SessionsCors {
    pub(crate) fn new(origins: Vec<HeaderValue>) -> Self {
        let ours = [
            names::header::RID,
            names::header::FDI_VERSION,
            names::header::ANTI_CSRF,
            names::header::AUTH_MODE,
            names::header::ANONYMOUS_MODE,
        ];
        let headers = ours.map(HeaderName::from_static).into_iter();
        Self {
            origins,
            headers: headers.chain([header::AUTHORIZATION, header::CONTENT_TYPE]).collect(),
        }
    }

    /// Allows requests with these headers too, which the app itself reads.
    pub fn allow_headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.headers.extend(names);
        self
    }
}

impl<S> Layer<S> for SessionsCors {
    type Service = SessionsCorsService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let cors = CorsLayer::new()
            .allow_origin(self.origins.clone())
            .allow_credentials(true)
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
            .allow_headers(self.headers.clone())
            .max_age(PREFLIGHT_CACHE);
        SessionsCorsService(cors.layer(inner))
    }
}

/// The middleware that [`SessionsCors`] makes.
///
/// ```
/// use axum::body::Body;
/// use http::{Request, Response};
/// use passerby_server::{SessionsCorsFuture, SessionsCorsService};
/// # use passerby_server::{MemoryStore, Sessions};
/// use std::convert::Infallible;
/// use tower::{Layer as _, Service as _, ServiceExt as _, service_fn};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sessions = Sessions::builder()
/// #     .api_domain("http://localhost:3000")
/// #     .store(MemoryStore::new())
/// #     .build()
/// #     .await?;
/// let app = service_fn(|_: Request<Body>| async {
///     Ok::<_, Infallible>(Response::new(Body::from("the app")))
/// });
/// let mut service: SessionsCorsService<_> = sessions.cors().layer(app);
/// let request = Request::get("/").header("origin", "https://evil.example").body(Body::empty())?;
/// let response: SessionsCorsFuture<_> = service.ready().await?.call(request);
/// assert!(!response.await?.headers().contains_key("access-control-allow-origin"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SessionsCorsService<S>(Cors<S>);

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for SessionsCorsService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Default,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = SessionsCorsFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        SessionsCorsFuture(Box::pin(self.0.call(request)))
    }
}

/// The response of a [`SessionsCorsService`], once it is awaited.
#[must_use = "futures do nothing unless they are awaited"]
pub struct SessionsCorsFuture<F>(Pin<Box<ResponseFuture<F>>>);

impl<F> fmt::Debug for SessionsCorsFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionsCorsFuture").finish_non_exhaustive()
    }
}

impl<F, B, E> Future for SessionsCorsFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Default,
{
    type Output = Result<Response<B>, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}
