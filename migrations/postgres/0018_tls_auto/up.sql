-- Whether an app wants certificates that the platform gets by itself; NULL as the operator has set it.
ALTER TABLE tls ADD COLUMN certs_auto_enabled BOOLEAN;
