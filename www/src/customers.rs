//! The shop's customers: carts and orders, by user id, for as long as the process runs.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::cart::{Cart, CartView};

/// In characters.
pub const MAX_NAME_LENGTH: usize = 64;
/// As many customers as the demo remembers.
const MOST_CUSTOMERS: usize = 10_000;
/// As many orders of one customer as the demo remembers.
const MOST_ORDERS: usize = 20;

/// All customers.
#[derive(Debug, Default)]
pub struct Customers(Mutex<HashMap<String, Customer>>);

#[derive(Debug, Default)]
struct Customer {
    cart: Cart,
    orders: Vec<Order>,
}

/// A cart that was checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Counts from 1, for each customer.
    pub number: usize,
    /// The ordered plants.
    pub cart: CartView,
}

impl Customers {
    /// The customer's cart.
    pub fn cart(&self, user_id: &str) -> Cart {
        self.lock().get(user_id).map(|customer| customer.cart.clone()).unwrap_or_default()
    }

    /// Changes the customer's cart; hands back what `change` does.
    pub fn change_cart<T>(&self, user_id: &str, change: impl FnOnce(&mut Cart) -> T) -> T {
        let mut customers = self.lock();
        if customers.len() >= MOST_CUSTOMERS && !customers.contains_key(user_id) {
            // A demo may forget somebody; it may not grow without bound.
            let somebody = customers.keys().next().cloned().unwrap_or_default();
            customers.remove(&somebody);
        }
        change(&mut customers.entry(user_id.to_owned()).or_default().cart)
    }

    /// Turns the cart into an order; nothing when it is empty.
    pub fn order(&self, user_id: &str) -> Option<Order> {
        let mut customers = self.lock();
        let customer = customers.get_mut(user_id).filter(|customer| !customer.cart.is_empty())?;
        let number = customer.orders.last().map_or(1, |order| order.number + 1);
        let order = Order { number, cart: std::mem::take(&mut customer.cart).view() };
        if customer.orders.len() == MOST_ORDERS {
            customer.orders.remove(0);
        }
        customer.orders.push(order.clone());
        Some(order)
    }

    /// The customer's orders, newest first.
    pub fn orders(&self, user_id: &str) -> Vec<Order> {
        self.lock()
            .get(user_id)
            .map(|customer| customer.orders.iter().rev().cloned().collect())
            .unwrap_or_default()
    }

    /// A panic while the lock was held leaves the book as it was: nothing here breaks off halfway.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Customer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The user id for a name as typed: the same name, however spaced and capitalised, is the same
/// customer.
#[must_use]
pub fn user_id(name: &str) -> String {
    name.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordering_empties_the_cart_and_counts_on() {
        let customers = Customers::default();
        assert_eq!(customers.order("ada"), None);
        for number in 1..=MOST_ORDERS + 2 {
            customers.change_cart("ada", |cart| cart.set("fern", 1)).unwrap();
            assert_eq!(customers.order("ada").map(|order| order.number), Some(number));
            assert!(customers.cart("ada").is_empty());
        }
        let orders = customers.orders("ada");
        assert_eq!((orders.len(), orders[0].number), (MOST_ORDERS, MOST_ORDERS + 2));
        assert!(customers.orders("bob").is_empty());
    }

    #[test]
    fn one_name_is_one_customer() {
        assert_eq!(user_id("  Zoë  Müller "), "zoë-müller");
        assert_eq!(user_id(" \t"), "");
    }
}
