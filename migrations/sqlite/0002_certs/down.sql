DROP TABLE certs_domains;
DROP TABLE certs;
