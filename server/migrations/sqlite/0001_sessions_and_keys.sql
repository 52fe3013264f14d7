CREATE TABLE sessions (
    handle        TEXT PRIMARY KEY NOT NULL,
    user_id       TEXT NOT NULL,
    anonymous_id  TEXT NOT NULL,
    refresh_hash2 TEXT NOT NULL,
    created_at    INTEGER NOT NULL, -- epoch milliseconds, as all times here
    expires_at    INTEGER NOT NULL,
    payload       TEXT NOT NULL     -- JSON object: what the app added
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_of_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE keys (
    id         TEXT PRIMARY KEY NOT NULL,
    kind       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    secret     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
