//! How often somebody may do something: pure, with the time as input, in bounded memory.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
};

/// Whom we count as one: an IPv4 address, or the /64 of an IPv6 address, which is what one customer gets at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    V4(Ipv4Addr),
    V6([u16; 4]),
}

impl Client {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}

/// A token bucket per client, kept as one number: the time at which the bucket is full again (the generic cell rate algorithm).
///
/// Memory is bounded by two generations of clients: when the younger one is full, it becomes the older one, and the former older one is
/// forgotten. Who comes back in time moves to the younger one. Being forgotten means a full bucket, so an attacker gains by
/// it only what he could take with his many addresses anyway.
#[derive(Debug)]
pub(crate) struct Limiter {
    /// How much time one token takes to come back, in milliseconds.
    interval_ms: u64,
    /// How much time all of them take, in milliseconds.
    full_ms: u64,
    generation: usize,
    younger: HashMap<Client, u64>,
    older: HashMap<Client, u64>,
}

impl Limiter {
    /// `burst` at once, one more every `interval_ms`, remembered for at most `clients`.
    pub(crate) fn new(burst: u32, interval_ms: u64, clients: usize) -> Self {
        let interval_ms = interval_ms.max(1);
        Self {
            interval_ms,
            full_ms: interval_ms.saturating_mul(burst.max(1).into()),
            generation: (clients / 2).max(1),
            younger: HashMap::new(),
            older: HashMap::new(),
        }
    }

    /// Takes a token; `false` when there is none left. `now_ms` in epoch milliseconds.
    pub(crate) fn take(&mut self, client: Client, now_ms: u64) -> bool {
        let known = self.younger.get(&client).or_else(|| self.older.get(&client));
        // Capped, so that a clock that was set back locks nobody out for longer than a bucket takes to fill.
        let full_at = known.map_or(now_ms, |full_at| (*full_at).clamp(now_ms, now_ms.saturating_add(self.full_ms)));
        let next = full_at.saturating_add(self.interval_ms);
        let allowed = next <= now_ms.saturating_add(self.full_ms);
        self.remember(client, if allowed { next } else { full_at });
        allowed
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

    fn client(text: &str) -> Client {
        Client::of(text.parse().unwrap())
    }

    #[test]
    fn a_client_is_an_ipv4_address_or_an_ipv6_64() {
        assert_ne!(client("203.0.113.1"), client("203.0.113.2"));
        assert_eq!(client("203.0.113.1"), client("::ffff:203.0.113.1"));
        assert_eq!(client("2001:db8:1:2::1"), client("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(client("2001:db8:1:2::1"), client("2001:db8:1:3::1"));
    }

    #[test]
    fn a_burst_and_then_one_per_interval() {
        let mut limiter = Limiter::new(3, 1000, 10);
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
        let mut limiter = Limiter::new(2, 1000, 10);
        let one = client("203.0.113.1");
        assert!(limiter.take(one, 1_000_000_000));
        assert!(!limiter.take(one, 0));
        assert!(limiter.take(one, 1000));
    }

    #[test]
    fn who_keeps_coming_is_not_forgotten() {
        let mut limiter = Limiter::new(1, 1_000_000, 10);
        let busy = client("203.0.113.1");
        assert!(limiter.take(busy, 0));
        for other in 0..100_u32 {
            assert!(limiter.take(Client::V4(other.into()), 0));
            assert!(!limiter.take(busy, 0), "after {other} others");
        }
    }

    proptest! {
        #[test]
        fn memory_is_bounded(clients in proptest::collection::vec(any::<u32>(), 0..300), capacity in 0_usize..50) {
            let mut limiter = Limiter::new(5, 10, capacity);
            for client in clients {
                limiter.take(Client::V4(client.into()), 0);
                prop_assert!(limiter.len() <= capacity.max(2));
            }
        }

        #[test]
        fn never_more_than_the_rate(steps in proptest::collection::vec(0_u64..3000, 1..200), burst in 1_u32..10) {
            let mut limiter = Limiter::new(burst, 1000, 10);
            let (mut now, mut allowed) = (0, 0_u64);
            for step in steps {
                now += step;
                allowed += u64::from(limiter.take(Client::V6([1; 4]), now));
                prop_assert!(allowed <= u64::from(burst) + now / 1000);
            }
        }
    }
}
