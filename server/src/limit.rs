//! How often somebody may do something: pure, with the time as input, in bounded memory.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
};

/// Whom we count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    V4(Ipv4Addr),
    /// The first bits of an IPv6 address, and how many they are.
    V6(u64, u32),
}

/// A /64 is what one customer gets at least; many get a /56 or a /48, and could use a new /64 with
/// each request. These have ten and a hundred times what one /64 has, because they may as well be
/// many customers.
const NETWORKS: [(u32, u64); 3] = [(64, 1), (56, 10), (48, 100)];

impl Client {
    /// As what an address counts, and how many times the budget of one client each of these has.
    fn all_of(address: IpAddr) -> Vec<(Self, u64)> {
        match address.to_canonical() {
            IpAddr::V4(address) => vec![(Self::V4(address), 1)],
            IpAddr::V6(address) => match address.segments() {
                // 6to4: a /48 for each IPv4 address.
                [0x2002, high, low, ..] => {
                    vec![(Self::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))), 1)]
                }
                [a, b, c, d, ..] => {
                    let network = [a, b, c, d]
                        .into_iter()
                        .fold(0, |bits, part| (bits << 16) | u64::from(part));
                    let first = |bits: u32| network >> (64 - bits) << (64 - bits);
                    NETWORKS
                        .into_iter()
                        .map(|(bits, times)| (Self::V6(first(bits), bits), times))
                        .collect()
                }
            },
        }
    }
}

/// A token bucket, kept as one number: the time at which it is full again (the generic cell rate
/// algorithm). Times in microseconds.
#[derive(Clone, Copy, Debug)]
struct Rate {
    /// How much time one token takes to come back.
    interval: u64,
    /// How much time all of them take.
    full: u64,
}

impl Rate {
    /// `burst` at once, and as many again per `per_ms`.
    fn new(burst: u64, per_ms: u64) -> Self {
        let full = per_ms.saturating_mul(1000).max(1);
        Self { interval: (full / burst.max(1)).max(1), full }
    }

    /// The time at which the bucket is full again: once a token was taken, or as it is when there
    /// is none left.
    fn take(self, full_at: Option<u64>, now: u64) -> Result<u64, u64> {
        // Capped, so that a clock that was set back locks nobody out for longer than a bucket takes
        // to fill.
        let full_at =
            full_at.map_or(now, |full_at| full_at.clamp(now, now.saturating_add(self.full)));
        let next = full_at.saturating_add(self.interval);
        if next <= now.saturating_add(self.full) { Ok(next) } else { Err(full_at) }
    }
}

/// One bucket for all.
#[derive(Debug)]
pub(crate) struct Budget {
    rate: Rate,
    full_at: Option<u64>,
}

impl Budget {
    /// `burst` at once, and as many again per `per_ms`.
    pub(crate) fn new(burst: u64, per_ms: u64) -> Self {
        Self { rate: Rate::new(burst, per_ms), full_at: None }
    }

    /// Takes a token; `false` when there is none left. `now_ms` in epoch milliseconds.
    pub(crate) fn take(&mut self, now_ms: u64) -> bool {
        let now = now_ms.saturating_mul(1000);
        // Further ahead than it can be: the clock was set back, and nobody is to wait for that.
        let known = self.full_at.filter(|full_at| *full_at <= now.saturating_add(self.rate.full));
        let next = self.rate.take(known, now);
        self.full_at = Some(next.unwrap_or_else(|full_at| full_at));
        next.is_ok()
    }
}

/// A bucket per client.
///
/// Memory is bounded by two generations of clients: when the younger one is full, it becomes the
/// older one, and the former older one is forgotten. A client that comes back in time moves to the
/// younger one. Being forgotten means a full bucket, so an attacker gains by it only what many
/// addresses can take anyway.
#[derive(Debug)]
pub(crate) struct Limiter {
    burst: u64,
    per_ms: u64,
    generation: usize,
    younger: HashMap<Client, u64>,
    older: HashMap<Client, u64>,
}

impl Limiter {
    /// `burst` at once, and as many again per `per_ms`, remembered for at most `clients`.
    pub(crate) fn new(burst: u64, per_ms: u64, clients: usize) -> Self {
        Self {
            burst: burst.max(1),
            per_ms,
            generation: (clients / 2).max(1),
            younger: HashMap::new(),
            older: HashMap::new(),
        }
    }

    /// Takes a token; `false` when there is none left for this address, or for one of the networks
    /// that it is of. `now_ms` in epoch milliseconds.
    pub(crate) fn take(&mut self, address: IpAddr, now_ms: u64) -> bool {
        let now = now_ms.saturating_mul(1000);
        let mut taken = Vec::new();
        for (client, times) in Client::all_of(address) {
            let known = self.younger.get(&client).or_else(|| self.older.get(&client)).copied();
            match Rate::new(self.burst.saturating_mul(times), self.per_ms).take(known, now) {
                Ok(next) => taken.push((client, next)),
                Err(full_at) => {
                    // A refusal costs nothing, but the client must not be forgotten for it.
                    self.remember(client, full_at);
                    return false;
                }
            }
        }
        for (client, next) in taken {
            self.remember(client, next);
        }
        true
    }

    fn remember(&mut self, client: Client, full_at: u64) {
        if !self.younger.contains_key(&client) && self.younger.len() >= self.generation {
            self.older = std::mem::take(&mut self.younger);
        }
        self.younger.insert(client, full_at);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.younger.len() + self.older.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn client(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn v4(bits: u32) -> IpAddr {
        Ipv4Addr::from(bits).into()
    }

    #[test]
    fn a_client_is_an_ipv4_address_or_a_network_of_ipv6() {
        let of = |text: &str| Client::all_of(client(text));
        assert_ne!(of("203.0.113.1"), of("203.0.113.2"));
        assert_eq!(of("203.0.113.1"), of("::ffff:203.0.113.1"));
        assert_eq!(of("203.0.113.1"), of("2002:cb00:7101:ffff::9"), "6to4");
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        let networks =
            |text: &str| of(text).into_iter().map(|(client, _)| client).collect::<Vec<_>>();
        let (home, room, other) = (
            networks("2001:db8:1:200::1"),
            networks("2001:db8:1:2ff::1"),
            networks("2001:db8:1:300::1"),
        );
        assert_eq!(
            [home[0] == room[0], home[1] == room[1], home[2] == room[2]],
            [false, true, true],
            "of one /56"
        );
        assert_eq!(
            [home[0] == other[0], home[1] == other[1], home[2] == other[2]],
            [false, false, true],
            "of one /48"
        );
        assert!(networks("2001:db8:2::1")[2] != home[2]);
    }

    #[test]
    fn a_new_64_with_each_request_is_no_way_round() {
        let mut limiter = Limiter::new(10, 10_000, 10_000);
        let home = (0..256)
            .filter(|subnet| limiter.take(client(&format!("2001:db8:1:{subnet:x}::1")), 0))
            .count();
        assert_eq!(home, 100, "of one /56");
        let site = (0..20_000)
            .filter(|subnet| limiter.take(client(&format!("2001:db8:1:{:x}::1", 256 + subnet)), 0))
            .count();
        assert_eq!(site, 900, "of one /48, with the home");
        assert!(limiter.take(client("2001:db8:2::1"), 0), "others are not hurt");
    }

    #[test]
    fn a_budget_is_for_all() {
        let mut budget = Budget::new(2, 1000);
        assert_eq!(
            [0, 0, 0, 499, 500, 500, 1000].map(|now| budget.take(now)),
            [true, true, false, false, true, false, true]
        );
        assert!(budget.take(1_000_000) && budget.take(0), "a clock that is set back stops nobody");
    }

    #[test]
    fn a_burst_and_then_one_per_interval() {
        let mut limiter = Limiter::new(3, 3000, 10);
        let (one, other) = (client("203.0.113.1"), client("203.0.113.2"));
        assert!((0..3).all(|_| limiter.take(one, 5000)));
        assert!(!limiter.take(one, 5000));
        assert!(limiter.take(other, 5000), "each client for itself");
        assert!(!limiter.take(one, 5999));
        assert!(limiter.take(one, 6000), "being refused costs nothing");
        assert!(!limiter.take(one, 6000));
        assert!((0..3).all(|_| limiter.take(one, 20_000)), "never more than a burst");
        assert!(!limiter.take(one, 20_000));
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let mut limiter = Limiter::new(2, 2000, 10);
        let one = client("203.0.113.1");
        assert!(limiter.take(one, 1_000_000_000));
        assert!(!limiter.take(one, 0));
        assert!(limiter.take(one, 1000));
    }

    #[test]
    fn a_client_that_keeps_coming_is_not_forgotten() {
        let mut limiter = Limiter::new(1, 1_000_000, 10);
        let busy = client("203.0.113.1");
        assert!(limiter.take(busy, 0));
        for other in 0..100_u32 {
            assert!(limiter.take(v4(other), 0));
            assert!(!limiter.take(busy, 0), "after {other} others");
        }
    }

    proptest! {
        #[test]
        fn memory_is_bounded(
            clients in proptest::collection::vec(any::<u32>(), 0..300),
            capacity in 0_usize..50,
        ) {
            let mut limiter = Limiter::new(5, 50, capacity);
            for client in clients {
                limiter.take(v4(client), 0);
                prop_assert!(limiter.len() <= capacity.max(2));
            }
        }

        #[test]
        fn never_more_than_the_rate(
            steps in proptest::collection::vec(0_u64..3000, 1..200),
            burst in 1_u32..10,
        ) {
            let mut limiter = Limiter::new(burst.into(), 1000 * u64::from(burst), 10);
            let (mut now, mut allowed) = (0, 0_u64);
            for step in steps {
                now += step;
                allowed += u64::from(limiter.take(client("203.0.113.9"), now));
                prop_assert!(allowed <= u64::from(burst) + now / 1000);
            }
        }
    }
}
