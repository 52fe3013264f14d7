//! The data that an app carries over when a session begins or ends.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use serde_json::{Map, Value};

use crate::principal::{AnonymousSession, UserSession};

/// The error that a failing hook may return.
///
/// ```
/// use passerby_server::{AnonymousSession, HookError, Sessions};
/// use serde_json::{Map, Value};
/// # use axum::{Router, body::Body, routing::post};
/// # use passerby_server::{MemoryStore, Visitor};
/// # use tower::ServiceExt as _;
///
/// # static CALLED: std::sync::OnceLock<()> = std::sync::OnceLock::new();
/// async fn cart_of(
///     guest: AnonymousSession,
///     _user_id: String,
/// ) -> Result<Map<String, Value>, HookError> {
///     # let _ = CALLED.set(());
///     let cart = guest.payload().get("cart").ok_or("the guest has no cart")?;
///     Ok(Map::from_iter([("cart".to_owned(), cart.clone())]))
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let builder =
/// #     Sessions::builder().api_domain("http://localhost:3000").store(MemoryStore::new());
/// let sessions = builder.on_sign_in(cart_of).build().await?;
/// # let login = |visitor: Visitor| async move { visitor.sign_in("alice").await.map(drop) };
/// # let app = Router::new().route("/api/login", post(login)).layer(sessions.layer());
/// # let login = http::Request::post("/api/login").body(Body::empty())?;
/// // The hook fails, and the guest signs in all the same.
/// assert_eq!(app.oneshot(login).await?.status(), 200);
/// # assert!(CALLED.get().is_some());
/// # Ok(())
/// # }
/// ```
pub type HookError = Box<dyn std::error::Error + Send + Sync>;

/// The fate of the anonymousId at sign-out.
///
/// ```
/// use passerby_server::{AfterSignOut, Principal, Sessions, Visitor, VisitorError};
/// # use axum::{Router, body::Body, routing::post};
/// # use passerby_server::MemoryStore;
/// # use tower::ServiceExt as _;
///
/// async fn out(visitor: Visitor) -> Result<(), VisitorError> {
/// #     visitor.sign_in("alice").await?;
///     let before = visitor.principal();
///     visitor.sign_out().await?;
///     let id = |who: Option<Principal>| who.map(|who| who.anonymous_id().to_owned());
///     assert_ne!(id(visitor.principal()), id(before));
///     Ok(())
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let builder =
/// #     Sessions::builder().api_domain("http://localhost:3000").store(MemoryStore::new());
/// let sessions = builder.after_sign_out(AfterSignOut::Rotate).build().await?;
/// # let app = Router::new().route("/api/out", post(out)).layer(sessions.layer());
/// # assert_eq!(
/// #     app.oneshot(http::Request::post("/api/out").body(Body::empty())?).await?.status(),
/// #     200
/// # );
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AfterSignOut {
    /// The visitor keeps it.
    #[default]
    Keep,
    /// The visitor gets a new one; for devices that several people share.
    Rotate,
}

type Carried = Pin<Box<dyn Future<Output = Result<Map<String, Value>, HookError>> + Send>>;
type OnSignIn = Arc<dyn Fn(AnonymousSession, String) -> Carried + Send + Sync>;
type OnSignOut = Arc<dyn Fn(UserSession) -> Carried + Send + Sync>;
type AfterSignOutOf = Arc<dyn Fn(&UserSession) -> AfterSignOut + Send + Sync>;

/// The app's hooks. Without one, nothing but the anonymousId is carried over.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    on_sign_in: Option<OnSignIn>,
    on_sign_out: Option<OnSignOut>,
    after_sign_out: Option<AfterSignOutOf>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("on_sign_in", &self.on_sign_in.is_some())
            .field("on_sign_out", &self.on_sign_out.is_some())
            .finish()
    }
}

impl Hooks {
    pub(crate) fn set_on_sign_in<F, Fut, E>(&mut self, hook: F)
    where
        F: Fn(AnonymousSession, String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Map<String, Value>, E>> + Send + 'static,
        E: Into<HookError>,
    {
        self.on_sign_in = Some(Arc::new(move |session, user_id| {
            let carried = hook(session, user_id);
            Box::pin(async move { carried.await.map_err(Into::into) })
        }));
    }

    pub(crate) fn set_on_sign_out<F, Fut, E>(&mut self, hook: F)
    where
        F: Fn(UserSession) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Map<String, Value>, E>> + Send + 'static,
        E: Into<HookError>,
    {
        self.on_sign_out = Some(Arc::new(move |session| {
            let carried = hook(session);
            Box::pin(async move { carried.await.map_err(Into::into) })
        }));
    }

    pub(crate) fn set_after_sign_out(
        &mut self,
        policy: impl Fn(&UserSession) -> AfterSignOut + Send + Sync + 'static,
    ) {
        self.after_sign_out = Some(Arc::new(policy));
    }

    /// The fate of the anonymousId when this session is signed out.
    pub(crate) fn after_sign_out(&self, session: &UserSession) -> AfterSignOut {
        self.after_sign_out.as_ref().map(|policy| policy(session)).unwrap_or_default()
    }

    /// The payload for the new user session. A failing hook never stops a login.
    pub(crate) async fn sign_in(
        &self,
        session: AnonymousSession,
        user_id: &str,
    ) -> Map<String, Value> {
        match &self.on_sign_in {
            None => Map::new(),
            Some(hook) => carried_or_empty(hook(session, user_id.to_owned()).await, "on_sign_in"),
        }
    }

    /// The payload for the new anonymous session. A failing hook never stops a sign-out.
    pub(crate) async fn sign_out(&self, session: UserSession) -> Map<String, Value> {
        match &self.on_sign_out {
            None => Map::new(),
            Some(hook) => carried_or_empty(hook(session).await, "on_sign_out"),
        }
    }
}

fn carried_or_empty(
    carried: Result<Map<String, Value>, HookError>,
    hook: &'static str,
) -> Map<String, Value> {
    carried.unwrap_or_else(|error| {
        tracing::warn!(hook, %error, "the app's hook failed; going on without what it would have \
            carried over");
        Map::new()
    })
}
