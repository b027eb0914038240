//! Versions of projects. Source: `team-api.md` §3.3.

use http::{Method, StatusCode};
use slipway_service::{VersionChange, VersionGiven};
use slipway_team::version::VersionKind;
use slipway_team::{Error, ProjectId, VersionId};

use super::body::Body;
use super::project::{project_id, project_path};
use super::scope::{Scope, created, scoped};
use super::{route, to_wire};
use crate::call::{Answer, Failure, empty, ok};
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    const ALL: &str = "/api/{teamSlug}/projects/{projectId}/versions";
    const ONE: &str = "/api/{teamSlug}/projects/{projectId}/versions/{versionId}";
    const DEFAULT: &str = "/api/{teamSlug}/projects/{projectId}/versions/{versionId}/default";
    const INCREASE: &str = "/api/{teamSlug}/projects/{projectId}/versions/{versionId}/increase";
    vec![
        route(Method::GET, ALL, "team_versions_list", scoped!("team_versions_list", versions_list)),
        route(Method::POST, ALL, "team_version_create", scoped!("team_version_create", version_create)),
        route(Method::GET, ONE, "team_version_read", scoped!("team_version_read", version_read)),
        route(Method::PUT, ONE, "team_version_update", scoped!("team_version_update", version_update)),
        route(Method::DELETE, ONE, "team_version_delete", scoped!("team_version_delete", version_delete)),
        route(
            Method::PUT,
            DEFAULT,
            "team_version_default_set",
            scoped!("team_version_default_set", version_default_set),
        ),
        route(Method::POST, INCREASE, "team_version_increase", scoped!("team_version_increase", version_increase)),
    ]
}

/// The project and the version of the path.
pub(super) fn version_id(scope: &Scope) -> Result<(ProjectId, VersionId), Failure> {
    Ok((project_id(scope)?, scope.id("versionId")?))
}

/// Where a version is.
pub(super) fn version_path(scope: &Scope, (project, version): (ProjectId, VersionId)) -> String {
    format!("{}/versions/{version}", project_path(scope, project))
}

fn change(scope: &Scope) -> Result<VersionChange, Failure> {
    let mut body = Body::read(&scope.call)?;
    let (name, changelog) = (body.text("name"), body.text_or_null("changelog"));
    body.finish(VersionChange { name, changelog })
}

async fn versions_list(scope: Scope) -> Answer {
    let part = scope.call.query("nameContains");
    if part.is_some_and(str::is_empty) {
        return Err(Error::invalid("nameContains", "nameContains must not be empty").into());
    }
    let versions = scope.call.state.service.versions_list(&scope.member, project_id(&scope)?, part).await?;
    ok(&versions.iter().map(to_wire::version).collect::<Vec<_>>())
}

async fn version_create(scope: Scope) -> Answer {
    let project = project_id(&scope)?;
    let mut body = Body::read(&scope.call)?;
    let (name, changelog) = (body.text("name"), body.text_or_null("changelog"));
    // A kind that is none was noted, so that this one is never used.
    let kind = body.choice("type", VersionKind::parse).unwrap_or(VersionKind::Incremental);
    let given = body.finish(VersionGiven { name, kind, changelog })?;
    let item = scope.call.state.service.version_create(&scope.call.cx, &scope.member, project, given).await?;
    created(&scope.location(&version_path(&scope, (project, item.version.id))), &to_wire::version(&item))
}

async fn version_read(scope: Scope) -> Answer {
    let details = scope.call.state.service.version_get(&scope.member, version_id(&scope)?).await?;
    ok(&to_wire::version_details(&details, scope.dialect)?)
}

async fn version_update(scope: Scope) -> Answer {
    let (path, change) = (version_id(&scope)?, change(&scope)?);
    scope.call.state.service.version_update(&scope.call.cx, &scope.member, path, change).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn version_delete(scope: Scope) -> Answer {
    scope.call.state.service.version_delete(&scope.call.cx, &scope.member, version_id(&scope)?).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn version_default_set(scope: Scope) -> Answer {
    scope.call.state.service.version_set_default(&scope.call.cx, &scope.member, version_id(&scope)?).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn version_increase(scope: Scope) -> Answer {
    let (path, change) = (version_id(&scope)?, change(&scope)?);
    let item = scope.call.state.service.version_increase(&scope.call.cx, &scope.member, path, change).await?;
    created(&scope.location(&version_path(&scope, (path.0, item.version.id))), &to_wire::version(&item))
}
