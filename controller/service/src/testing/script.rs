//! What tests tell the engine to do, and what they ask it about what was done.

use std::collections::BTreeMap;

use slipway_core::{AppId, AppName, ProcessType, ReleaseVersion};
use slipway_engine::{AppSpec, Artifact, HttpCheck, HttpCheckOutcome, LastExit, RunSpec};

use super::{Behaviour, FakeEngine};

impl FakeEngine {
    /// What becomes of everything that no other script is about.
    pub fn script_default(&self, behaviour: Behaviour) {
        self.state().default = Some(behaviour);
        self.announce();
    }

    /// What becomes of releases that run this artifact (`Artifact`'s text).
    pub fn script_artifact(&self, artifact: impl Into<String>, behaviour: Behaviour) {
        self.state().by_artifact.insert(artifact.into(), behaviour);
        self.announce();
    }

    /// What becomes of releases with this number, of any app. Wins over the artifact's script.
    pub fn script_version(&self, version: u32, behaviour: Behaviour) {
        self.state().by_version.insert(ReleaseVersion(version), behaviour);
        self.announce();
    }

    /// How one-off processes with this command end: exit code and output, or the reason why they cannot be run.
    /// Others end with 0 and print their command.
    pub fn script_run(&self, command: impl Into<String>, outcome: Result<(i32, String), String>) {
        self.state().runs.insert(command.into(), outcome);
    }

    /// Whether apps cannot be removed.
    pub fn script_removal_stuck(&self, is_stuck: bool) {
        self.state().is_removal_stuck = is_stuck;
        self.announce();
    }

    /// How the app answers when it is asked over HTTP, while it has processes. Others answer with 200.
    pub fn script_answer(&self, app: impl Into<String>, outcome: HttpCheckOutcome) {
        self.state().answers.insert(app.into(), outcome);
    }

    /// How processes of a type ended last.
    pub fn script_exit(&self, process_type: ProcessType, exit: LastExit) {
        self.state().last_exits.insert(process_type, exit);
        self.announce();
    }

    /// The questions over HTTP so far.
    #[must_use]
    pub fn checks(&self) -> Vec<HttpCheck> {
        self.state().checks.clone()
    }

    /// A name that something else has already.
    pub fn script_name_taken(&self, name: impl Into<String>) {
        self.state().names_taken.push(name.into());
    }

    /// Whether it scales by itself.
    pub fn script_autoscaling(&self, is_autoscaling: bool) {
        self.state().is_autoscaling = is_autoscaling;
    }

    /// Why scaling by itself would have no effect.
    pub fn script_autoscale_obstacle(&self, reason: &str) {
        self.state().autoscale_obstacle = Some(reason.to_owned());
    }

    /// Whether it chooses the ports of processes; one that does routes to no others.
    pub fn script_choosing_ports(&self, is_choosing_ports: bool) {
        self.state().is_choosing_ports = is_choosing_ports;
    }

    /// That apps cannot have volumes.
    pub fn script_no_volumes(&self) {
        self.state().mount_refusals.insert(String::new(), String::new());
    }

    /// Why no process can have a volume at a path.
    pub fn script_mount_refusal(&self, path: &str, reason: &str) {
        self.state().mount_refusals.insert(path.to_owned(), reason.to_owned());
    }

    /// What each process of a type uses, in thousandths of a core.
    pub fn script_cpu(&self, process_type: ProcessType, millis: u32) {
        self.state().cpu_millis.insert(process_type, millis);
    }

    /// The labels of each machine that there is.
    pub fn script_node_labels(&self, labels: Vec<BTreeMap<String, String>>) {
        self.state().node_labels = labels;
    }

    /// Every spec whose application changed something, in order.
    #[must_use]
    pub fn effects(&self) -> Vec<AppSpec> {
        self.state().effects.clone()
    }

    /// The spec last applied for an app.
    #[must_use]
    pub fn applied(&self, app: AppId) -> Option<AppSpec> {
        self.state().apps.get(&app).map(|app| app.spec.clone())
    }

    /// Names of apps that were removed, in order.
    #[must_use]
    pub fn removed(&self) -> Vec<AppName> {
        self.state().removed.clone()
    }

    /// The artifacts that were last asked to be kept.
    #[must_use]
    pub fn kept(&self) -> Vec<Artifact> {
        self.state().kept.clone()
    }

    /// Every one-off process that was run.
    #[must_use]
    pub fn run_specs(&self) -> Vec<RunSpec> {
        self.state().run_specs.clone()
    }

    /// The lines of an app's log, each as `source: text`.
    #[must_use]
    pub fn log_texts(&self, app: AppId) -> Vec<String> {
        self.log.lines(app).iter().map(|line| format!("{}: {}", line.source, line.text)).collect()
    }
}
