//! A member: one place for a process, kept filled until it is told to stop.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use slipway_core::AppId;
use slipway_core::log::LogLine;
use slipway_engine::route::Backend;
use slipway_engine::{EngineError, LastExit};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::Shared;
use super::health::Health;
use super::release::{Contents, Plan, Prepared};
use crate::child::{self, GRACE_MAX, LastLines, Launch, Place, Running, What};
use crate::container::Handle;

/// How urgently a member shall stop; grows only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stop {
    /// Not at all.
    Run,
    /// After its requests in flight.
    Drain,
    /// Now, with its grace period.
    Term,
    /// Now, with a short one: the app is being removed.
    Remove,
}

/// What a member does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its directory is being made.
    Creating,
    /// Its process runs.
    Running,
    /// Its process ended; another will be started.
    Waiting,
    /// Its process is being stopped.
    Stopping,
    /// It is gone, for good.
    Gone,
}

/// The state of a member, as others see it.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) phase: Phase,
    /// The address of the process, while it is ready.
    pub(crate) ready: Option<Arc<Backend>>,
    pub(crate) started: DateTime<Utc>,
    pub(crate) restarts: u32,
    pub(crate) pid: Option<u32>,
    /// How often in a row it ended soon after its start.
    pub(crate) failures: u32,
    /// Why it last ended, with the last lines of its log.
    pub(crate) failure: Option<String>,
    /// How its process last ended by itself.
    pub(crate) last_exit: Option<LastExit>,
}

/// Where a process runs, for commands beside it.
#[derive(Clone)]
pub(crate) struct Room {
    pub(crate) files: Arc<Prepared>,
    env: BTreeMap<String, String>,
    container: Option<Handle>,
}

/// Without the environment, which holds secrets.
impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("container", &self.container).finish_non_exhaustive()
    }
}

impl Room {
    pub(crate) fn place(&self) -> Place<'_> {
        match &self.container {
            Some(container) => Place::Container(container),
            None => Place::Machine { env: &self.env, dir: self.files.work.app() },
        }
    }
}

/// One place for a process.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) app: AppId,
    /// Its name in lists: `blog-web-v3-x7k2q`.
    pub(crate) pod: String,
    /// Its name in logs: `web.1`.
    pub(crate) source: String,
    /// The number in it.
    pub(crate) index: u32,
    pub(crate) plan: Arc<Plan>,
    state: Mutex<State>,
    /// The last lines of its present process, or of the one before.
    last: Mutex<LastLines>,
    /// Where its present process runs.
    room: Mutex<Option<Room>>,
    stop: watch::Sender<Stop>,
    kick: Notify,
    /// Wakes the supervisor.
    changed: Arc<Notify>,
}

/// How one process of a member ended.
enum End {
    Stopped,
    Kicked,
    Failed(String),
}

impl Member {
    pub(crate) fn spawn(
        shared: Arc<Shared>,
        app: AppId,
        pod: String,
        index: u32,
        plan: Arc<Plan>,
        changed: Arc<Notify>,
    ) -> Arc<Self> {
        let state = State {
            phase: Phase::Creating,
            ready: None,
            started: Utc::now(),
            restarts: 0,
            pid: None,
            failures: 0,
            failure: None,
            last_exit: None,
        };
        let source = format!("{}.{index}", plan.process.process_type);
        let stop = watch::Sender::new(Stop::Run);
        let (state, last, room) = (Mutex::new(state), Mutex::default(), Mutex::default());
        let member =
            Arc::new(Self { app, pod, source, index, plan, state, last, room, stop, kick: Notify::new(), changed });
        tokio::spawn(Arc::clone(&member).live(shared));
        member
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state(&self) -> State {
        self.lock().clone()
    }

    /// The last lines of its present process, oldest first; while there is none, of the one before.
    pub(crate) fn last_lines(&self) -> Vec<String> {
        let last = Arc::clone(&self.last.lock().unwrap_or_else(PoisonError::into_inner));
        let last = last.lock().unwrap_or_else(PoisonError::into_inner);
        last.iter().cloned().collect()
    }

    /// Where its present process runs; `None` while there is none.
    pub(crate) fn room(&self) -> Option<Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_one();
    }

    /// Asks it to stop, at least as urgently as it was asked before. Take it out of the routes first.
    pub(crate) fn stop(&self, how: Stop) {
        self.stop.send_if_modified(|stop| {
            let is_more = how > *stop;
            *stop = how.max(*stop);
            is_more
        });
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stop.borrow() != Stop::Run
    }

    /// Replaces its process.
    pub(crate) fn kick(&self) {
        self.kick.notify_one();
    }

    async fn stopped(&self, how: Stop) {
        // The sender is part of `self`, so that waiting can only end well.
        let _ = self.stop.subscribe().wait_for(|stop| *stop >= how).await;
    }

    fn note(&self, shared: &Shared, text: String) {
        if let Some(journal) = shared.journals.of(self.app) {
            journal.write(LogLine { time: Utc::now(), source: "slipway[engine]".to_owned(), text });
        }
    }

    async fn live(self: Arc<Self>, shared: Arc<Shared>) {
        while !self.is_stopping() {
            let began = Instant::now();
            self.set(|state| state.phase = Phase::Creating);
            let end = self.once(&shared).await;
            let config = &shared.config;
            let mut pause = Duration::ZERO;
            self.set(|state| {
                state.phase = Phase::Waiting;
                state.ready = None;
                state.pid = None;
                match &end {
                    End::Stopped => {}
                    End::Kicked => state.restarts = state.restarts.saturating_add(1),
                    End::Failed(reason) => {
                        state.restarts = state.restarts.saturating_add(1);
                        let was_well = began.elapsed() >= config.backoff_reset;
                        state.failures = if was_well { 1 } else { state.failures.saturating_add(1) };
                        state.failure = Some(reason.clone());
                        let doubled = 2_u32.saturating_pow(state.failures.saturating_sub(1));
                        pause = config.backoff_first.saturating_mul(doubled).min(config.backoff_max);
                    }
                }
            });
            if let End::Failed(reason) = end {
                let what = reason.lines().next().unwrap_or_default().to_owned();
                self.note(&shared, format!("{what}; next start in {} s", pause.as_secs_f32()));
                tokio::select! {
                    () = sleep(pause) => {}
                    () = self.kick.notified() => {}
                    () = self.stopped(Stop::Drain) => {}
                }
            }
        }
        self.set(|state| state.phase = Phase::Gone);
    }

    /// Runs one process to its end.
    async fn once(&self, shared: &Shared) -> End {
        let process = &self.plan.process;
        let failed = |reason: String| End::Failed(format!("{} {reason}", self.source));
        let prepared = tokio::select! {
            prepared = self.plan.release.prepared(shared, self.app, &self.plan.process.mounts) => prepared,
            () = self.stopped(Stop::Drain) => return End::Stopped,
        };
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                if let EngineError::Unavailable { context, .. } = &error {
                    tracing::error!(app.id = %self.app, error = %context, "a slug cannot be made ready");
                }
                return failed(format!("cannot be started: {error}"));
            }
        };
        let (kind, line) = (&process.process_type, process.command.as_ref());
        let args;
        let what = match &prepared.contents {
            Contents::Slug(manifest) => {
                let Some(command) = line.or_else(|| manifest.processes.get(kind.as_str())) else {
                    let reason = format!("the app has no command for '{kind}'; add it to the Procfile");
                    return failed(format!("cannot be started: {reason}"));
                };
                What::Slug { command, manifest }
            }
            Contents::Image(image) => {
                args = match image.process_args(self.plan.release.kind, kind, line.map(String::as_str)) {
                    Ok(args) => args,
                    Err(reason) => return failed(format!("cannot be started: {reason}")),
                };
                What::Image { args: &args, image }
            }
        };
        let Some(journal) = shared.journals.of(self.app) else { return End::Stopped };
        let port = match shared.ports.take() {
            Ok(port) => port,
            Err(error) => return failed(format!("cannot be started: no free port: {error}")),
        };
        let launch = Launch {
            config: &shared.config,
            records: &shared.records,
            app: self.app,
            what,
            env: &self.plan.release.env,
            work: &prepared.work,
            volumes: &shared.volumes,
            mounts: &process.mounts,
            port: Some(port.addr.port()),
            memory: process.memory,
            cpu: process.cpu,
            talk: None,
        };
        let (mut running, output) = match child::start(&launch).await {
            Ok(started) => started,
            Err(error) => return failed(format!("cannot be started: {error}")),
        };
        let (pump, last) = child::pump(output, self.source.clone(), journal, shared.config.log_bytes_per_sec, |_| {});
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&last);
        self.set(|state| {
            state.phase = Phase::Running;
            state.started = Utc::now();
            state.pid = u32::try_from(running.pid).ok();
        });
        let backend = Backend::new(port.addr, self.source.clone());
        let env = child::environment(&launch);
        let room = Room { files: Arc::clone(&prepared), env, container: running.container().cloned() };
        *self.room.lock().unwrap_or_else(PoisonError::into_inner) = Some(room.clone());
        let health = Health {
            spec: process,
            takes_requests: self.plan.takes_requests,
            addr: port.addr,
            http: &shared.http,
            place: room.place(),
            settle: shared.config.settle,
        };
        let set_ready = |is_ready: bool| self.set(|state| state.ready = is_ready.then(|| Arc::clone(&backend)));
        let post_start = async {
            let Some(line) = &process.post_start else { return std::future::pending().await };
            let place = room.place();
            if self.hook(shared, &place, line).await {
                std::future::pending::<()>().await;
            }
        };
        let end = tokio::select! {
            status = running.wait() => {
                // No request may be sent there from now on, whatever is still to be done here.
                self.set(|state| {
                    state.ready = None;
                    if let Ok(status) = &status {
                        let (code, time) = (child::exit_code(*status), Some(Utc::now()));
                        state.last_exit = Some(LastExit { code, time });
                    }
                });
                Err(child::describe(status))
            }
            () = health.readiness(set_ready) => Ok(End::Stopped),
            reason = health.liveness() => {
                set_ready(false);
                self.end(shared, &mut running, &backend, Stop::Term).await;
                Err(format!("failed its health check: {reason}"))
            }
            () = post_start => {
                set_ready(false);
                self.end(shared, &mut running, &backend, Stop::Term).await;
                Err("was ended, since the command after its start failed".to_owned())
            }
            () = self.stopped(Stop::Drain) => {
                self.end(shared, &mut running, &backend, Stop::Drain).await;
                Ok(End::Stopped)
            }
            () = self.kick.notified() => {
                set_ready(false);
                self.end(shared, &mut running, &backend, Stop::Drain).await;
                Ok(End::Kicked)
            }
        };
        *self.room.lock().unwrap_or_else(PoisonError::into_inner) = None;
        drop(running);
        // What left the group may hold the output open.
        let mut pump = pump;
        if timeout(Duration::from_secs(1), &mut pump).await.is_err() {
            pump.abort();
        }
        match end {
            Ok(end) => end,
            Err(reason) => failed(format!("{reason}{}", quote(&last))),
        }
    }

    /// Runs a hook beside the process; `true` when it ended with 0.
    async fn hook(&self, shared: &Shared, place: &Place<'_>, line: &str) -> bool {
        let args = child::hook_args(place, self.plan.release.kind, shared.config.open_files, line);
        child::exec_check(&args, place).await
    }

    /// Ends a process: its requests first when `how` is `Drain`, and faster when somebody asks for that meanwhile.
    async fn end(&self, shared: &Shared, running: &mut Running, backend: &Arc<Backend>, how: Stop) {
        let grace = self.plan.process.grace;
        backend.drain();
        self.set(|state| state.phase = Phase::Stopping);
        if how == Stop::Drain {
            tokio::select! {
                _ = timeout(grace, backend.idle()) => {}
                () = self.stopped(Stop::Term) => {}
                _ = running.wait() => return,
            }
        }
        let mut hurry = pin!(async {
            self.stopped(Stop::Remove).await;
            sleep(shared.config.remove_grace.min(grace)).await;
        });
        let deadline = Instant::now() + grace.min(GRACE_MAX);
        let room = self.room.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let (Some(line), Some(room)) = (&self.plan.process.pre_stop, room) {
            let place = room.place();
            tokio::select! {
                _ = timeout_at(deadline, self.hook(shared, &place, line)) => {}
                () = &mut hurry => {}
                _ = running.wait() => return,
            }
        }
        if let Err(error) = running.stop(deadline.saturating_duration_since(Instant::now()), hurry).await {
            tracing::warn!(app.id = %self.app, %error, "a process could not be waited for");
        }
    }
}

/// The last lines of a process, for the end of a message.
fn quote(last: &LastLines) -> String {
    let last = last.lock().unwrap_or_else(PoisonError::into_inner);
    last.iter().fold(String::new(), |text, line| text + "\n" + line)
}
