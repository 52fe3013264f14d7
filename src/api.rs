//! The Rust API. Its futures run on any executor.

use core::{error::Error, fmt};

use js_sys::{Array, Function};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::{
    browser, config::Config, error::SdkError, events, shell::operations, subscription::Subscription,
};

/// Starts the SDK: from now on `fetch` carries the visitor's session. A second call changes nothing
/// and says `false`.
///
/// # Errors
/// [`SdkError::NoWindow`] outside of a page, and those that name what is wrong with the
/// configuration.
pub fn init(config: Config) -> Result<bool, SdkError> {
    if !browser::has_window() {
        return Err(SdkError::NoWindow);
    }
    browser::connect();
    match browser::start(&config.options(&events::handler())) {
        None => Ok(true),
        Some(number) if number < 0 => Ok(false),
        Some(number) => Err(browser::start_error(number)),
    }
}

/// Takes back what [`init`] did to the page. Stored data stays.
pub fn dispose() {
    browser::dispose();
}

/// Runs an operation and waits for it, on whatever executor.
async fn run(operation: i32) -> Result<JsValue, SessionError> {
    JsFuture::from(browser::operate(operation)).await.map_err(SessionError)
}

/// Whether the visitor has a session, anonymous or not. Asks the server when nothing is known, and
/// refreshes an expired session.
///
/// # Errors
/// [`SdkError::NotInitialised`].
pub async fn does_session_exist() -> Result<bool, SessionError> {
    Ok(run(operations::EXISTS).await?.is_truthy())
}

/// Whether the visitor has an anonymous session.
///
/// # Errors
/// [`SdkError::NotInitialised`].
pub async fn is_anonymous() -> Result<bool, SessionError> {
    Ok(run(operations::IS_ANONYMOUS).await?.is_truthy())
}

/// The id that the visitor keeps through every login and logout.
///
/// # Errors
/// [`SdkError::NotInitialised`].
pub async fn anonymous_id() -> Result<Option<String>, SessionError> {
    Ok(run(operations::ANONYMOUS_ID).await?.as_string())
}

/// The user id, or `G-` and the anonymousId.
///
/// # Errors
/// [`SdkError::NoSession`], [`SdkError::NotInitialised`].
pub async fn user_id() -> Result<String, SessionError> {
    Ok(run(operations::USER_ID).await?.as_string().unwrap_or_default())
}

/// The token of the session if scripts have it: in header mode, or where the back end shows it.
/// Refreshed if it has expired.
///
/// # Errors
/// [`SdkError::NotInitialised`].
pub async fn access_token() -> Result<Option<String>, SessionError> {
    Ok(run(operations::ACCESS_TOKEN).await?.as_string())
}

/// The payload of the access token, refreshed if it has expired.
///
/// # Errors
/// [`SdkError::NoSession`], [`SdkError::NotInitialised`], what the refresh failed with, and a
/// payload of another shape than `T`.
#[cfg(feature = "serde")]
pub async fn access_token_payload<T: serde::de::DeserializeOwned>() -> Result<T, SessionError> {
    typed(run(operations::PAYLOAD).await?)
}

#[cfg(feature = "serde")]
pub(crate) fn typed<T: serde::de::DeserializeOwned>(payload: JsValue) -> Result<T, SessionError> {
    serde_wasm_bindgen::from_value(payload).map_err(|error| SessionError(error.into()))
}

/// Refreshes the session now; `true` only if a *user* session was refreshed.
///
/// # Errors
/// [`SdkError::NotInitialised`], and what the refresh failed with: the state is as it was then.
pub async fn attempt_refreshing_session() -> Result<bool, SessionError> {
    Ok(run(operations::REFRESH).await?.is_truthy())
}

/// Ends the user session. The visitor is anonymous afterwards, where anonymous sessions are on.
///
/// # Errors
/// [`SdkError::NotInitialised`], the answer of a server that refuses, and network errors.
pub async fn sign_out() -> Result<(), SessionError> {
    run(operations::SIGN_OUT).await?;
    Ok(())
}

/// Switches anonymous sessions on or off at run time, for example when the visitor agrees or takes
/// it back.
///
/// # Errors
/// [`SdkError::NotInitialised`], the answer of a server that fails, and network errors: the next
/// response does it then.
pub async fn set_anonymous_sessions(enabled: bool) -> Result<(), SessionError> {
    run(operations::SWITCH_OFF + i32::from(enabled)).await?;
    Ok(())
}

/// Gives the visitor another anonymousId, for good. The old id is never used again.
///
/// # Errors
/// [`SdkError::NotInitialised`], the answer of a server that has no such route, and network errors.
pub async fn forget_anonymous_id() -> Result<(), SessionError> {
    run(operations::FORGET).await?;
    Ok(())
}

/// Drives a whole `/refresh-session` page: refreshes, then goes to where `?redirectBack=` says, or
/// to `login_path` when there is no user session. Goes to this origin and the listed ones only.
///
/// # Errors
/// [`SdkError::NotInitialised`], and what the refresh failed with: show it, and offer to try again.
pub async fn refresh_session_page(
    login_path: &str,
    allowed_origins: &[&str],
) -> Result<(), SessionError> {
    let allowed: Array = allowed_origins.iter().map(|&origin| JsValue::from(origin)).collect();
    let attempt = browser::operate(operations::REFRESH);
    let arrival = browser::refresh_session_page(&attempt, login_path, &allowed);
    JsFuture::from(arrival).await.map_err(SessionError)?;
    Ok(())
}

/// Calls `listener` after each change, in this tab or another, until the subscription is dropped.
pub fn subscribe(listener: impl Fn() + 'static) -> Subscription {
    let listener = Closure::<dyn Fn()>::new(listener);
    let stop: Function = browser::subscribe(listener.as_ref()).unchecked_into();
    Subscription::new(move || {
        // Removes from a set.
        let _ = stop.call0(&JsValue::UNDEFINED);
        drop(listener);
    })
}

/// The error that an operation failed with: an [`SdkError`], a `Response` of the server, or an
/// error of the network.
#[derive(Clone, Debug)]
pub struct SessionError(JsValue);

impl SessionError {
    /// The same as an error of the SDK, if it is one, to match on.
    ///
    /// ```no_run
    /// use passerby::SdkError;
    ///
    /// # async fn example() -> Result<(), passerby::SessionError> {
    /// let user = match passerby::user_id().await {
    ///     Ok(id) => Some(id),
    ///     Err(error) if error.sdk() == Some(SdkError::NoSession) => None,
    ///     Err(error) => return Err(error),
    /// };
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn sdk(&self) -> Option<SdkError> {
        SdkError::of_message(&String::from(self.0.dyn_ref::<js_sys::Error>()?.message()))
    }

    /// The `code` of an error of the SDK.
    #[must_use]
    pub fn code(&self) -> Option<String> {
        js_sys::Reflect::get(&self.0, &"code".into()).ok()?.as_string()
    }

    /// The answer of the server, if that is what refused.
    #[must_use]
    pub fn response(&self) -> Option<web_sys::Response> {
        self.0.dyn_ref::<web_sys::Response>().cloned()
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.response(), self.0.dyn_ref::<js_sys::Error>()) {
            (Some(response), _) => write!(f, "the server answered {}", response.status()),
            (None, Some(error)) => write!(f, "{}", String::from(error.message())),
            (None, None) => write!(f, "{:?}", self.0),
        }
    }
}

impl Error for SessionError {}

impl From<SdkError> for SessionError {
    fn from(error: SdkError) -> Self {
        Self(error.into())
    }
}

impl From<SessionError> for JsValue {
    fn from(error: SessionError) -> Self {
        error.0
    }
}
