CREATE TABLE certs (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL CONSTRAINT certs_id_key UNIQUE,
    owner TEXT NOT NULL REFERENCES users (id),
    name TEXT NOT NULL CONSTRAINT certs_name_key UNIQUE,
    chain TEXT NOT NULL,
    sealed_key BLOB NOT NULL,
    common_name TEXT,
    san TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    starts TIMESTAMP NOT NULL,
    expires TIMESTAMP NOT NULL,
    created TIMESTAMP NOT NULL,
    updated TIMESTAMP NOT NULL
);
CREATE INDEX certs_owner ON certs (owner, name);

-- A domain has one certificate at most.
CREATE TABLE certs_domains (
    domain TEXT NOT NULL CONSTRAINT certs_domains_pkey PRIMARY KEY REFERENCES domains (domain) ON DELETE CASCADE,
    cert TEXT NOT NULL REFERENCES certs (id) ON DELETE CASCADE
);
CREATE INDEX certs_domains_cert ON certs_domains (cert, domain);
