//! What the supervisor says of its members.

use slipway_engine::route::IdleReason;
use slipway_engine::status::{PodState, PodStatus, RolloutState};

use super::member::{Member, Phase, State};

/// Quick failures in a row from which a process counts as crashed.
const CRASHED_FROM: u32 = 3;
/// Quick failures in a row from which a rollout counts as failing.
const FAILING_FROM: u32 = 2;

fn is_crashed(state: &State) -> bool {
    state.failures >= CRASHED_FROM && state.ready.is_none()
}

pub(crate) fn pod(member: &Member, state: &State) -> PodStatus {
    let shown = match state.phase {
        Phase::Stopping | Phase::Gone => PodState::Terminating,
        _ if member.is_stopping() => PodState::Terminating,
        _ if is_crashed(state) => PodState::Crashed,
        Phase::Creating => PodState::Creating,
        Phase::Running if state.ready.is_some() => PodState::Up,
        Phase::Running | Phase::Waiting => PodState::Starting,
    };
    PodStatus {
        name: member.pod.clone(),
        process_type: member.plan.process.process_type.clone(),
        version: member.plan.release.version,
        state: shown,
        started: state.started,
        restarts: state.restarts,
        uid: None,
        cpu_millis: None,
        pid: state.pid,
        last_exit: state.last_exit,
        // The engine knows where it is.
        address: None,
        node: None,
    }
}

/// How far a rollout is whose wanted members are `wanted`, of `total`.
pub(crate) fn rollout(wanted: &[(&Member, State)], total: usize) -> RolloutState {
    if let Some((_, state)) = wanted.iter().find(|(_, state)| state.ready.is_none() && state.failures >= FAILING_FROM) {
        let reason = state.failure.clone().unwrap_or_default();
        let (first, lines) = reason.split_once('\n').unwrap_or((&reason, ""));
        let lines = if lines.is_empty() { String::new() } else { format!("\n{lines}") };
        return RolloutState::Failing(format!("{first} ({} times){lines}", state.failures));
    }
    let ready = wanted.iter().filter(|(_, state)| state.ready.is_some()).count();
    if ready == total {
        return RolloutState::Ready;
    }
    let mut text = format!("{ready} of {total} processes ready");
    if let Some((member, state)) = wanted.iter().find(|(_, state)| state.ready.is_none()) {
        let what = match state.phase {
            Phase::Creating => "is being made ready",
            Phase::Running if member.plan.process.readiness.is_some() => "does not pass its health check yet",
            Phase::Running if member.plan.takes_requests => "does not listen on its PORT yet",
            Phase::Running => "is starting",
            Phase::Waiting => "ended and will be started again",
            Phase::Stopping | Phase::Gone => "is being replaced",
        };
        text = format!("{text}; {} {what}", member.source);
    }
    RolloutState::Progressing(text)
}

/// Why there is nobody to answer, when the members that should are `routed`.
pub(crate) fn idle(routed: &[State]) -> IdleReason {
    if routed.iter().any(is_crashed) { IdleReason::Crashed } else { IdleReason::Starting }
}
