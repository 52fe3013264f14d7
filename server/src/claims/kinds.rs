//! The three kinds of claim, by what their validators ask.

use std::{future::Future, ops::Deref, time::Duration};

use serde_json::Value;

use super::{
    Claim,
    validator::{ClaimValidator, Expectation},
};
use crate::{hooks::HookError, principal::UserSession};

/// A claim whose value is one string, number or boolean.
///
/// ```
/// use passerby_server::claims::{PrimitiveClaim, SessionClaimValidator as _};
/// use std::time::SystemTime;
///
/// let (plan, now) = (PrimitiveClaim::new("plan"), SystemTime::now());
/// let payload = plan.with_value("free", now);
/// assert!(plan.has_value("free").validate(&payload, now).is_ok());
/// let reason = plan.has_value("pro").validate(&payload, now).unwrap_err();
/// assert_eq!((&reason["expectedValue"], &reason["actualValue"]), (&"pro".into(), &"free".into()));
/// ```
#[derive(Clone, Debug)]
pub struct PrimitiveClaim(Claim);

/// A claim whose value is `true` or `false`.
///
/// ```
/// use passerby_server::claims::{BooleanClaim, SessionClaimValidator as _};
/// use std::time::{Duration, SystemTime};
///
/// let verified = BooleanClaim::new("st-ev").max_age(Duration::from_secs(600));
/// let learned = SystemTime::now();
/// let payload = verified.with_value(true, learned);
/// assert!(verified.is_true().validate(&payload, learned).is_ok());
/// let reason =
///     verified.is_true().validate(&payload, learned + Duration::from_secs(3600)).unwrap_err();
/// assert_eq!(reason["message"], "expired");
/// ```
#[derive(Clone, Debug)]
pub struct BooleanClaim(Claim);

/// A claim whose value is a list of strings, numbers or booleans, such as roles.
///
/// ```
/// use passerby_server::claims::{PrimitiveArrayClaim, SessionClaimValidator as _};
/// use std::time::SystemTime;
///
/// let (role, now) = (PrimitiveArrayClaim::new("st-role"), SystemTime::now());
/// let payload = role.with_value(vec!["editor", "author"], now);
/// assert!(role.includes_any(["admin", "editor"]).validate(&payload, now).is_ok());
/// assert!(role.includes_all(["admin", "editor"]).validate(&payload, now).is_err());
/// assert!(role.excludes("author").validate(&payload, now).is_err());
/// ```
#[derive(Clone, Debug)]
pub struct PrimitiveArrayClaim(Claim);

macro_rules! common {
    ($kind:ident) => {
        impl $kind {
            /// A claim of this name.
            #[must_use]
            pub fn new(key: &str) -> Self {
                Self(Claim::new(key))
            }

            /// How old the value may be; when it is older it is fetched anew. Default: any age.
            #[must_use]
            pub fn max_age(mut self, age: Duration) -> Self {
                self.0.set_max_age(age);
                self
            }

            /// Where the value comes from. Called when a validator finds none, or one that is too
            /// old. `None` leaves the payload as it is.
            #[must_use]
            pub fn fetch<F, Fut, E>(mut self, fetch: F) -> Self
            where
                F: Fn(UserSession) -> Fut + Send + Sync + 'static,
                Fut: Future<Output = Result<Option<Value>, E>> + Send + 'static,
                E: Into<HookError>,
            {
                self.0.set_fetch(fetch);
                self
            }
        }

        impl Deref for $kind {
            type Target = Claim;

            fn deref(&self) -> &Claim {
                &self.0
            }
        }
    };
}

common!(PrimitiveClaim);
common!(BooleanClaim);
common!(PrimitiveArrayClaim);

impl PrimitiveClaim {
    /// Asks for exactly this value.
    pub fn has_value(&self, value: impl Into<Value>) -> ClaimValidator {
        ClaimValidator::new(&self.0, Expectation::Value(value.into()))
    }
}

impl BooleanClaim {
    /// Asks for `true`.
    pub fn is_true(&self) -> ClaimValidator {
        ClaimValidator::new(&self.0, Expectation::Value(true.into()))
    }

    /// Asks for `false`.
    pub fn is_false(&self) -> ClaimValidator {
        ClaimValidator::new(&self.0, Expectation::Value(false.into()))
    }
}

impl PrimitiveArrayClaim {
    /// Asks for this value among others.
    pub fn includes(&self, value: impl Into<Value>) -> ClaimValidator {
        ClaimValidator::new(&self.0, Expectation::Includes(value.into()))
    }

    /// Asks for this value not to be there.
    pub fn excludes(&self, value: impl Into<Value>) -> ClaimValidator {
        ClaimValidator::new(&self.0, Expectation::Excludes(value.into()))
    }

    /// Asks for all of these values.
    pub fn includes_all<V: Into<Value>>(
        &self,
        values: impl IntoIterator<Item = V>,
    ) -> ClaimValidator {
        ClaimValidator::new(
            &self.0,
            Expectation::IncludesAll(values.into_iter().map(Into::into).collect()),
        )
    }

    /// Asks for one of these values at least.
    pub fn includes_any<V: Into<Value>>(
        &self,
        values: impl IntoIterator<Item = V>,
    ) -> ClaimValidator {
        ClaimValidator::new(
            &self.0,
            Expectation::IncludesAny(values.into_iter().map(Into::into).collect()),
        )
    }

    /// Asks for none of these values to be there.
    pub fn excludes_all<V: Into<Value>>(
        &self,
        values: impl IntoIterator<Item = V>,
    ) -> ClaimValidator {
        ClaimValidator::new(
            &self.0,
            Expectation::ExcludesAll(values.into_iter().map(Into::into).collect()),
        )
    }
}
