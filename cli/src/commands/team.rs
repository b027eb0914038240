//! `teams`, and what all commands about a team's things begin with. Source of calls: team-api.md §3.5 and §3.6.

pub mod audit;
pub mod container_log;
pub mod deployment;
pub mod deployment_log;
pub mod image;
pub mod image_config;
pub mod kind;
pub mod member;
pub mod node;
pub mod notification;
pub mod project;
pub mod registry;
pub mod secret;
pub mod storage;

use serde_json::{Value, json};
use slipway_client::{Answer, segment};
use slipway_wire::team::{Me, Team as TeamBody, TeamDetails};

use super::confirm::Doomed;
use super::yes_no;
use crate::api::Api;
use crate::args::team::TeamCommand;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::print;
use crate::settings::SLIPWAY_TEAM;
use crate::spelling::nearest;

/// The team that a command is about.
#[derive(Debug)]
pub struct Team {
    /// The controller.
    pub api: Api,
    /// Identity.
    pub id: String,
    /// What names it in paths.
    pub slug: String,
    /// What it is called.
    pub name: String,
}

/// Something of a team, by its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Identity.
    pub id: String,
    /// What it is called.
    pub name: String,
}

/// The caller, with teams and invitations.
async fn me(api: &Api) -> Result<Me> {
    Ok(api.post_empty("/api/users/me").await?.json()?)
}

impl Team {
    /// The team of the flag, else of the environment, else of the profile, else the active one, else the only one.
    pub async fn choose(cx: &Context, flag: Option<&str>) -> Result<Self> {
        let api = cx.api()?;
        let me = me(&api).await?;
        let named = flag.map(str::to_owned).or_else(|| cx.settings.team());
        let chosen = if let Some(named) = &named {
            Some(pick(&me, named)?)
        } else {
            let active = me.teams.iter().position(|team| Some(&team.id) == me.active_team_id.as_ref());
            active.or((me.teams.len() == 1).then_some(0))
        };
        let Some(team) = chosen.and_then(|at| me.teams.into_iter().nth(at)) else {
            return Err(Error::new("it is not clear which team is meant").hint(
                "name it with --team TEAM, or for all commands with `slipway teams:switch TEAM`; `slipway teams` lists yours, `slipway teams:create NAME` makes one",
            ));
        };
        Ok(Self { api, id: team.id, slug: team.slug, name: team.name })
    }

    /// A path of the team's: `path("registries")`.
    pub fn path(&self, rest: &str) -> String {
        format!("/api/{}/{rest}", segment(&self.slug))
    }

    /// A path below `/api/teams/{id}`.
    fn own_path(&self, rest: &str) -> String {
        format!("/api/teams/{}{rest}", segment(&self.id))
    }
}

/// The one of the list at `path` that has this name or id. `command` lists them for people.
pub async fn find(api: &Api, kind: &str, path: &str, named: &str, command: &str) -> Result<Found> {
    let list: Vec<Value> = api.get(path).await?.json()?;
    let found = list
        .into_iter()
        .filter_map(|one| Some(Found { id: one["id"].as_str()?.to_owned(), name: one["name"].as_str()?.to_owned() }));
    let found: Vec<Found> = found.collect();
    match found.iter().find(|one| one.id == named).or_else(|| found.iter().find(|one| one.name == named)) {
        Some(one) => Ok(one.clone()),
        None => Err(missing(kind, named, found.iter().map(|one| one.name.as_str()), command)),
    }
}

/// Which of the caller's teams is meant.
fn pick(me: &Me, named: &str) -> Result<usize> {
    let at = |is_it: &dyn Fn(&slipway_wire::team::MeTeam) -> bool| me.teams.iter().position(is_it);
    at(&|team| team.slug == named)
        .or_else(|| at(&|team| team.id == named))
        .or_else(|| at(&|team| team.name == named))
        .ok_or_else(|| missing("team", named, me.teams.iter().map(|team| team.slug.as_str()), "teams"))
}

/// What is said of a name that nothing has, with the one that may have been meant.
fn missing<'a>(kind: &str, named: &str, known: impl Iterator<Item = &'a str>, command: &str) -> Error {
    let meant = nearest(named, known).map(|name| format!("did you mean `{name}`? ")).unwrap_or_default();
    Error::new(format!("there is no {kind} {named}")).hint(format!("{meant}`slipway {command}` lists them"))
}

impl Context {
    /// Does something and tells of it: `Adding x... done`, or the answer's JSON.
    pub async fn work(&self, text: &str, call: impl Future<Output = Result<Answer>>) -> Result<Answer> {
        let progress = self.progress(text)?;
        let answer = call.await?;
        progress.done("done")?;
        if !answer.body.is_empty() {
            self.show(&answer, || Ok(()))?;
        }
        Ok(answer)
    }
}

/// Runs a command about teams.
pub async fn team(cx: &Context, flag: Option<&str>, command: TeamCommand) -> Result {
    match command {
        TeamCommand::List => list(cx, flag).await,
        TeamCommand::Create { name, slug } => create(cx, &name, slug.as_deref()).await,
        TeamCommand::Info => info(cx, &Team::choose(cx, flag).await?).await,
        TeamCommand::Update { name, slug } => update(cx, &Team::choose(cx, flag).await?, name, slug).await,
        TeamCommand::Destroy { confirm } => destroy(cx, &Team::choose(cx, flag).await?, confirm.as_deref()).await,
        TeamCommand::Leave => {
            let team = Team::choose(cx, flag).await?;
            cx.work(&format!("Leaving {}...", team.slug), team.api.delete(&team.own_path("/users/leave"))).await?;
            forget(cx, &team)
        }
        TeamCommand::Switch { name } => switch(cx, &name).await,
        TeamCommand::Members => member::list(cx, &Team::choose(cx, flag).await?).await,
        TeamCommand::Invite { email, first_name, last_name } => {
            member::invite(cx, &Team::choose(cx, flag).await?, &email, first_name, last_name).await
        }
        TeamCommand::Reinvite { user } => member::reinvite(cx, &Team::choose(cx, flag).await?, &user).await,
        TeamCommand::Role { user, role } => member::role(cx, &Team::choose(cx, flag).await?, &user, &role).await,
        TeamCommand::Remove { user } => member::remove(cx, &Team::choose(cx, flag).await?, &user).await,
        TeamCommand::Accept { name } => member::answer(cx, &name, true).await,
        TeamCommand::Decline { name } => member::answer(cx, &name, false).await,
    }
}

async fn list(cx: &Context, flag: Option<&str>) -> Result {
    let api = cx.api()?;
    let answer = api.post_empty("/api/users/me").await?;
    cx.show(&answer, || {
        let me: Me = answer.json()?;
        let named = flag.map(str::to_owned).or_else(|| cx.settings.team());
        let is_meant = |team: &slipway_wire::team::MeTeam| match &named {
            Some(named) => [&team.slug, &team.id, &team.name].contains(&named),
            None => Some(&team.id) == me.active_team_id.as_ref(),
        };
        print::line("=== Teams (*=active)")?;
        let rows = me.teams.iter().map(|team| {
            let mark = if is_meant(team) { "*" } else { "" };
            vec![format!("{mark}{}", team.slug), team.name.clone(), team.role.clone()]
        });
        print::table::rows(&rows.collect::<Vec<_>>())?;
        if me.invitations.is_empty() {
            return Ok(());
        }
        print::line("=== Invitations")?;
        let rows = me.invitations.iter().map(|team| vec![team.slug.clone(), team.name.clone()]);
        print::table::rows(&rows.collect::<Vec<_>>())
    })
}

async fn create(cx: &Context, name: &str, slug: Option<&str>) -> Result {
    let api = cx.api()?;
    let progress = cx.progress(&format!("Creating team {name}..."))?;
    let mut body = json!({"name": name});
    if let Some(slug) = slug {
        body["slug"] = slug.into();
    }
    let answer = api.post("/api/teams", &body).await?;
    let made: TeamBody = answer.json()?;
    progress.done(&format!("done, {}", made.slug))?;
    cx.show(&answer, || Ok(()))
}

async fn info(cx: &Context, team: &Team) -> Result {
    let answer = team.api.get(&team.own_path("")).await?;
    cx.show(&answer, || {
        let it: TeamDetails = answer.json()?;
        print::line(format_args!("=== {} Team", it.slug))?;
        let counts = it.statistics;
        let mine = [
            ("name", it.name),
            ("id", it.id),
            ("users", counts.users.to_string()),
            ("projects", counts.projects.to_string()),
            ("versions", counts.versions.to_string()),
            ("deployments", counts.deployments.to_string()),
            ("nodes", counts.nodes.to_string()),
        ];
        print::table::pairs(mine)
    })
}

async fn update(cx: &Context, team: &Team, name: Option<String>, slug: Option<String>) -> Result {
    let slug = slug.unwrap_or_else(|| team.slug.clone());
    let body = json!({"name": name.as_ref().unwrap_or(&team.name), "slug": slug});
    cx.work(&format!("Updating team {}...", team.slug), team.api.put(&team.own_path(""), &body)).await?;
    if cx.settings.profile().is_some_and(|profile| profile.team.as_ref() == Some(&team.slug)) {
        remember(cx, Some(slug))?;
    }
    Ok(())
}

/// Has somebody confirm that something of this name is to be destroyed.
pub fn confirm(what: &str, name: &str, given: Option<&str>) -> Result {
    Doomed { what, title: what, name }.confirm(given)
}

async fn destroy(cx: &Context, team: &Team, confirmed: Option<&str>) -> Result {
    confirm("team", &team.slug, confirmed)?;
    cx.work(&format!("Destroying team {}...", team.slug), team.api.delete(&team.own_path(""))).await?;
    forget(cx, team)
}

async fn switch(cx: &Context, named: &str) -> Result {
    let team = Team::choose(cx, Some(named)).await?;
    let body = json!({"teamId": team.id});
    cx.work(&format!("Switching to {}...", team.slug), team.api.post("/api/users/me/active-team", &body)).await?;
    if cx.settings.profile().is_some() {
        remember(cx, Some(team.slug))?;
    }
    if cx.settings.has_team_variable() {
        print::warning(format_args!("{SLIPWAY_TEAM} is set, and goes before what was just chosen."));
    }
    Ok(())
}

/// Keeps in the profile which team commands are about.
fn remember(cx: &Context, team: Option<String>) -> Result {
    match cx.settings.profile() {
        Some(profile) => crate::settings::Profile { team, ..profile.clone() }.write(&cx.settings.path),
        None => Ok(()),
    }
}

/// Has commands no longer be about a team that is left or gone.
fn forget(cx: &Context, team: &Team) -> Result {
    match cx.settings.profile() {
        Some(profile) if profile.team.as_ref() == Some(&team.slug) => remember(cx, None),
        Some(_) | None => Ok(()),
    }
}

/// The body's member, when it is a text.
pub fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// Sets what is given.
pub fn given(body: &mut Value, fields: &[(&str, &Option<String>)]) {
    for (name, value) in fields {
        if let Some(value) = value {
            body[*name] = value.as_str().into();
        }
    }
}

#[cfg(test)]
mod tests {
    use slipway_wire::team::{MeTeam, MeUser};

    use super::*;

    #[test]
    fn a_slug_goes_before_a_name() {
        let team = |id: &str, name: &str, slug: &str| MeTeam {
            id: id.to_owned(),
            name: name.to_owned(),
            slug: slug.to_owned(),
            role: "user".to_owned(),
        };
        let me = Me {
            user: MeUser { id: String::new(), name: String::new() },
            active_team_id: None,
            teams: vec![team("1", "two", "one"), team("2", "x", "two"), team("3", "The Third", "third")],
            invitations: Vec::new(),
        };
        for (named, want) in
            [("two", Some(1)), ("one", Some(0)), ("3", Some(2)), ("The Third", Some(2)), ("thirt", None)]
        {
            assert_eq!(pick(&me, named).ok(), want, "{named}");
        }
        let Err(Error::Failed { text, hint, .. }) = pick(&me, "thirt") else { panic!("found") };
        assert_eq!(
            (text.as_str(), hint.as_str()),
            ("there is no team thirt", "did you mean `third`? `slipway teams` lists them")
        );
    }
}
