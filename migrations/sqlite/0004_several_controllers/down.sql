DROP TABLE log_lines;
ALTER TABLE apps DROP COLUMN applied_generation;
