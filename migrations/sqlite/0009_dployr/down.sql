CREATE TABLE deploy_hooks (
    release TEXT NOT NULL,
    target TEXT NOT NULL,
    app TEXT NOT NULL,
    app_name TEXT NOT NULL,
    version BIGINT NOT NULL,
    summary TEXT NOT NULL,
    sha TEXT NOT NULL,
    username TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    due TIMESTAMP NOT NULL,
    created TIMESTAMP NOT NULL,
    CONSTRAINT deploy_hooks_pkey PRIMARY KEY (release, target)
);
CREATE INDEX deploy_hooks_due ON deploy_hooks (due);
DROP TABLE deliveries;
DROP TABLE webhooks;
DROP TABLE dployr_claims;
DROP TABLE dployr_deployments;
DROP TABLE dployr_projects;
DROP TABLE request_counts;
DROP INDEX users_email;
DROP TABLE logins;
