//! Orders of events by hand.
