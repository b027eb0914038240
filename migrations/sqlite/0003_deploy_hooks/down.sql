DROP TABLE deploy_hooks;
