-- Counting and paging all apps without reading those that are not shown. Partial, for an index that has is_deleting as a
-- column is what SQLite would take to find the few apps of one user.
CREATE INDEX apps_living ON apps (name) WHERE NOT is_deleting;
CREATE INDEX apps_deleting ON apps (id) WHERE is_deleting;
-- The few apps that are scaled by the platform, which looks for them all the time.
CREATE INDEX settings_autoscaled ON settings (app) WHERE autoscale <> '{}';
