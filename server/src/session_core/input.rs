//! The bodies and queries of requests.

use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateInput {
    pub(super) user_id: String,
    #[serde(default, rename = "userDataInJWT")]
    pub(super) payload: Map<String, Value>,
    #[serde(default, rename = "userDataInDatabase")]
    pub(super) data: Map<String, Value>,
    pub(super) enable_anti_csrf: bool,
    pub(super) use_dynamic_signing_key: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VerifyInput {
    pub(super) access_token: String,
    pub(super) anti_csrf_token: Option<String>,
    pub(super) do_anti_csrf_check: bool,
    pub(super) enable_anti_csrf: bool,
    #[serde(default)]
    pub(super) check_database: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RefreshInput {
    pub(super) refresh_token: String,
    pub(super) anti_csrf_token: Option<String>,
    pub(super) enable_anti_csrf: bool,
    pub(super) use_dynamic_signing_key: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RegenerateInput {
    pub(super) access_token: String,
    #[serde(rename = "userDataInJWT")]
    pub(super) payload: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RemoveInput {
    pub(super) user_id: Option<String>,
    pub(super) session_handles: Option<Vec<String>>,
    pub(super) revoke_across_all_tenants: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DataInput {
    pub(super) session_handle: String,
    #[serde(rename = "userDataInDatabase")]
    pub(super) data: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PayloadInput {
    pub(super) session_handle: String,
    #[serde(rename = "userDataInJWT")]
    pub(super) payload: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JwtInput {
    #[serde(default)]
    pub(super) payload: Map<String, Value>,
    /// Seconds.
    pub(super) validity: u64,
    pub(super) use_static_signing_key: Option<bool>,
    pub(super) algorithm: String,
    pub(super) jwks_domain: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AppInput {
    pub(super) app_id: String,
    #[serde(default)]
    pub(super) core_config: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HandleQuery {
    pub(super) session_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserQuery {
    pub(super) user_id: String,
    pub(super) fetch_across_all_tenants: Option<bool>,
}
