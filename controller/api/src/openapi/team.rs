//! The operations and bodies of the team API.

use serde_json::{Value, json};

use super::operation::{Answers, Operation, new};
use super::schema::{list, object, reference, request, text, text_or_null, time, uuid};

/// The description of an operation. Calls of the older generation are those of the newer one.
pub(super) fn find(operation: &str) -> Option<Operation> {
    match operation.strip_prefix("team_active_") {
        Some(rest) => {
            let newer = find(&format!("team_{rest}"))?;
            let answers = match newer.answers {
                Answers::Json(status, "TeamAudit") => Answers::Json(status, "ServiceCalls"),
                answers => answers,
            };
            // Without an active team there is nothing of the sort.
            let also: &'static [u16] = if rest.ends_with("_list") { newer.also } else { with_not_found(newer.also) };
            Some(Operation { also, answers, ..newer })
        }
        None => group(operation).or_else(|| record(operation)),
    }
}

/// These statuses and 404.
fn with_not_found(also: &'static [u16]) -> &'static [u16] {
    match also {
        [] => &[404],
        [409] => &[404, 409],
        [412] => &[404, 412],
        [409, 412] => &[404, 409, 412],
        [400] => &[400, 404],
        also => also,
    }
}

fn group(operation: &str) -> Option<Operation> {
    use Answers::{Empty, Json, List};
    let found = match operation {
        "team_teams_list" => new("teams", "The caller's teams", List("Team")),
        "team_team_create" => {
            new("teams", "Makes a team that the caller owns", Json(201, "Team")).body("NewTeam").also(&[409])
        }
        "team_team_read" => new("teams", "A team with those who belong to it", Json(200, "TeamDetails")),
        "team_team_update" => new("teams", "Renames a team", Empty(204)).body("NewTeam").also(&[409]),
        "team_team_delete" => new("teams", "Ends a team with all that it owns", Empty(204)),
        _ => return None,
    };
    Some(found)
}

fn record(operation: &str) -> Option<Operation> {
    use Answers::Json;
    let found = match operation {
        "team_audit_read" => new("teams", "What was done in the team, newest first", Json(200, "TeamAudit"))
            .query(&["skip", "take", "from", "to", "filter"])
            .also(&[400]),
        _ => return None,
    };
    Some(found)
}

/// The schemas.
pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let mut schemas = vec![(
        "TeamRefusal",
        json!({
            "type": "object",
            "required": ["message"],
            "properties": {"message": text(), "property": text(), "value": {}, "error": text()},
            "additionalProperties": false,
        }),
    )];
    schemas.extend(groups());
    schemas.extend(records());
    schemas
}

fn groups() -> Vec<(&'static str, Value)> {
    let count = || json!({"type": "integer", "minimum": 0});
    let statistics = object(&[
        ("users", count()),
        ("projects", count()),
        ("products", count()),
        ("nodes", count()),
        ("versions", count()),
        ("deployments", count()),
    ]);
    let team = [("id", uuid()), ("name", text()), ("slug", text()), ("statistics", reference("TeamStatistics"))];
    let mut details = team.to_vec();
    details.push(("users", list(&reference("TeamUser"))));
    vec![
        ("NewTeam", request(&["name"], &[("name", text()), ("slug", text_or_null())])),
        ("TeamStatistics", statistics),
        ("Team", object(&team)),
        ("TeamDetails", object(&details)),
        (
            "TeamUser",
            object(&[
                ("id", uuid()),
                ("name", text()),
                ("email", text()),
                ("role", json!({"type": "string", "enum": ["owner", "admin", "user"]})),
                ("status", json!({"type": "string", "enum": ["pending", "verified", "expired", "declined"]})),
                ("lastLogin", json!({"anyOf": [time(), {"type": "null"}]})),
            ]),
        ),
    ]
}

/// A part of a list, and how long the whole is.
fn paged(items: &Value) -> Value {
    object(&[("items", list(items)), ("total", json!({"type": "integer", "minimum": 0}))])
}

fn records() -> Vec<(&'static str, Value)> {
    let entry = json!({
        "type": "object",
        "required": ["createdAt", "actorType", "context", "method", "event", "name", "data"],
        "properties": {
            "createdAt": time(),
            "actorType": {"type": "string", "enum": ["user", "deployment-token"]},
            "context": {"type": "string", "enum": ["http", "ws", "rpc"]},
            "method": text_or_null(),
            "event": text(),
            "name": text(),
            "user": object(&[("id", text()), ("email", text())]),
            "data": {},
        },
        "additionalProperties": false,
    });
    let call = object(&[
        ("createdAt", time()),
        ("userId", text()),
        ("email", text()),
        ("serviceCall", text()),
        ("data", json!({})),
    ]);
    vec![("TeamAudit", paged(&entry)), ("ServiceCalls", paged(&call))]
}
