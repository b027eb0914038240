//! What is to be told to deploy hooks.

use slipway_core::{AppId, ReleaseId, ReleaseVersion};
use slipway_store::{
    DeployHook, deploy_hook_delete, deploy_hook_insert, deploy_hook_postpone, deploy_hooks_due, deploy_hooks_next,
};

use crate::fixtures::at;

fn hook(version: u32, due: i64) -> DeployHook {
    DeployHook {
        release: ReleaseId::generate(),
        target: "digest".to_owned(),
        app: AppId::generate(),
        app_name: "blog".parse().unwrap(),
        version: ReleaseVersion(version),
        summary: "bob deployed abcdef1".to_owned(),
        sha: "abcdef12".to_owned(),
        username: "bob".parse().unwrap(),
        attempts: 0,
        due: at(due),
        created: at(0),
    }
}

both! {
    async fn they_come_in_order_when_due(test) {
        let mut transaction = test.store.transaction().await.unwrap();
        let db = transaction.db();
        assert_eq!(deploy_hooks_next(db).await.unwrap(), None);
        let (first, second) = (hook(1, 10), hook(2, 20));
        for hook in [&second, &first] {
            deploy_hook_insert(db, hook).await.unwrap();
        }
        assert!(deploy_hooks_due(db, at(9), 10).await.unwrap().is_empty());
        let versions = |hooks: Vec<DeployHook>| hooks.iter().map(|hook| hook.version.0).collect::<Vec<_>>();
        assert_eq!(versions(deploy_hooks_due(db, at(20), 10).await.unwrap()), [1, 2]);
        assert_eq!(versions(deploy_hooks_due(db, at(20), 1).await.unwrap()), [1]);
        deploy_hook_postpone(db, &first, at(30)).await.unwrap();
        let due = deploy_hooks_due(db, at(30), 10).await.unwrap();
        assert_eq!(versions(due.clone()), [2, 1]);
        assert_eq!((due[1].attempts, due[1].summary.as_str()), (1, "bob deployed abcdef1"));
        deploy_hook_delete(db, second.release, &second.target).await.unwrap();
        let next = deploy_hooks_next(db).await.unwrap().unwrap();
        assert_eq!(next.timestamp(), at(30).timestamp());
        // The other address of the same release is another row.
        let other = DeployHook { target: "other".to_owned(), ..first.clone() };
        deploy_hook_insert(db, &other).await.unwrap();
        deploy_hook_delete(db, first.release, &first.target).await.unwrap();
        assert_eq!(deploy_hooks_due(db, at(99), 10).await.unwrap().len(), 1);
        transaction.commit().await.unwrap();
    }
}
