//! The tower layer.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request};
use serde_json::json;
use tower::{Layer, Service};
use tower_http::csrf::{
    Csrf, CsrfLayer, ProtectionError, ResponseForProtectionError, ResponseFuture,
};

use super::{
    context::AppContext,
    exempt::Exempt,
    resolve::{self, Identity, PriorVisitor, Resolved},
    routes::Route,
    visitor::Visitor,
};

/// Gives every request its visitor, answers the session endpoints, and attaches tokens to
/// responses. See [`Sessions::layer`](crate::Sessions::layer).
///
/// ```
/// use axum::body::Body;
/// use http::{Request, Response, header};
/// use passerby_server::{MemoryStore, Principal, Sessions, Visitor};
/// use std::convert::Infallible;
/// use tower::{ServiceBuilder, ServiceExt as _, service_fn};
///
/// /// Any service, of any framework: the visitor is in the extensions of the request.
/// async fn greet(request: Request<Body>) -> Result<Response<Body>, Infallible> {
///     let visitor = request.extensions().get::<Visitor>().and_then(Visitor::principal);
///     Ok(Response::new(match visitor {
///         Some(Principal::User(user)) => format!("Hello {}", user.user_id()).into(),
///         Some(Principal::Anonymous(_)) => "Hello guest".into(),
///         None => "Hello".into(),
///     }))
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sessions = Sessions::builder()
///     .api_domain("http://localhost:3000")
///     .store(MemoryStore::new())
///     .build()
///     .await?;
/// let service = ServiceBuilder::new().layer(sessions.layer()).service(service_fn(greet));
/// let response =
///     service.clone().oneshot(Request::get("/api/greeting").body(Body::empty())?).await?;
/// assert!(response.headers().contains_key(header::SET_COOKIE), "a guest from now on");
/// // A state-changing request that another website has a visitor's browser send is refused,
/// // unless the website is a `trusted_origin`.
/// let forged =
///     Request::post("/api/greeting").header("sec-fetch-site", "cross-site").body(Body::empty())?;
/// assert_eq!(service.oneshot(forged).await?.status(), 403);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SessionsLayer {
    context: Arc<AppContext>,
}

/// The middleware that [`SessionsLayer`] makes.
///
/// ```
/// use axum::body::Body;
/// use http::{Request, Response};
/// use passerby_server::{Sessions, SessionsService};
/// # use passerby_server::MemoryStore;
/// use tower::{Layer as _, ServiceExt as _, service_fn};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sessions = Sessions::builder()
/// #     .api_domain("http://localhost:3000")
/// #     .store(MemoryStore::new())
/// #     .build()
/// #     .await?;
/// let app = service_fn(|_: Request<Body>| async {
///     Ok::<_, std::io::Error>(Response::new(Body::from("the app")))
/// });
/// let service: SessionsService<_> = sessions.layer().layer(app);
/// // Answered before the app is asked.
/// let keys = service.oneshot(Request::get("/auth/jwt/jwks.json").body(Body::empty())?).await?;
/// assert_eq!(keys.headers()["content-type"], "application/json");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SessionsService<S> {
    checked: Csrf<Checked<S>, CrossOrigin>,
    context: Arc<AppContext>,
}

/// The service behind the check of origins.
#[derive(Clone, Debug)]
struct Checked<S> {
    inner: S,
    context: Arc<AppContext>,
}

/// The response of a [`SessionsService`], once it is awaited.
///
/// ```
/// use axum::body::Body;
/// use http::{Request, Response};
/// use passerby_server::{SessionsFuture, SessionsService};
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
/// let mut service: SessionsService<_> = sessions.layer().layer(app);
/// let request = Request::get("/api/greeting").body(Body::empty())?;
/// let response: SessionsFuture<Body, Infallible> = service.ready().await?.call(request);
/// assert_eq!(response.await?.status(), 200);
/// # Ok(())
/// # }
/// ```
#[must_use = "futures do nothing unless they are awaited"]
pub struct SessionsFuture<B, E>(ResponseFuture<Answering<B, E>>);

type Answering<B, E> = Pin<Box<dyn Future<Output = Result<Response<B>, E>> + Send>>;

impl<B, E> fmt::Debug for SessionsFuture<B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionsFuture").finish_non_exhaustive()
    }
}

impl<B, E> Future for SessionsFuture<B, E> {
    type Output = Result<Response<B>, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

/// Answers a state-changing request that another website sent with the visitor's cookies: 403.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CrossOrigin;

impl SessionsLayer {
    pub(crate) fn new(context: Arc<AppContext>) -> Self {
        Self { context }
    }
}

impl<S> Layer<S> for SessionsLayer {
    type Service = SessionsService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let csrf: CsrfLayer<CrossOrigin> =
            self.context.csrf.clone().with_rejection_response(CrossOrigin);
        let context = self.context.clone();
        SessionsService {
            checked: csrf.layer(Checked { inner, context: context.clone() }),
            context,
        }
    }
}

impl<B: From<Bytes>> ResponseForProtectionError<B> for CrossOrigin {
    fn response_for_protection_error(&mut self, _: ProtectionError) -> Response<B> {
        json_response(cross_origin())
    }
}

fn cross_origin() -> Response<serde_json::Value> {
    tracing::debug!(
        "refused a state-changing request from another origin; list it with `trusted_origin` if it \
         is yours"
    );
    let mut response = Response::new(json!({ "message": "cross-origin request refused" }));
    *response.status_mut() = StatusCode::FORBIDDEN;
    response
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for SessionsService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    ReqBody: Send + 'static,
    ResBody: From<Bytes>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = SessionsFuture<ResBody, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.checked.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        self.context.exempt.hide(&mut parts);
        SessionsFuture(self.checked.call(Request::from_parts(parts, body)))
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Checked<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    ReqBody: Send + 'static,
    ResBody: From<Bytes>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = Answering<ResBody, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let context = self.context.clone();
        // The service that was polled ready is the one to call; its fresh clone waits for the next
        // request.
        let fresh = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, fresh);
        Box::pin(async move {
            // Taken apart, because a body that is not `Sync` could not be borrowed while we wait.
            let (mut parts, body) = request.into_parts();
            Exempt::show(&mut parts);
            let visitor = match begin(&context, &parts).await {
                Dispatch::Answered(response) => return Ok(json_response(response)),
                Dispatch::Visitor(visitor) => visitor,
            };
            parts.extensions.insert(visitor.clone());
            let response = inner.call(Request::from_parts(parts, body)).await?;
            Ok(visitor.attach(response))
        })
    }
}

/// The part of the program that a request is for.
pub(crate) enum Dispatch {
    /// One of our endpoints: this is the answer, tokens attached.
    Answered(Response<serde_json::Value>),
    /// The app, whose response gets the tokens by [`Visitor::attach`].
    Visitor(Visitor),
}

/// The first step of every framework's adapter, after CSRF protection.
pub(crate) async fn begin(context: &Arc<AppContext>, parts: &request::Parts) -> Dispatch {
    let request = context.read(parts);
    let facts = context.facts_of(&request);
    if facts.is_foreign_socket {
        return Dispatch::Answered(cross_origin());
    }
    if let Some(route) = Route::of(&parts.method, parts.uri.path(), &context.base_path) {
        // Apart, because the memory that the endpoints need is part of every request's otherwise.
        return Dispatch::Answered(Box::pin(route.answer(context, &request, facts)).await);
    }
    let resolved = match parts.method {
        Method::OPTIONS | Method::TRACE => Resolved::of(Identity::Nobody(PriorVisitor::Unknown)),
        _ => resolve::resolve(context, &request, &facts).await,
    };
    Dispatch::Visitor(Visitor::new(context.clone(), facts, resolved))
}

fn json_response<B: From<Bytes>>(response: Response<serde_json::Value>) -> Response<B> {
    let mut response = response.map(|body| B::from(Bytes::from(body.to_string())));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
