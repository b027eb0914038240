-- What happens at nodes of teams, and how nodes join.

CREATE TABLE node_events (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    node TEXT NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    created TIMESTAMP NOT NULL,
    kind TEXT NOT NULL,
    data TEXT
);
CREATE INDEX node_events_node ON node_events (node, created, number);

-- Scripts that were made for nodes. What the platform knows the script's run by follows from the identity.
CREATE TABLE node_installers (
    node TEXT NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    script_kind TEXT NOT NULL,
    root_path TEXT,
    acme_email TEXT,
    expires TIMESTAMP NOT NULL,
    CONSTRAINT node_installers_pkey PRIMARY KEY (node)
);

-- Names on what the platform itself runs on: those of apps, and the prefixes of teams' deployments. A name is either an
-- app's or a team's; it goes with its owner.
CREATE TABLE platform_names (
    name TEXT NOT NULL,
    app TEXT REFERENCES apps (id) ON DELETE CASCADE,
    team TEXT REFERENCES teams (id) ON DELETE CASCADE,
    created TIMESTAMP NOT NULL,
    CONSTRAINT platform_names_pkey PRIMARY KEY (name),
    CONSTRAINT platform_names_owner CHECK ((app IS NULL) <> (team IS NULL))
);
CREATE INDEX platform_names_app ON platform_names (app);
CREATE INDEX platform_names_team ON platform_names (team);
INSERT INTO platform_names (name, app, team, created) SELECT name, id, NULL, created FROM apps;
