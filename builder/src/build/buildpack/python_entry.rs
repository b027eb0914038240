//! Which command serves a Python app when no Procfile says so.

use crate::build::source::Source;

/// The command, when it is obvious: a server is installed and the app is where it is expected.
/// `has` says whether a package is installed.
pub fn find(source: &Source, has: impl Fn(&str) -> bool) -> Option<String> {
    if source.has_file("manage.py") && has("gunicorn") {
        let packages = source.list("", |name| is_identifier(name) && source.has_file(&format!("{name}/wsgi.py")));
        if let [package] = packages.as_slice() {
            return Some(format!("gunicorn {package}.wsgi --bind 0.0.0.0:$PORT"));
        }
    }
    for module in ["app", "main", "wsgi", "asgi", "application"] {
        let Ok(Some(text)) = source.text(&format!("{module}.py")) else { continue };
        let Some((name, is_async)) = text.lines().find_map(application) else { continue };
        if is_async && has("uvicorn") {
            return Some(format!("uvicorn {module}:{name} --host 0.0.0.0 --port $PORT"));
        }
        if !is_async && has("gunicorn") {
            return Some(format!("gunicorn {module}:{name} --bind 0.0.0.0:$PORT"));
        }
    }
    None
}

/// The variable that a line at the top level makes an application, and whether that is an asynchronous one.
fn application(line: &str) -> Option<(&str, bool)> {
    let (name, value) = line.split_once('=')?;
    let name = name.split(':').next().unwrap_or_default();
    if name.starts_with(char::is_whitespace) || !is_identifier(name.trim_end()) {
        return None;
    }
    let call = value.trim_start().split('(').next().filter(|_| value.contains('('))?;
    match call.trim().rsplit('.').next()? {
        "Flask" | "Bottle" | "App" | "get_wsgi_application" => Some((name.trim_end(), false)),
        "FastAPI" | "Starlette" | "Quart" | "Litestar" | "get_asgi_application" => Some((name.trim_end(), true)),
        _ => None,
    }
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn applications_are_recognised() {
        for (line, expect) in [
            ("app = Flask(__name__)", Some(("app", false))),
            ("app: Flask = flask.Flask(__name__)", Some(("app", false))),
            ("api=FastAPI()", Some(("api", true))),
            ("    app = Flask(__name__)", None),
            ("app = Flask", None),
            ("app.x = Flask(1)", None),
            ("$(rm) = Flask(1)", None),
            ("# app = 1", None),
        ] {
            assert_eq!(application(line), expect, "{line}");
        }
    }

    #[test]
    fn commands_are_found() {
        let root = tempfile::tempdir().unwrap();
        let source = Source::new(root.path().to_owned());
        assert_eq!(find(&source, |_| true), None);
        std::fs::write(root.path().join("app.py"), "from flask import Flask\napp = Flask(__name__)\n").unwrap();
        assert_eq!(find(&source, |name| name == "gunicorn").unwrap(), "gunicorn app:app --bind 0.0.0.0:$PORT");
        assert_eq!(find(&source, |_| false), None);
        std::fs::write(root.path().join("manage.py"), "").unwrap();
        std::fs::create_dir(root.path().join("shop")).unwrap();
        std::fs::write(root.path().join("shop/wsgi.py"), "").unwrap();
        assert_eq!(find(&source, |_| true).unwrap(), "gunicorn shop.wsgi --bind 0.0.0.0:$PORT");
    }
}
