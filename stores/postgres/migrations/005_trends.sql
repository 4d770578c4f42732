-- Who used which tag in which tweet, and of each tag and hour how many did.
CREATE TABLE tag_uses (
    tweet uuid, tag text COLLATE "C", hour integer NOT NULL, author bigint NOT NULL,
    written text COLLATE "C",  -- NULL: as it is folded
    PRIMARY KEY (tweet, tag)
);
CREATE INDEX tag_uses_by_tag ON tag_uses (tag, hour, author, tweet);
CREATE TABLE tag_hours (
    hour integer, tag text COLLATE "C", authors integer NOT NULL,
    PRIMARY KEY (hour, tag)
) WITH (fillfactor = 80);  -- a tag of the current hour is counted again and again
CREATE INDEX tag_hours_by_tag ON tag_hours (tag, hour);

-- How far in time the events are: one row.
CREATE TABLE trend_clock (
    one integer PRIMARY KEY CHECK (one = 0), time bigint NOT NULL, recorded bigint NOT NULL
) WITH (fillfactor = 10);

-- What the stream of rankings has before it, and how it ranked each window last.
CREATE TABLE trend_touched (hour integer PRIMARY KEY) WITH (fillfactor = 50);
CREATE TABLE trend_due (
    ends bigint, length text COLLATE "C",
    PRIMARY KEY (ends, length)
);
CREATE TABLE trend_rankings (
    ends bigint, length text COLLATE "C", id uuid NOT NULL, items bytea NOT NULL,
    PRIMARY KEY (ends, length)
);
-- The last moment that rankings were told as of. It stands when the turn that took it is undone: one row.
CREATE TABLE trend_moment (one integer PRIMARY KEY CHECK (one = 0), last bigint NOT NULL);
INSERT INTO trend_moment VALUES (0, 0);
