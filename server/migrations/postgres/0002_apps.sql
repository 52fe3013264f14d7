-- Several apps in one database, each with keys and sessions of its own.
ALTER TABLE passerby.sessions ADD COLUMN app_id TEXT NOT NULL DEFAULT 'public';
DROP INDEX passerby.sessions_of_user;
CREATE INDEX sessions_of_user ON passerby.sessions (app_id, user_id);

ALTER TABLE passerby.keys ADD COLUMN app_id TEXT NOT NULL DEFAULT 'public';
ALTER TABLE passerby.keys DROP CONSTRAINT keys_pkey;
ALTER TABLE passerby.keys ADD PRIMARY KEY (app_id, id);
