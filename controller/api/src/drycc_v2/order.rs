//! Deployments that the builder fetches and builds. Slipway's own.

use std::time::Duration;

use http::StatusCode;
use slipway_core::AppId;
use slipway_service::{Order, OrderOutcome, OrderResult};
use slipway_wire::drycc_v2::hook as wire;

use super::from_wire;
use crate::call::{Answer, Call, Failure, empty, ok};
use crate::fields::Fields;

pub(super) async fn order_claim(call: Call) -> Answer {
    let wait = call.fields()?.take("wait").and_then(|wait| wait.as_u64()).unwrap_or(0);
    match call.state.service.order_claim(&call.cx, Duration::from_secs(wait)).await? {
        Some(order) => ok(&body(order)),
        None => empty(StatusCode::NO_CONTENT),
    }
}

pub(super) async fn order_renew(call: Call) -> Answer {
    let mut fields = call.fields()?;
    let (app, claim) = claim_fields(&mut fields);
    let app = finish(fields, app)?;
    call.state.service.order_renew(&call.cx, app, &claim).await?;
    empty(StatusCode::NO_CONTENT)
}

pub(super) async fn order_finish(call: Call) -> Answer {
    let mut fields = call.fields()?;
    let (app, claim) = claim_fields(&mut fields);
    let outcome = fields.text("outcome");
    let commit_hash = fields.text_or_empty("commit_hash");
    let fingerprint = fields.text_or_empty("fingerprint");
    fields.limit("commit_hash", &commit_hash, 64);
    fields.limit("fingerprint", &fingerprint, 64);
    let outcome = match outcome.as_str() {
        "built" => {
            let sha = commit_hash.chars().take(8).collect();
            let new = slipway_service::NewBuild { sha, ..from_wire::build_fields(&mut fields) };
            OrderOutcome::Built { new, commit_hash, fingerprint }
        }
        "same" => OrderOutcome::Same { commit_hash, fingerprint },
        "failed" => OrderOutcome::Failed { error: fields.text_or_empty("error").replace('\0', "\u{fffd}") },
        _ => {
            if !fields.is_wrong("outcome") {
                fields.fail("outcome", "It is one of built, same, failed.");
            }
            OrderOutcome::Failed { error: String::new() }
        }
    };
    let app = finish(fields, app)?;
    let release = call.state.service.order_finish(&call.cx, OrderResult { app, claim, outcome }).await?;
    ok(&wire::OrderFinished { release: release.map(|version| version.0) })
}

fn claim_fields(fields: &mut Fields) -> (Option<AppId>, String) {
    let app = fields.text("app");
    let claim = fields.text("claim");
    let id = app.parse().ok();
    if id.is_none() && !fields.is_wrong("app") {
        fields.fail("app", "Enter a valid UUID.");
    }
    (id, claim)
}

fn finish(fields: Fields, app: Option<AppId>) -> Result<AppId, Failure> {
    let app = fields.finish(app).map_err(Failure::Body)?;
    app.ok_or_else(|| Failure::Domain(slipway_core::Error::internal("an app that was not read")))
}

fn body(order: Order) -> wire::Order {
    let Order { app, name, user, claim, request, credentials, config, fingerprint } = order;
    let env = config.map(|config| config.values).unwrap_or_default();
    wire::Order {
        app: app.to_string(),
        name: name.to_string(),
        user: user.to_string(),
        claim,
        remote: request.remote,
        credentials: credentials.map(|credentials| credentials.expose().to_owned()),
        branch: request.branch,
        commit_hash: request.commit_hash,
        runtime: request.runtime,
        version: request.version,
        build_cmd: request.build_cmd,
        run_cmd: request.run_cmd,
        process_type: request.kind.process_type().to_string(),
        working_dir: request.working_dir,
        static_dir: request.static_dir,
        env: env.into_iter().map(|(key, value)| (key, value.expose().to_owned())).collect(),
        fingerprint,
    }
}
