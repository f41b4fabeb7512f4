-- What the alerts have taken notice of. Times are milliseconds since 1970, UTC.

-- Events that were told, are waiting to be, or are not to be: whatever is not in it was never looked at. An event may be
-- heard before it is written, so it names none; the time is that at which it happened, and it is forgotten with it.
CREATE TABLE alert_heard (
    event TEXT    NOT NULL PRIMARY KEY,
    at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX alert_heard_at ON alert_heard (at);

-- Nobody is told of the past because of this.
INSERT INTO alert_heard (event, at) SELECT id, at FROM event;
