//! What is not ours.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;
use slipway_engine::{Engine, EngineError, RolloutState};

use crate::bed::{Bed, app};

#[tokio::test]
#[ignore = "needs a cluster"]
async fn a_namespace_of_someone_else_is_refused_and_untouched() {
    let bed = Bed::new().await;
    let spec = app("foreign");
    let name = spec.name.as_str();
    let namespaces: Api<Namespace> = Api::all(bed.client.clone());
    bed.engine.name_check(&spec.name).await.unwrap();
    let theirs = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
    let made = namespaces.create(&PostParams::default(), &theirs).await.unwrap();
    let error = bed.engine.name_check(&spec.name).await.unwrap_err();
    assert!(matches!(&error, EngineError::Rejected(reason) if reason.contains(name)), "{error:?}");
    let error = bed.engine.app_apply(spec.clone()).await.unwrap_err();
    assert!(matches!(&error, EngineError::Rejected(reason) if reason.contains(name)), "{error:?}");
    bed.engine.app_remove(spec.app, &spec.name).await.unwrap();
    assert_eq!(bed.writes(), Vec::<String>::new());
    let found = namespaces.get(name).await.unwrap();
    assert_eq!(found.metadata.uid, made.metadata.uid);
    assert!(found.metadata.deletion_timestamp.is_none());
    namespaces.delete(name, &DeleteParams::default()).await.unwrap();
}

#[tokio::test]
#[ignore = "needs a cluster"]
async fn a_deployment_of_someone_else_stays_as_it_is() {
    let bed = Bed::new().await;
    let full = app("beside");
    let empty = slipway_engine::AppSpec { release: None, ..full.clone() };
    let name = full.name.to_string();
    bed.settle(&empty).await;
    let deployments: Api<Deployment> = Api::namespaced(bed.client.clone(), &name);
    let theirs = |own: &str| {
        let labels = json!({"who": own});
        let pod = json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "a", "image": "none:1"}]}});
        let value = json!({"metadata": {"name": own}, "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": pod}});
        serde_json::from_value::<Deployment>(value).unwrap()
    };
    let (beside, in_the_way) = ("someone-else".to_owned(), format!("{name}-web"));
    for own in [&beside, &in_the_way] {
        deployments.create(&PostParams::default(), &theirs(own)).await.unwrap();
    }
    let full = slipway_engine::AppSpec { generation: 2, ..full };
    bed.engine.app_apply(full.clone()).await.unwrap();
    let status = bed
        .until(full.app, "refused", |status| {
            status.rollout.as_ref().is_some_and(|rollout| matches!(rollout.state, RolloutState::Failing(_)))
        })
        .await;
    let RolloutState::Failing(reason) = status.rollout.unwrap().state else { panic!("not failing") };
    assert!(reason.contains(&in_the_way), "{reason}");
    for own in [&beside, &in_the_way] {
        let found = deployments.get(own).await.unwrap();
        assert_eq!(found.spec.unwrap().selector.match_labels.unwrap()["who"], *own);
    }
    // Once it is out of the way, the app comes up without another word.
    deployments.delete(&in_the_way, &DeleteParams::default()).await.unwrap();
    bed.until(full.app, "settled", |status| status.is_settled).await;
    assert!(deployments.get_opt(&beside).await.unwrap().is_some());
    bed.end(&full).await;
}
