//! How many anonymous sessions are made.

use std::{
    fmt,
    future::Future,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{
        Arc, Mutex, Once, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::extract::ConnectInfo;
use http::{HeaderMap, HeaderName, Method, Uri, header, request::Parts};
use passerby_protocol::identity::Mint;

use crate::{
    clock::millis,
    limit::{Budget, Limiter},
    readers::Readers,
};

/// How many new anonymous sessions one client gets: a burst, and as many again in the time that
/// `per` names. A client is an IPv4 address or the /64 of an IPv6 address. A /56 gets ten times as
/// many, a /48 a hundred times. Visitors who are known by an id get ten times as many new tokens.
///
/// The default, 600 in ten minutes for 100 000 clients, is far above what the visitors behind one
/// shared address need, and far below what a script can ask for. The clients of the last while take
/// at most about 5 MB.
///
/// ```
/// use axum::{Router, body::Body, extract::ConnectInfo, routing::get};
/// use http::Request;
/// use passerby_server::{MemoryStore, MintLimit, Principal, Sessions};
/// use std::{net::SocketAddr, time::Duration};
/// use tower::ServiceExt as _;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let builder = Sessions::builder().api_domain("http://localhost:3000").store(MemoryStore::new());
/// let sessions = builder.mint_limit(MintLimit::new(1, Duration::from_secs(60))).build().await?;
/// let app = Router::new()
///     .route(
///         "/api/me",
///         get(|visitor: Option<Principal>| async move { visitor.is_some().to_string() }),
///     )
///     .layer(sessions.layer());
/// // The server puts the address there; see `into_make_service_with_connect_info`.
/// let address = ConnectInfo(SocketAddr::from(([203, 0, 113, 1], 4711)));
/// let first_visit = || {
///     app.clone().oneshot(Request::get("/api/me").extension(address).body(Body::empty()).unwrap())
/// };
/// assert!(first_visit().await?.headers().contains_key("st-anonymous-front-token"));
/// // Over the limit a request goes on without a session.
/// let next = first_visit().await?;
/// assert_eq!(
///     (next.status().as_u16(), &next.headers()["st-anonymous-mode"]),
///     (200, &http::HeaderValue::from_static("limited"))
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MintLimit {
    pub(crate) sessions: u32,
    pub(crate) per: Duration,
    pub(crate) clients: usize,
}

impl Default for MintLimit {
    fn default() -> Self {
        Self { sessions: 600, per: Duration::from_secs(600), clients: 100_000 }
    }
}

impl MintLimit {
    /// At most `sessions` at once, and as many again per `per`. Both at least one (`per` in
    /// milliseconds); less counts as one.
    #[must_use]
    pub fn new(sessions: u32, per: Duration) -> Self {
        Self { sessions, per, ..Self::default() }
    }

    /// How many clients are remembered at most. Default 100 000.
    #[must_use]
    pub fn clients(mut self, clients: usize) -> Self {
        self.clients = clients;
        self
    }

    fn limiter(self, times: u64) -> Limiter {
        Limiter::new(
            u64::from(self.sessions.max(1)).saturating_mul(times),
            millis(self.per),
            self.clients,
        )
    }
}

/// A request that would get a new anonymous session, for the hook that may refuse it.
///
/// ```
/// use passerby_server::{MintRequest, Sessions};
///
/// let builder = Sessions::builder().mint_challenge(|request: MintRequest| async move {
///     // Ask your bot protection here. A visitor who is refused goes on without a session.
///     request.headers.contains_key("x-solved")
/// });
/// # drop(builder);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MintRequest {
    /// The address of the client who sent the request, if it is known; see
    /// [`client_address`](crate::SessionsBuilder::client_address).
    pub client: Option<IpAddr>,
    /// Method of the request.
    pub method: Method,
    /// Where it goes.
    pub uri: Uri,
    /// Its headers.
    pub headers: HeaderMap,
}

/// Counts for all whose address cannot be read from the header that should have it. One limit for
/// them, because otherwise a client that makes its own unreadable would have none.
const UNREADABLE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

type AddressOf = Arc<dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync>;
type IsCrawler = Arc<dyn Fn(&str) -> bool + Send + Sync>;
type Challenge =
    Arc<dyn Fn(MintRequest) -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// Where the address of a client comes from.
#[derive(Clone, Default)]
pub(crate) enum ClientAddress {
    /// The other end of the connection.
    #[default]
    Connection,
    /// The last address in a header that the app's own proxy writes.
    Header(HeaderName),
    /// The app tells.
    Custom(AddressOf),
}

/// An app's settings for minting.
#[derive(Clone)]
pub(crate) struct MintSettings {
    pub(crate) limit: Option<MintLimit>,
    /// Of all clients together, in a second.
    pub(crate) budget: Option<u32>,
    pub(crate) address: ClientAddress,
    pub(crate) is_crawler: Option<IsCrawler>,
    pub(crate) challenge: Option<Challenge>,
    pub(crate) for_navigations: bool,
    pub(crate) readers: Readers,
    pub(crate) only_with_key: bool,
}

impl Default for MintSettings {
    fn default() -> Self {
        Self {
            limit: Some(MintLimit::default()),
            budget: None,
            address: ClientAddress::default(),
            is_crawler: None,
            challenge: None,
            for_navigations: false,
            readers: Readers::default(),
            only_with_key: false,
        }
    }
}

/// The functions are the app's.
impl fmt::Debug for MintSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MintSettings").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// Visitors who are known by an id get so many times the tokens that strangers get.
const KNOWN_VISITOR_FACTOR: u64 = 10;
/// The budget of all is for so many seconds, so that a burst of visitors does not count as an
/// attack.
const BUDGET_SECONDS: u64 = 2;
/// How often we say that the budget is used up.
const WARN_EVERY_MS: u64 = 60 * 1000;

/// Counts the sessions of one kind.
#[derive(Debug)]
struct Counter {
    limiter: Option<Mutex<Limiter>>,
    budget: Option<Mutex<Budget>>,
}

impl Counter {
    fn new(settings: &MintSettings, times: u64) -> Self {
        let budget = |per_second: u32| {
            let burst = u64::from(per_second).saturating_mul(times * BUDGET_SECONDS);
            Mutex::new(Budget::new(burst, BUDGET_SECONDS * 1000))
        };
        Self {
            limiter: settings.limit.map(|limit| Mutex::new(limit.limiter(times))),
            budget: settings.budget.map(budget),
        }
    }
}

/// Decides how many anonymous sessions are made.
#[derive(Debug)]
pub(crate) struct MintPolicy {
    settings: MintSettings,
    strangers: Counter,
    known: Counter,
    last_warning: AtomicU64,
}

impl MintPolicy {
    pub(crate) fn new(settings: MintSettings) -> Self {
        let (strangers, known) =
            (Counter::new(&settings, 1), Counter::new(&settings, KNOWN_VISITOR_FACTOR));
        Self { settings, strangers, known, last_warning: AtomicU64::new(0) }
    }

    pub(crate) fn settings(&self) -> &MintSettings {
        &self.settings
    }

    /// Whether this request may get an anonymous session now. Counts it.
    pub(crate) async fn take_permit(&self, request: &Parts, mint: Mint, now_ms: u64) -> bool {
        let counter = match mint {
            Mint::Forbidden => return false,
            Mint::Known => &self.known,
            Mint::Stranger if self.is_crawler(&request.headers) => return false,
            Mint::Stranger => &self.strangers,
        };
        let client = self.client(request);
        if !self.within_limit(counter, client, now_ms) {
            tracing::debug!("over the limit of new anonymous sessions");
            return false;
        }
        if !self.within_budget(counter, now_ms) {
            return false;
        }
        let Some(challenge) = self.settings.challenge.as_ref().filter(|_| mint == Mint::Stranger)
        else {
            return true;
        };
        challenge(MintRequest {
            client,
            method: request.method.clone(),
            uri: request.uri.clone(),
            headers: request.headers.clone(),
        })
        .await
    }

    fn within_budget(&self, counter: &Counter, now_ms: u64) -> bool {
        let Some(budget) = &counter.budget else { return true };
        let allowed = budget.lock().unwrap_or_else(PoisonError::into_inner).take(now_ms);
        if !allowed
            && now_ms.abs_diff(self.last_warning.swap(now_ms, Ordering::Relaxed)) >= WARN_EVERY_MS
        {
            tracing::warn!(
                "more new anonymous sessions are asked for than `mint_budget` allows; visitors go \
                 without for now"
            );
        }
        allowed
    }

    fn is_crawler(&self, headers: &HeaderMap) -> bool {
        let agent = headers
            .get(header::USER_AGENT)
            .and_then(|agent| agent.to_str().ok())
            .unwrap_or_default();
        self.settings.is_crawler.as_ref().is_some_and(|is_crawler| is_crawler(agent))
    }

    fn client(&self, request: &Parts) -> Option<IpAddr> {
        match &self.settings.address {
            ClientAddress::Connection => request
                .extensions
                .get::<ConnectInfo<SocketAddr>>()
                .map(|ConnectInfo(address)| address.ip().to_canonical()),
            ClientAddress::Header(name) => last_address(&request.headers, name),
            ClientAddress::Custom(address_of) => address_of(request),
        }
    }

    fn within_limit(&self, counter: &Counter, client: Option<IpAddr>, now_ms: u64) -> bool {
        static UNKNOWN: Once = Once::new();
        let Some(limiter) = &counter.limiter else { return true };
        // Behind a proxy the connection is the proxy's, and one limit for all visitors would shut
        // them out.
        let counted = match self.settings.address {
            ClientAddress::Connection => client.filter(|client| is_public(*client)),
            ClientAddress::Header(_) => client.or(Some(UNREADABLE)),
            ClientAddress::Custom(_) => client,
        };
        let Some(client) = counted else {
            UNKNOWN.call_once(|| {
                tracing::warn!(
                    "new anonymous sessions are not limited by client where the client's address \
                     is unknown or private; serve with \
                     `into_make_service_with_connect_info::<SocketAddr>()`, and behind a proxy set \
                     `client_address_header`"
                );
            });
            return true;
        };
        limiter.lock().unwrap_or_else(PoisonError::into_inner).take(client, now_ms)
    }
}

/// The last address of a list like `X-Forwarded-For`: the one that the nearest proxy wrote. All
/// before it is hearsay.
fn last_address(headers: &HeaderMap, name: &HeaderName) -> Option<IpAddr> {
    let list = headers.get_all(name).iter().next_back()?.as_bytes();
    // In bytes, because what stands before it is the client's, and need not be text.
    let last = str::from_utf8(list.rsplit(|byte| *byte == b',').next()?).ok()?.trim();
    let bare = last.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(last);
    bare.parse().ok().or_else(|| last.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// Whether an address can be a visitor's on the internet, as opposed to a neighbour's: a proxy, a
/// container, this machine.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            let shared = first == 100 && (64..128).contains(&second);
            !(address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified()
                || shared)
        }
        IpAddr::V6(address) => {
            !(address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local())
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_nearest_proxy_is_believed_and_nobody_else() {
        let name = HeaderName::from_static("x-forwarded-for");
        for (lines, expected) in [
            (&["203.0.113.9"][..], Some("203.0.113.9")),
            (&["10.0.0.1, 203.0.113.9"], Some("203.0.113.9")),
            (&["203.0.113.9, evil"], None),
            (&["198.51.100.1", "203.0.113.9"], Some("203.0.113.9")),
            (&["203.0.113.9:4711"], Some("203.0.113.9")),
            (&["[2001:db8::1]:4711"], Some("2001:db8::1")),
            (&["[2001:db8::1]"], Some("2001:db8::1")),
            (&["2001:db8::1"], Some("2001:db8::1")),
            (&["ÿ, 203.0.113.9"], Some("203.0.113.9")),
            (&["203.0.113.9, ÿ"], None),
            (&["203.0.113.9", "ÿ"], None),
            (&["unknown"], None),
            (&[""], None),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(&name, HeaderValue::from_bytes(line.as_bytes()).unwrap());
            }
            assert_eq!(
                last_address(&headers, &name),
                expected.map(|text| text.parse().unwrap()),
                "{lines:?}"
            );
        }
    }

    #[test]
    fn neighbours_are_no_visitors() {
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.0.1",
            "100.64.0.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in ["203.0.113.1", "100.128.0.1", "8.8.8.8", "2001:db8::1"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }
}
