-- Hashes of the anonymousIds that somebody asked to forget, while a token may still name them.
CREATE TABLE forgotten_ids (
    id_hash    TEXT NOT NULL,
    app_id     TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (id_hash, app_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX forgotten_ids_by_expiry ON forgotten_ids (expires_at);
