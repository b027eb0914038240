DROP TABLE deployment_starts;
