-- What decisions are made from: a function of the source topics (command_api/decision_state.py). Columns are those of
-- the embedded profile, in its order and its types, so that a digest of one is a digest of the other.

CREATE FUNCTION account_number(id text) RETURNS bigint IMMUTABLE STRICT PARALLEL SAFE LANGUAGE sql
RETURN ('x' || replace(substr(id, 20), '-', ''))::bit(64)::bigint & 4611686018427387903;

CREATE TABLE decision_accounts (
    number bigint PRIMARY KEY,
    id text NOT NULL,
    username text NOT NULL,
    folded text COLLATE "C" NOT NULL UNIQUE,
    email bytea UNIQUE,
    created_at bigint NOT NULL,
    imported smallint NOT NULL,
    profile bytea NOT NULL,
    version integer NOT NULL
);
CREATE TABLE decision_tweets (
    tweet bytea PRIMARY KEY,
    author text NOT NULL,
    conversation bytea,
    reply_to bytea,
    reply_author text,
    quote_of bytea,
    quote_author text,
    deleted smallint NOT NULL,
    version integer NOT NULL,
    fingerprint bytea NOT NULL
);
CREATE TABLE decision_follows (a bigint, b bigint, PRIMARY KEY (a, b));
CREATE TABLE decision_ended_follows (a bigint, b bigint, PRIMARY KEY (a, b));
CREATE TABLE decision_blocks (a bigint, b bigint, PRIMARY KEY (a, b));
CREATE TABLE decision_mutes (a bigint, b bigint, PRIMARY KEY (a, b));
CREATE TABLE decision_likes (a bigint, tweet bytea, PRIMARY KEY (a, tweet));
CREATE TABLE decision_retweets (a bigint, tweet bytea, retweet bytea NOT NULL, PRIMARY KEY (a, tweet));
CREATE TABLE decision_bookmarks (a bigint, tweet bytea, PRIMARY KEY (a, tweet));
CREATE TABLE decision_read_marks (a bigint PRIMARY KEY, up_to bytea NOT NULL);
CREATE TABLE decision_read (a bigint, notification bytea, PRIMARY KEY (a, notification));  -- past the mark
CREATE TABLE decision_sessions (a bigint, session text COLLATE "C", PRIMARY KEY (a, session));
CREATE TABLE decision_media (
    media bytea PRIMARY KEY,
    owner text NOT NULL,
    attachment bytea NOT NULL,
    object text,
    size bigint,
    deleted smallint NOT NULL
);
CREATE TABLE decision_media_uses (media bytea, tweet bytea, PRIMARY KEY (media, tweet));  -- deleted tweets too
