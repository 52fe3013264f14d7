//! The server half of Passerby.
