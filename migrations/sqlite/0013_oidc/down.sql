DROP TABLE proven_emails;
DROP TABLE oidc_identities;
DROP TABLE oidc_logins;
