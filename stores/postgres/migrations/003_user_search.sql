-- A row for each name of an account, and one for each trigram of each name.
CREATE TABLE user_search_names (
    account bigint,
    slot integer,  -- 0 the user name, 1 the display name, from 2 on what begins at each of its words
    name text COLLATE "C" NOT NULL,  -- the key of it
    id uuid NOT NULL,
    PRIMARY KEY (account, slot)
);
CREATE INDEX user_search_names_by_name ON user_search_names (name, slot, account);
CREATE TABLE user_search_trigrams (
    trigram text COLLATE "C", size integer, account bigint, slot integer,
    PRIMARY KEY (trigram, size, account, slot)
);

-- The trigrams of a name's key, and how many they are: stores/text/trigrams.py, in SQL.
CREATE FUNCTION name_trigrams(key text) RETURNS TABLE (trigram text, size integer)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT found.trigram, (count(*) OVER ())::integer
    FROM (
        SELECT DISTINCT substr('  ' || word || ' ', place, 3) AS trigram
        FROM unnest(string_to_array(key, ' ')) AS word, generate_series(1, length(word) + 1) AS place
    ) AS found;
END;

-- What of a row's name is compared: the whole, or the word that it begins with.
CREATE FUNCTION compared_name(slot integer, name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN slot < 2 THEN name ELSE split_part(name, ' ', 1) END;
