//! The middleware for actix-web. Its requests and responses are of another version of the `http`
//! crate; heads are copied, bodies left alone.

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use actix_web::{
    FromRequest, HttpMessage as _, HttpRequest, HttpResponse, ResponseError,
    body::{EitherBody, MessageBody},
    dev::{Payload, Service, ServiceRequest, ServiceResponse, Transform},
    error::InternalError,
    http::header::{HeaderMap as ActixHeaders, HeaderName as ActixName, HeaderValue as ActixValue},
};
use axum::{body::Bytes, extract::ConnectInfo};
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header, request::Parts,
};
use serde_json::Value;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_http::csrf::CsrfLayer;

use crate::{
    principal::Principal,
    sessions::Sessions,
    web::{
        AppContext, CheckedUser, CrossOrigin, Dispatch, SessionRejection, User, Visitor,
        VisitorError, begin,
    },
};

/// The middleware that [`Sessions::actix`] makes.
///
/// ```
/// use actix_web::{App, test, web};
/// use passerby_server::{ActixSessions, Principal, Sessions};
/// # use passerby_server::MemoryStore;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # actix_web::rt::System::new().block_on(async {
/// # let sessions = Sessions::builder()
/// #     .api_domain("http://localhost:3000")
/// #     .store(MemoryStore::new())
/// #     .build()
/// #     .await?;
/// let middleware: ActixSessions = sessions.actix();
/// let me = |principal: Principal| async move { principal.anonymous_id().to_owned() };
/// let app =
///     test::init_service(App::new().wrap(middleware).route("/api/me", web::get().to(me))).await;
/// let first_visit = test::TestRequest::get().uri("/api/me").to_request();
/// let response = test::call_service(&app, first_visit).await;
/// assert_eq!(response.status(), 200);
/// assert!(response.headers().contains_key("st-anonymous-front-token"));
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ActixSessions(Arc<AppContext>);

/// The service that [`ActixSessions`] wraps around another.
///
/// ```
/// use actix_web::{App, test};
/// use passerby_server::Sessions;
/// # use passerby_server::MemoryStore;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # actix_web::rt::System::new().block_on(async {
/// # let sessions = Sessions::builder()
/// #     .api_domain("http://localhost:3000")
/// #     .store(MemoryStore::new())
/// #     .build()
/// #     .await?;
/// // No route of the app's: the service answers.
/// let app = test::init_service(App::new().wrap(sessions.actix())).await;
/// let keys = test::TestRequest::get().uri("/auth/jwt/jwks.json").to_request();
/// assert_eq!(test::call_service(&app, keys).await.status(), 200);
/// let unknown = test::TestRequest::get().uri("/api/me").to_request();
/// assert_eq!(test::call_service(&app, unknown).await.status(), 404);
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Debug)]
pub struct ActixSessionsService<S> {
    inner: Rc<S>,
    context: Arc<AppContext>,
}

impl Sessions {
    /// The middleware for actix-web's `App::wrap`; [`Sessions::layer`] is the same for tower.
    /// Handlers extract [`Visitor`], [`User`], [`CheckedUser`] and [`Principal`]; what may be
    /// absent, and pages, are read from [`Visitor::principal`]. For a website on another origin use
    /// the crate `actix-cors`.
    ///
    /// ```no_run
    /// use actix_web::{App, HttpServer, web};
    /// use passerby_server::{Principal, Sessions, SqliteStore};
    ///
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = SqliteStore::open("sessions.db").await?;
    /// let sessions =
    ///     Sessions::builder().api_domain("http://localhost:3000").store(store).build().await?;
    /// let me = |principal: Principal| async move { principal.anonymous_id().to_owned() };
    /// HttpServer::new(move || {
    ///     App::new().wrap(sessions.actix()).route("/api/me", web::get().to(me))
    /// })
    /// .bind("127.0.0.1:3000")?
    /// .run()
    /// .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn actix(&self) -> ActixSessions {
        ActixSessions(self.context())
    }
}

impl<S, B> Transform<S, ServiceRequest> for ActixSessions
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Transform = ActixSessionsService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(ActixSessionsService { inner: Rc::new(inner), context: self.0.clone() }))
    }
}

impl<S, B> Service<ServiceRequest> for ActixSessionsService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let (inner, context) = (self.inner.clone(), self.context.clone());
        Box::pin(async move {
            let Some(parts) = parts_of(&request) else {
                let refused = HttpResponse::BadRequest().finish();
                return Ok(request.into_response(refused).map_into_right_body());
            };
            if let Some(refused) = refused_as_cross_origin(&context, &parts).await {
                return Ok(request.into_response(refused).map_into_right_body());
            }
            let visitor = match begin(&context, &parts).await {
                Dispatch::Answered(response) => {
                    return Ok(request
                        .into_response(json_response(response))
                        .map_into_right_body());
                }
                Dispatch::Visitor(visitor) => visitor,
            };
            request.extensions_mut().insert(visitor.clone());
            let mut response = match inner.call(request).await {
                Ok(response) => response.map_into_left_body(),
                // Made a response here, and not further out, where it would go without tokens.
                Err(error) => {
                    let mut response = error.error_response();
                    attach(&visitor, response.headers_mut());
                    return Err(InternalError::from_response(error, response).into());
                }
            };
            attach(&visitor, response.headers_mut());
            Ok(response)
        })
    }
}

/// The head of a request. `None` for one that could not be sent either.
fn parts_of(request: &ServiceRequest) -> Option<Parts> {
    let mut copy =
        Request::builder().method(request.method().as_str()).uri(request.uri().to_string());
    let headers = copy.headers_mut()?;
    for (name, value) in request.headers() {
        headers.append(
            HeaderName::from_bytes(name.as_ref()).ok()?,
            HeaderValue::from_bytes(value.as_bytes()).ok()?,
        );
    }
    if let Some(address) = request.peer_addr() {
        copy = copy.extension(ConnectInfo::<SocketAddr>(address));
    }
    Some(copy.body(()).ok()?.into_parts().0)
}

/// The layer's rule, asked with nothing behind it.
async fn refused_as_cross_origin(context: &AppContext, parts: &Parts) -> Option<HttpResponse> {
    let csrf: CsrfLayer<CrossOrigin> = context.csrf.clone().with_rejection_response(CrossOrigin);
    let let_through =
        service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(Bytes::new())) });
    let mut asked = parts.clone();
    context.exempt.hide(&mut asked);
    let Ok(response) = csrf.layer(let_through).oneshot(Request::from_parts(asked, ())).await;
    let (head, body) = response.into_parts();
    (head.status != StatusCode::OK).then(|| {
        let mut refused = HttpResponse::build(status(head.status)).body(body);
        replace_headers(refused.headers_mut(), &head.headers);
        refused
    })
}

fn json_response(response: Response<Value>) -> HttpResponse {
    let (head, body) = response.into_parts();
    let mut answer = HttpResponse::build(status(head.status)).json(body);
    for (name, value) in &head.headers {
        append(answer.headers_mut(), name, value);
    }
    answer
}

/// Lets the layer's code write into a copy of the headers.
fn attach(visitor: &Visitor, headers: &mut ActixHeaders) {
    let mut copy = Response::new(());
    for (name, value) in headers.iter() {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_ref()), HeaderValue::from_bytes(value.as_bytes()))
        {
            copy.headers_mut().append(name, value);
        }
    }
    let before = copy.headers().clone();
    let copy = visitor.attach(copy);
    if *copy.headers() != before {
        replace_headers(headers, copy.headers());
    }
}

fn replace_headers(headers: &mut ActixHeaders, new: &HeaderMap) {
    headers.clear();
    for (name, value) in new {
        append(headers, name, value);
    }
}

fn append(headers: &mut ActixHeaders, name: &HeaderName, value: &HeaderValue) {
    if let (Ok(name), Ok(value)) =
        (ActixName::from_bytes(name.as_str().as_bytes()), ActixValue::from_bytes(value.as_bytes()))
    {
        headers.append(name, value);
    }
}

fn status(status: StatusCode) -> actix_web::http::StatusCode {
    actix_web::http::StatusCode::from_u16(status.as_u16())
        .unwrap_or(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR)
}

impl ResponseError for SessionRejection {
    fn status_code(&self) -> actix_web::http::StatusCode {
        status(self.status())
    }

    fn error_response(&self) -> HttpResponse {
        let no_store = (header::CACHE_CONTROL.as_str(), "no-store");
        HttpResponse::build(self.status_code()).insert_header(no_store).json(self.body())
    }
}

impl ResponseError for VisitorError {
    fn status_code(&self) -> actix_web::http::StatusCode {
        status(self.answer().0)
    }

    fn error_response(&self) -> HttpResponse {
        let (code, body) = self.answer();
        HttpResponse::build(status(code))
            .insert_header((header::CACHE_CONTROL.as_str(), "no-store"))
            .json(body)
    }
}

fn visitor(request: &HttpRequest) -> Result<Visitor, SessionRejection> {
    request.extensions().get::<Visitor>().cloned().ok_or(SessionRejection::LayerMissing)
}

type Extracted<T> = Pin<Box<dyn Future<Output = Result<T, SessionRejection>>>>;

impl FromRequest for Visitor {
    type Error = SessionRejection;
    type Future = Ready<Result<Self, SessionRejection>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(visitor(request))
    }
}

impl FromRequest for User {
    type Error = SessionRejection;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let visitor = visitor(request);
        Box::pin(async move { visitor?.require_user().await.map(Self) })
    }
}

impl FromRequest for CheckedUser {
    type Error = SessionRejection;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let visitor = visitor(request);
        Box::pin(async move { visitor?.require_checked_user().await.map(Self) })
    }
}

impl FromRequest for Principal {
    type Error = SessionRejection;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let visitor = visitor(request);
        Box::pin(async move {
            visitor?.optional_principal().await?.ok_or(SessionRejection::Unauthorised)
        })
    }
}
