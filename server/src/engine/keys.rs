//! The keys of this server: a dynamic one that rotates, a static one, and one for refresh tokens.
//!
//! All processes on one database share them. The first process that notices that a new dynamic key
//! is due makes it, and the store sees to it that nobody makes a second one. The others read it
//! while it waits to be used, because each reads the keys again at least once in [`REREAD_MS`], and
//! a new key signs only [`PUBLISH_AHEAD_MS`] after it was made: from then on everybody signs with
//! it.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    error::Unspecified,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    EngineError,
    refresh_token::{Inherited, RefreshContent, RefreshKey},
};
use crate::store::{CLOCK_TOLERANCE_MS, KeyKind, KeyRecord, SessionStore, StoreError};

/// `kid` prefix of keys for access tokens.
pub(crate) const DYNAMIC_PREFIX: &str = "d-";
/// `kid` prefix of keys for anonymous tokens.
pub(crate) const STATIC_PREFIX: &str = "s-";

/// A new key is published this long before it signs, because other services keep the key set as
/// long (`PUBLIC_CACHING`), and other processes of ours half as long.
pub(crate) const PUBLISH_AHEAD_MS: u64 = 60 * 1000;
/// Keys are read again when they were last read this long ago, before something is signed.
const REREAD_MS: u64 = PUBLISH_AHEAD_MS / 2;
/// An unknown `kid` makes us look into the store, but not more often than this.
const RELOAD_COOL_DOWN_MS: u64 = 500;
const LOOKUP_COOL_DOWN: Duration = Duration::from_millis(RELOAD_COOL_DOWN_MS);
/// So many names of keys that are not there are remembered at most.
const MOST_ABSENT: usize = 1000;
/// Names of ours are shorter than this, in bytes.
const LONGEST_ABSENT: usize = 64;
/// How long a request waits for keys that it can do without.
const READ_PATIENCE: Duration = Duration::from_secs(1);

/// The key that signs a JWT of an app.
///
/// ```
/// use passerby_server::{JwtKey, MemoryStore, Sessions};
/// # use std::time::Duration;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sessions = Sessions::builder()
/// #     .api_domain("http://localhost:3000")
/// #     .store(MemoryStore::new())
/// #     .build()
/// #     .await?;
/// let hour = Duration::from_secs(3600);
/// let lasting = sessions.create_jwt(Default::default(), 24 * hour, JwtKey::Static).await?;
/// let short = sessions.create_jwt(Default::default(), hour / 2, JwtKey::Dynamic).await?;
/// let key_of = |token: &str| jsonwebtoken::decode_header(token).ok()?.kid;
/// assert_ne!(key_of(&lasting), key_of(&short));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum JwtKey {
    /// The one that does not rotate: its public part stays in the key set for good.
    #[default]
    Static,
    /// The one that rotates. Its public part leaves the key set when its successor has signed for
    /// as long as an access token is valid, so choose a shorter validity than that.
    Dynamic,
}

/// How the keys of anonymous tokens sign.
///
/// ```
/// use passerby_server::{JwtKey, KeyAlgorithm, MemoryStore, Sessions};
/// # use std::time::Duration;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let builder =
/// #     Sessions::builder().api_domain("http://localhost:3000").store(MemoryStore::new());
/// let sessions = builder.anonymous_algorithm(KeyAlgorithm::Rs256).build().await?;
/// let token =
///     sessions.create_jwt(Default::default(), Duration::from_secs(60), JwtKey::Static).await?;
/// assert_eq!(jsonwebtoken::decode_header(&token)?.alg, jsonwebtoken::Algorithm::RS256);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// RSA, 2048 bits. Every JWT library verifies it, and verifying is fast.
    Rs256,
    /// ECDSA on P-256. Signs many times faster, in tokens that are 256 characters shorter;
    /// verifying is a little slower.
    #[default]
    Es256,
}

/// A key pair for signatures, ready for use.
pub(crate) struct SigningKey {
    pub(crate) id: String,
    pub(crate) algorithm: Algorithm,
    secret: Secret,
    pub(crate) decoding: DecodingKey,
    created_at: u64,
    jwk: Value,
}

/// The secret half of a key. The library checks it when it reads it, and keeps what it computes for
/// the first signature, so it is read once and not for each token.
enum Secret {
    Rsa(KeyPair),
    P256(EcdsaKeyPair),
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

/// The keys, kept in memory and read again when somebody else may have changed them.
pub(crate) struct KeyRing {
    store: Arc<dyn SessionStore>,
    /// How long a dynamic key signs.
    rotation_ms: u64,
    static_algorithm: KeyAlgorithm,
    set: RwLock<Arc<KeySet>>,
    /// When the store was last read or should have been, in epoch milliseconds.
    last_read: AtomicU64,
    /// Held while reading or making keys, so that one task does it for all.
    reading: tokio::sync::Mutex<Lookups>,
}

/// The readings of the store because of an unknown `kid`. By a clock that never jumps.
#[derive(Default)]
struct Lookups {
    /// When the last one ended. When it began, while one is under way or if it was given up.
    last: Option<Instant>,
    /// Whether the last one that ended failed.
    has_failed: bool,
    /// When the last one that succeeded began.
    complete_since: Option<Instant>,
    /// Names that no key had. A leftover or planted token comes with each request of a visitor,
    /// and asks once.
    absent: HashSet<String>,
}

impl Lookups {
    /// How long the store is not to be asked.
    fn cool_down(&self) -> Duration {
        self.last.map_or(Duration::ZERO, |last| LOOKUP_COOL_DOWN.saturating_sub(last.elapsed()))
    }

    /// Whether it is known that no key had this name at that time. One that gets it later is read
    /// within [`REREAD_MS`], like all others.
    fn is_absent(&self, id: &str, time: Instant) -> bool {
        self.complete_since.is_some_and(|began| began >= time) || self.absent.contains(id)
    }

    fn note_absent(&mut self, id: &str) {
        if id.len() > LONGEST_ABSENT || self.absent.contains(id) {
            return;
        }
        if self.absent.len() >= MOST_ABSENT {
            self.absent.clear();
        }
        self.absent.insert(id.to_owned());
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").finish_non_exhaustive()
    }
}

impl KeyRing {
    /// Reads the keys, and makes and stores those that are missing.
    pub(crate) async fn open(
        store: Arc<dyn SessionStore>,
        rotation_ms: u64,
        static_algorithm: KeyAlgorithm,
        now_ms: u64,
    ) -> Result<Arc<Self>, EngineError> {
        let ring = Self {
            store,
            rotation_ms,
            static_algorithm,
            set: RwLock::default(),
            last_read: AtomicU64::new(now_ms),
            reading: tokio::sync::Mutex::default(),
        };
        ring.read_store(now_ms).await?;
        let set = ring.set();
        match set.static_keys.last() {
            None => ring.add(generate_static(static_algorithm, now_ms).await?, 0).await?,
            Some(newest) if newest.algorithm != static_algorithm.of_token() => {
                let created_at = ring.next_static(now_ms);
                ring.add(generate_static(static_algorithm, created_at).await?, created_at).await?;
            }
            Some(_) => {}
        }
        if set.refresh_keys.is_empty() {
            ring.add(generate_refresh_key(now_ms)?, 0).await?;
        }
        ring.read_store(now_ms).await?;
        ring.rotate_if_due(now_ms).await?;
        Ok(Arc::new(ring))
    }

    /// The key that signs access tokens now.
    pub(crate) async fn access_signing_key(
        &self,
        now_ms: u64,
    ) -> Result<Arc<SigningKey>, EngineError> {
        self.read_if_older_than(REREAD_MS, now_ms).await;
        self.rotate_if_due(now_ms).await?;
        signing(&self.set().dynamic_keys, now_ms)
    }

    /// The static key that signs now, for tokens that live long. Never waits: keys that may have
    /// changed are read in the background.
    pub(crate) fn static_signing_key(
        self: &Arc<Self>,
        now_ms: u64,
    ) -> Result<Arc<SigningKey>, EngineError> {
        self.reread_in_background(now_ms);
        signing(&self.set().static_keys, now_ms)
    }

    /// The key of this kind that signs now.
    pub(crate) async fn signing_key(
        self: &Arc<Self>,
        key: JwtKey,
        now_ms: u64,
    ) -> Result<Arc<SigningKey>, EngineError> {
        match key {
            JwtKey::Static => self.static_signing_key(now_ms),
            JwtKey::Dynamic => self.access_signing_key(now_ms).await,
        }
    }

    /// Makes a refresh token with the newest key.
    pub(crate) fn seal_refresh(
        &self,
        handle: &str,
        user_id: &str,
        anonymous_id: &str,
        inherited: Inherited<'_>,
        now_ms: u64,
    ) -> Result<String, EngineError> {
        let keys = self.refresh_keys();
        let newest = keys.first().ok_or(EngineError::NoKey)?;
        newest.seal(handle, user_id, anonymous_id, inherited, now_ms)
    }

    /// The content of a refresh token that one of the keys made.
    pub(crate) fn open_refresh(&self, token: &str) -> Option<RefreshContent> {
        self.refresh_keys().iter().find_map(|key| key.open(token))
    }

    fn reread_in_background(self: &Arc<Self>, now_ms: u64) {
        if self.is_older_than(REREAD_MS, now_ms)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let ring = self.clone();
            runtime.spawn(async move { ring.read_if_older_than(REREAD_MS, now_ms).await });
        }
    }

    /// Whether a newer static key than this one signs now. Processes whose clocks differ do not
    /// replace each other's tokens back and forth.
    pub(crate) fn is_superseded(
        self: &Arc<Self>,
        id: &str,
        now_ms: u64,
    ) -> Result<bool, EngineError> {
        let signing = self.static_signing_key(now_ms)?;
        let set = self.set();
        let position = |id: &str| set.static_keys.iter().position(|key| key.id == id);
        Ok(position(id) < position(&signing.id))
    }

    /// The key with this `kid`, looked for in the store too.
    ///
    /// Keys that were deleted, as after a theft, are noticed within [`REREAD_MS`] also by a process
    /// that only verifies.
    pub(crate) async fn verifying_key(
        self: &Arc<Self>,
        id: &str,
        now_ms: u64,
    ) -> Result<Option<Arc<SigningKey>>, EngineError> {
        self.reread_in_background(now_ms);
        if let Some(key) = self.set().by_id.get(id) {
            return Ok(Some(key.clone()));
        }
        // Apart, because the memory for it is part of every request's otherwise.
        Box::pin(self.looked_up(id, now_ms)).await
    }

    /// The key with this `kid` after the store was asked. It is not asked too often, so a request
    /// may have to wait for its turn, and the answer to one is for all that wait.
    ///
    /// That there is no such key is known only from a reading that began after the token had come,
    /// because another process may have made both a moment ago.
    ///
    /// # Errors
    /// When the store cannot be asked, nobody knows.
    async fn looked_up(
        &self,
        id: &str,
        now_ms: u64,
    ) -> Result<Option<Arc<SigningKey>>, EngineError> {
        let arrived = Instant::now();
        // Twice at most: after waiting it finds that somebody has asked since, or asks.
        for _ in 0..2 {
            let mut lookups = self.reading.lock().await;
            let known = self.set().by_id.get(id).cloned();
            if known.is_some() {
                return Ok(known);
            }
            if lookups.is_absent(id, arrived) {
                lookups.note_absent(id);
                return Ok(None);
            }
            let rest = lookups.cool_down();
            if rest.is_zero() {
                self.look_up(&mut lookups, now_ms).await?;
                let found = self.set().by_id.get(id).cloned();
                if found.is_none() {
                    lookups.note_absent(id);
                }
                return Ok(found);
            }
            // Requests would queue up behind a database that is away.
            if lookups.has_failed {
                break;
            }
            drop(lookups);
            tokio::time::sleep(rest).await;
        }
        Err(unknown_keys())
    }

    /// Reads the store because of an unknown `kid`.
    async fn look_up(&self, lookups: &mut Lookups, now_ms: u64) -> Result<(), EngineError> {
        let began = Instant::now();
        lookups.last = Some(began);
        let read = tokio::time::timeout(READ_PATIENCE, self.read_store(now_ms)).await;
        let read = read.unwrap_or_else(|_| Err(unknown_keys()));
        // From its end on, because a database that is away takes long to say so.
        lookups.last = Some(Instant::now());
        lookups.has_failed = read.is_err();
        if read.is_ok() {
            lookups.complete_since = Some(began);
        }
        read
    }

    /// The keys of refresh tokens, the one that encrypts first.
    pub(crate) fn refresh_keys(&self) -> Vec<Arc<RefreshKey>> {
        self.set().refresh_keys.iter().rev().cloned().collect()
    }

    /// The public keys that other services need to verify tokens that are valid now: every static
    /// key, and the dynamic keys that may have signed within the last `access_validity_ms`. Those
    /// in memory when the store cannot be asked.
    pub(crate) async fn jwks(&self, now_ms: u64, access_validity_ms: u64) -> Value {
        self.read_if_older_than(RELOAD_COOL_DOWN_MS, now_ms).await;
        let set = self.set();
        // A key signs until its successor does.
        let in_use = |position: usize| {
            set.dynamic_keys.get(position + 1).is_none_or(|successor| {
                successor.created_at.saturating_add(PUBLISH_AHEAD_MS + access_validity_ms) >= now_ms
            })
        };
        let dynamic_keys = set
            .dynamic_keys
            .iter()
            .enumerate()
            .filter(|(position, _)| in_use(*position))
            .map(|(_, key)| key);
        let keys: Vec<&Value> = dynamic_keys.chain(&set.static_keys).map(|key| &key.jwk).collect();
        json!({ "keys": keys })
    }

    /// Makes a new static key. It signs when every process had the time to read it; the former ones
    /// go on verifying.
    pub(crate) async fn rotate_static_key(&self, now_ms: u64) -> Result<(), EngineError> {
        let _reading = self.reading.lock().await;
        self.read_store(now_ms).await?;
        let created_at = self.next_static(now_ms);
        self.add(generate_static(self.static_algorithm, created_at).await?, u64::MAX).await?;
        self.read_store(now_ms).await
    }

    /// The newest is to sign, also when two are made in one millisecond, or by a process whose
    /// clock is behind.
    fn next_static(&self, now_ms: u64) -> u64 {
        let set = self.set();
        newest_believable(&set.static_keys, now_ms)
            .map_or(now_ms, |newest| now_ms.max(newest.created_at.saturating_add(1)))
    }

    async fn rotate_if_due(&self, now_ms: u64) -> Result<(), EngineError> {
        if !self.rotation_due(now_ms) {
            return Ok(());
        }
        let _reading = self.reading.lock().await;
        if !self.rotation_due(now_ms) {
            return Ok(());
        }
        // Another process may have rotated already.
        self.read_store(now_ms).await?;
        if self.rotation_due(now_ms) {
            let key =
                generate_rsa(KeyKind::Dynamic, format!("{DYNAMIC_PREFIX}{now_ms}"), now_ms).await?;
            self.add(key, now_ms.saturating_sub(self.rotation_ms - 1)).await?;
            self.read_store(now_ms).await?;
        }
        Ok(())
    }

    fn rotation_due(&self, now_ms: u64) -> bool {
        let set = self.set();
        newest_believable(&set.dynamic_keys, now_ms)
            .is_none_or(|key| key.created_at.saturating_add(self.rotation_ms) <= now_ms)
    }

    fn is_older_than(&self, age_ms: u64, now_ms: u64) -> bool {
        // Also when the clock was set back.
        now_ms.abs_diff(self.last_read.load(Ordering::Acquire)) >= age_ms
    }

    /// Those in memory stay in use when the store cannot be asked.
    async fn read_if_older_than(&self, age_ms: u64, now_ms: u64) {
        if !self.is_older_than(age_ms, now_ms) {
            return;
        }
        // Somebody else is at it. The keys in memory will do until then.
        let Ok(_reading) = self.reading.try_lock() else { return };
        if !self.is_older_than(age_ms, now_ms) {
            return;
        }
        let Ok(read) = tokio::time::timeout(READ_PATIENCE, self.read_store(now_ms)).await else {
            tracing::warn!(
                "the signing keys could not be read again in time; going on with those in memory"
            );
            return;
        };
        if let Err(error) = read {
            tracing::warn!(%error, "the signing keys could not be read again; going on with those \
                in memory");
        }
    }

    async fn add(&self, key: KeyRecord, fresh_since: u64) -> Result<(), EngineError> {
        Ok(self.store.add_key_unless_newer(&key, fresh_since).await?)
    }

    /// A failure counts as read, so that a store that is gone is not asked for keys by every
    /// request.
    async fn read_store(&self, now_ms: u64) -> Result<(), EngineError> {
        self.last_read.store(now_ms, Ordering::Release);
        let known = self.set();
        let mut set = KeySet::default();
        for record in self.store.keys().await? {
            match record.kind {
                KeyKind::Refresh => {
                    set.refresh_keys.push(Arc::new(RefreshKey::from_base64(&record.secret)?))
                }
                KeyKind::Dynamic | KeyKind::Static => {
                    let key = match known.by_id.get(&record.id) {
                        Some(key) => key.clone(),
                        None => Arc::new(SigningKey::from_record(&record)?),
                    };
                    let list = if record.kind == KeyKind::Dynamic {
                        &mut set.dynamic_keys
                    } else {
                        &mut set.static_keys
                    };
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

/// The store could not be asked for a key that may be there.
fn unknown_keys() -> EngineError {
    StoreError::Unreachable("it was not read in time for an unknown key".into()).into()
}

/// The newest key that a clock which is right can have made. Others wait for their time, and nobody
/// waits for them.
fn newest_believable(oldest_first: &[Arc<SigningKey>], now_ms: u64) -> Option<&Arc<SigningKey>> {
    oldest_first
        .iter()
        .rev()
        .find(|key| key.created_at <= now_ms.saturating_add(CLOCK_TOLERANCE_MS))
}

/// The newest key that was published long enough ago; at the very start the only one.
fn signing(oldest_first: &[Arc<SigningKey>], now_ms: u64) -> Result<Arc<SigningKey>, EngineError> {
    let published = oldest_first
        .iter()
        .rev()
        .find(|key| key.created_at.saturating_add(PUBLISH_AHEAD_MS) <= now_ms);
    published.or(oldest_first.first()).cloned().ok_or(EngineError::NoKey)
}

impl KeyAlgorithm {
    /// As the header of a token names it. Not a `From`, which would be public.
    fn of_token(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::RS256,
            Self::Es256 => Algorithm::ES256,
        }
    }
}

#[cfg(test)]
impl SigningKey {
    pub(super) fn for_tests() -> Self {
        let record = generate_p256(KeyKind::Static, format!("{STATIC_PREFIX}1"), 1);
        record.and_then(|record| Self::from_record(&record)).expect("a key can be made")
    }
}

impl SigningKey {
    fn from_record(record: &KeyRecord) -> Result<Self, EngineError> {
        let what = "a signing key is not a PKCS#8 PEM of an RSA or P-256 key";
        let damaged = || EngineError::Store(StoreError::damaged(what));
        let body: String =
            record.secret.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(body).map_err(|error| StoreError::damaged_by(what, error))?;
        if let Ok(pair) = KeyPair::from_pkcs8(&der) {
            return Self::rsa(record, pair).ok_or_else(damaged);
        }
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der)
            .map_err(|error| StoreError::damaged_by(what, error))?;
        Self::p256(record, pair).ok_or_else(damaged)
    }

    /// The signature of a text.
    pub(crate) fn sign(&self, text: &[u8]) -> Result<Vec<u8>, EngineError> {
        let random = SystemRandom::new();
        match &self.secret {
            Secret::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, text, &mut signature)
                    .map_err(EngineError::crypto)?;
                Ok(signature)
            }
            Secret::P256(pair) => {
                let signature = pair.sign(&random, text).map_err(EngineError::crypto)?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }

    fn rsa(record: &KeyRecord, pair: KeyPair) -> Option<Self> {
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
        Some(Self {
            id: record.id.clone(),
            algorithm: Algorithm::RS256,
            secret: Secret::Rsa(pair),
            decoding: DecodingKey::from_rsa_raw_components(&modulus, &exponent),
            created_at: record.created_at,
            jwk,
        })
    }

    fn p256(record: &KeyRecord, pair: EcdsaKeyPair) -> Option<Self> {
        // Uncompressed: 4, then both coordinates.
        let coordinates = pair.public_key().as_ref().strip_prefix(&[4])?;
        let (x, y) = coordinates.split_at_checked(coordinates.len() / 2)?;
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        Some(Self {
            id: record.id.clone(),
            algorithm: Algorithm::ES256,
            secret: Secret::P256(pair),
            decoding: DecodingKey::from_ec_components(&x, &y).ok()?,
            created_at: record.created_at,
            jwk: json!({
                "kty": "EC",
                "crv": "P-256",
                "kid": record.id,
                "x": x,
                "y": y,
                "alg": "ES256",
                "use": "sig",
            }),
        })
    }
}

fn pkcs8_pem(der: &[u8]) -> String {
    format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        lines_of_64(&STANDARD.encode(der))
    )
}

async fn generate_rsa(
    kind: KeyKind,
    id: String,
    created_at: u64,
) -> Result<KeyRecord, EngineError> {
    // Finding the primes takes a tenth of a second or more.
    let generating = tokio::task::spawn_blocking(|| {
        let pair = KeyPair::generate(KeySize::Rsa2048)?;
        let der: Pkcs8V1Der<'static> = pair.as_der()?;
        Ok::<_, Unspecified>(pkcs8_pem(der.as_ref()))
    });
    let secret = generating.await.map_err(EngineError::crypto)?.map_err(EngineError::crypto)?;
    Ok(KeyRecord { id, kind, created_at, secret })
}

fn generate_p256(kind: KeyKind, id: String, created_at: u64) -> Result<KeyRecord, EngineError> {
    let pair =
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(EngineError::crypto)?;
    let der = pair.to_pkcs8v1().map_err(EngineError::crypto)?;
    Ok(KeyRecord { id, kind, created_at, secret: pkcs8_pem(der.as_ref()) })
}

fn lines_of_64(text: &str) -> String {
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    lines.join("\n")
}

async fn generate_static(
    algorithm: KeyAlgorithm,
    created_at: u64,
) -> Result<KeyRecord, EngineError> {
    let id = format!("{STATIC_PREFIX}{}", Uuid::new_v4());
    match algorithm {
        KeyAlgorithm::Rs256 => generate_rsa(KeyKind::Static, id, created_at).await,
        KeyAlgorithm::Es256 => generate_p256(KeyKind::Static, id, created_at),
    }
}

fn generate_refresh_key(created_at: u64) -> Result<KeyRecord, EngineError> {
    Ok(KeyRecord {
        id: format!("r-{}", Uuid::new_v4()),
        kind: KeyKind::Refresh,
        created_at,
        secret: RefreshKey::generate_base64()?,
    })
}
