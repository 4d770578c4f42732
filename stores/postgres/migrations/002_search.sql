-- An inverted index of our own: for each word the tweets that have it, in the order of their ids.
CREATE TABLE search_tweets (
    tweet uuid PRIMARY KEY,
    tokens text COLLATE "C" NOT NULL
);
CREATE TABLE search_postings (
    word text COLLATE "C", tweet uuid,
    PRIMARY KEY (word, tweet)
);

-- What a token is found by. An index takes 2,704 bytes at most, and some link has a word of more than that.
CREATE FUNCTION search_word(token text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN octet_length(token) <= 64 THEN token ELSE '~' || md5(token) END;
