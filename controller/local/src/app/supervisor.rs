//! The supervisor of one app.
//!
//! Level-triggered: on every wish and on every change of a member it looks at all of it anew, starts what is missing,
//! moves the routes when what is wanted is ready, and only then stops what is no longer wanted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use slipway_core::{AppId, AppName, ProcessType, ReleaseVersion};
use slipway_engine::AppSpec;
use slipway_engine::route::{AppRoute, Backend, IdleReason};
use slipway_engine::spec::PathRule;
use slipway_engine::status::{AppStatus, Rollout, RolloutState};
use tokio::sync::{Notify, mpsc, oneshot};

use super::member::{Member, Phase, State, Stop};
use super::release::{Plan, Release};
use super::{Shared, status, suffix};
use crate::registry::Entry;

/// What a supervisor is told.
pub(crate) enum Order {
    /// A new wish, and where to say that it was taken.
    Apply(Box<AppSpec>, oneshot::Sender<()>),
    /// Replace one process; the answer says whether there is one of that name.
    Restart(String, oneshot::Sender<bool>),
    /// Tell which member has this name.
    Find(String, oneshot::Sender<Option<Arc<Member>>>),
    /// Tell the last lines of a process that is not ready and should be.
    Output(oneshot::Sender<Vec<String>>),
    /// Stop everything; the answer comes when all is gone, and is the supervisor's last act.
    End(Stop, oneshot::Sender<()>),
}

/// The wanted number of processes of one type.
struct Wanted {
    plan: Arc<Plan>,
    replicas: usize,
}

/// See the module.
pub(crate) struct Supervisor {
    shared: Arc<Shared>,
    app: AppId,
    name: AppName,
    orders: mpsc::UnboundedReceiver<Order>,
    status: Arc<Mutex<AppStatus>>,
    changed: Arc<Notify>,
    spec: Option<AppSpec>,
    wanted: BTreeMap<ProcessType, Wanted>,
    members: Vec<Arc<Member>>,
    /// How each was when all were last looked at, by name: they change meanwhile, and what is told must be what the
    /// routes were made of.
    seen: BTreeMap<String, State>,
    /// The release that serves, and what of it was found ready, by type.
    serving: Option<Arc<Release>>,
    proven: BTreeMap<ProcessType, Arc<Plan>>,
    /// The release that served when an earlier engine on this directory ended: its processes get requests one by one
    /// as they are ready, since nothing else is there that could.
    trusted: Option<ReleaseVersion>,
    ending: Option<(Stop, Vec<oneshot::Sender<()>>)>,
}

impl Supervisor {
    pub(crate) fn spawn(
        shared: Arc<Shared>,
        app: AppId,
        name: AppName,
        trusted: Option<ReleaseVersion>,
        status: Arc<Mutex<AppStatus>>,
    ) -> mpsc::UnboundedSender<Order> {
        let (sender, orders) = mpsc::unbounded_channel();
        let supervisor = Self {
            shared,
            app,
            name,
            orders,
            status,
            changed: Arc::default(),
            spec: None,
            wanted: BTreeMap::new(),
            members: Vec::new(),
            seen: BTreeMap::new(),
            serving: None,
            proven: BTreeMap::new(),
            trusted,
            ending: None,
        };
        tokio::spawn(supervisor.work());
        sender
    }

    async fn work(mut self) {
        let changed = Arc::clone(&self.changed);
        let mut is_open = true;
        loop {
            tokio::select! {
                order = self.orders.recv(), if is_open => {
                    if let Some(order) = order {
                        self.take(order);
                    } else {
                        is_open = false;
                        self.end(Stop::Term, None);
                    }
                }
                () = changed.notified() => self.reconcile(),
            }
            if self.members.is_empty()
                && let Some((_, waiting)) = self.ending.take()
            {
                self.shared.registry.set(self.app, None);
                for sender in waiting {
                    // Who asked may have gone.
                    let _ = sender.send(());
                }
                return;
            }
        }
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Apply(spec, taken) => {
                if self.ending.is_none() {
                    self.wish(*spec);
                    self.reconcile();
                }
                let _ = taken.send(());
            }
            Order::Restart(pod, found) => {
                let member = self.members.iter().find(|member| member.pod == pod && !member.is_stopping());
                if let Some(member) = member {
                    member.kick();
                }
                let _ = found.send(member.is_some());
            }
            Order::Find(pod, told) => {
                // Who asked may have gone.
                let _ = told.send(self.members.iter().find(|member| member.pod == pod).cloned());
            }
            Order::Output(told) => {
                let mut wanted = self.wanted.values().flat_map(|wanted| self.of_plan(&wanted.plan));
                let late = wanted.find(|member| member.state().ready.is_none());
                // Who asked may have gone.
                let _ = told.send(late.map(|member| member.last_lines()).unwrap_or_default());
            }
            Order::End(how, done) => self.end(how, Some(done)),
        }
    }

    fn end(&mut self, how: Stop, done: Option<oneshot::Sender<()>>) {
        let (stop, waiting) = self.ending.get_or_insert_with(|| (how, Vec::new()));
        *stop = how.max(*stop);
        waiting.extend(done);
        self.wanted.clear();
        self.reconcile();
    }

    /// Turns a spec into plans, and uses those there are again where nothing changed.
    fn wish(&mut self, spec: AppSpec) {
        let mut wanted = BTreeMap::new();
        if let Some(release) = &spec.release {
            let known = self.members.iter().map(|member| &member.plan.release);
            let mut known =
                known.chain(self.serving.iter()).chain(self.wanted.values().map(|wanted| &wanted.plan.release));
            let shared = known.find(|known| known.is_of(release)).cloned();
            let shared = shared.unwrap_or_else(|| Arc::new(Release::new(release)));
            for process in &release.processes {
                let replicas = process.replicas as usize;
                let takes_requests = spec.takes_requests(process);
                let mut process = process.clone();
                // How many there are, and who decides that, makes no process another one.
                (process.replicas, process.autoscale) = (0, None);
                let kind = process.process_type.clone();
                let plan = Arc::new(Plan { release: Arc::clone(&shared), process, takes_requests });
                wanted.insert(kind, Wanted { plan, replicas });
            }
        }
        self.wanted = wanted;
        self.name = spec.name.clone();
        self.spec = Some(spec);
    }

    fn reconcile(&mut self) {
        self.members.retain(|member| member.state().phase != Phase::Gone);
        self.start_missing();
        self.seen = self.members.iter().map(|member| (member.pod.clone(), member.state())).collect();
        self.prove();
        let surplus = self.surplus();
        self.publish(&surplus);
        let how = self.ending.as_ref().map_or(Stop::Drain, |(how, _)| *how);
        for member in surplus {
            member.stop(how);
        }
        self.report();
    }

    /// The members of a plan that were not told to stop, lowest number first.
    fn of_plan(&self, plan: &Plan) -> Vec<&Arc<Member>> {
        let mut members: Vec<&Arc<Member>> =
            self.members.iter().filter(|member| !member.is_stopping() && *member.plan == *plan).collect();
        members.sort_by_key(|member| member.index);
        members
    }

    fn start_missing(&mut self) {
        let mut started = Vec::new();
        for (kind, wanted) in &self.wanted {
            let mut taken: Vec<u32> = self
                .members
                .iter()
                .filter(|member| member.plan.process.process_type == *kind)
                .map(|member| member.index)
                .collect();
            for _ in self.of_plan(&wanted.plan).len()..wanted.replicas {
                let index = (1..u32::MAX).find(|index| !taken.contains(index)).unwrap_or(u32::MAX);
                taken.push(index);
                let pod = format!("{}-{kind}-{}-{}", self.name, wanted.plan.release.version, suffix());
                let (plan, changed) = (Arc::clone(&wanted.plan), Arc::clone(&self.changed));
                started.push(Member::spawn(Arc::clone(&self.shared), self.app, pod, index, plan, changed));
            }
        }
        self.members.extend(started);
    }

    /// Where a member takes requests, if it is ready.
    fn ready(&self, member: &Member) -> Option<Arc<Backend>> {
        self.seen.get(&member.pod)?.ready.clone()
    }

    /// Whether all wanted processes of a type are ready.
    fn is_ready(&self, wanted: &Wanted) -> bool {
        let members = self.of_plan(&wanted.plan);
        members.iter().filter(|member| self.ready(member).is_some()).count() >= wanted.replicas
    }

    /// Notes what has become ready: a release as a whole, then each type of it on its own.
    fn prove(&mut self) {
        let Some(target) = self.wanted.values().next().map(|wanted| Arc::clone(&wanted.plan.release)) else {
            (self.serving, self.proven) = (None, BTreeMap::new());
            return;
        };
        if self.serving.as_ref().is_none_or(|serving| !Arc::ptr_eq(serving, &target)) {
            let is_trusted = self.serving.is_none() && self.trusted == Some(target.version);
            if !is_trusted && !self.wanted.values().all(|wanted| self.is_ready(wanted)) {
                return;
            }
            self.proven = self.wanted.iter().map(|(kind, wanted)| (kind.clone(), Arc::clone(&wanted.plan))).collect();
            self.remember(target.version);
            self.serving = Some(target);
            return;
        }
        let ready: Vec<ProcessType> = self
            .wanted
            .iter()
            .filter(|(kind, wanted)| {
                self.proven.get(*kind).is_none_or(|proven| **proven != *wanted.plan) && self.is_ready(wanted)
            })
            .map(|(kind, _)| kind.clone())
            .collect();
        for kind in ready {
            if let Some(wanted) = self.wanted.get(&kind) {
                self.proven.insert(kind, Arc::clone(&wanted.plan));
            }
        }
        self.proven.retain(|kind, _| self.wanted.contains_key(kind));
    }

    /// Keeps which release serves over a restart of the platform.
    fn remember(&mut self, version: ReleaseVersion) {
        if self.trusted == Some(version) {
            return;
        }
        self.trusted = Some(version);
        let path = self.shared.app_dir(self.app).join("served");
        tokio::task::spawn_blocking(move || {
            if let Err(error) = std::fs::write(&path, version.to_string()) {
                tracing::warn!(path = %path.display(), %error, "which release serves is not remembered");
            }
        });
    }

    /// Members to be stopped now.
    fn surplus(&self) -> Vec<Arc<Member>> {
        let mut surplus: Vec<Arc<Member>> = Vec::new();
        for wanted in self.wanted.values() {
            let mut members = self.of_plan(&wanted.plan);
            // Those that are ready stay, and of those the ones with low numbers.
            members.sort_by_key(|member| (self.ready(member).is_none(), member.index));
            surplus.extend(members.into_iter().skip(wanted.replicas).cloned());
        }
        for member in self.members.iter().filter(|member| !member.is_stopping()) {
            let plan = &member.plan;
            let is_wanted = self.wanted.values().any(|wanted| *wanted.plan == **plan);
            // What serves stays until its successor is proven.
            let is_serving = self.proven.values().any(|proven| **proven == **plan);
            if !is_wanted && !is_serving {
                surplus.push(Arc::clone(member));
            }
        }
        surplus
    }

    fn publish(&self, surplus: &[Arc<Member>]) {
        let route = self.spec.as_ref().map(|spec| &spec.route).filter(|route| route.is_routable);
        let Some(route) = route.filter(|route| !route.hosts.is_empty()) else {
            self.shared.registry.set(self.app, None);
            return;
        };
        let is_kept = |member: &&Arc<Member>| {
            !member.is_stopping() && !surplus.iter().any(|surplus| Arc::ptr_eq(surplus, member))
        };
        // Where requests go that are for processes with such plans.
        let target = |is_for: &dyn Fn(&Plan) -> bool, paths| {
            let mut backends: Vec<(u32, Arc<Backend>)> = Vec::new();
            for plan in self.proven.values().filter(|plan| is_for(plan)) {
                let members = self.of_plan(plan).into_iter().filter(is_kept);
                backends.extend(members.filter_map(|member| Some((member.index, self.ready(member)?))));
            }
            backends.sort_by_key(|(index, _)| *index);
            let idle = match self.wanted.values().find(|wanted| is_for(&wanted.plan)) {
                _ if self.wanted.is_empty() => IdleReason::NotDeployed,
                None => IdleReason::ScaledToZero,
                Some(wanted) if wanted.replicas == 0 => IdleReason::ScaledToZero,
                Some(wanted) => {
                    let members = self.of_plan(&wanted.plan).into_iter();
                    let states: Vec<State> = members.filter_map(|member| self.seen.get(&member.pod).cloned()).collect();
                    status::idle(&states)
                }
            };
            AppRoute {
                app: self.app,
                name: self.name.clone(),
                is_in_maintenance: route.is_in_maintenance,
                is_https_enforced: route.is_https_enforced,
                allow_list: route.allow_list.clone(),
                backends: backends.into_iter().map(|(_, backend)| backend).collect(),
                idle,
                paths,
            }
        };
        let path = |rule: &PathRule| {
            let to = target(&|plan| plan.process.process_type == rule.process_type, Vec::new());
            (rule.pattern.clone(), Arc::new(to))
        };
        let app_route = target(&|plan| plan.process.is_routed, route.paths.iter().map(path).collect());
        // A process has one port here. Another one would be the machine's, and might be anybody's.
        let hosts = route.hosts.iter().filter(|host| !route.ports.contains_key(*host)).cloned().collect();
        let certificates = route.certificates.clone();
        self.shared.registry.set(self.app, Some(Entry { hosts, route: app_route, certificates }));
    }

    fn report(&self) {
        let wanted: Vec<(&Member, State)> = self
            .wanted
            .values()
            .flat_map(|wanted| self.of_plan(&wanted.plan))
            .filter_map(|member| Some((member.as_ref(), self.seen.get(&member.pod)?.clone())))
            .collect();
        let total = self.wanted.values().map(|wanted| wanted.replicas).sum();
        let is_proven = self
            .wanted
            .iter()
            .all(|(kind, wanted)| self.proven.get(kind).is_some_and(|proven| **proven == *wanted.plan));
        let rollout = self
            .spec
            .as_ref()
            .and_then(|spec| spec.release.as_ref())
            .map(|release| Rollout { version: release.version, state: status::rollout(&wanted, total) });
        let is_done = rollout.as_ref().is_none_or(|rollout| rollout.state == RolloutState::Ready);
        let seen = self.members.iter().filter_map(|member| Some((member, self.seen.get(&member.pod)?)));
        let mut pods: Vec<_> = seen.map(|(member, state)| status::pod(member, state)).collect();
        pods.sort_by(|a, b| (&a.process_type, a.started, &a.name).cmp(&(&b.process_type, b.started, &b.name)));
        let now = AppStatus {
            applied_generation: self.spec.as_ref().map(|spec| spec.generation),
            rollout,
            serving: self.serving.as_ref().map(|release| release.version),
            is_settled: is_done && is_proven && self.members.len() == total,
            pods,
        };
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        if *status != now {
            *status = now;
            drop(status);
            // Nobody may be listening.
            let _ = self.shared.changes.send(self.app);
        }
    }
}
