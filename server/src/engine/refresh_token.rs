//! Refresh tokens: `<encrypted JSON>.<nonce>.V2`, and the hashes that stand for them.

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    constant_time::verify_slices_are_equal,
    digest, hmac, rand,
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use passerby_protocol::claims::{TENANT, is_anonymous_id};
use serde::{Deserialize, Serialize};

use super::EngineError;
use crate::store::StoreError;

const VERSION: &str = "V2";

/// Whether a text has the form of a refresh token; says nothing about who made it.
pub(crate) fn looks_like_one(text: &str) -> bool {
    text.rsplit_once('.').is_some_and(|(_, version)| version == VERSION)
}

/// The contents of a refresh token. `anonymousId` is ours: the id must survive when this is the
/// only token that is left.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RefreshContent {
    pub(crate) session_handle: String,
    pub(crate) user_id: String,
    pub(crate) parent_refresh_token_hash1: Option<String>,
    pub(crate) nonce: String,
    pub(crate) anti_csrf_token: Option<String>,
    pub(crate) tenant_id: String,
    pub(crate) anonymous_id: String,
    /// Epoch milliseconds. Tokens of before do not say.
    #[serde(default)]
    pub(crate) issued_at: Option<u64>,
}

/// The tenant that a session handle names.
pub(crate) fn tenant_of(session_handle: &str) -> &str {
    session_handle.split_once('_').map_or(TENANT, |(_, tenant)| tenant)
}

/// The parts that a token passes on to those that are obtained with it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Inherited<'a> {
    /// The hash of the token it was obtained with; `None` at creation and once promoted.
    pub(crate) parent: Option<&'a Hash1>,
    /// The same for the whole life of a session, so that tabs that refresh at the same time do not
    /// lock each other out.
    pub(crate) anti_csrf: Option<&'a str>,
}

/// Encrypts and decrypts refresh tokens. AES-256-GCM, so that a token that decrypts was made by us.
pub(crate) struct RefreshKey {
    tokens: LessSafeKey,
    /// Another secret, which nobody can tell from tokens: what ids of first visits are derived
    /// with.
    ids: hmac::Key,
}

/// The labels that separate the two uses of one stored secret.
const IDS: &[u8] = b"passerby anonymous ids";

impl RefreshKey {
    pub(crate) fn generate_base64() -> Result<String, EngineError> {
        let mut key = [0; 32];
        rand::fill(&mut key).map_err(EngineError::crypto)?;
        Ok(STANDARD.encode(key))
    }

    pub(crate) fn from_base64(text: &str) -> Result<Self, EngineError> {
        let what = "the key of the refresh tokens is not 32 bytes in base64";
        let bytes = STANDARD.decode(text).map_err(|error| StoreError::damaged_by(what, error))?;
        let key = UnboundKey::new(&AES_256_GCM, &bytes)
            .map_err(|error| StoreError::damaged_by(what, error))?;
        let ids = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &bytes), IDS);
        Ok(Self {
            tokens: LessSafeKey::new(key),
            ids: hmac::Key::new(hmac::HMAC_SHA256, ids.as_ref()),
        })
    }

    /// The same bytes for the same parts, and nobody outside can tell which.
    pub(crate) fn derive(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut context = hmac::Context::with_key(&self.ids);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&context.sign().as_ref()[..16]);
        bytes
    }

    /// Makes a token; no two are equal.
    pub(crate) fn seal(
        &self,
        session_handle: &str,
        user_id: &str,
        anonymous_id: &str,
        inherited: Inherited<'_>,
        now_ms: u64,
    ) -> Result<String, EngineError> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).map_err(EngineError::crypto)?;
        let nonce_text = URL_SAFE_NO_PAD.encode(nonce);
        let content = RefreshContent {
            session_handle: session_handle.to_owned(),
            user_id: user_id.to_owned(),
            parent_refresh_token_hash1: inherited.parent.map(|hash| hash.0.clone()),
            nonce: nonce_text.clone(),
            anti_csrf_token: inherited.anti_csrf.map(str::to_owned),
            tenant_id: tenant_of(session_handle).to_owned(),
            anonymous_id: anonymous_id.to_owned(),
            issued_at: Some(now_ms),
        };
        let mut sealed = serde_json::to_vec(&content).map_err(EngineError::crypto)?;
        self.tokens
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(VERSION.as_bytes()),
                &mut sealed,
            )
            .map_err(EngineError::crypto)?;
        Ok([&URL_SAFE_NO_PAD.encode(sealed), nonce_text.as_str(), VERSION].join("."))
    }

    /// Reads a token; `None` for anything that this key did not make.
    pub(crate) fn open(&self, token: &str) -> Option<RefreshContent> {
        let mut parts = token.split('.');
        let (sealed, nonce_text, version) = (parts.next()?, parts.next()?, parts.next()?);
        if version != VERSION || parts.next().is_some() {
            return None;
        }
        let nonce: [u8; NONCE_LEN] = URL_SAFE_NO_PAD.decode(nonce_text).ok()?.try_into().ok()?;
        let mut bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let json = self
            .tokens
            .open_in_place(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(VERSION.as_bytes()),
                &mut bytes,
            )
            .ok()?;
        let content: RefreshContent = serde_json::from_slice(json).ok()?;
        (content.nonce == nonce_text && is_anonymous_id(&content.anonymous_id)).then_some(content)
    }
}

/// SHA-256 of a refresh token in hex: what access tokens carry.
#[derive(Clone)]
pub(crate) struct Hash1(String);

impl Hash1 {
    pub(crate) fn of(token: &str) -> Self {
        Self(sha256_hex(token.as_bytes()))
    }

    pub(crate) fn from_claim(hex: &str) -> Self {
        Self(hex.to_owned())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The hash that the store keeps.
    pub(crate) fn hash2(&self) -> Hash2 {
        Hash2(sha256_hex(self.0.as_bytes()))
    }
}

/// SHA-256 of [`Hash1`] in hex: what the store keeps, so that a stolen database forges no access
/// token's claim.
#[derive(Clone)]
pub(crate) struct Hash2(String);

impl Hash2 {
    pub(crate) fn from_store(hex: &str) -> Self {
        Self(hex.to_owned())
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

/// Takes the same time whether or not, and wherever, they differ.
impl PartialEq for Hash2 {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(self.0.as_bytes(), other.0.as_bytes()).is_ok()
    }
}

impl fmt::Debug for Hash2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash2")
    }
}

fn sha256_hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    let digest = digest::digest(&digest::SHA256, bytes);
    digest.as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing into a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "0b54e3c8-5a3a-4f4e-9d0a-6a1d3c1f0a11";

    fn key() -> RefreshKey {
        RefreshKey::from_base64(&RefreshKey::generate_base64().unwrap()).unwrap()
    }

    #[test]
    fn opens_what_it_sealed() {
        let key = key();
        let parent = Hash1::of("parent");
        let token = key
            .seal("handle", "user", ID, Inherited { parent: Some(&parent), anti_csrf: None }, 7)
            .unwrap();
        let content = key.open(&token).unwrap();
        assert_eq!((content.session_handle.as_str(), content.user_id.as_str()), ("handle", "user"));
        assert_eq!(content.anonymous_id, ID);
        assert_eq!(content.issued_at, Some(7));
        assert_eq!(content.parent_refresh_token_hash1.as_deref(), Some(parent.as_str()));
        assert!(looks_like_one(&token));
        assert_ne!(
            token,
            key.seal("handle", "user", ID, Inherited { parent: Some(&parent), anti_csrf: None }, 7)
                .unwrap()
        );
    }

    #[test]
    fn opens_nothing_else() {
        let token = key().seal("handle", "user", ID, Inherited::default(), 7).unwrap();
        assert!(key().open(&token).is_none(), "another key's token");
        let key = key();
        let token = key.seal("handle", "user", ID, Inherited::default(), 7).unwrap();
        for bad in [
            "",
            ".",
            "..V2",
            "a.b.V2",
            "a.b.c.V2",
            &token.replace(".V2", ".V1"),
            &format!("{token}.x"),
            &token[1..],
        ] {
            assert!(key.open(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn derives_what_only_this_key_can_tell() {
        let key = key();
        let id = key.derive(&[b"a", b"bc"]);
        assert_eq!(id, key.derive(&[b"a", b"bc"]));
        assert_ne!(id, key.derive(&[b"ab", b"c"]), "where a part ends counts");
        assert_ne!(id, self::key().derive(&[b"a", b"bc"]));
    }

    #[test]
    fn hashes_are_those_of_supertokens() {
        assert_eq!(
            Hash1::of("abc").as_str(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            Hash1::of("abc").hash2(),
            Hash2::from_store(&sha256_hex(Hash1::of("abc").as_str().as_bytes()))
        );
        assert_ne!(Hash1::of("abc").hash2(), Hash1::of("abd").hash2());
        assert_ne!(Hash1::of("abc").hash2(), Hash2::from_store(""));
    }

    #[test]
    fn fuzz() {
        let key = key();
        bolero::check!().for_each(|bytes| {
            let text = String::from_utf8_lossy(bytes);
            assert!(key.open(&text).is_none());
            // With the form of one.
            let _ = key.open(&format!("{text}.V2"));
            let content = STANDARD.encode(bytes);
            assert!(key.open(&format!("{content}.AAAAAAAAAAAAAAAA.V2")).is_none());
        });
    }

    proptest! {
        #[test]
        fn one_flipped_character_is_noticed(position in any::<proptest::sample::Index>()) {
            let key = key();
            let token = key.seal("handle", "user", ID, Inherited::default(), 7).unwrap();
            let at = position.index(token.len());
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            prop_assert!(key.open(&String::from_utf8(bytes).unwrap()).is_none());
        }
    }
}
