ALTER TABLE configs DROP COLUMN lifecycle_pre_stop;
ALTER TABLE configs DROP COLUMN lifecycle_post_start;
