//! Projects, which the older generation calls products. Source: `team-api.md` §3.2 and §5.

use http::{Method, StatusCode};
use slipway_service::{ProjectChange, ProjectGiven};
use slipway_team::ProjectId;
use slipway_team::version::ProjectKind;

use super::body::Body;
use super::scope::{Dialect, Scope, created, scoped};
use super::{route, to_wire};
use crate::call::{Answer, Failure, empty, ok};
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    const ALL: &str = "/api/{teamSlug}/projects";
    const ONE: &str = "/api/{teamSlug}/projects/{projectId}";
    const CONVERT: &str = "/api/{teamSlug}/projects/{projectId}/convert";
    vec![
        route(Method::GET, ALL, "team_projects_list", scoped!("team_projects_list", projects_list)),
        route(Method::POST, ALL, "team_project_create", scoped!("team_project_create", project_create)),
        route(Method::GET, ONE, "team_project_read", scoped!("team_project_read", project_read)),
        route(Method::PUT, ONE, "team_project_update", scoped!("team_project_update", project_update)),
        route(Method::DELETE, ONE, "team_project_delete", scoped!("team_project_delete", project_delete)),
        route(Method::POST, CONVERT, "team_project_convert", scoped!("team_project_convert", project_convert)),
    ]
}

/// The kind of a project, in the words of either generation.
pub(super) fn project_kind(text: &str) -> Option<ProjectKind> {
    match text {
        "simple" => Some(ProjectKind::Versionless),
        "complex" => Some(ProjectKind::Versioned),
        text => ProjectKind::parse(text),
    }
}

/// The project of the path.
pub(super) fn project_id(scope: &Scope) -> Result<ProjectId, Failure> {
    scope.id(match scope.dialect {
        Dialect::Slug => "projectId",
        Dialect::Active => "productId",
    })
}

/// Where a project is.
pub(super) fn project_path(scope: &Scope, id: ProjectId) -> String {
    match scope.dialect {
        Dialect::Slug => format!("projects/{id}"),
        Dialect::Active => format!("products/{id}"),
    }
}

async fn projects_list(scope: Scope) -> Answer {
    let projects = scope.call.state.service.team_projects_list(&scope.member).await?;
    ok(&projects.iter().map(|item| to_wire::project_item(item, scope.dialect)).collect::<Vec<_>>())
}

async fn project_create(scope: Scope) -> Answer {
    let mut body = Body::read(&scope.call)?;
    let name = body.text("name");
    let (description, changelog) = (body.text_or_null("description"), body.text_or_null("changelog"));
    // A kind that is none was noted, so that this one is never used.
    let kind = body.choice("type", project_kind).unwrap_or(ProjectKind::Versionless);
    let given = body.finish(ProjectGiven { name, kind, description, changelog })?;
    let item = scope.call.state.service.team_project_create(&scope.call.cx, &scope.member, given).await?;
    let location = scope.location(&project_path(&scope, item.project.id));
    created(&location, &to_wire::project_item(&item, scope.dialect))
}

async fn project_read(scope: Scope) -> Answer {
    let view = scope.call.state.service.team_project_get(&scope.member, project_id(&scope)?).await?;
    ok(&to_wire::project_details(&view, scope.dialect))
}

async fn project_update(scope: Scope) -> Answer {
    let id = project_id(&scope)?;
    let mut body = Body::read(&scope.call)?;
    let name = body.text("name");
    let (description, changelog) = (body.text_or_null("description"), body.text_or_null("changelog"));
    let change = body.finish(ProjectChange { name, description, changelog })?;
    scope.call.state.service.team_project_update(&scope.call.cx, &scope.member, id, change).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn project_delete(scope: Scope) -> Answer {
    scope.call.state.service.team_project_delete(&scope.member, project_id(&scope)?).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn project_convert(scope: Scope) -> Answer {
    scope.call.state.service.team_project_convert(&scope.call.cx, &scope.member, project_id(&scope)?).await?;
    empty(StatusCode::NO_CONTENT)
}
