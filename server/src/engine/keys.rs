//! The keys of this server: a dynamic one that rotates, a static one, and one for refresh tokens.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
    signature::KeyPair as _,
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    EngineError,
    jwt::{DYNAMIC_PREFIX, STATIC_PREFIX},
    refresh_token::RefreshKey,
};
use crate::store::{KeyKind, KeyRecord, SessionStore, StoreError};

/// How long a dynamic key signs (reference 1.9).
pub(crate) const ROTATION_MS: u64 = 168 * 3600 * 1000;
/// A new dynamic key is published this long before it signs, because other services keep the key set as long (`JWKS_MAX_AGE_S`).
const PUBLISH_AHEAD_MS: u64 = 60 * 1000;
/// An unknown `kid` makes us look into the store, but not more often than this (reference 8.1).
const RELOAD_COOL_DOWN_MS: u64 = 500;

/// An RSA key, ready for use.
pub(crate) struct SigningKey {
    pub(crate) id: String,
    pub(crate) encoding: EncodingKey,
    pub(crate) decoding: DecodingKey,
    created_at: u64,
    jwk: Value,
}

/// All keys as they were when last read from the store.
#[derive(Default)]
struct KeySet {
    by_id: HashMap<String, Arc<SigningKey>>,
    /// Oldest first.
    dynamic_keys: Vec<Arc<SigningKey>>,
    static_keys: Vec<Arc<SigningKey>>,
    refresh_keys: Vec<Arc<RefreshKey>>,
}

/// The keys, kept in memory and read again when somebody else changed them.
pub(crate) struct KeyRing {
    store: Arc<dyn SessionStore>,
    set: RwLock<Arc<KeySet>>,
    /// When the store was last read, in epoch milliseconds. Held while reading or making keys, so that one task does it for all.
    last_read: tokio::sync::Mutex<u64>,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").finish_non_exhaustive()
    }
}

impl KeyRing {
    /// Reads the keys, and makes and stores those that are missing.
    pub(crate) async fn open(store: Arc<dyn SessionStore>, now_ms: u64) -> Result<Self, EngineError> {
        let ring = Self { store, set: RwLock::default(), last_read: tokio::sync::Mutex::new(0) };
        ring.read_store().await?;
        let set = ring.set();
        if set.static_keys.is_empty() {
            ring.add(generate_rsa(KeyKind::Static, format!("{STATIC_PREFIX}{}", Uuid::new_v4()), now_ms).await?, 0).await?;
        }
        if set.refresh_keys.is_empty() {
            ring.add(generate_refresh_key(now_ms)?, 0).await?;
        }
        ring.read_store().await?;
        ring.rotate_if_due(now_ms).await?;
        Ok(ring)
    }

    /// The key that signs access tokens now.
    pub(crate) async fn access_signing_key(&self, now_ms: u64) -> Result<Arc<SigningKey>, EngineError> {
        self.rotate_if_due(now_ms).await?;
        let set = self.set();
        let published = set.dynamic_keys.iter().rev().find(|key| key.created_at.saturating_add(PUBLISH_AHEAD_MS) <= now_ms);
        published.or(set.dynamic_keys.last()).cloned().ok_or(EngineError::NoKey)
    }

    /// The key that signs anonymous tokens.
    pub(crate) fn anonymous_signing_key(&self) -> Result<Arc<SigningKey>, EngineError> {
        self.set().static_keys.last().cloned().ok_or(EngineError::NoKey)
    }

    /// Adds a static key, which signs from now on. The former ones go on verifying.
    pub(crate) async fn replace_static_key(&self, now_ms: u64) -> Result<(), EngineError> {
        let _reading = self.last_read.lock().await;
        self.read_store().await?;
        // The newest signs, and two are made in one millisecond in tests at least.
        let created_at = self.set().static_keys.last().map_or(now_ms, |newest| now_ms.max(newest.created_at + 1));
        let key = generate_rsa(KeyKind::Static, format!("{STATIC_PREFIX}{}", Uuid::new_v4()), created_at).await?;
        self.add(key, u64::MAX).await?;
        self.read_store().await
    }

    /// The key with this `kid`, looked for in the store too.
    pub(crate) async fn verifying_key(&self, id: &str, now_ms: u64) -> Result<Option<Arc<SigningKey>>, EngineError> {
        if let Some(key) = self.set().by_id.get(id) {
            return Ok(Some(key.clone()));
        }
        let mut last_read = self.last_read.lock().await;
        if now_ms.abs_diff(*last_read) >= RELOAD_COOL_DOWN_MS {
            self.read_store().await?;
            *last_read = now_ms;
        }
        drop(last_read);
        Ok(self.set().by_id.get(id).cloned())
    }

    /// The keys of refresh tokens, the one that encrypts first.
    pub(crate) fn refresh_keys(&self) -> Vec<Arc<RefreshKey>> {
        self.set().refresh_keys.iter().rev().cloned().collect()
    }

    /// The public keys that other services need to verify tokens that are valid now: every static key, and the dynamic keys that
    /// may have signed within the last `access_validity_ms`.
    pub(crate) fn jwks(&self, now_ms: u64, access_validity_ms: u64) -> Value {
        let set = self.set();
        let oldest = now_ms.saturating_sub(ROTATION_MS + PUBLISH_AHEAD_MS + access_validity_ms);
        let newest = set.dynamic_keys.last().map(|key| key.id.as_str());
        let dynamic_keys = set.dynamic_keys.iter().filter(|key| key.created_at >= oldest || Some(key.id.as_str()) == newest);
        let keys: Vec<&Value> = dynamic_keys.chain(&set.static_keys).map(|key| &key.jwk).collect();
        json!({ "keys": keys })
    }

    async fn rotate_if_due(&self, now_ms: u64) -> Result<(), EngineError> {
        if !self.rotation_due(now_ms) {
            return Ok(());
        }
        let mut last_read = self.last_read.lock().await;
        if !self.rotation_due(now_ms) {
            return Ok(());
        }
        // Another process may have rotated already.
        self.read_store().await?;
        if self.rotation_due(now_ms) {
            let key = generate_rsa(KeyKind::Dynamic, format!("{DYNAMIC_PREFIX}{now_ms}"), now_ms).await?;
            self.add(key, now_ms.saturating_sub(ROTATION_MS - 1)).await?;
            self.read_store().await?;
        }
        *last_read = now_ms;
        Ok(())
    }

    fn rotation_due(&self, now_ms: u64) -> bool {
        self.set().dynamic_keys.last().is_none_or(|key| key.created_at.saturating_add(ROTATION_MS) <= now_ms)
    }

    async fn add(&self, key: KeyRecord, fresh_since: u64) -> Result<(), EngineError> {
        Ok(self.store.add_key_unless_newer(&key, fresh_since).await?)
    }

    async fn read_store(&self) -> Result<(), EngineError> {
        let known = self.set();
        let mut set = KeySet::default();
        for record in self.store.keys().await? {
            match record.kind {
                KeyKind::Refresh => set.refresh_keys.push(Arc::new(RefreshKey::from_base64(&record.secret)?)),
                KeyKind::Dynamic | KeyKind::Static => {
                    let key = match known.by_id.get(&record.id) {
                        Some(key) => key.clone(),
                        None => Arc::new(SigningKey::from_record(&record)?),
                    };
                    let list = if record.kind == KeyKind::Dynamic { &mut set.dynamic_keys } else { &mut set.static_keys };
                    list.push(key.clone());
                    set.by_id.insert(record.id, key);
                }
            }
        }
        *self.set.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(set);
        Ok(())
    }

    fn set(&self) -> Arc<KeySet> {
        self.set.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl SigningKey {
    fn from_record(record: &KeyRecord) -> Result<Self, EngineError> {
        let damaged = || EngineError::Store(StoreError::Damaged("a signing key is not a PKCS#8 PEM of an RSA key"));
        let body: String = record.secret.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(body).map_err(|_| damaged())?;
        let pair = KeyPair::from_pkcs8(&der).map_err(|_| damaged())?;
        let modulus = pair.public_key().modulus().big_endian_without_leading_zero().to_vec();
        let exponent = pair.public_key().exponent().big_endian_without_leading_zero().to_vec();
        let jwk = json!({
            "kty": "RSA",
            "kid": record.id,
            "n": URL_SAFE_NO_PAD.encode(&modulus),
            "e": URL_SAFE_NO_PAD.encode(&exponent),
            "alg": "RS256",
            "use": "sig",
        });
        Ok(Self {
            id: record.id.clone(),
            encoding: EncodingKey::from_rsa_pem(record.secret.as_bytes()).map_err(|_| damaged())?,
            decoding: DecodingKey::from_rsa_raw_components(&modulus, &exponent),
            created_at: record.created_at,
            jwk,
        })
    }
}

async fn generate_rsa(kind: KeyKind, id: String, created_at: u64) -> Result<KeyRecord, EngineError> {
    // Finding the primes takes a tenth of a second or more.
    let secret = tokio::task::spawn_blocking(|| -> Option<String> {
        let pair = KeyPair::generate(KeySize::Rsa2048).ok()?;
        let der: Pkcs8V1Der<'static> = pair.as_der().ok()?;
        Some(format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            lines_of_64(&STANDARD.encode(der.as_ref()))
        ))
    })
    .await
    .ok()
    .flatten()
    .ok_or(EngineError::Crypto)?;
    Ok(KeyRecord { id, kind, created_at, secret })
}

fn lines_of_64(text: &str) -> String {
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    lines.join("\n")
}

fn generate_refresh_key(created_at: u64) -> Result<KeyRecord, EngineError> {
    Ok(KeyRecord {
        id: format!("r-{}", Uuid::new_v4()),
        kind: KeyKind::Refresh,
        created_at,
        secret: RefreshKey::generate_base64()?,
    })
}
