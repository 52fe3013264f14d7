//! Tokens that must not be accepted.

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use passerby_server::{
    KeyAlgorithm,
    store::{KeyKind, SessionStore},
};
use serde_json::{Map, Value, json};

use crate::app::{Answer, App, Browser, stolen};

/// Header and payload of a token.
fn parts(token: &str) -> (Value, Map<String, Value>) {
    let mut parts = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap_or_default());
    (
        serde_json::from_slice(&parts.next().unwrap()).unwrap(),
        serde_json::from_slice(&parts.next().unwrap()).unwrap(),
    )
}

fn header(value: &Value) -> Header {
    serde_json::from_value(value.clone()).unwrap()
}

fn json_part(value: &impl serde::Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).unwrap())
}

async fn signing_key(app: &App, kind: KeyKind) -> EncodingKey {
    let keys = app.store.keys().await.unwrap();
    stolen(keys.iter().rfind(|key| key.kind == kind).unwrap())
}

/// A key that is not the server's.
async fn foreign_key(kind: KeyKind, algorithm: KeyAlgorithm) -> EncodingKey {
    let folder = tempfile::TempDir::new().unwrap();
    let store = passerby_server::SqliteStore::open(folder.path().join("db")).await.unwrap();
    let builder =
        passerby_server::Sessions::builder().api_domain(crate::app::ORIGIN).store(store.clone());
    builder.anonymous_algorithm(algorithm).build().await.unwrap();
    let keys = store.keys().await.unwrap();
    stolen(keys.iter().find(|key| key.kind == kind).unwrap())
}

/// The public key as anybody can have it, in the form that a confused verifier would use as a
/// shared secret.
async fn public_pem(app: &App, kind: KeyKind) -> Vec<u8> {
    let keys = app.store.keys().await.unwrap();
    let private = &keys.iter().rfind(|key| key.kind == kind).unwrap().secret;
    let body: String = private.lines().filter(|line| !line.starts_with('-')).collect();
    let pkcs8 = STANDARD.decode(body).unwrap();
    let der: PublicKeyX509Der<'_> = match aws_lc_rs::rsa::KeyPair::from_pkcs8(&pkcs8) {
        Ok(pair) => pair.public_key().as_der().unwrap(),
        Err(_) => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8)
            .unwrap()
            .public_key()
            .as_der()
            .unwrap(),
    };
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        STANDARD.encode(der.as_ref())
    )
    .into_bytes()
}

/// All forgeries of a token.
async fn forgeries(app: &App, token: &str) -> Vec<(&'static str, String)> {
    let (token_header, payload) = parts(token);
    let kid = token_header["kid"].as_str().unwrap();
    let kind = if kid.starts_with("d-") { KeyKind::Dynamic } else { KeyKind::Static };
    let with = |name: &str, value: Value| {
        let mut changed = token_header.clone();
        changed[name] = value;
        changed
    };
    let mut confused = header(&with("alg", json!("HS256")));
    confused.alg = Algorithm::HS256;
    let hs256 =
        encode(&confused, &payload, &EncodingKey::from_secret(&public_pem(app, kind).await))
            .unwrap();
    let algorithm =
        if token_header["alg"] == "RS256" { KeyAlgorithm::Rs256 } else { KeyAlgorithm::Es256 };
    let foreign =
        encode(&header(&token_header), &payload, &foreign_key(kind, algorithm).await).unwrap();
    let own_key = signing_key(app, kind).await;
    let unknown =
        encode(&header(&with("kid", json!(format!("{}0", &kid[..2])))), &payload, &own_key)
            .unwrap();
    let mut other_issuer = payload.clone();
    other_issuer.insert("iss".into(), json!("https://evil.example/auth"));
    let mut changed = payload.clone();
    changed.insert("extra".into(), json!(1));
    let signature = token.rsplit('.').next().unwrap();
    let (first, second) = (json_part(&token_header), json_part(&payload));
    let mut all = of_the_header(&token_header, &payload);
    all.extend([
        ("four parts", format!("{token}.{signature}")),
        ("with padding", format!("{token}=")),
        (
            "flattened JSON",
            json!({ "protected": first, "payload": second, "signature": signature }).to_string(),
        ),
        (
            "general JSON",
            json!({
                "payload": second,
                "signatures": [{ "protected": first, "signature": signature }],
            })
            .to_string(),
        ),
        ("a number that is too large", {
            let text = serde_json::to_string(&payload).unwrap();
            let (at, end) = (text.find("\"exp\":").unwrap() + 6, text.len());
            let rest = text[at..end].find([',', '}']).unwrap() + at;
            let larger = format!("{}1e400{}", &text[..at], &text[rest..]);
            format!("{first}.{}.{signature}", URL_SAFE_NO_PAD.encode(larger))
        }),
    ]);
    all.extend([
        (
            "alg none",
            format!("{}.{}.", json_part(&with("alg", json!("none"))), json_part(&payload)),
        ),
        (
            "alg none with signature",
            format!(
                "{}.{}.{signature}",
                json_part(&with("alg", json!("none"))),
                json_part(&payload)
            ),
        ),
        ("HS256 with the public key", hs256),
        ("wrong signature", foreign),
        ("unknown kid", unknown),
        (
            "changed payload",
            format!("{}.{}.{signature}", json_part(&token_header), json_part(&changed)),
        ),
        ("other issuer", encode(&header(&token_header), &other_issuer, &own_key).unwrap()),
        ("no signature", token[..=token.rfind('.').unwrap()].to_owned()),
        ("garbage", "garbage".to_owned()),
    ]);
    all
}

/// Headers that ask a verifier for another algorithm, or for a key of the attacker's, who signed
/// with it.
fn of_the_header(genuine: &Value, payload: &Map<String, Value>) -> Vec<(&'static str, String)> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let signed = |header: &[u8]| {
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), json_part(payload));
        let signature = pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    };
    // `0x04`, and two coordinates of 32 bytes.
    let point = pair.public_key().as_ref();
    let jwk = json!({
        "kty": "EC",
        "crv": "P-256",
        "x": URL_SAFE_NO_PAD.encode(&point[1..33]),
        "y": URL_SAFE_NO_PAD.encode(&point[33..]),
    });
    let kid = genuine["kid"].as_str().unwrap();
    let mut all = Vec::new();
    for (name, members) in [
        ("jwk", json!({ "alg": "ES256", "jwk": jwk })),
        ("jku", json!({ "alg": "ES256", "jku": "https://evil.example/jwks.json" })),
        ("x5u", json!({ "alg": "ES256", "x5u": "https://evil.example/key.pem" })),
        ("x5c", json!({ "alg": "ES256", "x5c": ["MIIB"] })),
        ("crit", json!({ "alg": "ES256", "crit": ["exp"] })),
        ("b64", json!({ "alg": "ES256", "b64": false, "crit": ["b64"] })),
        ("kid as a path", json!({ "kid": "../../keys" })),
        ("kid as SQL", json!({ "kid": "' OR 1=1 --" })),
        ("kid as a number", json!({ "kid": 1 })),
        ("kid as a list", json!({ "kid": [kid] })),
        ("kid as an object", json!({ "kid": { "id": kid } })),
        ("no kid", json!({ "kid": null })),
        ("a long kid", json!({ "kid": format!("{kid}{}", "0".repeat(5000)) })),
        ("kid with U+0000", json!({ "kid": format!("{kid}\0") })),
        ("kid of two lines", json!({ "kid": format!("{kid}\r\nx: y") })),
        ("a deep header", (0..200).fold(json!({}), |deep, _| json!({ "x": deep }))),
    ] {
        let mut header = genuine.clone();
        header.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        all.push((name, signed(&serde_json::to_vec(&header).unwrap())));
    }
    let text = serde_json::to_string(genuine).unwrap();
    let twice = |first: &str, second: &str| {
        format!("{{\"alg\":{first},{},\"alg\":{second}}}", &text[1..text.len() - 1])
    };
    all.push(("alg twice", signed(twice("\"none\"", "\"ES256\"").as_bytes())));
    all.push(("alg twice, none last", signed(twice("\"ES256\"", "\"none\"").as_bytes())));
    all.push(("no text", signed(b"{\"alg\":\"\xff\"}")));
    all.push(("a list", signed(b"[]")));
    for algorithm in [
        "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "PS256", "RS256", "RS384", "RS512",
        "ES256", "ES384", "EdDSA",
    ] {
        let mut header = genuine.clone();
        header["alg"] = algorithm.into();
        for signature in ["", "AA", &URL_SAFE_NO_PAD.encode([0; 64])] {
            let forged = format!("{}.{}.{signature}", json_part(&header), json_part(payload));
            all.push(("another algorithm, and no signature", forged));
        }
    }
    all
}

fn refused_as_user(name: &str, answer: &Answer) {
    assert_eq!(answer.status, 401, "{name}");
    assert!(["try refresh token", "unauthorised"].contains(&answer.message()), "{name}");
    assert!(!answer.cleared("sAccessToken"), "{name}: nothing is cleared");
}

#[tokio::test]
async fn forged_access_tokens() {
    let app = App::new().await;
    let mut browser = app.browser();
    let id = browser.id().await;
    browser.login("alice").await;
    let token = browser.cookie("sAccessToken").unwrap().to_owned();
    for (name, forged) in forgeries(&app, &token).await {
        let mut victim = app.browser();
        victim.set_cookie("sAccessToken", &forged);
        refused_as_user(name, &victim.get("/api/user").await);
        let as_bearer = app
            .browser()
            .header("authorization", &format!("Bearer {forged}"))
            .get("/api/user")
            .await;
        refused_as_user(name, &as_bearer);
        // A forged token tells no anonymousId either.
        let mut victim = app.browser();
        victim.set_cookie("sAccessToken", &forged);
        assert_ne!(victim.refresh().await.announced_id(), id, "{name}");
    }
}

#[tokio::test]
async fn forged_anonymous_tokens() {
    for algorithm in [KeyAlgorithm::Es256, KeyAlgorithm::Rs256] {
        forged_anonymous_tokens_of(algorithm).await;
    }
}

async fn forged_anonymous_tokens_of(algorithm: KeyAlgorithm) {
    let app = App::in_new_database(|builder| builder.anonymous_algorithm(algorithm)).await;
    let mut browser = app.browser();
    let id = browser.id().await;
    let token = browser.cookie("sAnonymousToken").unwrap().to_owned();
    for (name, forged) in forgeries(&app, &token).await {
        for mut victim in app.browsers_with(&forged) {
            let answer = victim.get("/api/me").await;
            assert_eq!(answer.body["kind"], "anonymous", "{name}");
            assert_eq!(answer.body["id"], answer.announced_id(), "{name}");
            assert_ne!(answer.announced_id(), id, "{name}");
            assert_ne!(victim.refresh().await.announced_id(), id, "{name}");
        }
    }
    for mut visitor in app.browsers_with(&token) {
        assert_eq!(visitor.get("/api/me").await.body["id"], id, "the test itself works");
    }
}

#[tokio::test]
async fn one_kind_is_never_taken_for_the_other() {
    let app = App::new().await;
    let mut browser = app.browser();
    let id = browser.id().await;
    let anonymous = browser.cookie("sAnonymousToken").unwrap().to_owned();
    browser.login("alice").await;
    let access = browser.cookie("sAccessToken").unwrap().to_owned();

    let mut swapped = app.browser();
    swapped.set_cookie("sAccessToken", &anonymous);
    assert_eq!(swapped.get("/api/user").await.message(), "unauthorised");
    let [mut swapped, mut bearer] = app.browsers_with(&access);
    let answer = swapped.get("/api/me").await;
    assert_eq!(answer.body["kind"], "anonymous");
    assert_ne!(answer.announced_id(), id);
    assert_eq!(
        bearer.get("/api/me").await.body["kind"],
        "user",
        "the header is of both kinds, and the token tells which"
    );
    let [_, mut bearer] = app.browsers_with(&anonymous);
    assert_eq!(bearer.get("/api/user").await.message(), "unauthorised");
}

async fn accepted(
    app: &App,
    kind: KeyKind,
    header_of: &Value,
    payload: &Map<String, Value>,
) -> Answer {
    let token = encode(&header(header_of), payload, &signing_key(app, kind).await).unwrap();
    let mut browser: Browser = app.browser();
    browser.set_cookie("sAccessToken", &token);
    browser.get("/api/user").await
}

/// Even tokens that our own keys signed, as a `createJWT` would make them.
#[tokio::test]
async fn key_header_and_payload_must_fit_together() {
    let app = App::new().await;
    let mut browser = app.browser();
    browser.get("/api/me").await;
    let (anonymous_header, anonymous_payload) = parts(browser.cookie("sAnonymousToken").unwrap());
    browser.login("alice").await;
    let (access_header, access_payload) = parts(browser.cookie("sAccessToken").unwrap());
    assert_eq!(
        accepted(&app, KeyKind::Dynamic, &access_header, &access_payload).await.body,
        "alice",
        "the test itself works"
    );

    let mut versioned = anonymous_header.clone();
    versioned["version"] = json!("5");
    let mut unversioned = access_header.clone();
    unversioned.as_object_mut().unwrap().remove("version");
    let mut old_version = access_header.clone();
    old_version["version"] = json!("3");
    let mut both = access_payload.clone();
    both.extend(anonymous_payload.clone());
    for (name, kind, header_of, payload) in [
        ("user payload, static key", KeyKind::Static, &versioned, &access_payload),
        ("user payload, anonymous header", KeyKind::Static, &anonymous_header, &access_payload),
        ("no version", KeyKind::Dynamic, &unversioned, &access_payload),
        ("another version", KeyKind::Dynamic, &old_version, &access_payload),
        ("anonymous payload", KeyKind::Dynamic, &access_header, &anonymous_payload),
        ("both payloads", KeyKind::Dynamic, &access_header, &both),
    ] {
        refused_as_user(name, &accepted(&app, kind, header_of, payload).await);
    }

    // The same where an anonymous token is: what has a session handle is no anonymous token.
    let token =
        encode(&header(&anonymous_header), &both, &signing_key(&app, KeyKind::Static).await)
            .unwrap();
    for mut planted in app.browsers_with(&token) {
        assert_ne!(
            planted.get("/api/me").await.announced_id(),
            anonymous_payload["anonymousId"].as_str().unwrap()
        );
    }
}

#[tokio::test]
async fn a_forged_refresh_token_tells_no_id() {
    let app = App::new().await;
    let mut browser = app.browser();
    let id = browser.id().await;
    browser.login("alice").await;
    let token = browser.cookie("sRefreshToken").unwrap().to_owned();
    let mut victim = app.browser();
    let flipped = if token.starts_with('A') { "B" } else { "A" };
    victim.set_cookie("sRefreshToken", &format!("{flipped}{}", &token[1..]));
    let answer = victim.refresh().await;
    answer.assert_demoted("unauthorised");
    assert_ne!(answer.announced_id(), id);
}

#[tokio::test]
async fn huge_and_many_cookies_are_no_session_and_no_harm() {
    let app = App::new().await;
    let mut browser = app.browser();
    browser.login("alice").await;
    let own = format!("sAccessToken={}", browser.cookie("sAccessToken").unwrap());
    let junk: Vec<String> = (0..10_000).map(|number| format!("c{number}=x")).collect();
    for (cookies, kind) in [
        (format!("sAccessToken={}", "e".repeat(1 << 20)), "anonymous"),
        (format!("sAnonymousToken={}", "e".repeat(1 << 20)), "anonymous"),
        (junk.join("; "), "anonymous"),
        (format!("{}; {own}", junk.join("; ")), "user"),
        (vec![";"; 10_000].join("=") + &own, "user"),
    ] {
        let answer = app.browser().header("cookie", &cookies).get("/api/me").await;
        assert_eq!(
            (answer.status.as_u16(), answer.body["kind"].as_str()),
            (200, Some(kind)),
            "{}",
            &cookies[..40]
        );
    }
}

#[tokio::test]
async fn text_that_would_split_a_header_stays_data() {
    let app = App::new().await;
    let mut browser = app.browser();
    let evil = "a%0D%0Aset-cookie:%20x=1%0D%0A%0D%0A%3Cb%3E%C2%85%E2%80%A8";
    let payload = serde_json::json!({ "k\r\nx: y": "v\r\nset-cookie: x=1", "\u{2028}": "\u{0}" });
    let answer = browser.post_json(&format!("/api/login?user={evil}"), payload.clone()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.set_cookie("x").is_none());
    assert_eq!(answer.front_token().uid, "a\r\nset-cookie: x=1\r\n\r\n<b>\u{85}\u{2028}");
    let seen = browser.get("/api/me").await;
    assert_eq!(seen.body["payload"]["k\r\nx: y"], "v\r\nset-cookie: x=1");
    assert_eq!(
        browser.refresh().await.front_token().uid,
        "a\r\nset-cookie: x=1\r\n\r\n<b>\u{85}\u{2028}"
    );
}
