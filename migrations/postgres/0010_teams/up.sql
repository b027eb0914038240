-- Teams, their members, and what a team owns. All of it goes with the team. Who made or changed something (created_by,
-- updated_by) is history: it outlives the user, so that it refers to nobody.

CREATE TABLE teams (
    id TEXT NOT NULL,
    name TEXT COLLATE "C" NOT NULL CONSTRAINT teams_name_key UNIQUE,
    slug TEXT COLLATE "C" NOT NULL CONSTRAINT teams_slug_key UNIQUE,
    created TIMESTAMP NOT NULL,
    created_by TEXT NOT NULL,
    updated TIMESTAMP NOT NULL,
    updated_by TEXT NOT NULL,
    CONSTRAINT teams_pkey PRIMARY KEY (id)
);

CREATE TABLE team_members (
    team TEXT NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    is_active BOOLEAN NOT NULL,
    created TIMESTAMP NOT NULL,
    CONSTRAINT team_members_pkey PRIMARY KEY (team, user_id)
);
CREATE INDEX team_members_user ON team_members (user_id);
-- The older generation of the API speaks of the active team: one a user at most.
CREATE UNIQUE INDEX team_members_active ON team_members (user_id) WHERE is_active;

CREATE TABLE team_invitations (
    team TEXT NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    email TEXT NOT NULL,
    status TEXT NOT NULL,
    created TIMESTAMP NOT NULL,
    CONSTRAINT team_invitations_pkey PRIMARY KEY (team, user_id)
);
CREATE INDEX team_invitations_user ON team_invitations (user_id);

-- Tokens that users make for programs. The token itself is signed, not kept; it is good while its nonce is here.
CREATE TABLE user_tokens (
    id TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT COLLATE "C" NOT NULL,
    nonce TEXT NOT NULL CONSTRAINT user_tokens_nonce_key UNIQUE,
    created TIMESTAMP NOT NULL,
    expires TIMESTAMP,
    CONSTRAINT user_tokens_pkey PRIMARY KEY (id),
    CONSTRAINT user_tokens_user_id_name_key UNIQUE (user_id, name)
);

-- Log-ins of browsers, by the SHA-256 of the cookie.
CREATE TABLE browser_sessions (
    hash BYTEA NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created TIMESTAMP NOT NULL,
    expires TIMESTAMP NOT NULL,
    CONSTRAINT browser_sessions_pkey PRIMARY KEY (hash)
);
CREATE INDEX browser_sessions_user ON browser_sessions (user_id);
CREATE INDEX browser_sessions_expires ON browser_sessions (expires);

-- Codes with which those who were invited make their account their own, by their SHA-256.
CREATE TABLE sign_up_codes (
    hash BYTEA NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires TIMESTAMP NOT NULL,
    CONSTRAINT sign_up_codes_pkey PRIMARY KEY (hash)
);
CREATE INDEX sign_up_codes_user ON sign_up_codes (user_id);

CREATE TABLE user_preferences (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    is_onboarding_hidden BOOLEAN NOT NULL,
    CONSTRAINT user_preferences_pkey PRIMARY KEY (user_id)
);

CREATE TABLE registries (
    id TEXT NOT NULL,
    team TEXT NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    name TEXT COLLATE "C" NOT NULL,
    description TEXT,
    icon TEXT,
    kind TEXT NOT NULL,
    url TEXT NOT NULL,
    image_prefix TEXT,
    namespace TEXT,
    api_url TEXT,
    sealed_credentials BYTEA,
    created TIMESTAMP NOT NULL,
    created_by TEXT NOT NULL,
    updated TIMESTAMP NOT NULL,
    updated_by TEXT NOT NULL,
    CONSTRAINT registries_pkey PRIMARY KEY (id),
    CONSTRAINT registries_team_name_key UNIQUE (team, name)
);

CREATE TABLE storages (
    id TEXT NOT NULL,
    team TEXT NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    name TEXT COLLATE "C" NOT NULL,
    description TEXT,
    icon TEXT,
    url TEXT NOT NULL,
    access_key TEXT,
    sealed_secret_key BYTEA,
    created TIMESTAMP NOT NULL,
    created_by TEXT NOT NULL,
    updated TIMESTAMP NOT NULL,
    updated_by TEXT NOT NULL,
    CONSTRAINT storages_pkey PRIMARY KEY (id),
    CONSTRAINT storages_team_name_key UNIQUE (team, name)
);

-- Addresses of webhooks hold the right to post there, hence sealed.
CREATE TABLE notifications (
    id TEXT NOT NULL,
    team TEXT NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    name TEXT COLLATE "C" NOT NULL,
    kind TEXT NOT NULL,
    sealed_url BYTEA NOT NULL,
    is_active BOOLEAN NOT NULL,
    events TEXT NOT NULL,
    created TIMESTAMP NOT NULL,
    created_by TEXT NOT NULL,
    creator_name TEXT NOT NULL,
    updated TIMESTAMP NOT NULL,
    updated_by TEXT NOT NULL,
    CONSTRAINT notifications_pkey PRIMARY KEY (id),
    CONSTRAINT notifications_team_name_key UNIQUE (team, name)
);

-- Who did what in a team. Never changed. The actor's name and address are those of the time.
CREATE TABLE team_audit (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team TEXT NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    created TIMESTAMP NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    actor_email TEXT NOT NULL,
    context TEXT NOT NULL,
    method TEXT,
    event TEXT NOT NULL,
    data TEXT
);
CREATE INDEX team_audit_team_created ON team_audit (team, created, number);
