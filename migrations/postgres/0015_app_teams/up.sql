-- Apps that a team owns, and who may use an app: those who were granted it, and the members of its team.

CREATE TABLE team_apps (
    app TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    team TEXT NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    created TIMESTAMP NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT team_apps_pkey PRIMARY KEY (app)
);
CREATE INDEX team_apps_team ON team_apps (team);

CREATE VIEW app_users (app, user_id) AS
    SELECT perms.app, perms.user_id FROM perms
    UNION ALL
    SELECT team_apps.app, team_members.user_id FROM team_apps JOIN team_members ON team_members.team = team_apps.team;
