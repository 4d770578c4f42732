-- Which tweets carry which tag, how often each tag is used, and the trigrams of the names.
CREATE TABLE hashtag_search_uses (
    tweet uuid, tag text COLLATE "C",
    PRIMARY KEY (tweet, tag)
);
CREATE TABLE hashtag_search_tags (
    tag text COLLATE "C" PRIMARY KEY,
    name text COLLATE "C" NOT NULL,  -- its key; two tags may have one: #são and #sao
    uses bigint NOT NULL
) WITH (fillfactor = 70);  -- in no index, so a use is counted in place
CREATE INDEX hashtag_search_tags_by_name ON hashtag_search_tags (name, tag);
CREATE TABLE hashtag_search_trigrams (
    trigram text COLLATE "C", size integer, name text COLLATE "C", tag text COLLATE "C",
    PRIMARY KEY (trigram, size, name, tag)
);
