//! Why a store fails.

/// The error of a database's client library.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a store could not do what it was asked.
///
/// A store of your own chooses the variant by what is to be done about it, and hands on the error
/// of its client library:
///
/// ```
/// use passerby_server::store::StoreError;
/// use std::{error::Error as _, io};
///
/// fn read() -> Result<Vec<u8>, StoreError> {
///     Err(io::Error::from(io::ErrorKind::ConnectionRefused))
///         .map_err(|error| StoreError::Unreachable(error.into()))
/// }
///
/// let error = read().unwrap_err();
/// assert!(error.to_string().starts_with("the session database cannot be reached"));
/// assert!(error.source().is_some_and(|source| source.is::<io::Error>()));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database file cannot be opened for writing.
    #[error(
        "the session database `{path}` cannot be written: {source}; check that its folder exists \
         and that this process may write to both"
    )]
    NotWritable {
        /// The file.
        path: String,
        /// The database's error.
        source: BoxError,
    },
    /// The database was made by a newer version.
    #[error("the session database cannot be brought to this version's layout: {0}")]
    Migration(#[source] BoxError),
    /// The database file is gone from its place, or another one lies there. Data that is written
    /// goes where nobody finds it after a restart.
    #[error(
        "the session database `{path}` was moved, removed or replaced while in use; restart this \
         process to use what lies there"
    )]
    Replaced {
        /// Where it was.
        path: String,
    },
    /// [`SessionStore::create`](super::SessionStore::create) met a record with the same handle.
    #[error("a session with this handle exists already")]
    HandleTaken,
    /// A record does not read as it was written.
    #[error("the session database holds a damaged record: {what}")]
    Damaged {
        /// The part that is damaged. Goes to logs, so it repeats nothing of the record.
        what: &'static str,
        /// Why it cannot be read, where something said so.
        source: Option<BoxError>,
    },
    /// The address of the database server cannot be read. The message repeats no part of it,
    /// because it may hold a password.
    #[error(
        "the address of the session database is not like `postgres://user:password@host/database`: \
         {0}"
    )]
    BadAddress(#[source] BoxError),
    /// The database does not answer, or refuses to talk to us. It is asked again with each request,
    /// so this ends by itself.
    #[error(
        "the session database cannot be reached: {0}; check that it runs, that it can be reached \
         from here, and its user and password"
    )]
    Unreachable(#[source] BoxError),
    /// Something answers at the address, but not such a database, or one of an unknown version.
    #[error(
        "the server at the address of the session database does not speak its protocol: {0}; \
         check that host and port are those of PostgreSQL 12 or newer"
    )]
    Protocol(#[source] BoxError),
    /// Anything else.
    #[error("the session database failed: {0}")]
    Database(#[source] BoxError),
}

impl StoreError {
    pub(crate) fn damaged(what: &'static str) -> Self {
        Self::Damaged { what, source: None }
    }

    pub(crate) fn damaged_by(what: &'static str, source: impl Into<BoxError>) -> Self {
        Self::Damaged { what, source: Some(source.into()) }
    }
}
