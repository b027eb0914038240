-- Projects of teams, their versions and images, nodes, and deployments. All of it goes with the team. What removes a
-- registry or a node alone refuses while an image or a deployment refers to it.

CREATE TABLE projects (
    id TEXT NOT NULL,
    team TEXT NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    description TEXT,
    created TIMESTAMP NOT NULL,
    created_by TEXT NOT NULL,
    updated TIMESTAMP NOT NULL,
    updated_by TEXT NOT NULL,
    CONSTRAINT projects_pkey PRIMARY KEY (id),
    CONSTRAINT projects_team_name_key UNIQUE (team, name)
);

CREATE TABLE versions (
    id TEXT NOT NULL,
    project TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    changelog TEXT,
    is_default BOOLEAN NOT NULL,
    parent TEXT REFERENCES versions (id) ON DELETE SET NULL,
    created TIMESTAMP NOT NULL,
    created_by TEXT NOT NULL,
    updated TIMESTAMP NOT NULL,
    updated_by TEXT NOT NULL,
    CONSTRAINT versions_pkey PRIMARY KEY (id),
    CONSTRAINT versions_project_name_key UNIQUE (project, name),
    CONSTRAINT versions_parent_key UNIQUE (parent)
);
-- One default a project.
CREATE UNIQUE INDEX versions_default ON versions (project) WHERE is_default;

-- The configuration holds variables, hence sealed. The storage that it names stands beside it, to be found by.
CREATE TABLE version_images (
    id TEXT NOT NULL,
    version TEXT NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
    registry TEXT NOT NULL REFERENCES registries (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    tag TEXT,
    place INTEGER NOT NULL,
    storage TEXT,
    sealed_config BLOB NOT NULL,
    created TIMESTAMP NOT NULL,
    CONSTRAINT version_images_pkey PRIMARY KEY (id)
);
CREATE INDEX version_images_version ON version_images (version, place);
CREATE INDEX version_images_registry ON version_images (registry);
CREATE INDEX version_images_storage ON version_images (storage) WHERE storage IS NOT NULL;

CREATE TABLE nodes (
    id TEXT NOT NULL,
    team TEXT NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT,
    icon TEXT,
    kind TEXT NOT NULL,
    access TEXT NOT NULL,
    sealed_access BLOB,
    public_key TEXT,
    sealed_secret_key BLOB,
    created TIMESTAMP NOT NULL,
    created_by TEXT NOT NULL,
    updated TIMESTAMP NOT NULL,
    updated_by TEXT NOT NULL,
    CONSTRAINT nodes_pkey PRIMARY KEY (id),
    CONSTRAINT nodes_team_name_key UNIQUE (team, name)
);

CREATE TABLE deployments (
    id TEXT NOT NULL,
    team TEXT NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    version TEXT NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
    node TEXT NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    prefix TEXT NOT NULL,
    note TEXT,
    status TEXT NOT NULL,
    tries INTEGER NOT NULL,
    sealed_environment BLOB NOT NULL,
    created TIMESTAMP NOT NULL,
    created_by TEXT NOT NULL,
    updated TIMESTAMP NOT NULL,
    updated_by TEXT NOT NULL,
    CONSTRAINT deployments_pkey PRIMARY KEY (id)
);
CREATE INDEX deployments_team ON deployments (team, created, id);
CREATE INDEX deployments_version ON deployments (version);
CREATE INDEX deployments_node ON deployments (node, prefix);
CREATE INDEX deployments_status ON deployments (status) WHERE status = 'in-progress';

CREATE TABLE instances (
    id TEXT NOT NULL,
    deployment TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    image TEXT NOT NULL REFERENCES version_images (id) ON DELETE CASCADE,
    storage TEXT,
    sealed_config BLOB,
    updated TIMESTAMP NOT NULL,
    CONSTRAINT instances_pkey PRIMARY KEY (id),
    CONSTRAINT instances_deployment_image_key UNIQUE (deployment, image)
);
CREATE INDEX instances_image ON instances (image);
CREATE INDEX instances_storage ON instances (storage) WHERE storage IS NOT NULL;

CREATE TABLE deployment_events (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    deployment TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    attempt INTEGER NOT NULL,
    created TIMESTAMP NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL
);
CREATE INDEX deployment_events_deployment ON deployment_events (deployment, number);

CREATE TABLE deployment_tokens (
    id TEXT NOT NULL,
    deployment TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    team TEXT NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    nonce TEXT NOT NULL CONSTRAINT deployment_tokens_nonce_key UNIQUE,
    created TIMESTAMP NOT NULL,
    expires TIMESTAMP,
    CONSTRAINT deployment_tokens_pkey PRIMARY KEY (id),
    CONSTRAINT deployment_tokens_deployment_key UNIQUE (deployment),
    CONSTRAINT deployment_tokens_team_name_key UNIQUE (team, name)
);
