//! Scaling by use: what is written, what is left alone, and what a restart changes.

use std::time::Duration;

use serde_json::json;
use slipway_core::settings::SettingsChange;
use slipway_core::{AppId, Page, ProcessType};
use slipway_store::testing::Backend;

use super::bed::{Bed, Running, map};
use crate::reconcile::autoscale::Memory;
use crate::testing::Behaviour;
use crate::{Cx, Reconciler};

const WINDOW: Duration = Duration::from_mins(5);

struct Scaled {
    bed: Bed,
    bob: Cx,
    app: AppId,
    reconciler: Reconciler,
    memory: Memory,
    _running: Running,
}

impl Scaled {
    /// An app with one `web` process, of which there may be one to four.
    async fn new(backend: Backend) -> Self {
        let bed = Bed::on(backend).await;
        let running = bed.start();
        let bob = bed.user_after_admin("bob").await;
        let app = bed.service.app_create(&bob, Some("blog")).await.unwrap().id;
        bed.push(&bob, "blog", "image").await.unwrap();
        let autoscale = map(json!({"web": {"min": 1, "max": 4, "cpu_percent": 50}}));
        let change = SettingsChange { autoscale, ..SettingsChange::default() };
        bed.service.settings_set(&bob, "blog", &change).await.unwrap();
        let reconciler = Reconciler::new(bed.restarted());
        Self { bed, bob, app, reconciler, memory: Memory::new(), _running: running }
    }

    /// One look, with each process using so much.
    async fn look(&mut self, millis: u32) -> u32 {
        self.bed.engine.script_cpu(ProcessType::web(), millis);
        self.bed.settle(self.app).await;
        self.reconciler.autoscale(&mut self.memory).await;
        self.bed.settle(self.app).await;
        self.web().await
    }

    async fn web(&self) -> u32 {
        self.bed.service.app_get(&self.bob, "blog").await.unwrap().structure[&ProcessType::web()]
    }

    fn lines(&self) -> Vec<String> {
        let lines = self.bed.engine.log_texts(self.app);
        lines.into_iter().filter(|line| line.contains("autoscale")).collect()
    }

    async fn scale(&self, web: u32) {
        let wanted = map(json!({ "web": web }));
        self.bed.service.app_scale(&self.bob, "blog", &wanted).await.unwrap();
    }
}

async fn grows_at_once_and_shrinks_after_the_window(backend: Backend) {
    let mut scaled = Scaled::new(backend).await;
    assert_eq!(scaled.look(900).await, 2);
    assert_eq!(scaled.look(900).await, 4);
    let spec = scaled.bed.engine.applied(scaled.app).unwrap().release.unwrap();
    assert_eq!(spec.processes[0].replicas, 4);
    assert_eq!(scaled.look(900).await, 4);
    let lines = scaled.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[1]
            .ends_with("INFO autoscale scaled pods web=4: 90 % of the processor asked for is used, 50 % is aimed at")
    );
    scaled.bed.clock.advance(WINDOW / 2);
    assert_eq!(scaled.look(0).await, 4);
    scaled.bed.clock.advance(WINDOW / 2);
    assert_eq!(scaled.look(0).await, 1);
    let mut db = scaled.bed.store.store.read().await.unwrap();
    let subject = scaled.app.to_string();
    let events = slipway_store::events_by_subject(&mut db, "app", &subject, Page::ALL).await.unwrap();
    let scales: Vec<_> = events.items.iter().filter(|event| event.action == "scale").collect();
    assert_eq!(scales.len(), 3);
    assert!(scales.iter().all(|event| event.actor == "system"));
}

#[tokio::test(flavor = "multi_thread")]
async fn grows_at_once_and_shrinks_after_the_window_on_sqlite() {
    grows_at_once_and_shrinks_after_the_window(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grows_at_once_and_shrinks_after_the_window_on_postgres() {
    grows_at_once_and_shrinks_after_the_window(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_what_was_decided_and_waits_a_window_before_it_takes_away() {
    let mut scaled = Scaled::new(Backend::Sqlite).await;
    assert_eq!(scaled.look(900).await, 2);
    scaled.bed.clock.advance(WINDOW * 2);
    scaled.memory = Memory::new();
    assert_eq!(scaled.look(0).await, 2);
    scaled.bed.clock.advance(WINDOW);
    assert_eq!(scaled.look(0).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_scale_within_the_bounds_and_stop_for_good() {
    let mut scaled = Scaled::new(Backend::Sqlite).await;
    scaled.scale(3).await;
    assert_eq!(scaled.look(500).await, 3);
    scaled.scale(9).await;
    assert_eq!(scaled.look(500).await, 4);
    scaled.scale(0).await;
    assert_eq!(scaled.look(900).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_decided_during_a_deploy_or_for_an_engine_that_scales_itself() {
    let mut scaled = Scaled::new(Backend::Sqlite).await;
    scaled.bed.engine.script_autoscaling(true);
    let token = tokio_util::sync::CancellationToken::new();
    // It ends by itself: nobody cancels it.
    std::sync::Arc::new(scaled.reconciler.clone()).autoscale_run(token).await;
    scaled.bed.engine.script_cpu(ProcessType::web(), 900);
    scaled.bed.engine.script_artifact("slow", Behaviour::Hang);
    let pushing = tokio::spawn({
        let (service, bob) = (scaled.bed.service.clone(), scaled.bob.clone());
        async move { service.build_create(&bob, "blog", super::bed::build("slow", &["web"])).await }
    });
    super::bed::until("the deploy", async || {
        scaled.bed.states(&scaled.bob, "blog").await.contains(&"v3 deploying".to_owned())
    })
    .await;
    scaled.reconciler.autoscale(&mut scaled.memory).await;
    assert_eq!(scaled.web().await, 1);
    scaled.bed.engine.script_artifact("slow", Behaviour::ReadyAfter(0));
    pushing.await.unwrap().unwrap();
    assert_eq!(scaled.look(900).await, 2);
}

#[tokio::test]
async fn what_keeps_a_cluster_from_scaling_is_told_to_those_who_ask_for_it() {
    let scaled = Scaled::new(Backend::Sqlite).await;
    scaled.bed.engine.script_autoscale_obstacle("there are no metrics");
    let set = async |value| {
        let change = SettingsChange { autoscale: map(value), ..SettingsChange::default() };
        scaled.bed.service.settings_set(&scaled.bob, "blog", &change).await.unwrap();
    };
    let told = || scaled.lines().iter().filter(|line| line.contains("no effect yet: there are no metrics")).count();
    assert_eq!(told(), 0);
    set(json!({"web": {"min": 2, "max": 4, "cpu_percent": 50}})).await;
    assert_eq!(told(), 1);
    // Whoever stops asking has no use for it.
    set(json!({ "web": null })).await;
    assert_eq!(told(), 1);
}
