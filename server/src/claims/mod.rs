//! Claims: facts about a user that stand in the access token with the time they were learned, and
//! validators that ask for them.
//!
//! ```
//! use passerby_server::claims::{BooleanClaim, PrimitiveArrayClaim};
//! use std::time::Duration;
//!
//! // Asked anew when it is older than ten minutes.
//! let verified =
//!     BooleanClaim::new("st-ev").max_age(Duration::from_secs(600)).fetch(|user| async move {
//!         // Look `user.user_id()` up in your database here.
//!         let _ = user;
//!         Ok::<_, std::io::Error>(Some(true.into()))
//!     });
//! let role = PrimitiveArrayClaim::new("st-role");
//! let (is_verified, is_admin) = (verified.is_true(), role.includes("admin"));
//! # let _ = (is_verified, is_admin);
//! ```
//!
//! Give validators for all routes to
//! [`SessionsBuilder::claim_validator`](crate::SessionsBuilder::claim_validator), and those of one
//! route to [`Visitor::require`](crate::Visitor::require).

mod claim;
mod kinds;
mod validator;

use std::{fmt, sync::Arc, time::SystemTime};

use async_trait::async_trait;
use serde_json::{Map, Value, json};

pub use self::{
    claim::Claim,
    kinds::{BooleanClaim, PrimitiveArrayClaim, PrimitiveClaim},
    validator::ClaimValidator,
};
use crate::{hooks::HookError, principal::UserSession};

/// A demand on the payload of the access token. Usually a [`ClaimValidator`] that one of the claims
/// makes.
///
/// ```
/// use async_trait::async_trait;
/// use passerby_server::claims::SessionClaimValidator;
/// use serde_json::{Map, Value, json};
/// use std::time::SystemTime;
///
/// /// A demand that none of the claims makes.
/// struct OfAge(u64);
///
/// #[async_trait]
/// impl SessionClaimValidator for OfAge {
///     fn id(&self) -> &str {
///         "of-age"
///     }
///
///     fn validate(&self, payload: &Map<String, Value>, _: SystemTime) -> Result<(), Value> {
///         match payload.get("age").and_then(Value::as_u64) {
///             Some(age) if age >= self.0 => Ok(()),
///             age => Err(json!({
///                 "message": "too young",
///                 "expectedAtLeast": self.0,
///                 "actualValue": age,
///             })),
///         }
///     }
/// }
///
/// let payload = Map::from_iter([("age".to_owned(), json!(17))]);
/// assert!(OfAge(16).validate(&payload, SystemTime::now()).is_ok());
/// assert!(OfAge(18).validate(&payload, SystemTime::now()).is_err());
/// ```
#[async_trait]
pub trait SessionClaimValidator: Send + Sync + 'static {
    /// Names it in the body of the refusal, where the browser SDK looks for the claim to refresh.
    fn id(&self) -> &str;

    /// Fetches new values before anything is validated, and returns those that change the payload;
    /// `None` if the present ones are good enough. A `null` removes its key. An error is logged,
    /// and the present payload is validated.
    async fn refetch(
        &self,
        _user: &UserSession,
        _now: SystemTime,
    ) -> Result<Option<Map<String, Value>>, HookError> {
        Ok(None)
    }

    /// Judges the payload; the error is the `reason` that the browser gets to see.
    ///
    /// # Errors
    /// When the payload does not satisfy the demand.
    fn validate(&self, payload: &Map<String, Value>, now: SystemTime) -> Result<(), Value>;
}

/// A demand that was not satisfied.
///
/// ```
/// use passerby_server::claims::{InvalidClaim, PrimitiveArrayClaim};
/// # use passerby_server::{MemoryStore, Sessions, Visitor};
/// # use tower::ServiceExt as _;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sessions = Sessions::builder()
/// #     .api_domain("http://localhost:3000")
/// #     .store(MemoryStore::new())
/// #     .build()
/// #     .await?;
/// # let login = |visitor: Visitor| async move { visitor.sign_in("alice").await.map(drop) };
/// # let app = axum::Router::new()
/// #     .route("/api/login", axum::routing::post(login))
/// #     .layer(sessions.layer());
/// # app.oneshot(http::Request::post("/api/login").body(axum::body::Body::empty())?).await?;
/// # let handle = sessions.session_handles_of_user("alice").await?.remove(0);
/// let is_admin = PrimitiveArrayClaim::new("st-role").includes("admin");
/// let invalid: Vec<InvalidClaim> = sessions
///     .validate_claims_of_session(&handle, &[&is_admin])
///     .await?
///     .expect("she is signed in");
/// assert_eq!(invalid[0].id, "st-role");
/// assert_eq!(invalid[0].reason["message"], "value does not exist");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidClaim {
    /// The validator's id.
    pub id: String,
    /// The validator's reason, visible to the browser.
    pub reason: Value,
}

impl InvalidClaim {
    /// As it stands in `claimValidationErrors`.
    pub(crate) fn to_json(&self) -> Value {
        json!({ "id": self.id, "reason": self.reason })
    }
}

/// The validators of all routes.
#[derive(Clone, Default)]
pub(crate) struct GlobalValidators(Vec<Arc<dyn SessionClaimValidator>>);

impl GlobalValidators {
    pub(crate) fn add(&mut self, validator: impl SessionClaimValidator) {
        self.0.push(Arc::new(validator));
    }

    pub(crate) fn as_refs(&self) -> Vec<&dyn SessionClaimValidator> {
        self.0.iter().map(|validator| &**validator).collect()
    }
}

impl fmt::Debug for GlobalValidators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|validator| validator.id())).finish()
    }
}

/// All demands that the payload does not satisfy, in the order of the validators.
pub(crate) fn invalid(
    validators: &[&dyn SessionClaimValidator],
    payload: &Map<String, Value>,
    now: SystemTime,
) -> Vec<InvalidClaim> {
    let failed = |validator: &&dyn SessionClaimValidator| {
        let reason = validator.validate(payload, now).err()?;
        Some(InvalidClaim { id: validator.id().to_owned(), reason })
    };
    validators.iter().filter_map(failed).collect()
}

/// The values that the validators want to know anew, merged in their order. Each sees what those
/// before it found.
pub(crate) async fn refetched(
    validators: &[&dyn SessionClaimValidator],
    user: &UserSession,
    now: SystemTime,
) -> Map<String, Value> {
    let mut user = user.clone();
    let mut update = Map::new();
    for validator in validators {
        match validator.refetch(&user, now).await {
            Ok(None) => {}
            Ok(Some(found)) => {
                for (claim, value) in found {
                    Arc::make_mut(&mut user.claims).custom.insert(claim.clone(), value.clone());
                    update.insert(claim, value);
                }
            }
            Err(error) => {
                tracing::warn!(validator = validator.id(), %error, "a claim could not be fetched")
            }
        }
    }
    update
}
