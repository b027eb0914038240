//! Deployments of teams and who carries them out, over a database and a node in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use secrecy::SecretString;
use serde_json::{Value, json};
use slipway_core::Page;
use slipway_engine::workload::{ContainerState, WorkloadProgress};
use slipway_store::testing::Backend;
use slipway_team::deployment::{News, Status};
use slipway_team::notification::{NotificationEvent, NotificationKind};
use slipway_team::version::VersionKind;
use slipway_team::{DeploymentId, Member, Refused, Result, VersionId};

use super::bed::{Bed, until};
use crate::reconcile::deployment::Term;
use crate::team::INTERRUPTED;
use crate::testing::{FakeHooks, FakeNodes, Shop, shop};
use crate::{Cx, DeploymentGiven, NodeConnector, NotificationGiven, Reconciler};

/// A team with something to deploy.
struct Acme {
    bed: Bed,
    bob: Cx,
    member: Member,
    nodes: Arc<FakeNodes>,
    shop: Shop,
}

const WHOLE: Page = Page { limit: u32::MAX, offset: 0 };

impl Acme {
    async fn on(backend: Backend, kind: VersionKind) -> Self {
        let nodes = Arc::new(FakeNodes::default());
        let own = Arc::clone(&nodes);
        let bed = Bed::with(backend, move |config| {
            config.teams.nodes = Arc::clone(&own) as Arc<dyn NodeConnector>;
        })
        .await;
        let bob = bed.user_after_admin("bob").await;
        let team = bed.service.team_create(&bob, "Acme", Some("acme")).await.unwrap().team;
        let member = bed.service.team_member(&bob, team.slug.as_str()).await.unwrap();
        let shop = shop(&bed.service, ("bob", "acme"), kind).await.unwrap();
        Self { bed, bob, member, nodes, shop }
    }

    /// A deployment whose secrets have values.
    async fn deployment(&self, version: VersionId, prefix: &str) -> Result<DeploymentId> {
        let given = DeploymentGiven { version, node: self.shop.node, prefix: prefix.to_owned(), note: None };
        let id = self.bed.service.team_deployment_create(&self.bob, &self.member, given).await?.id;
        let details = self.bed.service.team_deployment_get(&self.member, id).await?;
        let patch = json!({"secrets": [{"id": "s1", "key": "PASSWORD", "required": true, "value": "hunter2"}]});
        let instance = details.instances[0].instance.id;
        let Value::Object(patch) = patch else { unreachable!() };
        self.bed.service.team_instance_update(&self.bob, &self.member, id, instance, &patch).await?;
        Ok(id)
    }

    async fn start(&self, id: DeploymentId) -> Result<()> {
        self.bed.service.team_deployment_start(&self.bob, &self.member, id, None).await
    }

    async fn status(&self, id: DeploymentId) -> Status {
        self.bed.service.team_deployment_get(&self.member, id).await.unwrap().listed.status
    }

    async fn log(&self, id: DeploymentId, attempt: u32) -> Vec<News> {
        let found = self.bed.service.team_deployment_log(&self.member, id, Some(attempt), WHOLE).await.unwrap();
        found.items.into_iter().map(|event| event.news).collect()
    }

    fn coming(&self) {
        let progress = WorkloadProgress::Coming(ContainerState::Waiting, "Pulling".to_owned());
        self.nodes.own().progress_set("web", progress);
    }

    /// A controller that has just begun to lead.
    fn leader(&self) -> (Reconciler, Term) {
        (Reconciler::new(self.bed.restarted()), Term::new())
    }
}

async fn killed(backend: Backend) {
    let acme = Acme::on(backend, VersionKind::Rolling).await;
    let id = acme.deployment(acme.shop.version, "p").await.unwrap();
    acme.coming();
    acme.start(id).await.unwrap();
    // Whoever took the request is gone; another leads and finds what is wanted.
    let (first, mut term) = acme.leader();
    first.service().nodes_check().await.unwrap();
    first.team_deployments_turn(&mut term).await.unwrap();
    until("a container goes out", async || !acme.nodes.own().applied().is_empty()).await;
    first.team_deployments_turn(&mut term).await.unwrap();
    assert_eq!(acme.status(id).await, Status::InProgress);
    // Killed in the middle: what it left half done has failed, and who is at it still cannot change that.
    drop(term);
    let (second, mut term) = acme.leader();
    second.service().nodes_check().await.unwrap();
    second.team_deployments_turn(&mut term).await.unwrap();
    assert_eq!(acme.status(id).await, Status::Failed);
    assert!(acme.log(id, 1).await.contains(&News::Log(vec![INTERRUPTED.to_owned()])));
    first.service().deployment_end(acme.member.team.id, (id, 1), None).await.unwrap();
    assert_eq!(acme.status(id).await, Status::Failed);
    assert_eq!(acme.log(id, 1).await.last(), Some(&News::Status(Status::Failed)));

    acme.nodes.own().progress_set("web", WorkloadProgress::Up);
    acme.start(id).await.unwrap();
    first.service().deployment_end(acme.member.team.id, (id, 1), None).await.unwrap();
    assert_eq!(acme.status(id).await, Status::InProgress, "an end of another try is none of this one");
    second.team_deployments_turn(&mut term).await.unwrap();
    term.settle().await;
    assert_eq!(acme.status(id).await, Status::Successful);
    assert_eq!(acme.bed.service.team_deployment_get(&acme.member, id).await.unwrap().last_try, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_controller_left_half_done_has_failed_and_can_be_started_again_on_sqlite() {
    killed(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_controller_left_half_done_has_failed_and_can_be_started_again_on_postgres() {
    killed(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_place_is_deployed_to_by_one_at_a_time_and_other_places_do_not_wait() {
    let acme = Acme::on(Backend::Sqlite, VersionKind::Incremental).await;
    let (first, second) = (acme.shop.version, acme.shop.child.unwrap());
    let here = acme.deployment(first, "p").await.unwrap();
    let same = acme.deployment(second, "p").await.unwrap();
    let elsewhere = acme.deployment(first, "q").await.unwrap();
    acme.coming();
    let (leader, mut term) = acme.leader();
    leader.service().nodes_check().await.unwrap();
    for id in [here, same, elsewhere] {
        acme.start(id).await.unwrap();
        leader.team_deployments_turn(&mut term).await.unwrap();
    }
    let places = || -> BTreeSet<String> { acme.nodes.own().applied().into_iter().map(|spec| spec.prefix).collect() };
    until("both places are deployed to", async || places().len() == 2).await;
    let of = |id| acme.nodes.own().applied().iter().filter(|spec| spec.ownership.deployment == id).count();
    // None has come up, and that keeps back nothing but whoever wants the same place.
    until("every container goes out", async || (of(here), of(elsewhere)) == (2, 2)).await;
    assert_eq!(of(same), 0);
    acme.nodes.own().progress_set("web", WorkloadProgress::Up);
    term.settle().await;
    leader.team_deployments_turn(&mut term).await.unwrap();
    term.settle().await;
    assert_eq!(acme.status(here).await, Status::Obsolete);
    assert_eq!((acme.status(same).await, acme.status(elsewhere).await), (Status::Successful, Status::Successful));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_wait_for_containers_is_told_that_they_went_out() {
    let nodes = Arc::new(FakeNodes::default());
    let own = Arc::clone(&nodes);
    let bed = Bed::with(Backend::Sqlite, move |config| {
        config.teams.nodes = Arc::clone(&own) as Arc<dyn NodeConnector>;
        config.teams.rollout_timeout = None;
    })
    .await;
    let bob = bed.user_after_admin("bob").await;
    bed.service.team_create(&bob, "Acme", Some("acme")).await.unwrap();
    let member = bed.service.team_member(&bob, "acme").await.unwrap();
    let shop = shop(&bed.service, ("bob", "acme"), VersionKind::Rolling).await.unwrap();
    let acme = Acme { bed, bob, member, nodes, shop };
    acme.coming();
    let id = acme.deployment(acme.shop.version, "p").await.unwrap();
    acme.start(id).await.unwrap();
    let reconciler = Reconciler::new(acme.bed.service.clone());
    let mut term = Term::new();
    reconciler.team_deployments_turn(&mut term).await.unwrap();
    term.settle().await;
    assert_eq!(acme.status(id).await, Status::Successful);
}

async fn told(backend: Backend) {
    let acme = Acme::on(backend, VersionKind::Rolling).await;
    for (name, is_active, event) in [
        ("told", true, NotificationEvent::DeploymentCreated),
        ("asleep", false, NotificationEvent::DeploymentCreated),
        ("elsewhere", true, NotificationEvent::NodeAdded),
    ] {
        let given = NotificationGiven {
            name: name.to_owned(),
            kind: NotificationKind::Slack,
            url: SecretString::from(format!("https://hooks.example/{name}")),
            is_active,
            events: BTreeSet::from([event]),
        };
        acme.bed.service.notification_create(&acme.bob, &acme.member, given).await.unwrap();
    }
    let id = acme.deployment(acme.shop.version, "p").await.unwrap();
    let reconciler = Reconciler::new(acme.bed.service.clone());
    let mut term = Term::new();
    let stuck = WorkloadProgress::Stuck { reason: "Unschedulable".to_owned(), output: Vec::new() };
    for progress in [WorkloadProgress::Up, stuck] {
        acme.nodes.own().progress_set("web", progress);
        acme.start(id).await.unwrap();
        reconciler.team_deployments_turn(&mut term).await.unwrap();
        term.settle().await;
    }
    assert_eq!(acme.status(id).await, Status::Failed);
    let hooks = FakeHooks::default();
    // A dead webhook fails nothing, and hears of it later.
    hooks.script([Err("no answer".to_owned())]);
    reconciler.hooks_deliver(&hooks).await.unwrap();
    acme.bed.clock.advance(Duration::from_mins(5));
    reconciler.hooks_deliver(&hooks).await.unwrap();
    let texts: BTreeSet<String> = hooks
        .calls()
        .iter()
        .map(|call| {
            assert_eq!(call.url.as_str(), "https://hooks.example/told");
            let body: Value = serde_json::from_str(call.body.as_deref().unwrap()).unwrap();
            body["blocks"][0]["elements"][0]["text"].as_str().unwrap().to_owned()
        })
        .collect();
    let expected = [
        "The deployment of shop rolling rolling to here rolling, started by bob@example.com, failed.",
        "bob@example.com deployed shop rolling rolling to here rolling.",
    ];
    assert_eq!(texts, BTreeSet::from(expected.map(str::to_owned)));
    assert_eq!(hooks.calls().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_of_deployments_are_told_on_sqlite() {
    told(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_of_deployments_are_told_on_postgres() {
    told(Backend::Postgres).await;
}

/// Something that people or machines do.
#[derive(Debug, Clone)]
enum Deed {
    Create {
        is_child: bool,
        is_p: bool,
    },
    Start(usize),
    Delete(usize),
    /// From now on containers come up, or do not.
    Break(bool),
    /// The controller carries out what is wanted.
    Carry,
    /// The controller takes up what is wanted and dies in the middle of it.
    Die,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        3 => (any::<bool>(), any::<bool>()).prop_map(|(is_child, is_p)| Deed::Create { is_child, is_p }),
        6 => (0..6_usize).prop_map(Deed::Start),
        1 => (0..6_usize).prop_map(Deed::Delete),
        2 => any::<bool>().prop_map(Deed::Break),
        4 => Just(Deed::Carry),
        1 => Just(Deed::Die),
    ]
}

/// What is known of the deployments of a random history.
#[derive(Default)]
struct History {
    ids: Vec<DeploymentId>,
    states: BTreeMap<DeploymentId, Status>,
    starts: BTreeMap<DeploymentId, u32>,
}

impl History {
    /// Looks at every deployment: each may only have gone a way of the table.
    async fn look(&mut self, acme: &Acme, kind: VersionKind, deed: &Deed) {
        let mut successful: BTreeMap<String, usize> = BTreeMap::new();
        for id in &self.ids {
            let details = acme.bed.service.team_deployment_get(&acme.member, *id).await.unwrap();
            let (now, before) = (details.listed.status, self.states.get(id).copied().unwrap_or(Status::Preparing));
            let is_way = match (before, now) {
                (before, now) if before == now => true,
                (before, Status::InProgress) => matches!(deed, Deed::Start(_)) && before.is_startable(kind),
                (Status::InProgress, Status::Successful | Status::Failed | Status::Obsolete)
                | (Status::Successful | Status::Failed, Status::Obsolete) => {
                    matches!(deed, Deed::Carry | Deed::Die)
                }
                _ => false,
            };
            assert!(is_way, "{deed:?} took {id:?} from {before:?} to {now:?}");
            self.states.insert(*id, now);
            assert_eq!(details.last_try, self.starts.get(id).copied().unwrap_or(0));
            *successful.entry(details.listed.prefix).or_default() += usize::from(now == Status::Successful);
        }
        assert!(successful.values().all(|count| *count <= 1), "two are in one place: {:?}", self.states);
    }
}

async fn random(kind: VersionKind, deeds: Vec<Deed>) {
    let acme = Acme::on(Backend::Sqlite, kind).await;
    let reconciler = Reconciler::new(acme.bed.service.clone());
    let (mut term, mut history) = (Term::new(), History::default());
    // The last deed brings everything to its end.
    for deed in deeds.into_iter().chain([Deed::Carry]) {
        match &deed {
            Deed::Create { is_child, is_p } => {
                let version = acme.shop.child.filter(|_| *is_child).unwrap_or(acme.shop.version);
                match acme.deployment(version, if *is_p { "p" } else { "q" }).await {
                    Ok(id) => history.ids.push(id),
                    Err(slipway_team::Error::Refused(refusal)) => assert_eq!(refusal.kind, Refused::Conflict),
                    Err(error) => panic!("{error}"),
                }
            }
            Deed::Start(index) => {
                let Some(id) = history.ids.get(*index).copied() else { continue };
                let is_free = history.states.get(&id).is_none_or(|status| status.is_startable(kind));
                let started = acme.start(id).await;
                assert_eq!(started.is_ok(), is_free, "{started:?}");
                *history.starts.entry(id).or_default() += u32::from(is_free);
            }
            Deed::Delete(index) => {
                let Some(id) = history.ids.get(*index).copied() else { continue };
                let is_free = history.states.get(&id) != Some(&Status::InProgress);
                assert_eq!(acme.bed.service.team_deployment_delete(&acme.member, id).await.is_ok(), is_free);
                if is_free {
                    history.ids.remove(*index);
                }
            }
            Deed::Break(is_broken) => {
                let stuck = WorkloadProgress::Stuck { reason: "broken".to_owned(), output: Vec::new() };
                let progress = if *is_broken { stuck } else { WorkloadProgress::Up };
                acme.nodes.own().progress_set("web", progress);
            }
            Deed::Carry => loop {
                reconciler.team_deployments_turn(&mut term).await.unwrap();
                term.settle().await;
                let mut under_way = false;
                for id in &history.ids {
                    under_way |= acme.status(*id).await == Status::InProgress;
                }
                if !under_way {
                    break;
                }
            },
            Deed::Die => {
                reconciler.team_deployments_turn(&mut term).await.unwrap();
                term.die().await;
                term = Term::new();
                reconciler.team_deployments_turn(&mut term).await.unwrap();
                // Else what the next controller takes up comes to its end in the middle of some later deed.
                term.settle().await;
            }
        }
        history.look(&acme, kind, &deed).await;
    }
    // No deployment lost another: each start that was taken has one end, told once.
    for id in &history.ids {
        for attempt in 1..=history.starts.get(id).copied().unwrap_or(0) {
            let log = acme.log(*id, attempt).await;
            let ends = |news: &&News| matches!(news, News::Status(Status::Successful | Status::Failed));
            assert_eq!(log.iter().filter(ends).count(), 1, "{log:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]

    /// Whatever is done in whatever order, and whenever the controller dies: deployments go the ways of the table
    /// alone, no two of a kin are in one place, and every start that was taken comes to one end.
    #[test]
    fn random_deeds_never_leave_the_table_and_lose_nothing(
        deeds in prop::collection::vec(deed(), 1..25),
        is_rolling: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let kind = if is_rolling { VersionKind::Rolling } else { VersionKind::Incremental };
        runtime.block_on(random(kind, deeds));
    }
}
