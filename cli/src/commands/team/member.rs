//! Who is in a team. Source of calls: team-api.md §3.5 and §3.6.

use serde_json::json;
use slipway_client::segment;
use slipway_wire::team::{TeamDetails, User};

use super::{Team, me, missing};
use crate::context::Context;
use crate::error::Result;
use crate::print;

/// Lists members, then those invited.
pub async fn list(cx: &Context, team: &Team) -> Result {
    let answer = team.api.get(&team.own_path("")).await?;
    cx.show(&answer, || {
        let details: TeamDetails = answer.json()?;
        print::line(format_args!("=== {} Members", team.slug))?;
        let rows = details.users.into_iter().map(|user| vec![user.email, user.name, user.role, user.status]);
        print::table::rows(&rows.collect::<Vec<_>>())
    })
}

/// Invites somebody.
pub async fn invite(
    cx: &Context,
    team: &Team,
    email: &str,
    first_name: Option<String>,
    last_name: Option<String>,
) -> Result {
    let first_name = first_name.unwrap_or_else(|| email.split('@').next().unwrap_or(email).to_owned());
    let mut body = json!({"email": email, "firstName": first_name});
    super::given(&mut body, &[("lastName", &last_name)]);
    let text = format!("Inviting {email} to {}...", team.slug);
    cx.work(&text, team.api.post(&team.own_path("/users"), &body)).await.map(drop)
}

/// The somebody of a team who has this address, name or id.
async fn find(team: &Team, named: &str) -> Result<User> {
    let details: TeamDetails = team.api.get(&team.own_path("")).await?.json()?;
    let users = details.users;
    let by = |is_it: &dyn Fn(&User) -> bool| users.iter().find(|user| is_it(user)).cloned();
    by(&|user| user.id == named)
        .or_else(|| by(&|user| user.email.eq_ignore_ascii_case(named)))
        .or_else(|| by(&|user| user.name == named))
        .ok_or_else(|| missing("member", named, users.iter().map(|user| user.email.as_str()), "teams:members"))
}

fn path(team: &Team, user: &User, rest: &str) -> String {
    team.own_path(&format!("/users/{}{rest}", segment(&user.id)))
}

/// Invites somebody again.
pub async fn reinvite(cx: &Context, team: &Team, named: &str) -> Result {
    let user = find(team, named).await?;
    let text = format!("Inviting {} to {} again...", user.email, team.slug);
    cx.work(&text, team.api.post_empty(&path(team, &user, "/reinvite"))).await.map(drop)
}

/// Changes what somebody is.
pub async fn role(cx: &Context, team: &Team, named: &str, role: &str) -> Result {
    let user = find(team, named).await?;
    let text = format!("Making {} {role} of {}...", user.email, team.slug);
    cx.work(&text, team.api.put(&path(team, &user, "/role"), &json!({"role": role}))).await.map(drop)
}

/// Takes somebody from a team.
pub async fn remove(cx: &Context, team: &Team, named: &str) -> Result {
    let user = find(team, named).await?;
    let text = format!("Removing {} from {}...", user.email, team.slug);
    cx.work(&text, team.api.delete(&path(team, &user, ""))).await.map(drop)
}

/// Accepts or declines an invitation.
pub async fn answer(cx: &Context, named: &str, is_accepted: bool) -> Result {
    let api = cx.api()?;
    let me = me(&api).await?;
    let found = me.invitations.iter().find(|team| [&team.slug, &team.id, &team.name].iter().any(|it| *it == named));
    let Some(team) = found else {
        let known = me.invitations.iter().map(|team| team.slug.as_str());
        return Err(missing("invitation of", named, known, "teams"));
    };
    let path = format!("/api/users/me/invitations/{}", segment(&team.id));
    if is_accepted {
        cx.work(&format!("Joining {}...", team.slug), api.post_empty(&path)).await.map(drop)
    } else {
        cx.work(&format!("Declining the invitation of {}...", team.slug), api.delete(&path)).await.map(drop)
    }
}
