-- Commands that run in a process after its start and before its stop, by process type.
ALTER TABLE configs ADD COLUMN lifecycle_post_start TEXT NOT NULL DEFAULT '{}';
ALTER TABLE configs ADD COLUMN lifecycle_pre_stop TEXT NOT NULL DEFAULT '{}';
