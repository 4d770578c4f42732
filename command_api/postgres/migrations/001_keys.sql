-- Subjects' keys and the installation's secrets, wrapped by the master key. Not a function of the log: backed up.
CREATE TABLE subject_keys (
    subject text COLLATE "C" PRIMARY KEY,
    master text NOT NULL,
    wrapped bytea  -- NULL: destroyed
);
