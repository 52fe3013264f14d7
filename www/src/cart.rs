//! The rules of the cart. No session, no request: quantities in, quantities out.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::catalogue::{self, PRODUCTS};

/// As many of one plant as one may have.
pub const MOST_OF_ONE: u32 = 20;

/// How many of which product. Never holds a product that is not sold, nor a quantity of 0 or above
/// [`MOST_OF_ONE`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Cart(BTreeMap<&'static str, u32>);

/// Why a cart was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CartError {
    /// No such product.
    #[error("We do not sell \"{0}\".")]
    UnknownProduct(String),
    /// More than [`MOST_OF_ONE`].
    #[error("{MOST_OF_ONE} of one plant is the most we sell.")]
    TooMany,
}

impl Cart {
    /// Sets how many of one product there are; 0 takes it out.
    ///
    /// # Errors
    /// When the product is not sold, or not in that quantity. The cart is then as before.
    pub fn set(&mut self, product_id: &str, quantity: u32) -> Result<(), CartError> {
        let product = catalogue::find(product_id)
            .ok_or_else(|| CartError::UnknownProduct(product_id.chars().take(40).collect()))?;
        match quantity {
            0 => drop(self.0.remove(product.id)),
            1..=MOST_OF_ONE => drop(self.0.insert(product.id, quantity)),
            _ => return Err(CartError::TooMany),
        }
        Ok(())
    }

    /// Adds what a guest has chosen to what the customer had, as far as the limit allows.
    pub fn merge(&mut self, guest: &Self) {
        for (&id, &quantity) in &guest.0 {
            let sum = self.0.entry(id).or_default();
            *sum = sum.saturating_add(quantity).min(MOST_OF_ONE);
        }
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads a cart out of a session's payload. An entry that is not (or no longer) valid is left
    /// out.
    #[must_use]
    pub fn from_payload(value: Option<&Value>) -> Self {
        let mut cart = Self::default();
        for (id, quantity) in value.and_then(Value::as_object).into_iter().flatten() {
            if let Some(quantity) =
                quantity.as_u64().and_then(|quantity| u32::try_from(quantity).ok())
            {
                // SessionRejection entries are those to leave out.
                let _ = cart.set(id, quantity);
            }
        }
        cart
    }

    /// For a session's payload: `null`, which removes the key, for an empty cart.
    #[must_use]
    pub fn to_payload(&self) -> Value {
        if self.is_empty() {
            Value::Null
        } else {
            self.0.iter().map(|(id, quantity)| ((*id).to_owned(), Value::from(*quantity))).collect()
        }
    }

    /// The cart with names and sums, in the order of the shelf.
    #[must_use]
    pub fn view(&self) -> CartView {
        let lines: Vec<_> = PRODUCTS
            .iter()
            .filter_map(|product| {
                let quantity = *self.0.get(product.id)?;
                Some(Line {
                    product_id: product.id,
                    name: product.name,
                    price: product.price,
                    quantity,
                    total: product.price * quantity,
                })
            })
            .collect();
        CartView {
            count: lines.iter().map(|line| line.quantity).sum(),
            total: lines.iter().map(|line| line.total).sum(),
            lines,
        }
    }
}

/// A cart as the shop shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CartView {
    /// One a product.
    pub lines: Vec<Line>,
    /// All plants together.
    pub count: u32,
    /// In cents.
    pub total: u32,
}

/// One product in a cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// [`catalogue::Product::id`].
    pub product_id: &'static str,
    /// [`catalogue::Product::name`].
    pub name: &'static str,
    /// Of one, in cents.
    pub price: u32,
    /// How many.
    pub quantity: u32,
    /// Of all of them, in cents.
    pub total: u32,
}

impl CartView {
    /// The total for people.
    #[must_use]
    pub fn total_text(&self) -> String {
        money(self.total)
    }
}

impl Line {
    /// The total for people.
    #[must_use]
    pub fn total_text(&self) -> String {
        money(self.total)
    }
}

/// "€14.00" for 1400.
fn money(cents: u32) -> String {
    format!("€{}.{:02}", cents / 100, cents % 100)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cart(entries: &[(&str, u32)]) -> Cart {
        let mut cart = Cart::default();
        for (id, quantity) in entries {
            cart.set(id, *quantity).unwrap();
        }
        cart
    }

    #[test]
    fn setting_is_absolute_so_that_a_repeated_request_changes_nothing() {
        assert_eq!(cart(&[("fern", 2), ("fern", 2)]).view().count, 2);
        assert!(cart(&[("fern", 2), ("fern", 0)]).is_empty());
    }

    #[test]
    fn a_refused_change_leaves_the_cart_as_it_was() {
        let mut full = cart(&[("fern", MOST_OF_ONE)]);
        let before = full.clone();
        assert_eq!(full.set("fern", MOST_OF_ONE + 1), Err(CartError::TooMany));
        assert_eq!(full.set("triffid", 1), Err(CartError::UnknownProduct("triffid".into())));
        assert_eq!(full, before);
    }

    #[test]
    fn the_guests_plants_join_those_of_the_customer() {
        let mut customer = cart(&[("fern", 15), ("aloe", 1)]);
        customer.merge(&cart(&[("fern", 10), ("pilea", 3)]));
        assert_eq!(customer, cart(&[("fern", MOST_OF_ONE), ("aloe", 1), ("pilea", 3)]));
    }

    #[test]
    fn a_payload_comes_back_as_the_same_cart() {
        for cart in [Cart::default(), cart(&[("cactus", 1), ("ficus", 7)])] {
            assert_eq!(Cart::from_payload(Some(&cart.to_payload())), cart);
        }
        assert_eq!(Cart::default().to_payload(), Value::Null);
    }

    #[test]
    fn a_payload_of_anything_is_no_reason_to_fail() {
        for odd in [
            json!(null),
            json!("cart"),
            json!([1]),
            json!({ "triffid": 1, "fern": -1, "aloe": 1e9, "pilea": "2", "cactus": 2.5 }),
        ] {
            assert_eq!(Cart::from_payload(Some(&odd)), Cart::default(), "{odd}");
        }
        assert_eq!(Cart::from_payload(None), Cart::default());
    }

    #[test]
    fn the_view_has_sums_and_the_order_of_the_shelf() {
        let view = cart(&[("cactus", 2), ("monstera", 1)]).view();
        assert_eq!((view.count, view.total), (3, 4200));
        assert_eq!(
            view.lines.iter().map(|line| line.product_id).collect::<Vec<_>>(),
            ["monstera", "cactus"]
        );
        assert_eq!(money(4205), "€42.05");
    }
}
