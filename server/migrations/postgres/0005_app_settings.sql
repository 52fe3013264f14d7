-- Settings that a back end gave an app of its own.
CREATE TABLE passerby.apps (
    id       TEXT PRIMARY KEY,
    settings TEXT NOT NULL
);
