-- Keys and passwords stand in Kafka's topic `keys` as well (events/kept.py): a database that is restored from the past
-- gets back from there what it lacks. `published`: the topic has the row as it is. `changed`: when, in ms.

ALTER TABLE subject_keys ADD COLUMN published boolean NOT NULL DEFAULT false;
CREATE INDEX subject_keys_unpublished ON subject_keys (subject) WHERE NOT published;

ALTER TABLE passwords ADD COLUMN changed bigint NOT NULL DEFAULT 0;
ALTER TABLE passwords ADD COLUMN published boolean NOT NULL DEFAULT false;
CREATE INDEX passwords_unpublished ON passwords (account) WHERE NOT published;

-- Whatever stands in that topic before these positions is in the tables.
CREATE TABLE kept_positions (one boolean PRIMARY KEY DEFAULT true CHECK (one), positions text NOT NULL);
INSERT INTO kept_positions (positions) VALUES ('');

-- Another one after each restore: a process that began with the one before ends.
ALTER TABLE noted_positions ADD COLUMN lineage uuid NOT NULL DEFAULT gen_random_uuid();
