//! The shop's plants.

use serde::Serialize;

/// One plant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Product {
    /// Names it in requests, and its picture in `plants.svg`.
    pub id: &'static str,
    /// For people.
    pub name: &'static str,
    /// Where it likes to stand.
    pub light: &'static str,
    /// In cents.
    pub price: u32,
}

/// Everything, in the order of the shelf.
pub const PRODUCTS: &[Product] = &[
    Product { id: "monstera", name: "Monstera", light: "Bright, out of the sun", price: 2400 },
    Product { id: "sansevieria", name: "Snake plant", light: "Any light", price: 1800 },
    Product { id: "pilea", name: "Pilea", light: "Bright, turn it weekly", price: 1400 },
    Product { id: "cactus", name: "Window cactus", light: "All the sun there is", price: 900 },
    Product { id: "pearls", name: "String of pearls", light: "Bright, little water", price: 1600 },
    Product { id: "fern", name: "Boston fern", light: "Shade, likes a bath", price: 1500 },
    Product { id: "aloe", name: "Aloe vera", light: "Sun, dry feet", price: 1200 },
    Product { id: "ficus", name: "Rubber plant", light: "Half shade", price: 2800 },
];

/// The product of this id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Product> {
    PRODUCTS.iter().find(|product| product.id == id)
}
