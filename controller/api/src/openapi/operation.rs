//! What each operation is for, what it reads and what it answers.

/// A good answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// JSON of a named schema, with this status.
    Json(u16, &'static str),
    /// A bare list of a named schema.
    List(&'static str),
    /// A page of a list of a named schema.
    Page(&'static str),
    /// JSON of a named schema, with this status, or to some clients text of this media type.
    JsonOrText(u16, &'static str, &'static str),
    /// Text of this media type.
    Text(&'static str),
    /// No body, with this status.
    Empty(u16),
    /// None: it is always refused.
    Never,
}

/// What the route table does not say of an operation.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// The group it is shown in.
    pub tag: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Schema of the body, if it reads one.
    pub body: Option<&'static str>,
    /// Whether it refuses a request without body.
    pub is_body_required: bool,
    /// The good answer.
    pub answers: Answers,
    /// Statuses beside the good one and those that follow from the route.
    pub also: &'static [u16],
    /// Those of the statuses whose answer has no body.
    pub bare: &'static [u16],
    /// Schema of refusals, if it is another than usual.
    pub refusal: Option<&'static str>,
    /// Values of the query beside those of paging.
    pub query: &'static [&'static str],
    /// Whether browsers see a page in place of a refusal.
    pub is_page: bool,
}

pub(super) const fn new(tag: &'static str, summary: &'static str, answers: Answers) -> Operation {
    Operation {
        tag,
        summary,
        body: None,
        is_body_required: false,
        answers,
        also: &[],
        bare: &[],
        refusal: None,
        query: &[],
        is_page: false,
    }
}

impl Operation {
    pub(super) const fn body(self, name: &'static str) -> Self {
        Self { body: Some(name), is_body_required: true, ..self }
    }

    pub(super) const fn optional_body(self, name: &'static str) -> Self {
        Self { body: Some(name), ..self }
    }

    pub(super) const fn also(self, also: &'static [u16]) -> Self {
        Self { also, ..self }
    }

    pub(super) const fn bare(self, bare: &'static [u16]) -> Self {
        Self { bare, ..self }
    }

    pub(super) const fn refusal(self, name: &'static str) -> Self {
        Self { refusal: Some(name), ..self }
    }

    pub(super) const fn query(self, query: &'static [&'static str]) -> Self {
        Self { query, ..self }
    }

    pub(super) const fn or_page(self) -> Self {
        Self { is_page: true, ..self }
    }
}

/// The description of an operation of the route table.
#[must_use]
pub fn find(operation: &str) -> Option<Operation> {
    platform(operation)
        .or_else(|| account(operation))
        .or_else(|| app(operation))
        .or_else(|| release(operation))
        .or_else(|| routing(operation))
        .or_else(|| of_2020(operation))
        .or_else(|| hook(operation))
        .or_else(|| super::deis_v1::find(operation))
        .or_else(|| super::team::find(operation))
        .or_else(|| super::dployr_v1::find(operation))
}

fn platform(operation: &str) -> Option<Operation> {
    use Answers::{Json, Text};
    let found = match operation {
        "platform_health_check" => new("platform", "Answers as long as the process lives", Text("text/plain")),
        "platform_readiness_check" => {
            new("platform", "Answers when the database does", Text("text/plain")).also(&[503])
        }
        "platform_metrics_read" => {
            new("platform", "Numbers in the OpenMetrics format", Text("application/openmetrics-text"))
        }
        "platform_openapi_read" => new("platform", "This document", Json(200, "Any")),
        "platform_docs_read" => new("platform", "A page to read and try this document", Text("text/html")),
        "platform_docs_script" => new("platform", "The page's script", Text("text/javascript")),
        "platform_docs_style" => new("platform", "The page's style", Text("text/css")),
        "drycc_v2_root_read" => {
            new("platform", "Tells that a platform is here and the token is good", Json(200, "Any"))
        }
        "drycc_v2_platform_read" => new("platform", "Where git pushes arrive and apps answer", Json(200, "Platform")),
        _ => return None,
    };
    Some(found)
}

fn account(operation: &str) -> Option<Operation> {
    use Answers::{Empty, Json, Page};
    let found = match operation {
        "drycc_v2_user_register" => {
            new("accounts", "Registers a user; the first becomes administrator", Json(201, "User"))
                .body("Register")
                .also(&[403, 429])
        }
        "drycc_v2_user_login" => {
            new("accounts", "Tells the user's token", Json(200, "Token")).body("Login").also(&[429])
        }
        "drycc_v2_user_cancel" => {
            new("accounts", "Removes the caller's account, or for administrators another", Empty(204))
                .optional_body("OptionalUserName")
                .also(&[403, 404, 409])
        }
        "drycc_v2_user_password_change" => new("accounts", "Changes a password", Json(200, "PasswordChanged"))
            .body("PasswordChange")
            .also(&[403, 404, 429]),
        "drycc_v2_token_regenerate" => {
            new("accounts", "Makes the token invalid and gives a new one", Json(200, "TokenOrNothing"))
                .optional_body("TokenScope")
                .also(&[403, 404])
        }
        "drycc_v2_token_read" => {
            new("accounts", "The token of a user: one's own, for administrators anybody's", Json(200, "Token"))
                .also(&[403, 404])
        }
        "drycc_v2_user_whoami" => new("accounts", "Who the caller is", Json(200, "User")),
        "drycc_v2_users_list" => new("accounts", "All users, for administrators", Page("User")).also(&[403]),
        "drycc_v2_user_enable" => new("accounts", "Lets a user in again", Empty(204)).also(&[403, 404, 423]),
        "drycc_v2_user_disable" => new("accounts", "Lets a user in no longer", Empty(204)).also(&[403, 404, 423]),
        "drycc_v2_admins_list" => new("accounts", "The administrators", Page("Admin")).also(&[403]),
        "drycc_v2_admin_grant" => {
            new("accounts", "Makes a user an administrator", Empty(201)).body("UserName").also(&[403, 404])
        }
        "drycc_v2_admin_revoke" => new("accounts", "Takes that back", Empty(204)).also(&[403]),
        "drycc_v2_keys_list" => new("keys", "The caller's SSH keys", Page("Key")),
        "drycc_v2_key_create" => new("keys", "Adds an SSH key", Json(201, "Key")).body("NewKey"),
        "drycc_v2_key_read" => new("keys", "One SSH key", Json(200, "Key")),
        "drycc_v2_key_delete" => new("keys", "Removes an SSH key", Empty(204)),
        _ => return None,
    };
    Some(found)
}

fn app(operation: &str) -> Option<Operation> {
    use Answers::{Empty, Json, List, Page, Text};
    let found = match operation {
        "drycc_v2_apps_list" => new("apps", "The apps that the caller may use", Page("App")),
        "drycc_v2_app_create" => new("apps", "Makes an app", Json(201, "App")).optional_body("NewApp").also(&[409]),
        "drycc_v2_app_read" => new("apps", "One app", Json(200, "App")),
        "drycc_v2_app_transfer" => new("apps", "Gives an app to another user", Empty(200)).optional_body("Transfer"),
        "drycc_v2_app_destroy" => new("apps", "Destroys an app", Empty(204)),
        "drycc_v2_app_logs" => new("apps", "The app's log; with `follow=true` it goes on", Text("text/plain"))
            .also(&[204, 400])
            .query(&["log_lines", "process_type", "since"]),
        "drycc_v2_app_run" => new(
            "apps",
            "Runs a command and waits for its end; with `detach` tells its name at once",
            Json(200, "RunResult"),
        )
        .body("Run"),
        "drycc_v2_app_run_session" => {
            new("apps", "Runs a command that the client talks to, over a WebSocket", Empty(101)).also(&[400])
        }
        "drycc_v2_pod_exec" => {
            new("pods", "Runs a command inside of a process, over a WebSocket", Empty(101)).also(&[400])
        }
        "drycc_v2_app_scale" => new("apps", "Sets how many processes of each type run", Empty(204)).body("Scale"),
        "drycc_v2_pods_list" => new("pods", "The app's processes", Json(200, "Pods")),
        "drycc_v2_pods_list_type" => new("pods", "The processes of a type", Json(200, "Pods")),
        "drycc_v2_pod_read" => new("pods", "One process, as a list", Json(200, "Pods")),
        "drycc_v2_pods_restart" => new("pods", "Restarts all processes", List("Pod")),
        "drycc_v2_pods_restart_segment" => new("pods", "Restarts the processes of a type, or one by name", List("Pod")),
        "drycc_v2_pod_restart" => new("pods", "Restarts one process", List("Pod")),
        "drycc_v2_domains_list" => new("domains", "The app's domains", Page("Domain")),
        "drycc_v2_perms_list" => new("perms", "Who may use the app beside its owner", Json(200, "Perms")),
        "drycc_v2_perm_grant" => new("perms", "Lets a user use the app", Empty(201)).body("UserName"),
        "drycc_v2_perm_revoke" => new("perms", "Takes that back", Empty(204)),
        _ => return None,
    };
    Some(found)
}

fn release(operation: &str) -> Option<Operation> {
    use Answers::{Json, Page, Text};
    let found = match operation {
        "drycc_v2_config_read" => {
            new("config", "The app's configuration; with `version` that of one release", Json(200, "Config"))
                .query(&["version"])
        }
        "drycc_v2_config_set" => {
            new("config", "Merges into the configuration; null removes; makes a release", Json(201, "Config"))
                .body("ConfigChange")
                .also(&[409, 422])
        }
        "drycc_v2_build_current" => new("builds", "The build that runs", Json(200, "Build")),
        "drycc_v2_builds_list" => new("builds", "The app's builds, newest first", Page("Build")),
        "drycc_v2_build_create" | "drycc_v2_builds_create" => {
            new("builds", "Deploys an image", Json(201, "Build")).body("NewBuild").also(&[409])
        }
        "drycc_v2_build_read" => new("builds", "One build", Json(200, "Build")),
        "drycc_v2_build_cancel" => {
            new("builds", "Ends the build from source that is under way, and waits for its end", Json(200, "BuildLog"))
                .optional_body("Commit")
                .also(&[409])
        }
        "drycc_v2_build_logs_list" => new("builds", "The logs of builds from source", Page("BuildLog")),
        "drycc_v2_build_log_read" => {
            new("builds", "The log of one build, by default the newest", Text("text/plain")).query(&["sha"])
        }
        "drycc_v2_releases_list" => new("releases", "The app's releases, newest first", Page("Release")),
        "drycc_v2_release_read" => new("releases", "One release", Json(200, "Release")),
        "drycc_v2_release_rollback" => {
            new("releases", "Makes a release like an earlier one", Json(201, "ReleaseVersion"))
                .optional_body("Rollback")
        }
        _ => return None,
    };
    Some(found)
}

fn routing(operation: &str) -> Option<Operation> {
    use Answers::{Empty, Json, Page};
    let found = match operation {
        "drycc_v2_domain_create" => new("domains", "Adds a domain", Json(201, "Domain")).body("NewDomain"),
        "drycc_v2_domain_delete" => new("domains", "Removes a domain", Empty(204)),
        "drycc_v2_certs_list" => new("certs", "The certificates that the caller may see", Page("Cert")),
        "drycc_v2_cert_create" => new("certs", "Uploads a certificate and its key", Json(201, "Cert")).body("NewCert"),
        "drycc_v2_cert_read" => new("certs", "One certificate, without its key", Json(200, "Cert")),
        "drycc_v2_cert_delete" => new("certs", "Removes a certificate", Empty(204)),
        "drycc_v2_cert_attach" => {
            new("certs", "Serves a domain with the certificate", Empty(201)).body("NewDomain").also(&[403, 409])
        }
        "drycc_v2_cert_attach_segment" => new("certs", "The same, with the domain in the path", Empty(201))
            .optional_body("OptionalDomain")
            .also(&[403, 409]),
        "drycc_v2_cert_detach" => new("certs", "Takes that back", Empty(204)),
        "drycc_v2_settings_read" => new("settings", "The app's settings", Json(200, "Settings")),
        "drycc_v2_settings_set" => {
            new("settings", "Changes settings", Json(201, "Settings")).body("SettingsChange").also(&[409, 422])
        }
        "drycc_v2_tls_read" => new(
            "settings",
            "Whether plain HTTP is sent to HTTPS, and certificates come by themselves",
            Json(200, "Tls"),
        ),
        "drycc_v2_tls_set" => new(
            "settings",
            "Sets whether plain HTTP is sent to HTTPS, and certificates come by themselves",
            Json(201, "Tls"),
        )
        .body("TlsChange")
        .also(&[409]),
        "drycc_v2_whitelist_read" | "drycc_v2_allowlist_read" => {
            new("settings", "The addresses that may call the app", Json(200, "Addresses"))
        }
        "drycc_v2_whitelist_add" | "drycc_v2_allowlist_add" => {
            new("settings", "Adds addresses that may call the app", Json(201, "Addresses"))
                .body("NewAddresses")
                .also(&[409])
        }
        "drycc_v2_whitelist_remove" | "drycc_v2_allowlist_remove" => {
            new("settings", "Removes addresses", Empty(204)).body("NewAddresses").also(&[422])
        }
        _ => return None,
    };
    Some(found)
}

fn of_2020(operation: &str) -> Option<Operation> {
    use Answers::{Empty, Json, Never, Page};
    let found = match operation {
        "drycc_v2_app_start" => {
            new("apps", "Starts process types that were stopped", Empty(204)).body("Types").also(&[404])
        }
        "drycc_v2_app_stop" => new("apps", "Stops process types", Empty(204)).body("Types").also(&[404]),
        "drycc_v2_services_list" => new("services", "The paths of the app's process types", Json(200, "Services")),
        "drycc_v2_service_set" => {
            new("services", "Sends paths to processes of a type", Empty(201)).body("Service").also(&[204])
        }
        "drycc_v2_service_delete" => new("services", "Takes that back", Empty(204)).body("ServiceType"),
        "drycc_v2_volumes_list" => new("volumes", "The app's volumes, and where they are mounted", Page("Volume")),
        "drycc_v2_volume_create" => {
            new("volumes", "Makes an empty volume; to mount it makes a release", Json(201, "Volume"))
                .body("NewVolume")
                .also(&[409])
        }
        "drycc_v2_volume_expand" => new("volumes", "Makes a volume larger", Json(200, "Volume")).body("VolumeSize"),
        "drycc_v2_volume_delete" => new("volumes", "Deletes a volume that is not mounted, with its files", Empty(204)),
        "drycc_v2_volume_mount" => {
            new("volumes", "Mounts a volume by process type; null unmounts; makes a release", Json(200, "Volume"))
                .body("VolumePath")
                .also(&[409, 422])
        }
        "drycc_v2_resources_list" => new("resources", "Always empty: there is no catalogue", Page("Any")),
        "drycc_v2_resource_create" => new("resources", "Always refused, with the reason", Never),
        "drycc_v2_resource_read"
        | "drycc_v2_resource_update"
        | "drycc_v2_resource_delete"
        | "drycc_v2_resource_bind" => new("resources", "There is none", Never),
        _ => return None,
    };
    Some(found)
}

fn hook(operation: &str) -> Option<Operation> {
    use Answers::{Empty, Json};
    let found = match operation {
        "drycc_v2_hook_key" => new("hooks", "Whose key it is", Json(200, "HookKeyUser")),
        "drycc_v2_hook_keys" => new("hooks", "The keys that may push to an app", Json(200, "HookKeys")),
        "drycc_v2_hook_keys_user" => new("hooks", "The keys of one user who may push to an app", Json(200, "HookKeys")),
        "drycc_v2_hook_config" => {
            new("hooks", "The configuration that a build sees", Json(200, "Config")).body("Receive").also(&[404])
        }
        "drycc_v2_hook_access" => {
            new("hooks", "Whether a user may push to an app", Json(200, "AppRef")).body("Receive").also(&[404])
        }
        "drycc_v2_hook_build" => {
            new("hooks", "Deploys what was built", Json(200, "HookBuilt")).body("HookBuild").also(&[404, 409])
        }
        "drycc_v2_hook_apps" => new("hooks", "Every app there is", Json(200, "AppRefs")),
        "drycc_v2_hook_release_progress" => {
            new("hooks", "How far a release is; waits for news", Json(200, "ReleaseProgress")).query(&["seen"])
        }
        "drycc_v2_hook_build_begin" => {
            new("hooks", "Tells that a build begins", Json(201, "HookBuildBegun")).body("HookBuildBegin").also(&[404])
        }
        "drycc_v2_hook_build_watch" => {
            new("hooks", "Whether a build is to be ended; waits for that", Json(200, "HookBuildWatched"))
                .query(&["wait"])
        }
        "drycc_v2_hook_order_claim" => {
            new("builder", "Hands the builder a deployment to fetch and build", Json(200, "Order"))
                .optional_body("NewOrderClaim")
                .also(&[204])
        }
        "drycc_v2_hook_order_renew" => {
            new("builder", "The builder is still at it", Empty(204)).body("OrderRenew").also(&[409])
        }
        "drycc_v2_hook_order_finish" => new("builder", "The builder tells how it ended", Json(200, "OrderFinished"))
            .body("OrderFinish")
            .also(&[409]),
        "drycc_v2_hook_build_log" => {
            new("hooks", "Keeps the log of a build", Empty(201)).body("HookBuildLog").also(&[404])
        }
        _ => return None,
    };
    Some(found)
}
