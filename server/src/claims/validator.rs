//! The conditions for a claim, and the reasons that the browser gets when one is not met.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::{Claim, SessionClaimValidator};
use crate::{hooks::HookError, principal::UserSession};

/// The condition for the value.
#[derive(Clone, Debug)]
pub(crate) enum Expectation {
    Value(Value),
    Includes(Value),
    Excludes(Value),
    IncludesAll(Vec<Value>),
    IncludesAny(Vec<Value>),
    ExcludesAll(Vec<Value>),
}

/// A demand on one claim, as the claims make them.
///
/// ```
/// use passerby_server::claims::{PrimitiveArrayClaim, SessionClaimValidator};
/// use std::time::SystemTime;
///
/// let role = PrimitiveArrayClaim::new("st-role");
/// let is_admin = role.includes("admin").with_id("admins-only");
/// let now = SystemTime::now();
/// assert!(is_admin.validate(&role.with_value(vec!["admin", "editor"], now), now).is_ok());
/// let reason = is_admin.validate(&role.with_value(vec!["editor"], now), now).unwrap_err();
/// assert_eq!(reason["expectedToInclude"], "admin");
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ClaimValidator {
    claim: Claim,
    id: String,
    max_age: Option<Duration>,
    expectation: Expectation,
}

impl ClaimValidator {
    pub(crate) fn new(claim: &Claim, expectation: Expectation) -> Self {
        Self {
            claim: claim.clone(),
            id: claim.key().to_owned(),
            max_age: claim.default_max_age(),
            expectation,
        }
    }

    /// Another id than the claim's key.
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// Another age limit than the claim's.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// `Some` when the value is there and too old.
    fn too_old(
        &self,
        payload: &Map<String, Value>,
        now: SystemTime,
    ) -> Option<(Duration, Duration)> {
        let age = now.duration_since(self.claim.fetched_at(payload)?).unwrap_or_default();
        self.max_age.filter(|limit| age > *limit).map(|limit| (age, limit))
    }
}

impl Expectation {
    fn holds(&self, actual: &Value) -> bool {
        let has = |value: &Value| actual.as_array().is_some_and(|list| list.contains(value));
        match self {
            Self::Value(value) => actual == value,
            // A value that is not a list includes nothing, and excludes nothing either.
            _ if !actual.is_array() => false,
            Self::Includes(value) => has(value),
            Self::Excludes(value) => !has(value),
            Self::IncludesAll(values) => values.iter().all(has),
            Self::IncludesAny(values) => values.iter().any(has),
            Self::ExcludesAll(values) => !values.iter().any(has),
        }
    }

    /// Name and value of what was expected, in the `reason`.
    fn expected(&self, is_missing: bool) -> (&'static str, Value) {
        match self {
            Self::Value(value) => ("expectedValue", value.clone()),
            Self::Includes(value) => ("expectedToInclude", value.clone()),
            Self::Excludes(value) => ("expectedToNotInclude", value.clone()),
            Self::IncludesAll(values) => ("expectedToInclude", values.clone().into()),
            Self::IncludesAny(values) if is_missing => ("expectedToInclude", values.clone().into()),
            Self::IncludesAny(values) => ("expectedToIncludeAtLeastOneOf", values.clone().into()),
            Self::ExcludesAll(values) => ("expectedToNotInclude", values.clone().into()),
        }
    }
}

#[async_trait]
impl SessionClaimValidator for ClaimValidator {
    fn id(&self) -> &str {
        &self.id
    }

    async fn refetch(
        &self,
        user: &UserSession,
        now: SystemTime,
    ) -> Result<Option<Map<String, Value>>, HookError> {
        let good_enough = self.claim.value(user.payload()).is_some()
            && self.too_old(user.payload(), now).is_none();
        if good_enough { Ok(None) } else { self.claim.fetch(user, now).await }
    }

    fn validate(&self, payload: &Map<String, Value>, now: SystemTime) -> Result<(), Value> {
        let Some(actual) = self.claim.value(payload) else {
            let (field, expected) = self.expectation.expected(true);
            return Err(
                json!({ "message": "value does not exist", field: expected, "actualValue": null }),
            );
        };
        if let Some((age, limit)) = self.too_old(payload, now) {
            return Err(json!({
                "message": "expired",
                "ageInSeconds": age.as_secs(),
                "maxAgeInSeconds": limit.as_secs(),
            }));
        }
        if !self.expectation.holds(actual) {
            let (field, expected) = self.expectation.expected(false);
            return Err(
                json!({ "message": "wrong value", field: expected, "actualValue": actual }),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::claims::{BooleanClaim, PrimitiveArrayClaim, PrimitiveClaim};

    const NOW: SystemTime = UNIX_EPOCH;

    fn reason(validator: &ClaimValidator, payload: &Map<String, Value>) -> Value {
        validator.validate(payload, NOW).err().unwrap_or(Value::Null)
    }

    #[test]
    fn values_are_compared_strictly() {
        let claim = PrimitiveClaim::new("level");
        let payload = claim.with_value(3, NOW);
        assert_eq!(reason(&claim.has_value(3), &payload), Value::Null);
        assert_eq!(
            reason(&claim.has_value("3"), &payload),
            json!({"message": "wrong value", "expectedValue": "3", "actualValue": 3})
        );
        assert_eq!(
            reason(&claim.has_value(3), &Map::new()),
            json!({"message": "value does not exist", "expectedValue": 3, "actualValue": null})
        );
        let flag = BooleanClaim::new("flag");
        assert_eq!(reason(&flag.is_true(), &flag.with_value(true, NOW)), Value::Null);
        assert_eq!(reason(&flag.is_false(), &flag.with_value(true, NOW))["message"], "wrong value");
        for odd in [json!(null), json!(1), json!("x"), json!([]), json!({}), json!({"v": null})] {
            let payload = Map::from_iter([("flag".to_owned(), odd)]);
            assert_eq!(reason(&flag.is_true(), &payload)["message"], "value does not exist");
        }
    }

    #[test]
    fn lists_follow_the_table() {
        let roles = PrimitiveArrayClaim::new("st-role");
        let payload = roles.with_value(json!(["a", "b"]), NOW);
        for (validator, holds, field) in [
            (roles.includes("a"), true, ""),
            (roles.includes("c"), false, "expectedToInclude"),
            (roles.excludes("c"), true, ""),
            (roles.excludes("a"), false, "expectedToNotInclude"),
            (roles.includes_all(["a", "b"]), true, ""),
            (roles.includes_all(["a", "c"]), false, "expectedToInclude"),
            (roles.includes_any(["c", "b"]), true, ""),
            (roles.includes_any(["c", "d"]), false, "expectedToIncludeAtLeastOneOf"),
            (roles.excludes_all(["c", "d"]), true, ""),
            (roles.excludes_all(["c", "b"]), false, "expectedToNotInclude"),
        ] {
            let reason = reason(&validator, &payload);
            assert_eq!(reason.is_null(), holds, "{validator:?}");
            assert!(holds || reason.get(field).is_some(), "{reason}");
            assert_eq!(
                super::tests::reason(&validator, &Map::new())["message"],
                "value does not exist"
            );
            let no_list = roles.with_value("a", NOW);
            assert_eq!(
                super::tests::reason(&validator, &no_list)["message"],
                "wrong value",
                "{validator:?}"
            );
        }
        // The peers name the wrong key here.
        let missing = reason(&roles.includes_any(["c"]), &Map::new());
        assert_eq!(missing["expectedToInclude"], json!(["c"]));
        assert_eq!(missing.get("expectedToNotInclude"), None);
    }

    #[test]
    fn age_counts_when_there_is_a_limit() {
        let claim = BooleanClaim::new("flag").max_age(Duration::from_secs(10));
        let payload = claim.with_value(true, NOW);
        let later =
            |seconds| claim.is_true().validate(&payload, NOW + Duration::from_secs(seconds));
        assert!(later(10).is_ok());
        assert_eq!(
            later(12),
            Err(json!({"message": "expired", "ageInSeconds": 12, "maxAgeInSeconds": 10}))
        );
        assert!(
            claim
                .is_true()
                .max_age(Duration::from_secs(60))
                .validate(&payload, NOW + Duration::from_secs(12))
                .is_ok()
        );
        assert!(
            BooleanClaim::new("flag")
                .is_true()
                .validate(&payload, NOW + Duration::from_secs(1 << 40))
                .is_ok()
        );
    }
}
