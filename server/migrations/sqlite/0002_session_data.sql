ALTER TABLE sessions ADD COLUMN data TEXT NOT NULL DEFAULT '{}'; -- JSON object: what the app keeps on the server
