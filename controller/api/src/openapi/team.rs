//! The operations and bodies of the team API.

use serde_json::{Value, json};

use super::operation::{Answers, Operation, new};
use super::schema::{boolean, list, object, reference, request, text, text_or_null, time, uuid};

mod deployment;
mod image;
mod node;
mod project;

/// The description of an operation. Calls of the older generation are those of the newer one.
pub(super) fn find(operation: &str) -> Option<Operation> {
    match operation.strip_prefix("team_active_") {
        Some(rest) => {
            let newer = find(&format!("team_{rest}"))?;
            let answers = older(newer.answers);
            // Without an active team there is nothing of the sort.
            let also: &'static [u16] = if rest.ends_with("_list") { newer.also } else { with_not_found(newer.also) };
            Some(Operation { answers, also, ..newer })
        }
        None => platform(operation)
            .or_else(|| group(operation))
            .or_else(|| own(operation))
            .or_else(|| thing(operation))
            .or_else(|| record(operation))
            .or_else(|| project::find(operation))
            .or_else(|| node::find(operation))
            .or_else(|| deployment::find(operation)),
    }
}

/// What the older generation answers in place of this.
fn older(newer: Answers) -> Answers {
    match newer {
        Answers::Json(status, "TeamAudit") => Answers::Json(status, "ServiceCalls"),
        Answers::Json(status, "Dashboard") => Answers::Json(status, "OldDashboard"),
        answers => project::older(deployment::older(answers)),
    }
}

/// These statuses and 404.
fn with_not_found(also: &'static [u16]) -> &'static [u16] {
    match also {
        [] => &[404],
        [409] => &[404, 409],
        [401, 409] => &[401, 404, 409],
        [412] => &[404, 412],
        [409, 412] => &[404, 409, 412],
        [412, 503] => &[404, 412, 503],
        [401] => &[401, 404],
        [400, 401] => &[400, 401],
        [400] => &[400, 404],
        also => also,
    }
}

fn platform(operation: &str) -> Option<Operation> {
    use Answers::{Empty, Json, List, Text};
    let found = match operation {
        "team_health_read" => new("teams", "Whether the platform works", Json(200, "Health")),
        "team_session_login" => new("teams", "Logs a browser in; the answer sets the cookie", Empty(204))
            .body("BrowserLogin")
            .also(&[403, 429]),
        "team_session_logout" => new("teams", "Logs a browser out", Empty(204)),
        "team_session_sign_up" => {
            new("teams", "Chooses a password with the code of an invitation, and logs in", Empty(204)).body("SignUp")
        }
        "team_templates_list" => new("templates", "What projects can be made of", List("Template")),
        "team_template_use" => new("templates", "Makes a project of a template", Json(201, "TemplateProject"))
            .body("TemplateUse")
            .also(&[404, 409]),
        "team_template_picture" => new("templates", "The picture of a template", Text("image/jpeg")),
        "team_socket_open" => new("teams", "Follows what happens in teams, over a WebSocket", Empty(101))
            .query(&["token"])
            .also(&[400, 403]),
        "team_oidc_begin" => new("teams", "Sends a browser to the log-in provider", Empty(302))
            .query(&["return"])
            .also(&[400, 404])
            .or_page(),
        "team_oidc_finish" => new("teams", "Where the log-in provider sends browsers back to", Empty(302))
            .query(&["state", "code", "error"])
            .also(&[400, 403, 404, 409])
            .or_page(),
        "team_oidc_link" => new(
            "teams",
            "Where to go, so that an identity of the log-in provider becomes the caller's",
            Json(200, "OidcLink"),
        )
        .query(&["return"])
        .also(&[404]),
        _ => return None,
    };
    Some(found)
}

/// What concerns the caller alone.
fn own(operation: &str) -> Option<Operation> {
    use Answers::{Empty, Json, List};
    let found = match operation {
        "team_me_read" => new("teams", "The caller, with teams and invitations", Json(200, "Me")),
        "team_team_activate" => new("teams", "Says which team calls without a slug are about", Empty(204))
            .body("TeamReference")
            .also(&[404]),
        "team_invitation_accept" => new("teams", "Accepts an invitation", Empty(204)).also(&[412]),
        "team_invitation_decline" => new("teams", "Declines an invitation", Empty(204)),
        "team_onboarding_show" => new("teams", "Shows tips for beginners", Empty(204)),
        "team_onboarding_hide" => new("teams", "Hides tips for beginners", Empty(204)),
        "team_tokens_list" => new("teams", "The caller's tokens", List("UserToken")),
        "team_token_create" => new("teams", "Makes a token, which is told this once", Json(201, "GeneratedToken"))
            .body("NewUserToken")
            .also(&[409]),
        "team_token_read" => new("teams", "One of the caller's tokens", Json(200, "UserToken")),
        "team_token_delete" => new("teams", "Makes a token worthless", Empty(204)),
        "team_user_invite" => {
            new("teams", "Invites somebody to the team", Json(201, "TeamUser")).body("Invite").also(&[409])
        }
        "team_user_leave" => new("teams", "Leaves the team", Empty(204)).also(&[412]),
        "team_user_delete" => new("teams", "Takes somebody out, or an invitation back", Empty(204)),
        "team_user_role_set" => new("teams", "Gives a member another role", Empty(204)).body("RoleChange"),
        "team_user_reinvite" => new("teams", "Invites somebody once more", Empty(204)).also(&[412]),
        _ => return None,
    };
    Some(found)
}

/// What a team owns.
fn thing(operation: &str) -> Option<Operation> {
    use Answers::{Empty, Json, List};
    let found = match operation {
        "team_registries_list" => new("registries", "The team's registries", List("Registry")),
        "team_registry_create" => {
            new("registries", "Adds a registry, if it answers as it should", Json(201, "RegistryDetails"))
                .body("NewRegistry")
                .also(&[401, 404, 409])
        }
        "team_registry_read" => new("registries", "One registry", Json(200, "RegistryDetails")),
        "team_registry_update" => {
            new("registries", "Replaces a registry", Empty(204)).body("NewRegistry").also(&[401, 409])
        }
        "team_registry_delete" => new("registries", "Removes a registry", Empty(204)).also(&[412]),
        "team_storages_list" => new("storages", "The team's storages", List("Storage")),
        "team_storage_options_list" => new("storages", "The team's storages by name", List("StorageOption")),
        "team_storage_create" => {
            new("storages", "Adds a storage", Json(201, "StorageDetails")).body("NewStorage").also(&[409])
        }
        "team_storage_read" => new("storages", "One storage; its secret is masked", Json(200, "StorageDetails")),
        "team_storage_update" => {
            new("storages", "Replaces a storage; missing keys stay", Empty(204)).body("NewStorage").also(&[409])
        }
        "team_storage_delete" => new("storages", "Removes a storage", Empty(204)).also(&[412]),
        "team_notifications_list" => new("notifications", "The team's notifications", List("Notification")),
        "team_notification_create" => new("notifications", "Adds a notification", Json(201, "NotificationDetails"))
            .body("NewNotification")
            .also(&[409]),
        "team_notification_read" => new("notifications", "One notification", Json(200, "NotificationDetails")),
        "team_notification_update" => new("notifications", "Replaces a notification", Json(200, "NotificationDetails"))
            .body("NewNotification")
            .also(&[409]),
        "team_notification_delete" => new("notifications", "Removes a notification", Empty(204)),
        "team_notification_test" => new("notifications", "Sends a test message", Empty(204)),
        _ => return None,
    };
    Some(found)
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
        "team_dashboard_read" => new("teams", "How far the team has come", Json(200, "Dashboard")),
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
    schemas.extend(own_schemas());
    schemas.extend(things());
    schemas.extend(project::schemas());
    schemas.extend(node::schemas());
    schemas.extend(deployment::schemas());
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
    let count = || json!({"type": "integer", "minimum": 0});
    let step = json!({
        "type": "object",
        "required": ["done"],
        "properties": {"done": boolean(), "resourceId": uuid()},
        "additionalProperties": false,
    });
    let steps = [
        "signUp",
        "createTeam",
        "createNode",
        "createProject",
        "createVersion",
        "addImages",
        "addDeployment",
        "deploy",
    ];
    let steps: Vec<(&str, Value)> = steps.into_iter().map(|name| (name, step.clone())).collect();
    let dashboard = object(&[
        ("users", count()),
        ("auditLog", count()),
        ("projects", count()),
        ("versions", count()),
        ("deployments", count()),
        ("failedDeployments", count()),
        ("onboarding", object(&steps)),
    ]);
    let old = object(&[
        ("users", count()),
        ("auditLogEntries", count()),
        ("products", count()),
        ("versions", count()),
        ("deployments", count()),
        ("failedDeployments", count()),
        ("auditLog", list(&call)),
    ]);
    vec![("TeamAudit", paged(&entry)), ("ServiceCalls", paged(&call)), ("Dashboard", dashboard), ("OldDashboard", old)]
}

/// One of these words.
fn word(words: &[&str]) -> Value {
    json!({"type": "string", "enum": words})
}

/// A time, or nothing.
fn time_or_null() -> Value {
    json!({"anyOf": [time(), {"type": "null"}]})
}

fn own_schemas() -> Vec<(&'static str, Value)> {
    let team = || [("id", uuid()), ("name", text()), ("slug", text())];
    let mut mine = team().to_vec();
    mine.push(("role", word(&["owner", "admin", "user"])));
    let token = || vec![("id", uuid()), ("name", text()), ("createdAt", time()), ("expiresAt", time_or_null())];
    let mut generated = token();
    generated.push(("token", text()));
    vec![
        (
            "Health",
            object(&[
                ("status", word(&["unavailable", "disrupted", "operational"])),
                ("version", text()),
                ("lastMigration", text_or_null()),
            ]),
        ),
        (
            "BrowserLogin",
            request(&["password"], &[("email", text_or_null()), ("username", text_or_null()), ("password", text())]),
        ),
        (
            "Template",
            object(&[
                ("id", text()),
                ("name", text()),
                ("description", text_or_null()),
                ("technologies", list(&text())),
            ]),
        ),
        ("TemplateProject", json!({"anyOf": [reference("ProjectItem"), reference("ProductItem")]})),
        (
            "TemplateUse",
            request(
                &["id", "name", "type"],
                &[
                    ("id", text()),
                    ("teamSlug", text_or_null()),
                    ("name", text()),
                    ("type", json!({"enum": ["versionless", "versioned", "simple", "complex"]})),
                    ("description", text_or_null()),
                ],
            ),
        ),
        ("OidcLink", object(&[("url", text())])),
        ("SignUp", request(&["code", "password"], &[("code", text()), ("password", text())])),
        (
            "Me",
            object(&[
                ("user", object(&[("id", uuid()), ("name", text())])),
                ("activeTeamId", json!({"anyOf": [uuid(), {"type": "null"}]})),
                ("teams", list(&object(&mine))),
                ("invitations", list(&object(&team()))),
            ]),
        ),
        ("TeamReference", request(&["teamId"], &[("teamId", uuid())])),
        ("UserToken", object(&token())),
        ("GeneratedToken", object(&generated)),
        (
            "NewUserToken",
            request(
                &["name", "expirationInDays"],
                &[("name", text()), ("expirationInDays", json!({"type": "integer", "minimum": 0}))],
            ),
        ),
        (
            "Invite",
            request(
                &["email", "firstName"],
                &[("email", text()), ("firstName", text()), ("lastName", text_or_null()), ("captcha", text_or_null())],
            ),
        ),
        ("RoleChange", request(&["role"], &[("role", word(&["owner", "admin", "user"]))])),
    ]
}

fn things() -> Vec<(&'static str, Value)> {
    let kind = || word(&["v2", "hub", "gitlab", "github", "google", "unchecked"]);
    let namespace = || word(&["group", "project", "organization", "user"]);
    let about = || vec![("id", uuid()), ("name", text()), ("description", text_or_null()), ("icon", text_or_null())];
    let with = |mut fields: Vec<(&'static str, Value)>, more: Vec<(&'static str, Value)>| {
        fields.extend(more);
        fields
    };
    let place = json!({
        "type": "object",
        "required": ["public"],
        "properties": {
            "url": text(), "imageNamePrefix": text(), "namespace": namespace(), "apiUrl": text(), "user": text(),
            "public": boolean(),
        },
        "additionalProperties": false,
    });
    let given = request(
        &[],
        &[
            ("url", text_or_null()),
            ("imageNamePrefix", text_or_null()),
            ("namespace", namespace()),
            ("apiUrl", text_or_null()),
            ("user", text_or_null()),
            ("token", text_or_null()),
            ("public", boolean()),
        ],
    );
    let service = || word(&["discord", "slack", "teams"]);
    let events = || {
        let events = ["deployment-created", "version-created", "node-added", "user-invited"];
        json!({"type": "array", "items": word(&events)})
    };
    let notification = || {
        vec![
            ("id", uuid()),
            ("name", text()),
            ("type", service()),
            ("url", text()),
            ("active", boolean()),
            ("creatorName", text()),
        ]
    };
    vec![
        ("Registry", object(&with(about(), vec![("type", kind()), ("url", text())]))),
        (
            "RegistryDetails",
            object(&with(
                about(),
                vec![
                    ("type", kind()),
                    ("inUse", boolean()),
                    ("createdAt", time()),
                    ("updatedAt", time()),
                    ("details", place),
                ],
            )),
        ),
        (
            "NewRegistry",
            request(
                &["name", "type", "details"],
                &[
                    ("name", text()),
                    ("type", kind()),
                    ("description", text_or_null()),
                    ("icon", text_or_null()),
                    ("details", given),
                ],
            ),
        ),
        ("Storage", object(&with(about(), vec![("url", text())]))),
        ("StorageOption", object(&[("id", uuid()), ("name", text())])),
        (
            "StorageDetails",
            object(&with(
                about(),
                vec![
                    ("url", text()),
                    ("accessKey", text_or_null()),
                    ("secretKey", text_or_null()),
                    ("public", boolean()),
                    ("inUse", boolean()),
                ],
            )),
        ),
        (
            "NewStorage",
            request(
                &["name", "url"],
                &[
                    ("name", text()),
                    ("url", text()),
                    ("description", text_or_null()),
                    ("icon", text_or_null()),
                    ("accessKey", text_or_null()),
                    ("secretKey", text_or_null()),
                ],
            ),
        ),
        ("Notification", object(&notification())),
        ("NotificationDetails", object(&with(notification(), vec![("enabledEvents", events())]))),
        (
            "NewNotification",
            request(
                &["name", "url", "type", "active", "enabledEvents"],
                &[
                    ("name", text()),
                    ("url", text()),
                    ("type", service()),
                    ("active", boolean()),
                    ("enabledEvents", events()),
                ],
            ),
        ),
    ]
}
