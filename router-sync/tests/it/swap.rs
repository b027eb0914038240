//! Routes that move under load, and the router's own end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::rig::{Rig, config, mirror, named, process, route, within};

/// Replaces the one process of an app again and again, each drained and then ended for good, while clients ask all the
/// time, some on kept connections and some on new ones, some with bodies.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_fails_while_processes_are_replaced() {
    const SWAPS: usize = 100;
    let rig = Arc::new(Rig::start(config()).await);
    let end = Arc::new(AtomicBool::new(false));
    let asked = Arc::new(AtomicUsize::new(0));
    let (mut backend, mut stop) = mortal().await;
    let app = route("app", Vec::new()).app;
    let publish = |backend| {
        let mut next = route("app", vec![backend]);
        next.app = app;
        rig.publish(next, Vec::new());
    };
    publish(Arc::clone(&backend));
    let clients: Vec<_> = (0..8)
        .map(|number| {
            let (rig, end, asked) = (Arc::clone(&rig), Arc::clone(&end), Arc::clone(&asked));
            tokio::spawn(async move {
                let mut wire = rig.connect().await;
                while !end.load(Ordering::SeqCst) {
                    if number % 4 == 0 {
                        wire = rig.connect().await;
                    }
                    let request = match number % 2 {
                        0 => "GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n",
                        _ => "POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 4\r\n\r\nbody",
                    };
                    wire.send(request).await;
                    let answer = wire.answer().await;
                    assert_eq!((answer.status, answer.body.as_str()), (200, "ok"), "{answer:?}");
                    asked.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for _ in 0..SWAPS {
        let before = asked.load(Ordering::SeqCst);
        let (next, stop_next) = mortal().await;
        publish(Arc::clone(&next));
        let old = std::mem::replace(&mut backend, next);
        old.drain();
        within(old.idle()).await;
        // Only now: whatever comes after would fail.
        std::mem::replace(&mut stop, stop_next).cancel();
        within(async {
            while asked.load(Ordering::SeqCst) < before + 8 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    end.store(true, Ordering::SeqCst);
    for client in clients {
        within(client).await.unwrap();
    }
    let counted = rig.metrics.snapshot();
    assert_eq!(counted.by_class[2..], [0, 0, 0]);
    assert!(asked.load(Ordering::SeqCst) >= SWAPS * 8);
}

/// A process that dies with all its connections when its token is cancelled.
async fn mortal() -> (Arc<slipway_engine::route::Backend>, tokio_util::sync::CancellationToken) {
    let stop = tokio_util::sync::CancellationToken::new();
    let token = stop.clone();
    let backend = process("web.1", move |mut wire| {
        let token = token.clone();
        async move {
            let serve = async {
                while let Some(head) = wire.head_or_end().await {
                    wire.body(&head).await;
                    wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
                }
            };
            tokio::select! {
                () = serve => {}
                () = token.cancelled() => {}
            }
        }
    })
    .await;
    (backend, stop)
}

#[tokio::test]
async fn a_request_waits_while_all_it_knows_is_draining() {
    let rig = Rig::start(config()).await;
    let old = named("old").await;
    old.drain();
    rig.publish(route("app", vec![old]), Vec::new());
    let mut wire = rig.connect().await;
    wire.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    within(async {
        while rig.metrics.snapshot().in_flight == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    rig.publish(route("app", vec![named("new").await]), Vec::new());
    assert_eq!(wire.answer().await.body, "new");
}

#[tokio::test]
async fn kept_connections_close_when_their_process_goes() {
    let (told, mut hears) = tokio::sync::mpsc::channel(1);
    let backend = process("web.1", move |mut wire| {
        let told = told.clone();
        async move {
            wire.head().await;
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
            assert!(wire.is_at_end().await);
            told.send(()).await.unwrap();
        }
    })
    .await;
    let rig = Rig::with(vec![backend]).await;
    assert_eq!(rig.ask("GET /", "").await.status, 200);
    rig.publish(route("app", vec![mirror("web.2").await]), Vec::new());
    assert_eq!(within(hears.recv()).await, Some(()));
}

#[tokio::test]
async fn shutdown_ends_what_began_and_takes_nothing_new() {
    let (release, wait) = tokio::sync::watch::channel(false);
    let backend = process("web.1", move |mut wire| {
        let mut wait = wait.clone();
        async move {
            wire.head().await;
            wait.wait_for(|is_released| *is_released).await.unwrap();
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone").await;
        }
    })
    .await;
    let rig = Rig::with(vec![backend.clone()]).await;
    let mut idle = rig.connect().await;
    idle.send("GET / HTTP/1.1\r\nHost: none.localhost\r\n\r\n").await;
    idle.answer().await;
    let mut busy = rig.connect().await;
    busy.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    within(async {
        while backend.in_flight() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    rig.shutdown.cancel();
    assert!(idle.is_at_end().await);
    // Its connections hear of the end at the same time as who takes new ones.
    within(async {
        while tokio::net::TcpStream::connect(rig.addr).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!rig.running.is_finished());
    release.send(true).unwrap();
    assert_eq!(busy.answer().await.body, "done");
    assert!(busy.is_at_end().await);
    within(rig.running).await.unwrap();
}

#[tokio::test]
async fn shutdown_does_not_wait_for_ever() {
    let mut config = config();
    config.timeouts.drain = Duration::from_millis(100);
    let rig = Rig::start(config).await;
    let backend = process("web.1", |mut wire| async move {
        wire.rest().await;
    })
    .await;
    rig.publish(route("app", vec![backend.clone()]), Vec::new());
    let mut wire = rig.connect().await;
    wire.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    within(async {
        while backend.in_flight() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    rig.shutdown.cancel();
    within(rig.running).await.unwrap();
    assert!(wire.is_at_end().await);
    within(backend.idle()).await;
}

#[tokio::test]
async fn a_sink_that_panics_ends_one_connection_only() {
    struct Broken;
    impl slipway_engine::LogSink for Broken {
        fn append(&self, _app: slipway_core::AppId, line: slipway_core::log::LogLine) {
            assert!(!line.text.contains("/panic"), "asked to");
        }
    }
    let app = route("app", vec![mirror("web.1").await]);
    let table = slipway_engine::route::RouteTable::new(vec![(vec!["app.localhost".to_owned()], Arc::new(app))], vec![]);
    let (_publish, routes) = tokio::sync::watch::channel(Arc::new(table));
    let router = slipway_router_sync::Router::bind(config(), routes, Arc::new(Broken)).await.unwrap();
    let addr = router.local_addr();
    let shutdown = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn(router.run(shutdown.clone()));
    let ask = async |path: &str| {
        let mut wire = crate::rig::Wire::new(tokio::net::TcpStream::connect(addr).await.unwrap());
        wire.send(&format!("GET {path} HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n")).await;
        String::from_utf8(wire.rest().await).unwrap()
    };
    within(ask("/panic")).await;
    assert!(within(ask("/next")).await.contains("GET /next "));
    shutdown.cancel();
    within(running).await.unwrap();
}
