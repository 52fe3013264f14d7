-- One row that the readiness check writes.
CREATE TABLE passerby.checks (
    id         SMALLINT PRIMARY KEY CHECK (id = 1),
    checked_at BIGINT NOT NULL
);
