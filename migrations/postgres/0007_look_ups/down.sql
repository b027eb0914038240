DROP INDEX settings_autoscaled;
DROP INDEX apps_deleting;
DROP INDEX apps_living;
