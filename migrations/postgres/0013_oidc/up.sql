-- Log-ins at an OpenID Connect provider.

-- Those that are under way, by the SHA-256 of the state that the provider gives back. `browser` is the SHA-256 of the
-- cookie of the browser that began; `user_id` is there when an account is to be linked.
CREATE TABLE oidc_logins (
    hash BYTEA NOT NULL,
    browser BYTEA NOT NULL,
    sealed_secrets BYTEA NOT NULL,
    return_to TEXT NOT NULL,
    user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
    expires TIMESTAMP NOT NULL,
    CONSTRAINT oidc_logins_pkey PRIMARY KEY (hash)
);
CREATE INDEX oidc_logins_expires ON oidc_logins (expires);
CREATE INDEX oidc_logins_user ON oidc_logins (user_id);

-- Who is who: a subject of a provider is one account here.
CREATE TABLE oidc_identities (
    issuer TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created TIMESTAMP NOT NULL,
    CONSTRAINT oidc_identities_pkey PRIMARY KEY (issuer, subject)
);
CREATE INDEX oidc_identities_user ON oidc_identities (user_id);

-- Accounts that were made for the owner of an address: by an invitation that was sent there, or by a provider's word.
-- Nobody else was ever let in, as may be with an address that somebody merely claims.
CREATE TABLE proven_emails (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    email TEXT NOT NULL,
    CONSTRAINT proven_emails_pkey PRIMARY KEY (user_id)
);
