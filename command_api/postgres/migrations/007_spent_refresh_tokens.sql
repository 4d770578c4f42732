-- The refresh token of a session that was spent last, as its digest: for 10 seconds it is answered with its successor.

ALTER TABLE refresh_tokens ADD COLUMN spent bytea;
ALTER TABLE refresh_tokens ADD COLUMN spent_at bigint;
