//! Templates. Source: `team-api.md` §3.13 and §5.

use http::{HeaderValue, Method, StatusCode, header};
use poem::Response;
use slipway_service::TemplateUse;
use slipway_wire::team as wire;

use super::body::Body;
use super::project::{project_kind, project_path};
use super::scope::{Dialect, Scope, created, member_run};
use super::{route, to_wire};
use crate::call::{Answer, Call, ok};
use crate::handler;
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    const ALL: &str = "/api/templates";
    vec![
        route(Method::GET, ALL, "team_templates_list", handler!(templates_list)),
        route(Method::POST, ALL, "team_template_use", handler!(template_use)),
        route(Method::GET, "/api/templates/{templateId}/image", "team_template_picture", handler!(template_picture)),
    ]
}

async fn templates_list(call: Call) -> Answer {
    let template = |template: &slipway_team::template::Template| wire::Template {
        id: template.id.clone(),
        name: template.name.clone(),
        description: template.description.clone(),
        technologies: template.technologies.clone(),
    };
    ok(&call.state.service.templates().map(template).collect::<Vec<_>>())
}

async fn template_picture(call: Call) -> Answer {
    let template = call.state.service.template(call.param("templateId"))?;
    let picture = template.picture.clone().ok_or_else(|| slipway_team::Error::not_found("template"))?;
    let mut response = Response::builder().status(StatusCode::OK).content_type("image/jpeg").body(picture.into_owned());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=3600"));
    Ok(response)
}

/// Without a slug it is the older generation's, about the active team and in its words.
async fn template_use(call: Call) -> Answer {
    let mut body = Body::read(&call)?;
    let slug = body.text_or_null("teamSlug");
    let (id, name, description) = (body.text("id"), body.text("name"), body.text_or_null("description"));
    let kind = project_kind(&body.text("type"));
    if kind.is_none() && !body.is_wrong("type") {
        body.fail("type", "is not one of the known words");
    }
    let read = kind.map(|kind| TemplateUse { id, name, kind, description });
    let (member, dialect) = match &slug {
        Some(slug) => (call.state.service.team_member(&call.cx, slug).await?, Dialect::Slug),
        None => (call.state.service.team_member_active(&call.cx).await?, Dialect::Active),
    };
    let given = body.finish(read)?.ok_or_else(|| slipway_team::Error::invalid("type", "type is missing"))?;
    member_run(call, member, dialect, move |scope: Scope| async move {
        let item = scope.call.state.service.template_use(&scope.call.cx, &scope.member, given).await?;
        let location = scope.location(&project_path(&scope, item.project.id));
        created(&location, &to_wire::project_item(&item, scope.dialect))
    })
    .await
}
