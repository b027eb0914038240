//! Reading bodies of requests: every member has one type, and what is wrong is said of all members at once.

use std::str::FromStr;

use serde_json::{Map, Value};
use slipway_core::Error;
use slipway_core::error::FieldError;

use crate::call::{Call, Failure};

/// Longest text unless a rule says otherwise, in characters.
const TEXT_MAX: usize = 4096;

/// The members of a body, and what was found wrong with them so far. Unknown members are passed over.
#[derive(Debug)]
pub(super) struct Body {
    map: Map<String, Value>,
    /// What stands before the names of members in messages: empty, or `details.`.
    path: String,
    errors: Vec<FieldError>,
}

impl Body {
    /// The body of a request; no body has no members.
    pub(super) fn read(call: &Call) -> Result<Self, Failure> {
        Ok(Self::new(call.fields()?.into_map()))
    }

    /// The members of a map.
    pub(super) fn new(map: Map<String, Value>) -> Self {
        Self { map, path: String::new(), errors: Vec::new() }
    }

    /// Notes something wrong with a member.
    pub(super) fn fail(&mut self, field: &str, message: &str) {
        let field = format!("{}{field}", self.path);
        let message = format!("{field} {message}");
        self.errors.push(FieldError { field, messages: vec![message] });
    }

    /// Whether the member is there and not null.
    pub(super) fn has(&self, field: &str) -> bool {
        self.map.get(field).is_some_and(|value| !value.is_null())
    }

    /// A member as it came; `None` also for null.
    pub(super) fn take(&mut self, field: &str) -> Option<Value> {
        self.map.remove(field).filter(|value| !value.is_null())
    }

    /// A text that must be there; it may be empty.
    pub(super) fn text(&mut self, field: &str) -> String {
        if !self.has(field) {
            self.fail(field, "is missing");
            return String::new();
        }
        self.text_or_null(field).unwrap_or_default()
    }

    /// A text that may be missing or null.
    pub(super) fn text_or_null(&mut self, field: &str) -> Option<String> {
        match self.take(field)? {
            Value::String(text) if text.contains('\0') => self.fail(field, "must not hold NUL"),
            Value::String(text) if text.chars().count() > TEXT_MAX => self.fail(field, "is too long"),
            Value::String(text) => return Some(text),
            _ => self.fail(field, "must be a text"),
        }
        None
    }

    /// A boolean that must be there.
    pub(super) fn flag(&mut self, field: &str) -> bool {
        match self.take(field) {
            Some(Value::Bool(flag)) => return flag,
            Some(_) => self.fail(field, "must be a boolean"),
            None => self.fail(field, "is missing"),
        }
        false
    }

    /// A boolean that may be missing or null.
    pub(super) fn flag_or_null(&mut self, field: &str) -> Option<bool> {
        if self.has(field) { Some(self.flag(field)) } else { None }
    }

    /// A whole number that must be there, not below `min`.
    pub(super) fn number(&mut self, field: &str, min: u64) -> u64 {
        match self.take(field) {
            Some(Value::Number(number)) => match number.as_u64().filter(|number| *number >= min) {
                Some(number) => return number,
                None => self.fail(field, &format!("must be a whole number, at least {min}")),
            },
            Some(_) => self.fail(field, "must be a number"),
            None => self.fail(field, "is missing"),
        }
        min
    }

    /// One of a set of words, which must be there.
    pub(super) fn word<T: FromStr>(&mut self, field: &str) -> Option<T> {
        self.choice(field, |text| text.parse().ok())
    }

    /// One of the words that `read` knows, which must be there.
    pub(super) fn choice<T>(&mut self, field: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.text(field);
        if self.is_wrong(field) {
            return None;
        }
        let word = read(&text);
        if word.is_none() {
            self.fail(field, "is not one of the known words");
        }
        word
    }

    /// One of a set of words, which may be missing or null.
    pub(super) fn word_or_null<T: FromStr>(&mut self, field: &str) -> Option<T> {
        if self.has(field) { self.word(field) } else { None }
    }

    /// A list that must be there.
    fn items(&mut self, field: &str) -> Vec<Value> {
        match self.take(field) {
            Some(Value::Array(items)) => return items,
            Some(_) => self.fail(field, "must be a list"),
            None => self.fail(field, "is missing"),
        }
        Vec::new()
    }

    /// A list of texts that must be there.
    pub(super) fn texts(&mut self, field: &str) -> Vec<String> {
        let items = self.items(field);
        let texts: Option<Vec<String>> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
        if texts.is_none() {
            self.fail(field, "must hold texts only");
        }
        texts.unwrap_or_default()
    }

    /// A map that may be missing or null, as it came.
    pub(super) fn map_or_null(&mut self, field: &str) -> Option<Map<String, Value>> {
        match self.take(field)? {
            Value::Object(map) => return Some(map),
            _ => self.fail(field, "must be an object"),
        }
        None
    }

    /// A list of words that must be there; a word may be there more than once.
    pub(super) fn words<T: FromStr>(&mut self, field: &str) -> Vec<T> {
        let items = self.items(field);
        let words: Option<Vec<T>> = items.iter().map(|item| item.as_str().and_then(|text| text.parse().ok())).collect();
        if words.is_none() {
            self.fail(field, "must hold known words only");
        }
        words.unwrap_or_default()
    }

    /// A map that must be there, to be read by itself and [given back](Self::close).
    pub(super) fn open(&mut self, field: &str) -> Self {
        let map = match self.take(field) {
            Some(Value::Object(map)) => map,
            Some(_) => {
                self.fail(field, "must be an object");
                Map::new()
            }
            None => {
                self.fail(field, "is missing");
                Map::new()
            }
        };
        Self { map, path: format!("{}{field}.", self.path), errors: Vec::new() }
    }

    /// Takes over what was found wrong with one item of a list.
    pub(super) fn close_item(&mut self, item: Self) {
        self.errors.extend(item.errors);
    }

    /// Takes over what was found wrong with an inner map.
    pub(super) fn close(&mut self, inner: Self) {
        // When the map itself is wrong, nothing of what it lacks is told.
        if !self.is_wrong(inner.path.trim_end_matches('.').trim_start_matches(&self.path)) {
            self.errors.extend(inner.errors);
        }
    }

    /// Whether something was wrong with this member.
    pub(super) fn is_wrong(&self, field: &str) -> bool {
        let field = format!("{}{field}", self.path);
        self.errors.iter().any(|error| error.field == field)
    }

    /// Gives `value` if nothing was wrong.
    pub(super) fn finish<T>(self, value: T) -> Result<T, Failure> {
        if self.errors.is_empty() { Ok(value) } else { Err(Failure::Body(Error::Invalid(self.errors))) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use slipway_team::Role;

    use super::*;

    fn body(value: Value) -> Body {
        let Value::Object(map) = value else { panic!("{value}") };
        Body::new(map)
    }

    fn wrong(body: Body) -> Vec<String> {
        match body.finish(()) {
            Err(Failure::Body(Error::Invalid(fields))) => fields.into_iter().map(|field| field.field).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn good_members_are_read() {
        let mut good = body(json!({
            "name": "x", "note": null, "active": true, "days": 3, "role": "admin", "roles": ["user", "owner"],
            "details": {"url": ""}, "more": 1,
        }));
        assert_eq!((good.text("name"), good.text_or_null("note"), good.text_or_null("no")), ("x".into(), None, None));
        assert_eq!((good.flag("active"), good.number("days", 1)), (true, 3));
        assert_eq!(good.word::<Role>("role"), Some(Role::Admin));
        assert_eq!(good.word_or_null::<Role>("other"), None);
        assert_eq!(good.words::<Role>("roles"), [Role::User, Role::Owner]);
        let mut details = good.open("details");
        assert_eq!(details.text("url"), "");
        good.close(details);
        assert_eq!(wrong(good), [""; 0]);
    }

    #[test]
    fn everything_that_is_wrong_is_told() {
        let mut bad = body(json!({
            "name": 1, "nul": "a\0", "active": "yes", "days": -1, "role": "Admin", "roles": ["x"], "details": {"url": []},
            "list": {},
        }));
        bad.text("name");
        bad.text("nul");
        bad.text("missing");
        bad.flag("active");
        bad.flag("flag");
        bad.number("days", 0);
        bad.word::<Role>("role");
        bad.words::<Role>("roles");
        bad.words::<Role>("list");
        let mut details = bad.open("details");
        details.text("url");
        bad.close(details);
        let mut nothing = bad.open("nothing");
        nothing.text("url");
        bad.close(nothing);
        assert_eq!(
            wrong(bad),
            ["name", "nul", "missing", "active", "flag", "days", "role", "roles", "list", "details.url", "nothing"]
        );
    }
}
