//! Deployments, who works on them, and projects.

use slipway_core::config::SecretText;
use slipway_core::deployment::{
    DeploymentRequest, DeploymentSource, DeploymentStatus, DeploymentType, DeploymentWork, PORT_DEFAULT,
};
use slipway_core::release::ReleaseState;
use slipway_core::{AppId, ProcessType, ProjectId};
use slipway_store::{
    AppFilter, Db, DeploymentBuilt, NewDeployment, Page, StoreError, UniqueOn, apps_filter, deployed_apps,
    deployment_begin, deployment_built, deployment_by_app, deployment_claim, deployment_claim_renew,
    deployment_credentials, deployment_exit, deployment_finish, deployment_is_claim, deployment_put,
    deployment_unclaimed, deployments_by_work, dployr_project_by_id, dployr_project_delete, dployr_project_insert,
    dployr_projects_list, releases_latest_good, unhealthy_all, unhealthy_by_apps, unhealthy_delete, unhealthy_insert,
};

use crate::fixtures::{app, at, build, config, release, user};

fn new(app: AppId, project: Option<ProjectId>) -> NewDeployment {
    NewDeployment {
        app,
        owner: "ada".parse().unwrap(),
        project,
        request: DeploymentRequest {
            description: String::new(),
            kind: DeploymentType::Web,
            source: DeploymentSource::Remote,
            runtime: "nodejs".to_owned(),
            version: "20".to_owned(),
            remote: "https://git.example/a".to_owned(),
            branch: "main".to_owned(),
            commit_hash: String::new(),
            build_cmd: "npm install".to_owned(),
            run_cmd: "npm start".to_owned(),
            port: PORT_DEFAULT,
            working_dir: String::new(),
            static_dir: String::new(),
            image: String::new(),
            domain: String::new(),
            health_check: String::new(),
            secrets: vec!["TOKEN".to_owned()],
            deploy_key: String::new(),
            is_rebuild_forced: false,
        },
        credentials: Some(SecretText::new("u:hunter2")),
        status: DeploymentStatus::Pending,
        work: DeploymentWork::Build,
        release: None,
        now: at(0),
    }
}

async fn names(db: &mut Db, filter: AppFilter) -> Vec<String> {
    let found = apps_filter(db, &filter, Page::ALL).await.unwrap();
    assert_eq!(found.total, found.items.len() as u64);
    let mut names: Vec<String> = found.items.iter().map(|app| app.name.to_string()).collect();
    names.sort();
    names
}

both! {
    async fn a_claim_is_one_builders_until_it_is_not_heard_of(test) {
        let mut transaction = test.store.transaction().await.unwrap();
        let db = transaction.db();
        let ada = user(db, "ada").await;
        let blog = app(db, ada.id, "blog").await;
        let put = deployment_put(db, &new(blog.id, None)).await.unwrap();
        assert_eq!((put.attempt, put.request.clone()), (1, new(blog.id, None).request));
        assert_eq!(deployment_credentials(db, blog.id).await.unwrap().unwrap().expose(), "u:hunter2");
        let (found, claims) = deployment_unclaimed(db, at(0)).await.unwrap().unwrap();
        assert_eq!((found.app, claims), (blog.id, 0));
        deployment_claim(db, blog.id, "one", at(30)).await.unwrap();
        deployment_begin(db, blog.id, at(1)).await.unwrap();
        assert_eq!(deployment_unclaimed(db, at(29)).await.unwrap(), None);
        assert!(deployment_claim_renew(db, blog.id, "one", at(60)).await.unwrap());
        assert_eq!(deployment_unclaimed(db, at(59)).await.unwrap(), None);
        let (found, claims) = deployment_unclaimed(db, at(61)).await.unwrap().unwrap();
        assert_eq!((found.status, claims), (DeploymentStatus::InProgress, 1));
        deployment_claim(db, blog.id, "two", at(90)).await.unwrap();
        assert!(!deployment_claim_renew(db, blog.id, "one", at(99)).await.unwrap());
        assert!(deployment_is_claim(db, blog.id, "two").await.unwrap());
        // Asked for again, whoever works on it works for nothing.
        let again = deployment_put(db, &new(blog.id, None)).await.unwrap();
        assert_eq!((again.attempt, again.status), (2, DeploymentStatus::Pending));
        assert!(!deployment_is_claim(db, blog.id, "two").await.unwrap());
        assert_eq!(deployment_unclaimed(db, at(62)).await.unwrap().unwrap().1, 0);

        let (config, build) = (config(db, &blog).await, build(db, &blog, "image", 5).await);
        let made = release(db, &blog, &config, Some(build.id), ReleaseState::Created).await;
        let built = DeploymentBuilt {
            app: blog.id,
            build: build.id,
            release: made.id,
            commit_hash: "c",
            fingerprint: "f",
            now: at(63),
        };
        deployment_built(db, &built).await.unwrap();
        assert_eq!(deployment_unclaimed(db, at(999)).await.unwrap(), None);
        let rolling = deployments_by_work(db, DeploymentWork::Rollout, 10).await.unwrap();
        assert_eq!((rolling[0].built, rolling[0].release), (Some(build.id), Some(made.id)));
        assert_eq!(releases_latest_good(db, &[blog.id]).await.unwrap(), vec![made]);
        deployment_finish(db, blog.id, "no", at(64)).await.unwrap();
        let failed = deployment_by_app(db, blog.id).await.unwrap().unwrap();
        assert_eq!((failed.status, failed.error.as_str(), failed.fingerprint.as_str()), (DeploymentStatus::Failed, "no", "f"));
        transaction.commit().await.unwrap();
    }

    async fn apps_are_found_by_what_became_of_their_deployments(test) {
        let mut transaction = test.store.transaction().await.unwrap();
        let db = transaction.db();
        let (ada, bob) = (user(db, "ada").await, user(db, "bob").await);
        let (blog, shop, wiki) =
            (app(db, ada.id, "blog").await, app(db, ada.id, "shop").await, app(db, bob.id, "wiki").await);
        let project = dployr_project_insert(db, ada.id, "site", "", at(0)).await.unwrap();
        deployment_put(db, &new(blog.id, Some(project))).await.unwrap();
        deployment_finish(db, blog.id, "no", at(1)).await.unwrap();
        let (config, build) = (config(db, &shop).await, build(db, &shop, "image", 5).await);
        release(db, &shop, &config, Some(build.id), ReleaseState::Succeeded).await;
        let all = AppFilter::default();
        assert_eq!(names(db, all.clone()).await, ["blog", "shop", "wiki"]);
        assert_eq!(names(db, AppFilter { visible_to: Some(ada.id), ..all.clone() }).await, ["blog", "shop"]);
        assert_eq!(names(db, AppFilter { app: Some(wiki.id), ..all.clone() }).await, ["wiki"]);
        assert_eq!(names(db, AppFilter { project: Some(project), ..all.clone() }).await, ["blog"]);
        for (status, expect) in [
            (DeploymentStatus::Failed, vec!["blog"]),
            (DeploymentStatus::Completed, vec!["shop"]),
            (DeploymentStatus::Pending, vec!["wiki"]),
            (DeploymentStatus::InProgress, vec![]),
        ] {
            assert_eq!(names(db, AppFilter { status: Some(status), ..all.clone() }).await, expect, "{status}");
        }
        assert_eq!(dployr_project_by_id(db, project).await.unwrap().unwrap().deployment_count, 1);
        assert_eq!(dployr_projects_list(db, ada.id, Page::ALL).await.unwrap().items[0].name, "site");
        assert!(dployr_project_delete(db, project).await.unwrap());
        assert_eq!(deployment_by_app(db, blog.id).await.unwrap().unwrap().project, None);
        transaction.commit().await.unwrap();
    }

    async fn what_is_asked_how_it_is_runs_and_what_does_not_answer_is_noted(test) {
        let mut transaction = test.store.transaction().await.unwrap();
        let db = transaction.db();
        let ada = user(db, "ada").await;
        let web = ProcessType::web();
        for name in ["blog", "shop", "wiki", "plain"] {
            let made = app(db, ada.id, name).await;
            if name != "plain" {
                deployment_put(db, &new(made.id, None)).await.unwrap();
            }
        }
        let all = deployed_apps(db, None, 10).await.unwrap();
        assert_eq!((all.len(), &all[0].request), (3, &new(all[0].app, None).request));
        assert!(all.is_sorted_by_key(|one| one.app.to_string()));
        let page = deployed_apps(db, Some(all[0].app), 1).await.unwrap();
        assert_eq!(page, [all[1].clone()]);

        assert!(unhealthy_insert(db, all[0].app, &web, "status 500", at(1)).await.unwrap());
        assert!(!unhealthy_insert(db, all[0].app, &web, "status 501", at(2)).await.unwrap());
        assert!(unhealthy_insert(db, all[2].app, &web, "no answer", at(2)).await.unwrap());
        assert_eq!(unhealthy_all(db).await.unwrap().len(), 2);
        let of = unhealthy_by_apps(db, &[all[0].app, all[1].app]).await.unwrap();
        assert_eq!(of.into_iter().collect::<Vec<_>>(), [(all[0].app, web.clone())]);
        assert!(unhealthy_delete(db, all[0].app, &web).await.unwrap());
        assert!(!unhealthy_delete(db, all[0].app, &web).await.unwrap());

        deployment_exit(db, all[0].app, 137).await.unwrap();
        assert_eq!(deployment_by_app(db, all[0].app).await.unwrap().unwrap().exit_code, Some(137));
        deployment_put(db, &new(all[0].app, None)).await.unwrap();
        assert_eq!(deployment_by_app(db, all[0].app).await.unwrap().unwrap().exit_code, None, "asked for again");
        transaction.commit().await.unwrap();
    }

    async fn projects_of_one_owner_have_different_names(test) {
        let mut transaction = test.store.transaction().await.unwrap();
        let db = transaction.db();
        let (ada, bob) = (user(db, "ada").await, user(db, "bob").await);
        dployr_project_insert(db, ada.id, "site", "", at(0)).await.unwrap();
        dployr_project_insert(db, bob.id, "site", "", at(0)).await.unwrap();
        let again = dployr_project_insert(db, ada.id, "site", "", at(0)).await;
        assert!(matches!(again, Err(StoreError::Conflict { what: UniqueOn::ProjectName })), "{again:?}");
    }
}
