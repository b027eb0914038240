-- Log-ins by e-mail address: each is a family of refresh tokens, of which one is good at a time.
CREATE TABLE logins (
    id TEXT NOT NULL,
    owner TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    token_hash BYTEA NOT NULL,
    created TIMESTAMP NOT NULL,
    expires TIMESTAMP NOT NULL,
    CONSTRAINT logins_pkey PRIMARY KEY (id)
);
CREATE INDEX logins_owner ON logins (owner);
CREATE INDEX logins_expires ON logins (expires);
CREATE INDEX users_email ON users (lower(email));

-- Requests counted by who asks and by hour.
CREATE TABLE request_counts (
    caller TEXT NOT NULL,
    hour BIGINT NOT NULL,
    count BIGINT NOT NULL,
    CONSTRAINT request_counts_pkey PRIMARY KEY (caller, hour)
);

CREATE TABLE dployr_projects (
    id TEXT NOT NULL,
    owner TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    created TIMESTAMP NOT NULL,
    updated TIMESTAMP NOT NULL,
    CONSTRAINT dployr_projects_pkey PRIMARY KEY (id),
    CONSTRAINT dployr_projects_owner_name_key UNIQUE (owner, name)
);

-- What was asked for of an app through the dployr API, and how far it is. `work` says who is to do what next.
CREATE TABLE dployr_deployments (
    app TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    owner TEXT NOT NULL,
    project TEXT,
    request TEXT NOT NULL,
    credentials BYTEA,
    status TEXT NOT NULL,
    error TEXT NOT NULL,
    work TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    last_build TEXT NOT NULL,
    build TEXT,
    release TEXT,
    created TIMESTAMP NOT NULL,
    updated TIMESTAMP NOT NULL,
    finished TIMESTAMP,
    CONSTRAINT dployr_deployments_pkey PRIMARY KEY (app)
);
CREATE INDEX dployr_deployments_project ON dployr_deployments (project);
CREATE INDEX dployr_deployments_work ON dployr_deployments (work, updated);

-- Which builder a deployment was handed to, until when it is to be heard of, and how often there was one.
CREATE TABLE dployr_claims (
    app TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    claim TEXT NOT NULL,
    due TIMESTAMP NOT NULL,
    claims BIGINT NOT NULL,
    CONSTRAINT dployr_claims_pkey PRIMARY KEY (app)
);

CREATE TABLE webhooks (
    id TEXT NOT NULL,
    owner TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    url TEXT NOT NULL,
    events TEXT NOT NULL,
    secret BYTEA,
    is_active BOOLEAN NOT NULL,
    created TIMESTAMP NOT NULL,
    updated TIMESTAMP NOT NULL,
    CONSTRAINT webhooks_pkey PRIMARY KEY (id)
);
CREATE INDEX webhooks_owner ON webhooks (owner);

-- What is to be told to addresses outside: the outbox of deploy hooks, webhooks and whatever comes. No row of another
-- table is referred to, since the end of an app or of a release does not undo that it was.
CREATE TABLE deliveries (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    app TEXT NOT NULL,
    event TEXT NOT NULL,
    content TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    due TIMESTAMP NOT NULL,
    log TEXT NOT NULL,
    created TIMESTAMP NOT NULL,
    finished TIMESTAMP,
    CONSTRAINT deliveries_id_key UNIQUE (id)
);
CREATE INDEX deliveries_due ON deliveries (state, due);
CREATE INDEX deliveries_lane ON deliveries (kind, target, app, number);

INSERT INTO deliveries (id, kind, target, app, event, content, state, attempts, tries, due, log, created)
SELECT
    gen_random_uuid()::text,
    'deploy_hook', target, app, 'release',
    json_build_object(
        'app_name', app_name, 'version', version, 'summary', summary, 'sha', sha, 'username', username)::text,
    'pending', attempts, attempts, due, '[]', created
FROM deploy_hooks ORDER BY created, version;
DROP TABLE deploy_hooks;
