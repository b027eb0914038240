use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use kube::Client;
use kube::client::Body;

use super::*;
use crate::capability::Capabilities;
use crate::objects::sample;

/// An API server that allows nothing.
#[derive(Clone)]
struct Forbidding;

impl tower::Service<http::Request<Body>> for Forbidding {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<Body>) -> Self::Future {
        let status = r#"{"kind":"Status","status":"Failure","reason":"Forbidden","message":"no","code":403}"#;
        let mut answer = http::Response::new(Body::from(status.as_bytes().to_vec()));
        *answer.status_mut() = http::StatusCode::FORBIDDEN;
        ready(Ok(answer))
    }
}

fn shared() -> Arc<Shared> {
    let settings = ClusterSettings::default();
    Arc::new(Shared {
        index: Index::empty(),
        writer: Writer::new(Client::new(Forbidding, "slipway"), Capabilities::newest()),
        inspector: Inspector::new(&settings),
        settings,
        passes: Semaphore::new(1),
        beginnings: Arc::new(Semaphore::new(1)),
        changes: broadcast::channel(1).0,
    })
}

#[tokio::test]
async fn an_app_that_cannot_be_written_leaves_its_turn_to_others() {
    let shared = shared();
    let mut changes = shared.changes.subscribe();
    let spec = sample::app(vec![sample::process("web", 1)]);
    let worker = Arc::new(Worker::new(Arc::clone(&shared), &spec));
    let turn = Arc::clone(&shared.beginnings).acquire_owned().await.ok();
    worker.wish(spec.clone(), &CancellationToken::new(), turn);
    assert_eq!(shared.beginnings.available_permits(), 0, "what is on the cluster is not known yet");
    shared.index.all_listed();
    assert_eq!(changes.recv().await.unwrap(), spec.app);
    let standing = worker.standing(&shared.index.app(&spec.name));
    assert!(matches!(standing.problem, Some(Problem::Refused(_))), "{:?}", standing.problem);
    assert!(worker.newest().is_some(), "it is tried again");
    assert_eq!(shared.beginnings.available_permits(), 1);
    worker.end().await;
}

#[tokio::test]
async fn what_waits_takes_little_room() {
    let shared = shared();
    let spec = sample::app(vec![sample::process("web", 1)]);
    let worker = Arc::new(Worker::new(shared, &spec));
    let work = Work { worker, recent: Recent::default(), image: None, turn: None };
    let bytes = size_of_val(&work.run());
    assert!(bytes < 2048, "{bytes} bytes for each app that is not as it should be");
}
