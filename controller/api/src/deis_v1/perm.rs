//! Collaborators and administrators. Source: `deis-v1.md` §11.

use http::StatusCode;
use slipway_core::authz::AppAction;
use slipway_core::error::Kind;
use slipway_core::{Error, Result};
use slipway_service::NeverGranted;

use super::{from_wire, page, to_wire};
use crate::call::{Answer, Call, empty, ok};

/// An answer whose refusal has no body, unlike those about all else of an app.
fn bare(answer: Result<Answer>) -> Answer {
    match answer {
        Err(Error::Forbidden(_)) => empty(StatusCode::FORBIDDEN),
        other => other?,
    }
}

pub(super) async fn perms_list(call: Call) -> Answer {
    let users = call.state.service.perms_list(&call.cx, call.param("app")).await;
    bare(users.map(|users| ok(&to_wire::perms(&users))))
}

pub(super) async fn perm_grant(call: Call) -> Answer {
    let (service, app) = (&call.state.service, call.param("app"));
    let username = match from_wire::username(&call) {
        Ok(username) => username,
        // Whether the caller may do this comes before what the body says.
        Err(failure) => {
            let allowed = service.app_authorize(&call.cx, app, AppAction::Manage).await;
            return bare(allowed.map(|()| Err(failure)));
        }
    };
    let granted = service.perm_grant(&call.cx, app, &username).await;
    bare(granted.map(|()| empty(StatusCode::CREATED)))
}

pub(super) async fn perm_revoke(call: Call) -> Answer {
    let (service, app) = (&call.state.service, call.param("app"));
    let mut revoked = service.perm_revoke(&call.cx, app, call.param("user")).await;
    if matches!(revoked, Err(Error::Forbidden(_))) {
        let (caller, _, is_superuser) = call.cx.user()?;
        // Whoever may revoke was refused because there is nothing to revoke.
        if service.app_get(&call.cx, app).await.is_ok_and(|app| is_superuser || app.owner == caller) {
            revoked = Err(Error::not_found(Kind::User));
        }
    }
    bare(revoked.map(|()| empty(StatusCode::NO_CONTENT)))
}

pub(super) async fn admins_list(call: Call) -> Answer {
    let query = page::query(&call)?;
    let admins = call.state.service.admins_list(&call.cx, query).await?;
    ok(&page::page(&call, query, &admins, to_wire::admin)?)
}

pub(super) async fn admin_grant(call: Call) -> Answer {
    call.cx.admin()?;
    let username = from_wire::username(&call)?;
    call.state.service.admin_grant(&call.cx, &username).await?;
    empty(StatusCode::CREATED)
}

pub(super) async fn admin_revoke(call: Call) -> Answer {
    call.state.service.admin_revoke(&call.cx, call.param("user"), NeverGranted::Missing).await?;
    empty(StatusCode::NO_CONTENT)
}
