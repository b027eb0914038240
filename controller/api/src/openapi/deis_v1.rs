//! The operations and bodies of Deis 1.x. Requests that it shares with 2.x have the schemas of those.

use serde_json::{Value, json};

use super::operation::{Answers, Operation, new};
use super::schema::{boolean, integer, list, map, object, reference, request, text, uuid};

/// The description of an operation.
pub(super) fn find(operation: &str) -> Option<Operation> {
    account(operation).or_else(|| app(operation)).or_else(|| release(operation)).or_else(|| hook(operation))
}

fn account(operation: &str) -> Option<Operation> {
    use Answers::{Empty, Json, Page};
    let found = match operation {
        "deis_v1_root_read" => new("deis v1", "Tells that a platform is here and the token is good", Json(200, "Any")),
        "deis_v1_user_register" => {
            new("deis v1", "Registers a user; the first becomes administrator", Json(201, "DeisUser"))
                .body("Register")
                .also(&[403, 429])
        }
        "deis_v1_user_login" => {
            new("deis v1", "Tells the user's token; a body with `email` instead of `username` is dployr's", {
                Json(200, "LoginAnswer")
            })
            .body("Login")
            .also(&[401, 429])
            .refusal("LoginRefusal")
        }
        "deis_v1_user_cancel" => {
            new("deis v1", "Removes the caller's account, or for administrators another", Empty(204))
                .optional_body("OptionalUserName")
                .also(&[403, 404, 409])
        }
        "deis_v1_user_password_change" => new("deis v1", "Changes a password", Json(200, "PasswordChanged"))
            .body("PasswordChange")
            .also(&[403, 404, 429]),
        "deis_v1_token_regenerate" => {
            new("deis v1", "Makes the token invalid and gives a new one", Json(200, "TokenOrNothing"))
                .optional_body("TokenScope")
                .also(&[403, 404])
        }
        "deis_v1_keys_list" => new("deis v1", "The caller's SSH keys", Page("DeisKey")),
        "deis_v1_key_create" => new("deis v1", "Adds an SSH key", Json(201, "DeisKey")).body("NewKey"),
        "deis_v1_key_read" => new("deis v1", "One SSH key", Json(200, "DeisKey")),
        "deis_v1_key_delete" => new("deis v1", "Removes an SSH key", Empty(204)),
        "deis_v1_admins_list" => new("deis v1", "The administrators", Page("Admin")).also(&[403]),
        "deis_v1_admin_grant" => {
            new("deis v1", "Makes a user an administrator", Empty(201)).body("UserName").also(&[403, 404])
        }
        "deis_v1_admin_revoke" => new("deis v1", "Takes that back", Empty(204)).also(&[403]),
        _ => return None,
    };
    Some(found)
}

fn app(operation: &str) -> Option<Operation> {
    use Answers::{Empty, Json, JsonOrText, List, Page, Text};
    let found = match operation {
        "deis_v1_apps_list" => new("deis v1", "The apps that the caller may use", Page("DeisApp")),
        "deis_v1_app_create" => {
            new("deis v1", "Makes an app", Json(201, "DeisApp")).optional_body("NewApp").also(&[409])
        }
        "deis_v1_app_read" => new("deis v1", "One app", Json(200, "DeisApp")),
        "deis_v1_app_transfer" => {
            new("deis v1", "Gives an app to another user", Empty(200)).optional_body("Transfer").also(&[403])
        }
        "deis_v1_app_destroy" => new("deis v1", "Destroys an app", Empty(204)).also(&[403]),
        "deis_v1_app_logs" => new("deis v1", "The app's log as a JSON string, or raw", Text("text/plain"))
            .also(&[204])
            .query(&["log_lines"]),
        "deis_v1_app_run" => {
            new("deis v1", "Runs a command and waits for its end", JsonOrText(200, "DeisRunResult", "text/plain"))
                .body("Run")
        }
        "deis_v1_app_scale" => new("deis v1", "Sets how many containers of each type run", Empty(204)).body("Scale"),
        "deis_v1_containers_list" => new("deis v1", "The app's containers", Page("Container")),
        "deis_v1_containers_list_type" => new("deis v1", "The containers of a type", Page("Container")),
        "deis_v1_container_read" => new("deis v1", "One container", Json(200, "Container")),
        "deis_v1_containers_restart" => new("deis v1", "Restarts all containers", List("Container")),
        "deis_v1_containers_restart_type" => new("deis v1", "Restarts the containers of a type", List("Container")),
        "deis_v1_container_restart" => new("deis v1", "Restarts one container", List("Container")),
        "deis_v1_domains_list" => new("deis v1", "The app's domains beside its own name", Page("DeisDomain")),
        "deis_v1_domain_create" => new("deis v1", "Adds a domain", Json(201, "DeisDomain")).body("NewDomain"),
        "deis_v1_domain_delete" => new("deis v1", "Removes a domain", Empty(204)).also(&[403]),
        "deis_v1_perms_list" => {
            new("deis v1", "Who may use the app beside its owner", Json(200, "Perms")).also(&[403]).bare(&[403])
        }
        "deis_v1_perm_grant" => {
            new("deis v1", "Lets a user use the app", Empty(201)).body("UserName").also(&[403]).bare(&[403])
        }
        "deis_v1_perm_revoke" | "deis_v1_perm_revoke_post" => {
            new("deis v1", "Takes that back", Empty(204)).also(&[403]).bare(&[403])
        }
        _ => return None,
    };
    Some(found)
}

fn release(operation: &str) -> Option<Operation> {
    use Answers::{Json, Page};
    let found = match operation {
        "deis_v1_config_read" => new("deis v1", "The app's configuration", Json(200, "DeisConfig")),
        "deis_v1_config_set" => {
            new("deis v1", "Merges into the configuration; null removes; always makes a release", {
                Json(201, "DeisConfig")
            })
            .body("DeisConfigChange")
            .also(&[409])
        }
        "deis_v1_builds_list" => new("deis v1", "The app's builds, newest first", Page("DeisBuild")),
        "deis_v1_build_create" => {
            new("deis v1", "Deploys an image", Json(201, "DeisBuild")).body("NewBuild").also(&[409])
        }
        "deis_v1_build_read" => new("deis v1", "One build", Json(200, "DeisBuild")),
        "deis_v1_releases_list" => new("deis v1", "The app's releases, newest first", Page("DeisRelease")),
        "deis_v1_release_read" => new("deis v1", "One release", Json(200, "DeisRelease")),
        "deis_v1_release_rollback" => {
            new("deis v1", "Makes a release like an earlier one", Json(201, "ReleaseVersion")).optional_body("Rollback")
        }
        _ => return None,
    };
    Some(found)
}

fn hook(operation: &str) -> Option<Operation> {
    use Answers::Json;
    let found = match operation {
        "deis_v1_hook_push" => new("deis v1", "A push begins", Json(201, "PushHook")).body("NewPush").also(&[404]),
        "deis_v1_hook_build" => {
            new("deis v1", "Deploys what was built", Json(200, "DeisHookBuilt")).body("HookBuild").also(&[404, 409])
        }
        "deis_v1_hook_config" => {
            new("deis v1", "The configuration that a build sees", Json(200, "DeisConfig")).body("Receive").also(&[404])
        }
        _ => return None,
    };
    Some(found)
}

/// A time. Source: `deis-v1.md` §1.
fn time() -> Value {
    json!({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}UTC$"})
}

fn user_time() -> Value {
    json!({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$"})
}

/// The schemas of the bodies that only 1.x has.
pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let texts = map(&text());
    let count = json!({"type": "integer", "minimum": 0});
    let made = [("created", time()), ("updated", time())];
    let with = |fields: &[(&'static str, Value)]| object(&[fields, &made].concat());
    let owned = [("uuid", uuid()), ("app", text()), ("owner", text())];
    let with_owner = |fields: &[(&'static str, Value)]| with(&[&owned[..], fields].concat());
    let changes = map(&json!({"type": ["string", "number", "null"]}));
    let filled = json!({"type": "string", "minLength": 1});
    let state = json!({"enum": ["initialized", "created", "up", "down", "destroyed", "crashed", "error"]});
    let envelope_error = json!({
        "type": "object", "required": ["code", "message"],
        "properties": {"code": text(), "message": text(), "details": {"type": "object"}},
    });
    let push = ["receive_user", "receive_repo", "sha", "fingerprint", "ssh_connection", "ssh_original_command"];
    let push = push.map(|name| (name, if name.starts_with("receive") { filled.clone() } else { text() }));
    vec![
        ("OtherVersion", json!({"anyOf": [object(&[("error", text())]), reference("Detail")]})),
        ("Envelope", object(&[("error", envelope_error)])),
        ("LoginRefusal", json!({"anyOf": [reference("BadRequest"), reference("Envelope"), reference("OtherVersion")]})),
        (
            "DeisUser",
            object(&[
                ("id", integer()),
                ("last_login", user_time()),
                ("is_superuser", boolean()),
                ("username", text()),
                ("first_name", text()),
                ("last_name", text()),
                ("email", text()),
                ("is_staff", boolean()),
                ("is_active", boolean()),
                ("date_joined", user_time()),
                ("groups", list(&text())),
                ("user_permissions", list(&text())),
            ]),
        ),
        ("DeisKey", with(&[("uuid", uuid()), ("id", text()), ("owner", text()), ("public", text())])),
        (
            "DeisApp",
            with(&[("uuid", uuid()), ("id", text()), ("owner", text()), ("structure", map(&count)), ("url", text())]),
        ),
        ("DeisRunResult", object(&[("rc", integer()), ("output", text())])),
        (
            "Container",
            with_owner(&[
                ("release", json!({"type": "string", "pattern": "^v[0-9]+$"})),
                ("type", text()),
                ("num", json!({"type": "integer", "minimum": 1})),
                ("state", state),
            ]),
        ),
        (
            "DeisConfig",
            with_owner(&[
                ("values", texts.clone()),
                ("memory", texts.clone()),
                ("cpu", map(&count)),
                ("tags", texts.clone()),
            ]),
        ),
        (
            "DeisConfigChange",
            request(
                &[],
                &[
                    ("values", changes.clone()),
                    ("memory", changes.clone()),
                    ("cpu", changes.clone()),
                    ("tags", changes),
                ],
            ),
        ),
        ("DeisDomain", with(&[("app", text()), ("domain", text()), ("owner", text())])),
        ("DeisBuild", with_owner(&[("dockerfile", text()), ("image", text()), ("procfile", texts), ("sha", text())])),
        (
            "DeisRelease",
            with_owner(&[
                ("build", json!({"type": ["string", "null"], "format": "uuid"})),
                ("config", uuid()),
                ("summary", text()),
                ("version", json!({"type": "integer", "minimum": 1})),
            ]),
        ),
        ("NewPush", request(&["receive_user", "receive_repo"], &push)),
        ("PushHook", object(&push)),
        ("DeisHookBuilt", object(&[("release", reference("ReleaseVersion")), ("domains", list(&text()))])),
    ]
}
