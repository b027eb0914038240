CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
);

CREATE TABLE users (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL CONSTRAINT users_id_key UNIQUE,
    username TEXT NOT NULL CONSTRAINT users_username_key UNIQUE,
    email TEXT NOT NULL,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    is_superuser BOOLEAN NOT NULL,
    is_active BOOLEAN NOT NULL,
    key_generation BIGINT NOT NULL,
    key_hash BLOB CONSTRAINT users_key_hash_key UNIQUE,
    last_login TIMESTAMP,
    date_joined TIMESTAMP NOT NULL
);

CREATE TABLE keys (
    uuid TEXT NOT NULL PRIMARY KEY,
    id TEXT NOT NULL CONSTRAINT keys_id_key UNIQUE,
    owner TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    public TEXT NOT NULL,
    fingerprint TEXT NOT NULL CONSTRAINT keys_fingerprint_key UNIQUE,
    created TIMESTAMP NOT NULL,
    updated TIMESTAMP NOT NULL
);
CREATE INDEX keys_owner ON keys (owner);

CREATE TABLE apps (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL CONSTRAINT apps_name_key UNIQUE,
    owner TEXT NOT NULL REFERENCES users (id),
    structure TEXT NOT NULL,
    desired_generation BIGINT NOT NULL,
    observed_generation BIGINT NOT NULL,
    restarts TEXT NOT NULL,
    is_deleting BOOLEAN NOT NULL,
    created TIMESTAMP NOT NULL,
    updated TIMESTAMP NOT NULL
);
CREATE INDEX apps_owner ON apps (owner);
CREATE INDEX apps_unsettled ON apps (id) WHERE desired_generation <> observed_generation;

CREATE TABLE perms (
    app TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created TIMESTAMP NOT NULL,
    PRIMARY KEY (app, user_id)
);
CREATE INDEX perms_user ON perms (user_id);

-- In what follows, owner and owner_name say who did something. That is history: it outlives the user.

CREATE TABLE configs (
    id TEXT NOT NULL PRIMARY KEY,
    app TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    owner TEXT NOT NULL,
    owner_name TEXT NOT NULL,
    sealed_values BLOB NOT NULL,
    memory TEXT NOT NULL,
    cpu TEXT NOT NULL,
    tags TEXT NOT NULL,
    sealed_registry BLOB NOT NULL,
    healthcheck TEXT NOT NULL,
    created TIMESTAMP NOT NULL
);
CREATE INDEX configs_app_created ON configs (app, created);

CREATE TABLE builds (
    id TEXT NOT NULL PRIMARY KEY,
    app TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    owner TEXT NOT NULL,
    owner_name TEXT NOT NULL,
    image TEXT NOT NULL,
    sha TEXT NOT NULL,
    procfile TEXT NOT NULL,
    dockerfile TEXT NOT NULL,
    stack TEXT NOT NULL,
    created TIMESTAMP NOT NULL
);
CREATE INDEX builds_app_created ON builds (app, created);

CREATE TABLE releases (
    id TEXT NOT NULL PRIMARY KEY,
    app TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    owner TEXT NOT NULL,
    owner_name TEXT NOT NULL,
    version BIGINT NOT NULL,
    summary TEXT NOT NULL,
    config TEXT NOT NULL REFERENCES configs (id) ON DELETE CASCADE,
    build TEXT REFERENCES builds (id) ON DELETE CASCADE,
    state TEXT NOT NULL,
    exception TEXT NOT NULL,
    deadline TIMESTAMP,
    created TIMESTAMP NOT NULL,
    updated TIMESTAMP NOT NULL,
    CONSTRAINT releases_app_version_key UNIQUE (app, version)
);
CREATE INDEX releases_config ON releases (config);
CREATE INDEX releases_build ON releases (build);
CREATE INDEX releases_pending ON releases (app, version) WHERE state IN ('created', 'deploying');

CREATE TABLE domains (
    domain TEXT NOT NULL CONSTRAINT domains_pkey PRIMARY KEY,
    app TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    owner TEXT NOT NULL,
    owner_name TEXT NOT NULL,
    created TIMESTAMP NOT NULL,
    updated TIMESTAMP NOT NULL
);
CREATE INDEX domains_app ON domains (app);

CREATE TABLE settings (
    app TEXT NOT NULL PRIMARY KEY REFERENCES apps (id) ON DELETE CASCADE,
    owner TEXT NOT NULL,
    owner_name TEXT NOT NULL,
    maintenance BOOLEAN NOT NULL,
    routable BOOLEAN NOT NULL,
    allowlist TEXT NOT NULL,
    autoscale TEXT NOT NULL,
    label TEXT NOT NULL,
    created TIMESTAMP NOT NULL,
    updated TIMESTAMP NOT NULL
);

CREATE TABLE tls (
    app TEXT NOT NULL PRIMARY KEY REFERENCES apps (id) ON DELETE CASCADE,
    owner TEXT NOT NULL,
    owner_name TEXT NOT NULL,
    https_enforced BOOLEAN,
    created TIMESTAMP NOT NULL,
    updated TIMESTAMP NOT NULL
);

CREATE TABLE build_logs (
    id TEXT NOT NULL PRIMARY KEY,
    app TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    owner TEXT NOT NULL,
    owner_name TEXT NOT NULL,
    sha TEXT NOT NULL,
    outcome TEXT NOT NULL,
    log BLOB NOT NULL,
    created TIMESTAMP NOT NULL
);
CREATE INDEX build_logs_app_created ON build_logs (app, created);

CREATE TABLE events (
    id TEXT NOT NULL PRIMARY KEY,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    subject_name TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    outcome TEXT NOT NULL,
    created TIMESTAMP NOT NULL
);
CREATE INDEX events_created ON events (created);
CREATE INDEX events_subject ON events (kind, subject_id, created);
