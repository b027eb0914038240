//! What stands beside the APIs: whether the controller lives, whether it can work, and its numbers.
//! Source: `drycc-v2.md` §1.10.

use http::Method;
use slipway_core::Error;

use crate::call::{Answer, Call, text};
use crate::handler;
use crate::route::{Access, Generation, Route};

/// The routes.
#[must_use]
pub fn routes() -> Vec<Route> {
    let get = |pattern, operation, handler| {
        Route::new(Generation::Platform, Method::GET, pattern, operation, Access::Public, handler)
    };
    vec![
        get("/healthz", "platform_health_check", handler!(health_check)),
        get("/readiness", "platform_readiness_check", handler!(readiness_check)),
        get("/metrics", "platform_metrics_read", handler!(metrics_read)),
    ]
}

/// Answers as long as the process can answer at all; the database is not asked.
async fn health_check(_call: Call) -> Answer {
    Ok(text("OK"))
}

/// Asks the database something trivial.
async fn readiness_check(call: Call) -> Answer {
    call.state.service.readiness_check().await?;
    Ok(text("OK"))
}

async fn metrics_read(call: Call) -> Answer {
    // Without its database the controller has numbers of its own still.
    if let Ok(end) = call.state.service.certificates_first_end().await {
        call.state.metrics.certificate_end(end);
    }
    let body = call.state.metrics.encode().map_err(Error::internal)?;
    Ok(text(body).set_content_type("application/openmetrics-text; version=1.0.0; charset=utf-8"))
}
