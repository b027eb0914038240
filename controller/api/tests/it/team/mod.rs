//! The API of teams.

use serde_json::{Value, json};

use crate::world::{Database, Reply, World};

mod access;
mod app;
mod check;
mod deployment;
mod group;
mod image;
mod member;
mod node;
mod project;
mod replay;
mod socket;
mod template;
mod thing;
mod version;

/// Sends as a user, with a body unless it is null.
pub async fn send(world: &World, user: &str, method: &str, path: &str, body: Value) -> Reply {
    let request = world.request(method, path);
    let request = if user.is_empty() { request } else { request.user(user) };
    if body.is_null() { request.send().await } else { request.json_body(&body).send().await }
}

pub async fn get(world: &World, user: &str, path: &str) -> Reply {
    send(world, user, "GET", path, Value::Null).await
}

/// Sends, and fails unless the answer has this status.
pub async fn expect(world: &World, user: &str, method: &str, path: &str, body: Value, status: u16) -> Reply {
    let reply = send(world, user, method, path, body).await;
    assert_eq!(reply.status, status, "{method} {path} as {user}: {reply:?}");
    reply
}

/// Makes a team and gives its identity.
pub async fn team(world: &World, owner: &str, slug: &str) -> String {
    let body = json!({"name": format!("Team {slug}"), "slug": slug});
    let reply = expect(world, owner, "POST", "/api/teams", body, 201).await;
    reply.json()["id"].as_str().unwrap().to_owned()
}

/// A world with the team `acme` of `owner`, and `rival` of `other`.
pub async fn two_teams(database: Database) -> World {
    let world = World::new(database).await;
    team(&world, "owner", "acme").await;
    team(&world, "other", "rival").await;
    world
}

/// Status and the `property` of a refusal.
pub fn refusal(reply: &Reply) -> (u16, String) {
    let property = reply.json()["property"].as_str().unwrap_or_default().to_owned();
    assert!(!reply.json()["message"].as_str().unwrap_or_default().is_empty(), "{reply:?}");
    (reply.status, property)
}
