DROP TABLE platform_names;
DROP TABLE node_installers;
DROP TABLE node_events;
