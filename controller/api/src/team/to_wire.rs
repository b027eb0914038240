//! The domain's values as the team API has them.

use chrono::{DateTime, SecondsFormat, Utc};
use secrecy::{ExposeSecret, SecretString};
use slipway_service::{Dashboard, Me, RegistryView, StorageView, TeamDetails, TeamView};
use slipway_team::audit::{AuditActor, AuditEntry, MASK};
use slipway_team::notification::Notification;
use slipway_team::registry::{Registry, RegistryDetails, RegistryKind};
use slipway_team::storage::Storage;
use slipway_team::team::{Statistics, TeamUser, person_name};
use slipway_team::user_token::UserToken;
use slipway_team::{Member, Team};
use slipway_wire::team as wire;

mod deployment;
mod project;

pub(super) use deployment::*;
pub(super) use project::*;

/// A time. Source: `team-api.md` §1.9.
pub(super) fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn statistics(statistics: &Statistics) -> wire::Statistics {
    let Statistics { users, projects, nodes, versions, deployments } = *statistics;
    wire::Statistics { users, projects, products: projects, nodes, versions, deployments }
}

pub(super) fn team(view: &TeamView) -> wire::Team {
    let TeamView { team: Team { id, name, slug, stamp: _ }, statistics: counts } = view;
    wire::Team { id: id.to_string(), name: name.clone(), slug: slug.to_string(), statistics: statistics(counts) }
}

pub(super) fn team_details(details: &TeamDetails) -> wire::TeamDetails {
    let TeamDetails { view, users } = details;
    let wire::Team { id, name, slug, statistics } = team(view);
    wire::TeamDetails { id, name, slug, statistics, users: users.iter().map(user).collect() }
}

pub(super) fn user(user: &TeamUser) -> wire::User {
    let TeamUser { id, name, email, role, invitation, last_login } = user;
    wire::User {
        id: id.to_string(),
        name: name.clone(),
        email: email.clone(),
        role: role.as_str().to_owned(),
        status: invitation.map_or("verified", |status| status.as_str()).to_owned(),
        last_login: last_login.map(time),
    }
}

pub(super) fn audit_entry(entry: &AuditEntry) -> wire::AuditEntry {
    let AuditEntry { created, actor, context, method, event, data } = entry;
    let (name, user) = match actor {
        AuditActor::User { id, name, email } => {
            (name.clone(), Some(wire::AuditUser { id: id.clone(), email: email.clone() }))
        }
        AuditActor::DeploymentToken { id: _, name } => (name.clone(), None),
    };
    wire::AuditEntry {
        created_at: time(*created),
        actor_type: actor.kind().to_owned(),
        context: context.as_str().to_owned(),
        method: method.clone(),
        event: event.clone(),
        name,
        user,
        data: data.clone(),
    }
}

/// The same in the older generation.
pub(super) fn service_call(entry: &AuditEntry) -> wire::ServiceCall {
    let AuditEntry { created, actor, context: _, method: _, event, data } = entry;
    let (user_id, email) = match actor {
        AuditActor::User { id, name: _, email } => (id.clone(), email.clone()),
        AuditActor::DeploymentToken { id, name: _ } => (id.clone(), String::new()),
    };
    wire::ServiceCall { created_at: time(*created), user_id, email, service_call: event.clone(), data: data.clone() }
}

pub(super) fn me(me: &Me) -> wire::Me {
    let Me { user, teams, invitations, is_onboarding_hidden: _ } = me;
    let basic =
        |team: &Team| wire::BasicTeam { id: team.id.to_string(), name: team.name.clone(), slug: team.slug.to_string() };
    wire::Me {
        user: wire::MeUser { id: user.id.to_string(), name: person_name(user) },
        active_team_id: teams.iter().find(|member| member.is_active).map(|member| member.team.id.to_string()),
        teams: teams
            .iter()
            .map(|member| {
                let wire::BasicTeam { id, name, slug } = basic(&member.team);
                wire::MeTeam { id, name, slug, role: member.role.as_str().to_owned() }
            })
            .collect(),
        invitations: invitations.iter().map(basic).collect(),
    }
}

pub(super) fn token(token: &UserToken) -> wire::Token {
    let UserToken { id, user: _, name, nonce: _, created, expires } = token;
    wire::Token { id: id.to_string(), name: name.clone(), created_at: time(*created), expires_at: expires.map(time) }
}

pub(super) fn generated_token(made: &UserToken, signed: &SecretString) -> wire::GeneratedToken {
    let wire::Token { id, name, created_at, expires_at } = token(made);
    wire::GeneratedToken { id, name, created_at, expires_at, token: signed.expose_secret().to_owned() }
}

pub(super) fn registry(registry: &Registry) -> wire::Registry {
    let Registry { id, team: _, name, description, icon, details, stamp: _ } = registry;
    wire::Registry {
        id: id.to_string(),
        name: name.clone(),
        r#type: details.kind.as_str().to_owned(),
        url: details.url.clone(),
        description: description.clone(),
        icon: icon.clone(),
    }
}

pub(super) fn registry_details(view: &RegistryView) -> wire::RegistryDetails {
    let RegistryView { registry: Registry { id, team: _, name, description, icon, details, stamp }, is_in_use } = view;
    wire::RegistryDetails {
        id: id.to_string(),
        name: name.clone(),
        r#type: details.kind.as_str().to_owned(),
        description: description.clone(),
        icon: icon.clone(),
        in_use: *is_in_use,
        created_at: time(stamp.created),
        updated_at: time(stamp.updated),
        details: registry_place(details),
    }
}

fn registry_place(details: &RegistryDetails) -> wire::RegistryPlace {
    let RegistryDetails { kind, url, image_prefix, namespace, api_url, credentials } = details;
    // The hosts of these follow from the kind.
    let has_url = !matches!(kind, RegistryKind::Hub | RegistryKind::Github);
    wire::RegistryPlace {
        url: has_url.then(|| url.clone()),
        image_name_prefix: image_prefix.clone(),
        namespace: namespace.map(|namespace| namespace.as_str().to_owned()),
        api_url: api_url.clone(),
        user: credentials.as_ref().map(|credentials| credentials.user.clone()),
        public: credentials.is_none(),
    }
}

pub(super) fn storage(storage: &Storage) -> wire::Storage {
    let Storage { id, team: _, name, description, icon, url, access_key: _, secret_key: _, stamp: _ } = storage;
    wire::Storage {
        id: id.to_string(),
        name: name.clone(),
        url: url.clone(),
        description: description.clone(),
        icon: icon.clone(),
    }
}

pub(super) fn storage_option(storage: &Storage) -> wire::StorageOption {
    wire::StorageOption { id: storage.id.to_string(), name: storage.name.clone() }
}

pub(super) fn storage_details(view: &StorageView) -> wire::StorageDetails {
    let StorageView { storage: own, is_in_use } = view;
    let wire::Storage { id, name, url, description, icon } = storage(own);
    wire::StorageDetails {
        id,
        name,
        url,
        description,
        icon,
        access_key: own.access_key.clone(),
        secret_key: own.secret_key.as_ref().map(|_| MASK.to_owned()),
        public: own.secret_key.is_none(),
        in_use: *is_in_use,
    }
}

pub(super) fn notification(notification: &Notification) -> wire::Notification {
    let Notification { id, team: _, name, kind, url, is_active, events: _, creator_name, stamp: _ } = notification;
    wire::Notification {
        id: id.to_string(),
        name: name.clone(),
        r#type: kind.as_str().to_owned(),
        url: url.expose_secret().to_owned(),
        active: *is_active,
        creator_name: creator_name.clone(),
    }
}

pub(super) fn notification_details(own: &Notification) -> wire::NotificationDetails {
    let wire::Notification { id, name, r#type, url, active, creator_name } = notification(own);
    let enabled_events = own.events.iter().map(|event| event.as_str().to_owned()).collect();
    wire::NotificationDetails { id, name, r#type, url, active, creator_name, enabled_events }
}

pub(super) fn dashboard(member: &Member, dashboard: &Dashboard) -> wire::Dashboard {
    let Dashboard { users, audit_entries, counts, failed_deployments, progress } = dashboard;
    let step = |id: Option<String>| wire::Step { done: id.is_some(), resource_id: id };
    wire::Dashboard {
        users: *users,
        audit_log: *audit_entries,
        projects: counts.projects,
        versions: counts.versions,
        deployments: counts.deployments,
        failed_deployments: *failed_deployments,
        onboarding: wire::Onboarding {
            sign_up: wire::Step { done: true, resource_id: None },
            create_team: step(Some(member.team.id.to_string())),
            create_node: step(progress.node.map(|id| id.to_string())),
            create_project: step(progress.project.map(|id| id.to_string())),
            create_version: step(progress.version.map(|id| id.to_string())),
            add_images: step(progress.image.map(|id| id.to_string())),
            add_deployment: step(progress.deployment.map(|(id, _)| id.to_string())),
            deploy: wire::Step {
                done: progress.deployment.is_some_and(|(_, is_started)| is_started),
                resource_id: None,
            },
        },
    }
}
