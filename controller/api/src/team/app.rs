//! Apps that a team owns. Ours: the documents know no apps.

use http::{Method, StatusCode};

use super::route;
use super::scope::{Scope, scoped};
use crate::call::{Answer, empty};
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    const ONE: &str = "/api/{teamSlug}/apps/{app}";
    vec![
        route(Method::PUT, ONE, "team_app_adopt", scoped!("team_app_adopt", app_adopt)),
        route(Method::DELETE, ONE, "team_app_release", scoped!("team_app_release", app_release)),
    ]
}

async fn app_adopt(scope: Scope) -> Answer {
    scope.call.state.service.team_app_adopt(&scope.call.cx, &scope.member, scope.call.param("app")).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn app_release(scope: Scope) -> Answer {
    scope.call.state.service.team_app_release(&scope.call.cx, &scope.member, scope.call.param("app")).await?;
    empty(StatusCode::NO_CONTENT)
}
