//! Paths that lead to processes of another type than the usual one. Source: `drycc-v2.md` §2.13.

use serde_json::{Value, json};
use slipway_core::authz::AppAction;
use slipway_core::error::Kind;
use slipway_core::path_service::{PATTERN_MAX, PATTERNS_MAX, PathService, patterns};
use slipway_core::{Error, ProcessType, Result};
use slipway_engine::path::PathPattern;
use slipway_engine::spec::PathRule;
use slipway_store as store;

use crate::audit::{app_subject, event};
use crate::stored::{Fail, Stored, write};
use crate::{Cx, Service};

/// Why an engine's routes lead to one process type only.
const NO_PATHS: &str = "The routes of this platform lead to one process type of an app: give the other one an app and \
                        a domain of its own.";

impl Service {
    /// The paths of an app's process types, by type.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn services_list(&self, cx: &Cx, app: &str) -> Result<Vec<PathService>> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        store::services_by_app(&mut self.read().await?, app.id).await.stored()
    }

    /// Lets requests for some paths go to processes of a type, and waits until they do. False when they do already. The
    /// longest pattern that fits a path counts.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Invalid` by field; `Rejected` when the engine has no such routes; `Unavailable` when the engine does not follow in time.
    pub async fn service_set(&self, cx: &Cx, app: &str, process_type: &str, path_pattern: &str) -> Result<bool> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        let process_type = ProcessType::new(process_type.trim())
            .map_err(|error| Error::invalid("procfile_type", error.to_string()))?;
        let path_pattern = pattern_check(path_pattern).map_err(|reason| Error::invalid("path_pattern", reason))?;
        if !self.engine().is_routing_paths() {
            return Err(Error::Rejected(NO_PATHS.to_owned()));
        }
        let service = PathService { process_type, path_pattern };
        let changed = write!(self, |db| {
            let before = store::services_by_app(db, app.id).await?;
            let before = before.into_iter().find(|before| before.process_type == service.process_type);
            if before.as_ref() == Some(&service) {
                return Ok(None);
            }
            store::service_set(db, app.id, &service, cx.now).await?;
            let generation = store::app_bump_desired(db, app.id, cx.now).await?;
            let before = before.as_ref().map_or(Value::Null, shape);
            store::event_insert(db, &event(cx, "service", app_subject(&app), before, shape(&service))).await?;
            Ok::<_, Fail>(Some(generation))
        })?;
        let Some(generation) = changed else { return Ok(false) };
        self.app_log(app.id, format!("INFO service {} added: {}", service.process_type, service.path_pattern));
        self.routes_wait(&app, generation).await?;
        Ok(true)
    }

    /// Takes the paths of a process type away, and waits until they are gone.
    ///
    /// # Errors
    /// `NotFound` (app, then service), `Forbidden`; `Unavailable` when the engine does not follow in time.
    pub async fn service_delete(&self, cx: &Cx, app: &str, process_type: &str) -> Result<()> {
        let app = self.app_for(cx, app, AppAction::Remove).await?;
        let missing = || Error::not_found(Kind::Service);
        let process_type = ProcessType::new(process_type.trim()).map_err(|_| missing())?;
        let generation = write!(self, |db| {
            if !store::service_delete(db, app.id, &process_type).await? {
                return Err(missing().into());
            }
            let generation = store::app_bump_desired(db, app.id, cx.now).await?;
            let before = json!({"procfile_type": process_type.as_str()});
            store::event_insert(db, &event(cx, "service", app_subject(&app), before, Value::Null)).await?;
            Ok::<_, Fail>(generation)
        })?;
        self.app_log(app.id, format!("INFO service {process_type} removed"));
        self.routes_wait(&app, generation).await
    }
}

fn shape(service: &PathService) -> Value {
    json!({"procfile_type": service.process_type.as_str(), "path_pattern": service.path_pattern})
}

/// A list of patterns as it is kept.
fn pattern_check(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.chars().count() > PATTERN_MAX {
        return Err(format!("Ensure this field has no more than {PATTERN_MAX} characters."));
    }
    if text.chars().any(char::is_control) {
        return Err("Control characters are not allowed.".to_owned());
    }
    match patterns(text).count() {
        0 => return Err("This field may not be blank.".to_owned()),
        1..=PATTERNS_MAX => {}
        _ => return Err(format!("There may be {PATTERNS_MAX} patterns at most.")),
    }
    for pattern in patterns(text) {
        PathPattern::new(pattern).map_err(|reason| format!("{pattern} is not a regular expression: {reason}"))?;
    }
    Ok(patterns(text).collect::<Vec<_>>().join(","))
}

/// The rules that an app's services come to: longer patterns first, so that `/` hides none.
pub(crate) fn path_rules(services: &[PathService]) -> Vec<PathRule> {
    let mut rules: Vec<(&str, &ProcessType)> = services
        .iter()
        .flat_map(|service| patterns(&service.path_pattern).map(|pattern| (pattern, &service.process_type)))
        .collect();
    rules.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.cmp(b)));
    let rule = |(pattern, process_type): (&str, &ProcessType)| {
        // They were checked when they were stored; a later version may know better.
        let pattern = PathPattern::new(pattern).ok()?;
        Some(PathRule { pattern, process_type: process_type.clone() })
    };
    rules.into_iter().filter_map(rule).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_patterns_are_checked() {
        assert_eq!(pattern_check(" /a , /b/.*,").unwrap(), "/a,/b/.*");
        let many = vec!["/a"; PATTERNS_MAX + 1].join(",");
        for (bad, reason) in [
            ("", "This field may not be blank."),
            (" , ", "This field may not be blank."),
            ("/a\n", "x"),
            ("/a,(", "( is not a regular expression: unclosed group"),
            ("/a\u{7}", "Control characters are not allowed."),
            (&many, "There may be 16 patterns at most."),
            (&"a".repeat(PATTERN_MAX + 1), "Ensure this field has no more than 1024 characters."),
        ] {
            match pattern_check(bad) {
                Err(got) => assert_eq!(got, reason, "{bad}"),
                // A line's end at the end is cut as a blank.
                Ok(kept) => assert_eq!((kept.as_str(), reason), ("/a", "x")),
            }
        }
    }

    #[test]
    fn longer_patterns_come_first() {
        let service = |name: &str, path_pattern: &str| PathService {
            process_type: ProcessType::new(name).unwrap(),
            path_pattern: path_pattern.to_owned(),
        };
        let rules = path_rules(&[service("api", "/,/api"), service("worker", "/api/jobs")]);
        let shown: Vec<String> =
            rules.iter().map(|rule| format!("{} {}", rule.process_type, rule.pattern.as_str())).collect();
        assert_eq!(shown, ["worker ^(?:/api/jobs)", "api ^(?:/api)", "api ^(?:/)"]);
    }
}
