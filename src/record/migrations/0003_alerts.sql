-- What was told to whom. Times are milliseconds since 1970, UTC. Values of the model are JSON.

-- What each channel knows of each topic.
CREATE TABLE alert_told (
    channel TEXT NOT NULL,
    topic   TEXT NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (channel, topic)
) STRICT, WITHOUT ROWID;

-- How each claim has changed, so that one that flaps is known.
CREATE TABLE alert_watched (
    partner TEXT NOT NULL,
    claim   TEXT NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (partner, claim)
) STRICT, WITHOUT ROWID;

-- What happened and was not taken by every channel yet.
CREATE TABLE alert_notice (
    event TEXT NOT NULL PRIMARY KEY,
    body  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Silences that somebody asked for; kept when they are over, because what was told before is not told again.
CREATE TABLE alert_mute (
    number  INTEGER NOT NULL PRIMARY KEY,
    ends_at INTEGER NOT NULL,
    body    TEXT    NOT NULL
) STRICT;

-- Every message that a channel took, and why.
CREATE TABLE alert_said (
    number  INTEGER NOT NULL PRIMARY KEY,
    at      INTEGER NOT NULL,
    channel TEXT    NOT NULL,
    reason  TEXT    NOT NULL,
    body    TEXT    NOT NULL
) STRICT;

CREATE INDEX alert_said_at ON alert_said (at);
