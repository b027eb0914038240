ALTER TABLE tls DROP COLUMN certs_auto_enabled;
