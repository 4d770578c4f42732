-- Records that groups of processors set aside: pointers into the log. `place` is the generation of the read models that
-- lack them; `asked` is what an operator wants done, until whoever has the partition has done it.
CREATE TABLE dead_letters (
    consumers text COLLATE "C", place text COLLATE "C", topic text COLLATE "C", partition integer, "offset" bigint,
    key text NOT NULL, event_id text NOT NULL, type text NOT NULL, version integer NOT NULL, cause text NOT NULL,
    at bigint NOT NULL, attempts integer NOT NULL, asked text NOT NULL DEFAULT '',
    PRIMARY KEY (consumers, place, topic, partition, "offset")
);
