-- Directories of an app that outlive its processes.
CREATE TABLE volumes (
    id TEXT NOT NULL,
    app TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    owner_name TEXT NOT NULL,
    name TEXT NOT NULL,
    size TEXT NOT NULL,
    created TIMESTAMP NOT NULL,
    updated TIMESTAMP NOT NULL,
    CONSTRAINT volumes_pkey PRIMARY KEY (id),
    CONSTRAINT volumes_app_name_key UNIQUE (app, name)
);

-- Where a configuration mounts them: a map of volumes of maps of process types to directories.
ALTER TABLE configs ADD COLUMN mounts TEXT NOT NULL DEFAULT '{}';
-- How long its processes may take to end, by process type.
ALTER TABLE configs ADD COLUMN termination_grace_period TEXT NOT NULL DEFAULT '{}';
