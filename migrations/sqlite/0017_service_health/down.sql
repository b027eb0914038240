DROP TABLE unhealthy_services;
ALTER TABLE dployr_deployments DROP COLUMN exit_code;
