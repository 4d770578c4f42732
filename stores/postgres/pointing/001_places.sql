-- Where the current generation of a store's read models is, and the one before, kept for going back: the name of a
-- keyspace, of keys, of a schema. Without a row a store's read models are where they were made first.
CREATE TABLE places (store text PRIMARY KEY, place text NOT NULL, before text);
