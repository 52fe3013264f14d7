//! The settings that a back end may give an app of its own, by the names and units of the
//! SuperTokens core.

use serde_json::{Map, Value};

use crate::{
    engine::lifetimes::{LEAST_KEY_ROTATION_MS, LEAST_VALIDITY_MS, Lifetimes},
    store::AppSettings,
};

const ACCESS: &str = "access_token_validity";
const REFRESH: &str = "refresh_token_validity";
const ROTATION: &str = "access_token_dynamic_signing_key_update_interval";

const SECOND_MS: u64 = 1000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
/// About 2,700 years. More is a mistake, and a time must stay one after it was added.
const LONGEST_MS: u64 = 86_400_000 * SECOND_MS * 1000;

impl Lifetimes {
    /// Those of an app that has settings of its own.
    pub(super) fn with(self, settings: AppSettings) -> Self {
        Self {
            access_ms: settings.access_token_validity_ms.unwrap_or(self.access_ms),
            refresh_ms: settings.refresh_token_validity_ms.unwrap_or(self.refresh_ms),
            rotation_ms: settings.key_rotation_ms.unwrap_or(self.rotation_ms),
            ..self
        }
    }
}

/// The settings after a change. A setting that is not named stays; `null` brings back the core's.
///
/// # Errors
/// A text that names the setting and says what it must be.
pub(super) fn changed(
    former: AppSettings,
    change: &Map<String, Value>,
    of_core: Lifetimes,
) -> Result<AppSettings, String> {
    let mut settings = former;
    for (name, value) in change {
        match name.as_str() {
            ACCESS => settings.access_token_validity_ms = time(name, value, SECOND_MS, "seconds")?,
            REFRESH => {
                settings.refresh_token_validity_ms = time(name, value, MINUTE_MS, "minutes")?;
            }
            ROTATION => settings.key_rotation_ms = time(name, value, HOUR_MS, "hours")?,
            _ => {
                return Err(format!(
                    "{name:?} cannot be set for an app; {ACCESS}, {REFRESH} and {ROTATION} can"
                ));
            }
        }
    }
    let times = of_core.with(settings);
    if times.access_ms < LEAST_VALIDITY_MS {
        return Err(format!("{ACCESS} must be 1 second or more"));
    }
    if times.refresh_ms <= times.access_ms {
        return Err(format!("{REFRESH} must be longer than {ACCESS}"));
    }
    if times.rotation_ms < LEAST_KEY_ROTATION_MS {
        return Err(format!("{ROTATION} must be two minutes (0.034 hours) or more"));
    }
    Ok(settings)
}

/// A time in milliseconds, which stands in the configuration in a larger unit.
fn time(name: &str, value: &Value, unit_ms: u64, unit: &str) -> Result<Option<u64>, String> {
    if value.is_null() {
        return Ok(None);
    }
    #[expect(clippy::cast_precision_loss, reason = "the units are small")]
    let time = value.as_f64().map(|value| (value * unit_ms as f64).round());
    #[expect(clippy::cast_precision_loss, reason = "a limit need not be exact")]
    match time.filter(|time| (0.0..=LONGEST_MS as f64).contains(time)) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range was checked"
        )]
        Some(time) => Ok(Some(time as u64)),
        None => Err(format!("{name} must be a number of {unit}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CORE: Lifetimes = Lifetimes {
        access_ms: HOUR_MS,
        refresh_ms: 100 * 24 * HOUR_MS,
        grace_ms: 0,
        rotation_ms: 168 * HOUR_MS,
    };

    fn change(former: AppSettings, change: &Value) -> Result<AppSettings, String> {
        changed(former, change.as_object().unwrap(), CORE)
    }

    #[test]
    fn each_setting_has_the_unit_of_the_supertokens_core() {
        let settings = change(
            AppSettings::default(),
            &json!({
                ACCESS: 2, REFRESH: 0.5, ROTATION: 0.05
            }),
        );
        let expected = AppSettings {
            access_token_validity_ms: Some(2_000),
            refresh_token_validity_ms: Some(30_000),
            key_rotation_ms: Some(180_000),
        };
        assert_eq!(settings, Ok(expected));
        let without = AppSettings { access_token_validity_ms: None, ..expected };
        assert_eq!(change(expected, &json!({ ACCESS: null, REFRESH: 61 })), {
            Ok(AppSettings { refresh_token_validity_ms: Some(61 * MINUTE_MS), ..without })
        });
        assert_eq!(change(expected, &json!({})), Ok(expected), "a setting that is not named stays");
    }

    #[test]
    fn a_setting_that_cannot_work_is_refused_by_its_name() {
        for (settings, named) in [
            (json!({ ACCESS: "3600" }), ACCESS),
            (json!({ ACCESS: -1 }), ACCESS),
            (json!({ ACCESS: 0 }), ACCESS),
            (json!({ ACCESS: 1e300 }), ACCESS),
            (json!({ REFRESH: 60 }), REFRESH),
            (json!({ REFRESH: true }), REFRESH),
            (json!({ ROTATION: 0.01 }), ROTATION),
            (json!({ ROTATION: [] }), ROTATION),
            (json!({ "password_reset_token_lifetime": 1 }), "password_reset_token_lifetime"),
        ] {
            let error = change(AppSettings::default(), &settings).unwrap_err();
            assert!(error.contains(named), "{settings}: {error}");
        }
    }
}
