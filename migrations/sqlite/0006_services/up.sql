-- Paths of an app that lead to processes of another type than the usual one.
CREATE TABLE services (
    app TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    process_type TEXT NOT NULL,
    path_pattern TEXT NOT NULL,
    created TIMESTAMP NOT NULL,
    updated TIMESTAMP NOT NULL,
    CONSTRAINT services_pkey PRIMARY KEY (app, process_type)
);

-- Process types that somebody stopped; how many there were is in the app's structure still.
CREATE TABLE stops (
    app TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    process_type TEXT NOT NULL,
    created TIMESTAMP NOT NULL,
    CONSTRAINT stops_pkey PRIMARY KEY (app, process_type)
);
