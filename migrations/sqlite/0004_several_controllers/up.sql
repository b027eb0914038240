-- What the engine was given, for controllers other than the one that gives it.
ALTER TABLE apps ADD COLUMN applied_generation BIGINT NOT NULL DEFAULT 0;

-- Lines of the platform in apps' logs, for engines that have no files of their own.
CREATE TABLE log_lines (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    app TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    time TIMESTAMP NOT NULL,
    source TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX log_lines_app ON log_lines (app, number);
