ALTER TABLE configs DROP COLUMN termination_grace_period;
ALTER TABLE configs DROP COLUMN mounts;
DROP TABLE volumes;
