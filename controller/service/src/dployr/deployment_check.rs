//! The rules for what may be asked for. Source: `dployr-v1.md` §4.1 and §10.

use slipway_core::command_words::command_words;
use slipway_core::config::SecretText;
use slipway_core::deployment::{
    DeploymentRequest, DeploymentSource, DeploymentType, is_ref_name, is_version, runtime_find,
};
use slipway_core::error::FieldError;
use slipway_core::{Error, Result};
use slipway_engine::Artifact;

use super::deployment_input::Draft;
use super::remote::remote_parse;

/// Longest description.
const DESCRIPTION_MAX: usize = 1000;
/// Longest command.
const COMMAND_MAX: usize = 8 * 1024;
/// Longest path.
const PATH_MAX: usize = 1024;
/// Longest image reference.
const IMAGE_MAX: usize = 1024;
/// What is said of a version that no release of the runtime has.
const VERSION_UNKNOWN: &str = "Unsupported runtime version";

/// First and last major version of each runtime that there is or may soon be.
const MAJORS: [(&str, u32, u32); 7] = [
    ("nodejs", 4, 40),
    ("python", 2, 3),
    ("golang", 1, 2),
    ("php", 5, 9),
    ("ruby", 1, 5),
    ("dotnet", 2, 15),
    ("java", 6, 35),
];

/// Checks a draft; with the credentials of the repository, if its address came and held some.
///
/// # Errors
/// `Invalid` with all that is wrong.
pub(super) fn request_check(draft: Draft, is_private_allowed: bool) -> Result<(DeploymentRequest, Option<SecretText>)> {
    let Draft { mut request, remote, mut errors } = draft;
    let mut credentials = None;
    let mut add = |field: &'static str, issue: &str| errors.push((field, issue.to_owned()));
    match request.source {
        DeploymentSource::Remote => {
            if let Some(text) = remote {
                match remote_parse(text.expose(), is_private_allowed) {
                    Ok(found) => {
                        request.remote = found.url;
                        credentials = found.credentials;
                    }
                    Err(issue) => add("remote", &issue),
                }
            } else if request.remote.is_empty() {
                add("remote", "This field is required.");
            }
            if !request.image.is_empty() {
                add("image", "An image is for deployments whose source is image.");
            }
            runtime_check(&mut request, &mut add);
        }
        DeploymentSource::Image => {
            if remote.is_some() || !request.remote.is_empty() {
                add("remote", "A repository is for deployments whose source is remote.");
            }
            image_check(&request, &mut add);
            // Others than names of a runtime mean nothing for an image, and are taken as they come.
            if !request.runtime.is_empty() {
                runtime_check(&mut request, &mut add);
            }
        }
    }
    if !request.branch.is_empty() && !is_ref_name(&request.branch) {
        add("branch", "That is no name of a branch.");
    }
    request.commit_hash = request.commit_hash.to_ascii_lowercase();
    let is_hash = |text: &str| text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !request.commit_hash.is_empty() && !is_hash(&request.commit_hash) {
        add("commit_hash", "Give all 40 hexadecimal digits.");
    }
    if request.kind == DeploymentType::Job && request.run_cmd.is_empty() {
        add("run_cmd", "A job needs the command that it runs.");
    }
    text_check(&request.description, "description", DESCRIPTION_MAX, &mut add);
    text_check(&request.run_cmd, "run_cmd", COMMAND_MAX, &mut add);
    text_check(&request.build_cmd, "build_cmd", COMMAND_MAX, &mut add);
    if !request.build_cmd.is_empty()
        && let Err(issue) = command_words(&request.build_cmd)
    {
        add("build_cmd", &format!("It cannot be run: {issue}."));
    }
    for (field, path) in [("working_dir", &mut request.working_dir), ("static_dir", &mut request.static_dir)] {
        match directory_check(path) {
            Ok(normal) => *path = normal,
            Err(issue) => add(field, issue),
        }
    }
    match health_check(&request.health_check) {
        Ok(path) => request.health_check = path,
        Err(issue) => add("health_check", issue),
    }
    if errors.is_empty() {
        return Ok((request, credentials));
    }
    let field = |(field, issue): (&str, String)| FieldError { field: field.to_owned(), messages: vec![issue] };
    Err(Error::Invalid(errors.into_iter().map(field).collect()))
}

fn runtime_check(request: &mut DeploymentRequest, add: &mut impl FnMut(&'static str, &str)) {
    if request.runtime.is_empty() && request.kind == DeploymentType::Static {
        "static".clone_into(&mut request.runtime);
    }
    if request.runtime.is_empty() {
        add("runtime", "This field is required.");
        return;
    }
    let Some(runtime) = runtime_find(&request.runtime) else {
        add("runtime", "Unsupported runtime");
        return;
    };
    runtime.clone_into(&mut request.runtime);
    if !is_version(&request.version) {
        add("version", "Give up to three numbers with dots between.");
        return;
    }
    let major = request.version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    let known = MAJORS.iter().find(|(name, _, _)| *name == runtime);
    if let (Some(major), Some((_, first, last))) = (major, known)
        && !(*first..=*last).contains(&major)
    {
        add("runtime", VERSION_UNKNOWN);
    }
}

fn image_check(request: &DeploymentRequest, add: &mut impl FnMut(&'static str, &str)) {
    if request.image.is_empty() {
        add("image", "This field is required.");
        return;
    }
    if request.kind == DeploymentType::Static {
        add("image", "A static deployment is made from a repository.");
    }
    if request.image.len() > IMAGE_MAX || request.image.chars().any(|c| c.is_control() || c.is_whitespace()) {
        add("image", "That is no name of an image.");
        return;
    }
    match request.image.parse() {
        Ok(Artifact::Slug { .. }) => add("image", "That is no name of an image."),
        Ok(_) => {}
        Err(issue) => add("image", &issue),
    }
}

fn text_check(text: &str, field: &'static str, max: usize, add: &mut impl FnMut(&'static str, &str)) {
    if text.chars().count() > max {
        add(field, &format!("Ensure this field has no more than {max} characters."));
    } else if text.chars().any(char::is_control) {
        add(field, "It must be one line without control characters.");
    }
}

/// A directory of the repository in its normal form; empty for its root.
fn directory_check(path: &str) -> Result<String, &'static str> {
    if path.len() > PATH_MAX || path.chars().any(|c| c.is_control() || c == '\\') {
        return Err("That is no path.");
    }
    if path.starts_with('/') {
        return Err("The path must be relative to the root of the repository.");
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return Err("The path must not hold '..'.");
    }
    if parts.iter().any(|part| part.eq_ignore_ascii_case(".git")) {
        return Err("The path must not lead into .git.");
    }
    Ok(parts.join("/"))
}

/// A path with one slash before and none behind; empty for none.
fn health_check(text: &str) -> Result<String, &'static str> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let is_plain = |c: char| !c.is_control() && !c.is_whitespace() && c != '#';
    if text.contains("://") || text.len() > PATH_MAX || !text.chars().all(is_plain) {
        return Err("It is a path such as /health, without a host.");
    }
    Ok(format!("/{}", text.trim_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::super::deployment_input::{DeploymentInput, Patch, request_apply, request_empty};
    use super::*;

    fn good() -> DeploymentInput {
        let set = |text: &str| Patch::Set(text.to_owned());
        DeploymentInput {
            source: set("remote"),
            runtime: set("nodejs"),
            version: set("20"),
            remote: Patch::Set(SecretText::new("https://github.com/user/repo")),
            branch: set("main"),
            build_cmd: set("npm install"),
            run_cmd: set("npm start"),
            port: Patch::Set(3000),
            ..DeploymentInput::default()
        }
    }

    fn fields(change: impl FnOnce(&mut DeploymentInput)) -> Vec<String> {
        let mut input = good();
        change(&mut input);
        match request_check(request_apply(request_empty(), &input), false) {
            Ok(_) => Vec::new(),
            Err(Error::Invalid(fields)) => fields.into_iter().map(|field| field.field).collect(),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_fault_is_told_by_field() {
        let set = |text: &str| Patch::Set(text.to_owned());
        assert_eq!(fields(|_| {}), [""; 0]);
        assert_eq!(fields(|input| input.source = set("zip")), ["source"]);
        assert_eq!(fields(|input| input.kind = set("cron")), ["type"]);
        assert_eq!(fields(|input| input.kind = set("job")), [""; 0]);
        let job = |input: &mut DeploymentInput| (input.kind, input.run_cmd) = (set("job"), Patch::Keep);
        assert_eq!(fields(job), ["run_cmd"]);
        assert_eq!(fields(|input| input.runtime = Patch::Keep), ["runtime"]);
        assert_eq!(fields(|input| input.runtime = set("cobol")), ["runtime"]);
        assert_eq!(fields(|input| input.version = set("999")), ["runtime"]);
        assert_eq!(fields(|input| input.version = set("lts")), ["version"]);
        assert_eq!(fields(|input| input.remote = Patch::Keep), ["remote"]);
        assert_eq!(fields(|input| input.remote = Patch::Set(SecretText::new("file:///x"))), ["remote"]);
        assert_eq!(fields(|input| input.branch = set("--upload-pack=touch x")), ["branch"]);
        assert_eq!(fields(|input| input.commit_hash = set("abc")), ["commit_hash"]);
        assert_eq!(fields(|input| input.build_cmd = set("curl x | sh")), ["build_cmd"]);
        assert_eq!(fields(|input| input.run_cmd = set("a\nb")), ["run_cmd"]);
        for port in [0, -1, 65_536] {
            assert_eq!(fields(|input| input.port = Patch::Set(port)), ["port"]);
        }
        for path in ["/etc", "a/../..", "a\\b", ".git/hooks"] {
            assert_eq!(fields(|input| input.working_dir = set(path)), ["working_dir"], "{path}");
        }
        assert_eq!(fields(|input| input.health_check = set("http://x/")), ["health_check"]);
        assert_eq!(fields(|input| input.image = set("nginx")), ["image"]);
        let image = |image: &str| {
            fields(|input| {
                input.source = set("image");
                input.remote = Patch::Keep;
                input.image = set(image);
            })
        };
        assert_eq!(image("nginx:1"), [""; 0]);
        for bad in ["", "slug@sha256:0000000000000000000000000000000000000000000000000000000000000000", "a b"] {
            assert_eq!(image(bad), ["image"], "{bad}");
        }
    }

    #[test]
    fn paths_have_a_normal_form() {
        assert_eq!(directory_check("./a//b/").unwrap(), "a/b");
        assert_eq!(health_check("health/").unwrap(), "/health");
        assert_eq!(health_check("/").unwrap(), "/");
    }
}
