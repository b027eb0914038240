DROP TABLE deployment_tokens;
DROP TABLE deployment_events;
DROP TABLE instances;
DROP TABLE deployments;
DROP TABLE nodes;
DROP TABLE version_images;
DROP TABLE versions;
DROP TABLE projects;
