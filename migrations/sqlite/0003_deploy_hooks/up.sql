-- What is still to be told to the operator's deploy hooks: one row a release and address. No row of another table is
-- referred to, since the end of an app does not undo that there was a release.
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
