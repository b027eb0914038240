use serde_json::json;

use super::*;

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

fn name(text: &str) -> AppName {
    AppName::new(text).unwrap()
}

fn kept(kind: Kind, name: &str, labels: &Value) -> Item {
    let metadata = serde_json::from_value(json!({"name": name, "uid": "u", "labels": labels})).unwrap();
    let object = Kept::new(kind, &metadata, &Value::Null).unwrap();
    Item::Kept(object, None)
}

fn pod(name: &str, phase: &str) -> Item {
    let pod = json!({"metadata": {"name": name, "uid": name, "labels": {"type": "web", "version": "v3"}},
        "status": {"phase": phase}});
    Item::Pod(Pod::new(&serde_json::from_value(pod).unwrap()).unwrap())
}

#[test]
fn objects_are_found_by_namespace_and_forgotten() {
    let index = Index::empty();
    index.put("blog", kept(Kind::Namespace, "blog", &json!({"slipway.io/app-id": ID})));
    index.put("blog", kept(Kind::Service, "blog", &json!({})));
    index.put("blog", pod("blog-web-1", "Running"));
    index.put("builds", kept(Kind::Namespace, "builds", &json!({"heritage": "slipway"})));
    assert_eq!(index.namespaces(), [(ID.parse().unwrap(), name("blog"))]);
    let labels = json!({"slipway.io/app-id": ID, "slipway.io/platform": "paas"});
    index.put("blog", kept(Kind::Namespace, "blog", &labels));
    assert_eq!(index.namespaces_of("paas"), index.namespaces());
    assert!(index.namespaces_of("another").is_empty(), "what another platform runs is not ours to remove");
    assert_eq!(index.name_of(ID.parse().unwrap()), Some(name("blog")));
    let app = index.app(&name("blog"));
    assert!(app.object(Kind::Service, "blog").is_some() && app.object(Kind::Secret, "blog").is_none());
    assert_eq!(app.pods.len(), 1);
    index.put("blog", pod("blog-web-1", "Running"));
    assert_eq!(index.app(&name("blog")).pods.len(), 1);

    index.remove(Source::Pods, "blog", "blog-web-1");
    index.remove(Source::Kind(Kind::Service), "blog", "blog");
    index.remove(Source::Kind(Kind::Namespace), "blog", "blog");
    assert!(index.namespaces().is_empty());
    assert!(!index.inner.namespaces.read().unwrap().contains_key("blog"));
    // What was handed out before is not changed under its holder.
    assert_eq!(app.pods.len(), 1);
}

#[test]
fn a_new_list_removes_what_it_does_not_name() {
    let index = Index::empty();
    for app in ["a", "b"] {
        index.put(app, pod("x", "Running"));
        index.put(app, kept(Kind::Service, "x", &json!({})));
    }
    index.listed(Source::Pods, &[("a".to_owned(), "x".to_owned())].into());
    assert_eq!((index.app(&name("a")).pods.len(), index.app(&name("b")).pods.len()), (1, 0));
    assert_eq!(index.app(&name("b")).objects.len(), 1);
}

#[tokio::test]
async fn it_is_synced_when_every_source_has_told() {
    let index = Index::empty();
    for source in SOURCES {
        assert!(!index.is_synced());
        index.listed(source, &HashSet::new());
    }
    index.synced().await;
}

#[test]
fn what_is_told_again_is_no_change() {
    let index = Index::empty();
    let deployment = |ready: u32| {
        let Item::Kept(kept, _) = kept(Kind::Deployment, "blog-web", &json!({"app": "blog"})) else { panic!() };
        Item::Kept(kept, Some(Deployment { name: "blog-web".into(), ready, ..Deployment::default() }))
    };
    let items: [fn() -> Item; 3] = [
        || kept(Kind::Namespace, "blog", &json!({"slipway.io/app-id": ID})),
        || kept(Kind::Service, "blog", &json!({})),
        || pod("blog-web-1", "Running"),
    ];
    let mut changes = index.changes();
    for _ in 0..2 {
        for item in items {
            index.put("blog", item());
        }
        index.put("blog", deployment(1));
    }
    assert_eq!(std::iter::from_fn(|| changes.try_recv().ok()).count(), items.len() + 1);
    index.put("blog", deployment(2));
    index.put("blog", kept(Kind::Service, "blog", &json!({"a": "b"})));
    assert_eq!(std::iter::from_fn(|| changes.try_recv().ok()).count(), 2);
    assert_eq!(index.app(&name("blog")).deployments[0].ready, 2);
}

#[test]
fn pods_that_end_are_told_once() {
    let index = Index::empty();
    let mut gone = index.pods_gone();
    let mut changes = index.changes();
    for (phase, is_news) in
        [("Pending", true), ("Running", true), ("Running", false), ("Failed", true), ("Failed", false)]
    {
        index.put("blog", pod("blog-web-1", phase));
        assert_eq!(changes.try_recv().ok(), is_news.then(|| name("blog")));
    }
    assert_eq!(&*gone.try_recv().unwrap().1.name, "blog-web-1");
    assert!(gone.try_recv().is_err());
}

#[test]
fn deployments_are_complete_only_when_nothing_is_left_over() {
    let deployment = |status: &Value| {
        Deployment::new(&json!({
            "metadata": {"name": "blog-web", "generation": 4},
            "spec": {"replicas": 2, "template": {"metadata": {"labels": {"type": "web", "version": "v3"}}}},
            "status": status,
        }))
    };
    let counts = |observed: i64, replicas: i64, updated: i64, available: i64, unavailable: i64| {
        json!({"observedGeneration": observed, "replicas": replicas, "updatedReplicas": updated,
            "availableReplicas": available, "unavailableReplicas": unavailable})
    };
    for (status, is_complete) in [
        (counts(4, 2, 2, 2, 0), true),
        (counts(3, 2, 2, 2, 0), false),
        (counts(4, 3, 2, 2, 0), false),
        (counts(4, 2, 1, 2, 0), false),
        (counts(4, 2, 2, 1, 1), false),
        (json!({}), false),
    ] {
        assert_eq!(deployment(&status).is_complete(), is_complete, "{status}");
    }
    let failed = deployment(&json!({"conditions": [
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"},
        {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated", "message": "x"},
    ]}));
    assert_eq!(failed.replica_failure.as_deref(), Some("FailedCreate: exceeded quota"));
    assert_eq!((failed.stalled, failed.version, failed.wanted), (None, Some(ReleaseVersion(3)), 2));
}
