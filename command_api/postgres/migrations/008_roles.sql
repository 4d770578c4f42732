-- The accounts with another role than `user`. Every process holds them all, so it is told of each change.

CREATE TABLE decision_roles (number bigint PRIMARY KEY, id text NOT NULL, role text NOT NULL);

CREATE FUNCTION tell_roles() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('minitwitter_roles', '');
    RETURN NULL;
END $$;

CREATE TRIGGER tell_roles AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON decision_roles
FOR EACH STATEMENT EXECUTE FUNCTION tell_roles();
