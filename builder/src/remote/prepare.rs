//! What an order says beside the repository, put where builds look for it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use slipway_core::config::SecretText;
use slipway_core::{ProcessType, procfile};
use slipway_wire::drycc_v2::hook;

/// Config value that names the buildpack.
const BUILDPACK: &str = "BUILDPACK_URL";
/// Largest Procfile that is read.
const PROCFILE_MAX: u64 = 64 * 1024;

/// The built-in buildpack of a runtime.
///
/// # Errors
/// The reason, for the user, where there is none.
fn buildpack(runtime: &str) -> Result<&'static str, String> {
    Ok(match runtime {
        "nodejs" => "node",
        "python" => "python",
        "golang" => "go",
        "ruby" => "ruby",
        "static" => "static",
        "docker" | "php" | "dotnet" | "java" => {
            return Err(format!("there is no buildpack for {runtime} here: add a Dockerfile to the repository"));
        }
        _ => return Err(format!("the runtime {runtime} is not known")),
    })
}

/// Puts an order into a checkout; tells the directory that is built, and the environment of the build.
///
/// # Errors
/// The reason, for the user.
pub(super) fn prepare(order: &hook::Order, checkout: &Path) -> Result<(PathBuf, BTreeMap<String, SecretText>), String> {
    let source = directory(checkout, &order.working_dir, "working_dir")?;
    let mut env: BTreeMap<String, SecretText> =
        order.env.iter().map(|(key, value)| (key.clone(), SecretText::new(value.clone()))).collect();
    let has_dockerfile = is_file(&source.join("Dockerfile"));
    // A Dockerfile of the repository always wins.
    if !has_dockerfile && !env.contains_key(BUILDPACK) {
        env.insert(BUILDPACK.to_owned(), SecretText::new(buildpack(&order.runtime)?));
    }
    if !order.build_cmd.is_empty() {
        env.insert("SLIPWAY_BUILD_COMMAND".to_owned(), SecretText::new(order.build_cmd.clone()));
    }
    if !order.version.is_empty() {
        version(order, &source)?;
    }
    if !order.static_dir.is_empty() {
        directory(&source, &order.static_dir, "static_dir")?;
        let text = serde_json::json!({ "root": order.static_dir }).to_string();
        write_new(&source.join("static.json"), &text)?;
    }
    if !order.run_cmd.is_empty() && !has_dockerfile {
        let path = source.join("Procfile");
        let text = if is_file(&path) {
            let length = fs::symlink_metadata(&path).map_or(0, |found| found.len());
            if length > PROCFILE_MAX {
                return Err("Procfile: it is too large".to_owned());
            }
            fs::read_to_string(&path).map_err(|error| format!("Procfile: {error}"))?
        } else {
            String::new()
        };
        let mut commands = procfile::parse(&text).map_err(|error| error.to_string())?;
        let process_type = ProcessType::new(&order.process_type).map_err(|error| error.to_string())?;
        commands.insert(process_type, order.run_cmd.clone());
        let lines: Vec<String> = commands.iter().map(|(name, command)| format!("{name}: {command}\n")).collect();
        write_new(&path, &lines.concat())?;
    }
    Ok((source, env))
}

/// A directory below another, which no link leads to.
fn directory(root: &Path, relative: &str, field: &str) -> Result<PathBuf, String> {
    let mut path = root.to_owned();
    for part in relative.split('/').filter(|part| !part.is_empty()) {
        if matches!(part, "." | "..") {
            return Err(format!("{field}: it leads out of the repository"));
        }
        path.push(part);
        let is_directory = fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir());
        if !is_directory {
            return Err(format!("{field}: the repository has no directory {relative}"));
        }
    }
    Ok(path)
}

fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_file())
}

/// Says which version of the runtime is wanted, unless the repository does.
fn version(order: &hook::Order, source: &Path) -> Result<(), String> {
    let file = match order.runtime.as_str() {
        "python" => ".python-version",
        "nodejs" => ".node-version",
        "ruby" => ".ruby-version",
        _ => return Ok(()),
    };
    let path = source.join(file);
    if fs::symlink_metadata(&path).is_ok() { Ok(()) } else { write_new(&path, &format!("{}\n", order.version)) }
}

/// Writes a file of ours in place of whatever has its name, a link that leads elsewhere included.
fn write_new(path: &Path, text: &str) -> Result<(), String> {
    let told =
        |error: std::io::Error| format!("cannot write {}: {error}", path.file_name().unwrap_or_default().display());
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => return Err(told(std::io::Error::other("it is a directory"))),
        Ok(_) => fs::remove_file(path).map_err(told)?,
        Err(_) => {}
    }
    fs::write(path, text).map_err(told)
}

#[cfg(test)]
mod tests {
    use super::super::tests::order;
    use super::*;

    #[test]
    fn an_order_is_put_where_builds_look() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("web")).unwrap();
        fs::write(root.path().join("web/Procfile"), "web: old\nworker: work\n").unwrap();
        let mut wanted = order();
        wanted.working_dir = "web".to_owned();
        wanted.build_cmd = "npm run build".to_owned();
        let (source, env) = prepare(&wanted, root.path()).unwrap();
        assert_eq!(source, root.path().join("web"));
        assert_eq!(env[BUILDPACK].expose(), "node");
        assert_eq!(env["SLIPWAY_BUILD_COMMAND"].expose(), "npm run build");
        assert_eq!(fs::read_to_string(source.join("Procfile")).unwrap(), "web: npm start\nworker: work\n");
        assert_eq!(fs::read_to_string(source.join(".node-version")).unwrap(), "20\n");
    }

    #[test]
    fn links_lead_nowhere() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join("file"), "kept").unwrap();
        std::os::unix::fs::symlink(outside.path(), root.path().join("web")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("file"), root.path().join("Procfile")).unwrap();
        let mut wanted = order();
        prepare(&wanted, root.path()).unwrap();
        assert_eq!(fs::read_to_string(outside.path().join("file")).unwrap(), "kept");
        for bad in ["web", "../x", "none"] {
            wanted.working_dir = bad.to_owned();
            assert!(prepare(&wanted, root.path()).is_err(), "{bad}");
        }
        wanted.working_dir = String::new();
        wanted.runtime = "php".to_owned();
        assert!(prepare(&wanted, root.path()).unwrap_err().contains("Dockerfile"));
    }
}
