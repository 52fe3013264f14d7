-- Several apps in one database, each with keys and sessions of its own.
ALTER TABLE sessions ADD COLUMN app_id TEXT NOT NULL DEFAULT 'public';
DROP INDEX sessions_of_user;
CREATE INDEX sessions_of_user ON sessions (app_id, user_id);

CREATE TABLE keys_of_apps (
    app_id     TEXT NOT NULL,
    id         TEXT NOT NULL,
    kind       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    secret     TEXT NOT NULL,
    PRIMARY KEY (app_id, id)
) STRICT, WITHOUT ROWID;
INSERT INTO keys_of_apps SELECT 'public', id, kind, created_at, secret FROM keys;
DROP TABLE keys;
ALTER TABLE keys_of_apps RENAME TO keys;
