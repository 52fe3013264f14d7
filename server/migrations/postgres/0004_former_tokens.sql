-- Refresh tokens that were current a short while ago, as a JSON array.
ALTER TABLE passerby.sessions ADD COLUMN former_tokens TEXT NOT NULL DEFAULT '[]';
