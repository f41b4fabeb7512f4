-- Probes, and who came for them. Times are milliseconds since 1970, UTC. Values of the model are JSON.

CREATE TABLE probe (
    id          TEXT    NOT NULL PRIMARY KEY,
    connector   TEXT    NOT NULL,
    personality TEXT    NOT NULL,
    -- The recipient's: that of the canary.
    domain      TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    -- The probe as it was made, before anything was submitted.
    body        TEXT    NOT NULL,
    -- What our mail system said to it; added once.
    submission  TEXT,
    -- What became of it; added once.
    settled_how TEXT,
    settled_at  INTEGER,
    CHECK ((settled_how IS NULL) = (settled_at IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX probe_open ON probe (connector, personality, expires_at) WHERE settled_at IS NULL;
CREATE INDEX probe_open_at ON probe (domain, expires_at) WHERE settled_at IS NULL;
CREATE INDEX probe_created ON probe (created_at);

-- Sessions with a canary that were attributed to a probe, by token or otherwise.
CREATE TABLE canary_session (
    number      INTEGER NOT NULL PRIMARY KEY,
    probe       TEXT    NOT NULL REFERENCES probe (id),
    started_at  INTEGER NOT NULL,
    finished_at INTEGER NOT NULL,
    body        TEXT    NOT NULL
) STRICT;

CREATE INDEX canary_session_probe ON canary_session (probe, started_at);

-- When a partner's receiver was last probed by agreement: once a day, whoever asks.
CREATE TABLE agreed_probe (
    partner TEXT    NOT NULL PRIMARY KEY,
    at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
