-- What an image's tag stood for when the build was made, by digest; null while that is not known.
ALTER TABLE builds ADD COLUMN pinned TEXT;
