DROP TABLE stops;
DROP TABLE services;
