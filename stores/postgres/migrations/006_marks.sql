-- The event just before each position, which tells the log that was read; NULL where it is not known.
ALTER TABLE positions ADD COLUMN last uuid;
