-- How far each group of processors has come, and the newest event of each entity that it has folded.
CREATE TABLE positions (
    consumers text COLLATE "C", topic text COLLATE "C", partition integer, next bigint NOT NULL,
    PRIMARY KEY (consumers, topic, partition)
);
CREATE TABLE newest (
    consumers text COLLATE "C", topic smallint, key text COLLATE "C", id uuid NOT NULL,
    PRIMARY KEY (consumers, topic, key)
) WITH (fillfactor = 80);  -- rows are updated in place, again and again
