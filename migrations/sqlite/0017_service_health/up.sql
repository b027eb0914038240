-- The exit code that the command of a job ended with.
ALTER TABLE dployr_deployments ADD COLUMN exit_code BIGINT;

-- Services that run and do not answer as they should; those that do have no row.
CREATE TABLE unhealthy_services (
    app TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    process_type TEXT NOT NULL,
    reason TEXT NOT NULL,
    created TIMESTAMP NOT NULL,
    CONSTRAINT unhealthy_services_pkey PRIMARY KEY (app, process_type)
);
