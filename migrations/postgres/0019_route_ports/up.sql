-- The port that requests for a domain go to; NULL for the one that the app's processes are told to listen on.
ALTER TABLE domains ADD COLUMN port INTEGER;
