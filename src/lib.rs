//! Passerby: a session for every visitor of a web app.
