//! One-off processes. Source: `drycc-v2.md` §2.2 and §4.12.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use slipway_core::authz::AppAction;
use slipway_core::limit::{Limit, cpu_parse, memory_parse};
use slipway_core::release::rollback::NO_BUILD;
use slipway_core::{Error, ProcessType, Result};
use slipway_engine::{Attach, EngineError, ExecSpec, RunOutcome, RunSpec, Session};
use slipway_store as store;

use crate::audit::{app_subject, event};
use crate::engine_error::engine_error;
use crate::pod::name_complete;
use crate::reconcile::spec::{environment, registry_login};
use crate::state::deployable;
use crate::stored::{Fail, Stored, write};
use crate::{Cx, Service};

/// Longest command, in bytes.
const COMMAND_MAX: usize = 64 * 1024;
/// Letters of the random part of a process' name.
const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// A one-off process to be run, not yet checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewRun {
    /// The line for the app's shell.
    pub command: Option<String>,
    /// Where it finds volumes of the app, by their names. It has none but these.
    pub volumes: BTreeMap<String, String>,
}

impl NewRun {
    /// A command without volumes.
    #[must_use]
    pub fn of(command: impl Into<String>) -> Self {
        Self { command: Some(command.into()), volumes: BTreeMap::new() }
    }
}

impl Service {
    /// Runs a command in the app's current release and waits for its end. Dropping the future ends it.
    ///
    /// # Errors
    /// `Rejected` without command or build; `NotFound` for a volume, `Invalid` and `Rejected` for where it should be;
    /// `Unavailable` when it cannot be run or takes too long.
    pub async fn app_run(&self, cx: &Cx, app: &str, run: &NewRun) -> Result<RunOutcome> {
        let (spec, pod) = self.run_begin(cx, app, run).await?;
        self.engine().run(spec).await.map_err(|error| run_error(&pod, error))
    }

    /// Begins a command in the app's current release that nobody waits for, and gives its process' name. What it prints
    /// and how it ends is in the app's log. It ends with this controller.
    ///
    /// # Errors
    /// As `app_run`, as far as it is known before the command is begun.
    pub async fn app_run_detached(&self, cx: &Cx, app: &str, run: &NewRun) -> Result<String> {
        let (spec, pod) = self.run_begin(cx, app, run).await?;
        let (service, name) = (self.clone(), pod.clone());
        tokio::spawn(async move {
            let app = spec.app;
            let end = match service.engine().run(spec).await {
                Ok(outcome) => format!("INFO {name} ended with exit code {}", outcome.exit_code),
                Err(error) => format!("ERROR {name} failed: {error}"),
            };
            service.app_log(app, end);
        });
        Ok(pod)
    }

    /// Runs a command in the app's current release that somebody talks to. Dropping the session ends it.
    ///
    /// # Errors
    /// As `app_run`; `Unavailable`, too, where the engine has no interactive processes.
    pub async fn app_run_session(&self, cx: &Cx, app: &str, run: &NewRun, attach: Attach) -> Result<Session> {
        let (spec, pod) = self.run_begin(cx, app, run).await?;
        self.engine().run_session(spec, attach).await.map_err(|error| run_error(&pod, error))
    }

    /// Runs a command inside of a process of the app that somebody talks to.
    ///
    /// # Errors
    /// `Missing` when there is no such process, `Rejected` when the command is empty or the process takes none.
    pub async fn pod_exec_session(
        &self,
        cx: &Cx,
        app: &str,
        pod: &str,
        command: Vec<String>,
        attach: Attach,
    ) -> Result<Session> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        let (_, user, _) = cx.user()?;
        let length: usize = command.iter().map(|word| word.len() + 1).sum();
        if command.first().is_none_or(String::is_empty) {
            return Err(Error::Rejected("command is a required field".to_owned()));
        }
        if length > COMMAND_MAX || command.iter().any(|word| word.contains('\0')) {
            return Err(Error::Rejected(format!("command holds NUL or is longer than {COMMAND_MAX} bytes")));
        }
        let pod = name_complete(&app, pod);
        write!(self, |db| {
            let after = json!({"pod": pod, "command": command});
            store::event_insert(db, &event(cx, "exec", app_subject(&app), Value::Null, after)).await?;
            Ok::<_, Fail>(())
        })?;
        self.app_log(app.id, format!("INFO {user} runs '{}' in {pod}", command.join(" ")));
        let spec = ExecSpec { app: app.id, name: app.name.clone(), pod, command, attach };
        self.engine().exec_session(spec).await.map_err(engine_error)
    }

    /// Authorises and records a one-off process; gives what to run, and its name for the user.
    async fn run_begin(&self, cx: &Cx, app: &str, run: &NewRun) -> Result<(RunSpec, String)> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        let (_, user, _) = cx.user()?;
        let command = run
            .command
            .as_deref()
            .filter(|command| !command.trim().is_empty())
            .ok_or_else(|| Error::Rejected("command is a required field".to_owned()))?;
        if command.contains('\0') || command.len() > COMMAND_MAX {
            return Err(Error::Rejected(format!("command holds NUL or is longer than {COMMAND_MAX} bytes")));
        }
        let mut db = self.read().await?;
        let release = store::release_latest_good(&mut db, app.id).await.stored()?;
        let current = match release {
            Some(release) => deployable(&mut db, release, &self.config().default_tags).await?,
            None => None,
        };
        let current = current.ok_or_else(|| Error::Rejected(format!("{NO_BUILD} to run this command")))?;
        let artifact = current.build.artifact().parse().map_err(Error::Rejected)?;
        let mounts = self.run_mounts(&mut db, &app, &artifact, &run.volumes).await?;
        drop(db);
        let suffix = name_suffix();
        let types = [ProcessType::run(), ProcessType::web()];
        let limit = |texts: &BTreeMap<ProcessType, String>, parse: fn(&str) -> Option<Limit>| {
            types.iter().find_map(|process_type| texts.get(process_type)).and_then(|text| parse(text))
        };
        let spec = RunSpec {
            app: app.id,
            name: app.name.clone(),
            version: current.release.version,
            artifact,
            kind: current.build.kind(),
            registry: registry_login(&current.config.registry),
            placement: current.config.tags.clone(),
            env: environment(&app, &current),
            command: command.to_owned(),
            process_name: format!("run.{suffix}"),
            memory: limit(&current.config.memory, memory_parse),
            cpu: limit(&current.config.cpu, cpu_parse),
            timeout: self.config().run_timeout,
            mounts,
        };
        write!(self, |db| {
            let after = json!({"process": spec.process_name, "version": spec.version.0});
            store::event_insert(db, &event(cx, "run", app_subject(&app), Value::Null, after)).await?;
            Ok::<_, Fail>(())
        })?;
        let pod = format!("{}-run-{suffix}", app.name);
        self.app_log(app.id, format!("INFO {user} on {pod} runs '{command}'"));
        Ok((spec, pod))
    }
}

/// An engine's error about a one-off process, for the user. Source: `drycc-v2.md` §2.2.
fn run_error(pod: &str, error: EngineError) -> Error {
    match error {
        EngineError::TimedOut(secs) => Error::Unavailable {
            public: if secs % 60 == 0 {
                format!("Timed out ({} mins) while running", secs / 60)
            } else {
                format!("Timed out ({secs} s) while running")
            },
            context: format!("{pod} ran out of its time"),
        },
        EngineError::Rejected(reason) => {
            Error::Unavailable { public: format!("{pod} (run): {reason}"), context: reason }
        }
        EngineError::Missing(what) => {
            Error::Unavailable { public: format!("{pod} (run): {what} does not exist"), context: what }
        }
        EngineError::Unavailable { public, context } => {
            Error::Unavailable { public: format!("{pod} (run): {public}"), context }
        }
    }
}

/// Five random letters and digits.
fn name_suffix() -> String {
    let random = uuid::Uuid::new_v4();
    let letter = |byte: &u8| LETTERS.get(usize::from(*byte) % LETTERS.len()).copied().map_or('x', char::from);
    random.as_bytes().iter().take(5).map(letter).collect()
}
