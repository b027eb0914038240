DROP VIEW app_users;
DROP TABLE team_apps;
