-- What was seen of each claim and what came of it. Times are milliseconds since 1970, UTC. Values of the model are JSON.

-- A claim of a partner: a number in place of two texts in every row about it.
CREATE TABLE subject (
    number      INTEGER NOT NULL PRIMARY KEY,
    partner     TEXT    NOT NULL,
    claim       TEXT    NOT NULL,
    -- As of the last look that saw anything: its state, its fingerprint, and the evidence kept last, and when.
    state       INTEGER,
    fingerprint BLOB,
    evidence    TEXT,
    kept_at     INTEGER,
    UNIQUE (partner, claim)
) STRICT;

-- Evidence bodies, each addressed by the SHA-256 of its JSON, written `sha256:…`. A body lives as long as a look, a
-- standing or an event that names it.
CREATE TABLE evidence (
    digest TEXT    NOT NULL PRIMARY KEY,
    -- Of the JSON, before it was compressed.
    octets INTEGER NOT NULL,
    -- zstd.
    body   BLOB    NOT NULL
) STRICT;

-- One row a look; without evidence where nothing had changed since the look before, so that it is small.
CREATE TABLE look (
    subject     INTEGER NOT NULL REFERENCES subject (number),
    at          INTEGER NOT NULL,
    -- 0 compliant, 1 unknown, 2 violated.
    state       INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2),
    evidence    TEXT,
    fingerprint BLOB,
    PRIMARY KEY (subject, at)
) STRICT, WITHOUT ROWID;

CREATE INDEX look_evidence ON look (evidence) WHERE evidence IS NOT NULL;

-- What is said of each claim now.
CREATE TABLE standing (
    subject  INTEGER NOT NULL PRIMARY KEY REFERENCES subject (number),
    evidence TEXT    NOT NULL,
    body     TEXT    NOT NULL
) STRICT;

CREATE INDEX standing_evidence ON standing (evidence);

-- When each claim is looked at next, and how many looks in a row came sooner than its interval.
CREATE TABLE due (
    subject INTEGER NOT NULL PRIMARY KEY REFERENCES subject (number),
    at      INTEGER NOT NULL,
    streak  INTEGER NOT NULL
) STRICT;

-- What happened. The id is a ULID.
CREATE TABLE event (
    id           TEXT    NOT NULL PRIMARY KEY,
    at           INTEGER NOT NULL,
    partner      TEXT,
    claim        TEXT,
    kind         TEXT    NOT NULL,
    evidence     TEXT,
    -- Whether a violation began, ended or was noticed: it is kept longest.
    is_violation INTEGER NOT NULL CHECK (is_violation IN (0, 1)),
    body         TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX event_at ON event (at);
CREATE INDEX event_partner ON event (partner, at);
CREATE INDEX event_evidence ON event (evidence) WHERE evidence IS NOT NULL;
