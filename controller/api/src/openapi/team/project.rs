//! Projects, their versions and their images.

use serde_json::{Value, json};

use super::{image, word};
use crate::openapi::operation::{Answers, Operation, new};
use crate::openapi::schema::{boolean, list, object, reference, request, text, text_or_null, time, uuid};

pub(super) fn find(operation: &str) -> Option<Operation> {
    use Answers::{Empty, Json, List};
    let found = match operation {
        "team_projects_list" => new("projects", "The team's projects", List("ProjectItem")),
        "team_project_create" => {
            new("projects", "Makes a project", Json(201, "ProjectItem")).body("NewTeamProject").also(&[409])
        }
        "team_project_read" => new("projects", "A project with its versions", Json(200, "ProjectDetails")),
        "team_project_update" => {
            new("projects", "Changes a project", Empty(204)).body("ProjectChange").also(&[409, 412])
        }
        "team_project_delete" => {
            new("projects", "Removes a project with its versions and deployments", Empty(204)).also(&[412])
        }
        "team_project_convert" => new("projects", "Makes a project versioned", Empty(204)).also(&[412]),
        "team_versions_list" => {
            new("versions", "The versions of a project", List("ProjectVersion")).query(&["nameContains"])
        }
        "team_version_create" => {
            new("versions", "Makes a version", Json(201, "ProjectVersion")).body("NewVersion").also(&[409, 412])
        }
        "team_version_read" => {
            new("versions", "A version with its images and deployments", Json(200, "VersionDetails"))
        }
        "team_version_update" => {
            new("versions", "Changes a version", Empty(204)).body("VersionChange").also(&[409, 412])
        }
        "team_version_delete" => new("versions", "Removes a version", Empty(204)).also(&[412]),
        "team_version_default_set" => {
            new("versions", "Makes a version the one that new ones begin as", Empty(204)).also(&[412])
        }
        "team_version_increase" => new("versions", "Makes the next version", Json(201, "ProjectVersion"))
            .body("VersionChange")
            .also(&[409, 412]),
        "team_images_list" => new("images", "The images of a version, in their order", List("VersionImage")),
        "team_images_add" => {
            new("images", "Adds images to a version", Json(201, "VersionImages")).body("NewImages").also(&[412])
        }
        "team_images_order" => {
            new("images", "Puts the images of a version into an order", Empty(204)).body("ImageOrder").also(&[409, 412])
        }
        "team_image_read" => new("images", "An image of a version", Json(200, "VersionImage")),
        "team_image_update" => {
            new("images", "Changes an image; what is not named stays", Empty(204)).body("ImageChange").also(&[412])
        }
        "team_image_delete" => new("images", "Removes an image, from deployments too", Empty(204)).also(&[412]),
        "team_app_adopt" => new("projects", "Gives an app to the team", Empty(204)),
        "team_app_release" => new("projects", "Takes an app from the team", Empty(204)),
        _ => return None,
    };
    Some(found)
}

/// What the older generation answers in place of this.
pub(super) fn older(newer: Answers) -> Answers {
    match newer {
        Answers::List("ProjectItem") => Answers::List("ProductItem"),
        Answers::Json(status, "ProjectItem") => Answers::Json(status, "ProductItem"),
        Answers::Json(status, "ProjectDetails") => Answers::Json(status, "ProductDetails"),
        Answers::Json(status, "VersionDetails") => Answers::Json(status, "OldVersionDetails"),
        Answers::List("VersionImage") => Answers::List("OldVersionImage"),
        Answers::Json(status, "VersionImages") => Answers::Json(status, "OldVersionImages"),
        Answers::Json(status, "VersionImage") => Answers::Json(status, "OldVersionImage"),
        answers => answers,
    }
}

/// Who made and changed something.
fn audit() -> Value {
    object(&[("createdAt", time()), ("createdBy", text()), ("updatedAt", time()), ("updatedBy", text())])
}

/// The members of a project whose kind is one of these, and more.
fn project(kinds: &[&str], more: &[(&'static str, Value)]) -> Value {
    let mut members = vec![
        ("id", uuid()),
        ("name", text()),
        ("type", word(kinds)),
        ("description", text_or_null()),
        ("audit", reference("TeamStamp")),
    ];
    members.extend_from_slice(more);
    object(&members)
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let (newer, older) = (["versionless", "versioned"], ["simple", "complex"]);
    let item = [("versionCount", json!({"type": "integer", "minimum": 0}))];
    let details = [("deletable", boolean()), ("versions", list(&reference("ProjectVersion")))];
    let mut schemas = vec![
        ("TeamStamp", audit()),
        ("ProjectItem", project(&newer, &item)),
        ("ProductItem", project(&older, &item)),
        ("ProjectDetails", project(&newer, &details)),
        ("ProductDetails", project(&older, &details)),
        ("ProjectVersion", object(&version())),
        (
            "NewTeamProject",
            request(
                &["name", "type"],
                &[
                    ("name", text()),
                    ("type", word(&[newer, older].concat())),
                    ("description", text_or_null()),
                    ("changelog", text_or_null()),
                ],
            ),
        ),
        (
            "ProjectChange",
            request(&["name"], &[("name", text()), ("description", text_or_null()), ("changelog", text_or_null())]),
        ),
        (
            "NewVersion",
            request(
                &["name", "type"],
                &[("name", text()), ("type", word(&["incremental", "rolling"])), ("changelog", text_or_null())],
            ),
        ),
        ("VersionChange", request(&["name"], &[("name", text()), ("changelog", text_or_null())])),
        ("VersionDetails", version_details("VersionImage")),
        ("OldVersionDetails", version_details("OldVersionImage")),
    ];
    schemas.extend(image::schemas());
    schemas
}

/// A version with what is in it.
fn version_details(image: &str) -> Value {
    let node = object(&[
        ("id", uuid()),
        ("name", text()),
        ("type", word(&["docker", "k8s"])),
        ("status", word(&["unreachable", "connected", "outdated"])),
    ]);
    let deployment = object(&[
        ("id", uuid()),
        ("prefix", text()),
        ("status", word(&["preparing", "in-progress", "successful", "failed", "obsolete"])),
        ("note", text_or_null()),
        ("updatedAt", time()),
        ("node", node),
    ]);
    let mut members = version();
    members.extend([
        ("mutable", boolean()),
        ("deletable", boolean()),
        ("images", list(&reference(image))),
        ("deployments", list(&deployment)),
    ]);
    object(&members)
}

/// The members of a version.
fn version() -> Vec<(&'static str, Value)> {
    vec![
        ("id", uuid()),
        ("name", text()),
        ("type", word(&["incremental", "rolling"])),
        ("changelog", text_or_null()),
        ("default", boolean()),
        ("increasable", boolean()),
        ("audit", reference("TeamStamp")),
    ]
}
