//! Tokens whose signatures were verified. A visitor sends the same token with each request for an
//! hour, and verifying a signature takes longer than everything else that a request needs.
//!
//! Only the signature and the issuer are remembered. The key is looked for each time, so a key that
//! was deleted ends its tokens as before; expiry and the database's word are the caller's business.

use std::{
    borrow::Cow,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use passerby_protocol::claims::{AccessClaims, AnonymousClaims};
use quick_cache::{Equivalent, Weighter, sync::Cache};

use super::{jwt::TokenKind, keys::SigningKey};

/// Bytes that all of them may take, more or less: the tokens of several thousand visitors.
const CAPACITY: u64 = 16 * 1024 * 1024;
/// Tokens are of about this size, in bytes.
const USUAL_TOKEN: usize = 1024;
/// So many bytes at the end of a token are hashed. They are of its signature.
const HASHED: usize = 32;

/// The claims of a token.
pub(super) enum Claims {
    Access(Arc<AccessClaims>),
    Anonymous(Arc<AnonymousClaims>),
}

/// A token that was verified.
pub(super) struct Verified {
    pub(super) key: Arc<SigningKey>,
    pub(super) claims: Claims,
}

impl Verified {
    pub(super) fn kind(&self) -> TokenKind {
        match self.claims {
            Claims::Access(_) => TokenKind::Access,
            Claims::Anonymous(_) => TokenKind::Anonymous,
        }
    }
}

/// A token as a request has it, looked up once: to hash a token takes longer than all else that one
/// of a known visitor needs.
#[derive(Clone)]
pub(crate) struct PresentedToken<'a> {
    pub(crate) text: Cow<'a, str>,
    /// When it was verified before.
    pub(super) known: Option<Arc<Verified>>,
}

#[cfg(test)]
impl<'a> PresentedToken<'a> {
    pub(crate) fn unknown(text: &'a str) -> Self {
        Self { text: text.into(), known: None }
    }
}

impl PresentedToken<'_> {
    /// As [`TokenKind::claimed_by`], which need not read a token that was verified before.
    pub(crate) fn claimed_kind(&self) -> Option<TokenKind> {
        let known = self.known.as_ref().map(|verified| verified.kind());
        known.or_else(|| TokenKind::claimed_by(&self.text))
    }
}

/// By the whole token. The hash is keyed by a secret of the process, so nobody learns from the time
/// that a look takes how much of a token they have guessed.
pub(super) struct VerifiedTokens(Cache<Key<String>, Arc<Verified>, Size>);

/// A whole token, with a hash of its end. To hash all of it takes longer than all else that a look
/// needs. The end is as different from token to token: nobody can choose it, because only what this
/// server signed is in the table, and nobody can guess it.
#[derive(PartialEq, Eq)]
struct Key<T>(T);

impl<T: AsRef<str>> Hash for Key<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let bytes = self.0.as_ref().as_bytes();
        state.write(&bytes[bytes.len().saturating_sub(HASHED)..]);
    }
}

impl Equivalent<Key<String>> for Key<&str> {
    fn equivalent(&self, whole: &Key<String>) -> bool {
        self.0 == whole.0
    }
}

impl VerifiedTokens {
    pub(super) fn new() -> Self {
        let usual = USUAL_TOKEN as u64 * Size::TIMES;
        Self(Cache::with_weighter((CAPACITY / usual) as usize, CAPACITY, Size))
    }

    pub(super) fn get(&self, token: &str) -> Option<Arc<Verified>> {
        self.0.get(&Key(token))
    }

    pub(super) fn look_up<'a>(&self, text: Cow<'a, str>) -> PresentedToken<'a> {
        let known = self.get(&text);
        PresentedToken { text, known }
    }

    pub(super) fn insert(&self, token: &str, verified: Arc<Verified>) {
        self.0.insert(Key(token.to_owned()), verified);
    }
}

impl fmt::Debug for VerifiedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedTokens").field("count", &self.0.len()).finish_non_exhaustive()
    }
}

/// Bytes that an entry takes.
#[derive(Clone)]
struct Size;

impl Size {
    /// The token, and its claims in pieces.
    const TIMES: u64 = 4;
}

impl Weighter<Key<String>, Arc<Verified>> for Size {
    fn weight(&self, token: &Key<String>, _: &Arc<Verified>) -> u64 {
        token.0.len() as u64 * Self::TIMES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verified(key: Arc<SigningKey>) -> Verified {
        let claims = Claims::Anonymous(Arc::new(AnonymousClaims {
            anonymous_id: String::new(),
            issued_at: 0,
            expires_at: 0,
            issuer: String::new(),
            has_subject: false,
            custom: serde_json::Map::new(),
        }));
        Verified { key, claims }
    }

    #[test]
    fn a_token_is_known_as_a_whole() {
        let tokens = VerifiedTokens::new();
        let token = format!("header.payload.{}", "s".repeat(64));
        tokens.insert(&token, Arc::new(verified(Arc::new(SigningKey::for_tests()))));
        assert!(tokens.get(&token).is_some());
        for forged in [
            token.replace("payload", "Payload"),
            token.replace("header", "Header"),
            token[1..].to_owned(),
            format!("x{token}"),
            token[token.len() - HASHED..].to_owned(),
            token[..token.len() - 1].to_owned(),
            String::new(),
        ] {
            assert!(tokens.get(&forged).is_none(), "{forged}");
        }
    }

    #[test]
    fn takes_no_more_memory_than_it_may() {
        let key = Arc::new(SigningKey::for_tests());
        let tokens = VerifiedTokens::new();
        for number in 0..20_000 {
            let token = format!("{number:01024}");
            tokens.insert(&token, Arc::new(verified(key.clone())));
            assert!(tokens.0.weight() <= CAPACITY);
        }
        assert!(tokens.0.len() > 1_000);
        assert!(tokens.get("another").is_none());
    }
}
