//! The tables of Deis Workflow and Drycc that are read, and their columns.
//!
//! As the public migrations of `deis/controller` (to its last commit, API 2.3) and of `drycc/controller` (2019 to
//! 2020) make them; both came from one history. Columns that appeared or went between versions are optional.

/// What is read of one table. Other columns are passed over, and so never held in memory.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) table: &'static str,
    /// Whether a source without this table is refused.
    pub(crate) is_required: bool,
    /// Columns without which the table makes no sense.
    pub(crate) required: &'static [&'static str],
    /// Columns that only some versions have.
    pub(crate) optional: &'static [&'static str],
}

const fn layout(
    table: &'static str,
    is_required: bool,
    required: &'static [&'static str],
    optional: &'static [&'static str],
) -> Layout {
    Layout { table, is_required, required, optional }
}

/// Every table that is read.
pub(crate) const WANTED: &[Layout] = &[
    layout(
        "auth_user",
        true,
        &["id", "username", "password", "is_superuser", "is_active", "date_joined"],
        &["email", "first_name", "last_name", "last_login"],
    ),
    // The keys themselves are of no use here, and are not read.
    layout("authtoken_token", false, &["user_id"], &[]),
    layout("api_key", true, &["id", "public", "owner_id", "created"], &["uuid", "updated"]),
    layout("api_app", true, &["uuid", "id", "owner_id", "structure", "created"], &["updated"]),
    layout(
        "api_config",
        true,
        &["uuid", "app_id", "owner_id", "values", "memory", "cpu", "tags", "created"],
        &["registry", "healthcheck", "lifecycle_post_start", "lifecycle_pre_stop", "termination_grace_period"],
    ),
    layout(
        "api_build",
        true,
        &["uuid", "app_id", "owner_id", "image", "procfile", "created"],
        &["sha", "dockerfile", "stack", "sidecarfile"],
    ),
    layout(
        "api_release",
        true,
        &["uuid", "app_id", "owner_id", "version", "config_id", "build_id", "created"],
        &["updated", "summary", "failed", "exception"],
    ),
    layout("api_domain", true, &["domain", "app_id", "owner_id", "created"], &["updated", "certificate_id"]),
    layout("api_certificate", false, &["id", "owner_id", "certificate", "key"], &["name", "created"]),
    layout(
        "api_appsettings",
        false,
        &["app_id", "owner_id", "created"],
        &["maintenance", "routable", "whitelist", "allowlist", "autoscale", "label", "updated"],
    ),
    layout("api_tls", false, &["app_id", "owner_id", "created", "https_enforced"], &["certs_auto_enabled", "updated"]),
    layout("guardian_userobjectpermission", false, &["object_pk", "content_type_id", "permission_id", "user_id"], &[]),
    layout("guardian_groupobjectpermission", false, &[], &[]),
    layout("django_content_type", false, &["id", "app_label", "model"], &[]),
    layout("auth_permission", false, &["id", "codename", "content_type_id"], &[]),
    layout("api_push", false, &[], &[]),
    layout("api_service", false, &[], &["app_id", "procfile_type"]),
    layout("api_volume", false, &[], &["app_id", "name"]),
    layout("api_resource", false, &[], &["app_id", "name"]),
];

/// The layout of a table; `None` for one that is passed over.
pub(crate) fn layout_of(table: &str) -> Option<&'static Layout> {
    WANTED.iter().find(|layout| layout.table == table)
}
