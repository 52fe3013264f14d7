CREATE TABLE passerby.sessions (
    handle        TEXT PRIMARY KEY,
    user_id       TEXT NOT NULL,
    anonymous_id  TEXT NOT NULL,
    refresh_hash2 TEXT NOT NULL,
    created_at    BIGINT NOT NULL, -- epoch milliseconds, as all times here
    expires_at    BIGINT NOT NULL,
    payload       TEXT NOT NULL,   -- JSON object: what the app added. Not JSONB, which refuses the character U+0000.
    data          TEXT NOT NULL    -- JSON object: what the app keeps on the server
);

CREATE INDEX sessions_of_user ON passerby.sessions (user_id);
CREATE INDEX sessions_by_expiry ON passerby.sessions (expires_at);

CREATE TABLE passerby.keys (
    id         TEXT COLLATE "C" PRIMARY KEY,
    kind       TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    secret     TEXT NOT NULL
);
