-- Starts of deployments that are under way: who wanted it, what goes out, and which run of a controller carries it. What
-- goes out is kept as it was when the start was taken, whatever is changed meanwhile. It holds variables, hence sealed.

CREATE TABLE deployment_starts (
    deployment TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    attempt INTEGER NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    claim TEXT,
    sealed_content BLOB NOT NULL,
    created TIMESTAMP NOT NULL,
    CONSTRAINT deployment_starts_pkey PRIMARY KEY (deployment)
);
