//! Reading request bodies with the leniency and the messages that old clients rely on.
//!
//! Every generation's `from_wire` takes its fields from here: each accessor notes what is wrong with its field and
//! goes on, so that one answer tells everything. Source: `drycc-v2.md` §1.4 and §1.6.

use serde_json::{Map, Value};
use slipway_core::Error;
use slipway_core::error::FieldError;

/// A missing field.
pub const REQUIRED: &str = "This field is required.";
/// An empty text.
pub const BLANK: &str = "This field may not be blank.";
/// A null.
pub const NULL: &str = "This field may not be null.";
/// Not a text.
pub const NOT_TEXT: &str = "Not a valid string.";
/// A text that no database column takes.
pub const NUL: &str = "Null characters are not allowed.";
/// Not a map.
pub const NOT_MAP: &str = "Expected a dictionary of items.";
/// Not a list.
pub const NOT_LIST: &str = "Expected a list of items.";
/// Not a boolean.
pub const NOT_BOOLEAN: &str = "Must be a valid boolean.";
/// The key of messages that belong to no one field.
pub const NON_FIELD: &str = "non_field_errors";

/// The fields of one request body, and what was found wrong with them so far.
#[derive(Debug)]
pub struct Fields {
    map: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Fields {
    /// Takes a body, which must be a map.
    ///
    /// # Errors
    /// `Invalid` under `non_field_errors` that says what the body is instead.
    pub fn new(body: Value) -> Result<Self, Error> {
        let kind = match body {
            Value::Object(map) => return Ok(Self { map, errors: Vec::new() }),
            Value::Null => return Err(Error::invalid(NON_FIELD, "No data provided")),
            Value::Bool(_) => "bool",
            Value::Number(number) if number.is_f64() => "float",
            Value::Number(_) => "int",
            Value::String(_) => "str",
            Value::Array(_) => "list",
        };
        Err(Error::invalid(NON_FIELD, format!("Invalid data. Expected a dictionary, but got {kind}.")))
    }

    /// Notes something wrong with a field.
    pub fn fail(&mut self, field: &str, message: impl Into<String>) {
        self.fail_all(field, vec![message.into()]);
    }

    /// Notes several things wrong with a field.
    pub fn fail_all(&mut self, field: &str, messages: Vec<String>) {
        self.errors.push(FieldError { field: field.to_owned(), messages });
    }

    /// Whether the field is there, whatever it holds.
    #[must_use]
    pub fn has(&self, field: &str) -> bool {
        self.map.contains_key(field)
    }

    /// Whether the field is there and not null.
    #[must_use]
    pub fn is_given(&self, field: &str) -> bool {
        self.map.get(field).is_some_and(|value| !value.is_null())
    }

    /// Whether the field is absent, null or an empty text: three ways of old clients to say nothing.
    #[must_use]
    pub fn is_void(&self, field: &str) -> bool {
        match self.map.get(field) {
            None | Some(Value::Null) => true,
            Some(Value::String(text)) => text.trim().is_empty(),
            Some(_) => false,
        }
    }

    /// The field as it came.
    pub fn take(&mut self, field: &str) -> Option<Value> {
        self.map.remove(field)
    }

    /// All fields as they came.
    #[must_use]
    pub fn into_map(self) -> Map<String, Value> {
        self.map
    }

    /// A text that must be there and not be empty, without the blanks around it.
    pub fn text(&mut self, field: &str) -> String {
        if !self.has(field) {
            self.fail(field, REQUIRED);
            return String::new();
        }
        let text = self.text_or_null(field, true);
        match text {
            Some(text) if text.is_empty() => {
                self.fail(field, BLANK);
                text
            }
            Some(text) => text,
            None => String::new(),
        }
    }

    /// A text that may be absent or empty.
    pub fn text_or_empty(&mut self, field: &str) -> String {
        if self.has(field) { self.text_or_null(field, true).unwrap_or_default() } else { String::new() }
    }

    /// A secret that must be there and not be empty, with the blanks around it.
    pub fn secret(&mut self, field: &str) -> String {
        if !self.has(field) {
            self.fail(field, REQUIRED);
            return String::new();
        }
        match self.text_or_null(field, false) {
            Some(text) if text.is_empty() => {
                self.fail(field, BLANK);
                text
            }
            Some(text) => text,
            None => String::new(),
        }
    }

    fn text_or_null(&mut self, field: &str, is_trimmed: bool) -> Option<String> {
        match text_value(self.map.remove(field)?, is_trimmed) {
            Ok(text) => Some(text),
            Err(message) => {
                self.fail(field, message);
                None
            }
        }
    }

    /// Notes that a text is longer than it may be.
    pub fn limit(&mut self, field: &str, text: &str, max: usize) {
        if text.chars().count() > max {
            self.fail(field, format!("Ensure this field has no more than {max} characters."));
        }
    }

    /// A map that may be absent; a text that holds a map as JSON is one too.
    pub fn map(&mut self, field: &str) -> Option<Map<String, Value>> {
        let value = match self.map.remove(field)? {
            Value::String(text) => {
                let Ok(value) = serde_json::from_str(&text) else {
                    self.fail(field, format!("{NOT_MAP} The text is not JSON."));
                    return None;
                };
                value
            }
            value => value,
        };
        match value {
            Value::Object(map) => Some(map),
            Value::Null => {
                self.fail(field, NULL);
                None
            }
            _ => {
                self.fail(field, NOT_MAP);
                None
            }
        }
    }

    /// A boolean that may be absent.
    pub fn boolean_or(&mut self, field: &str, default: bool) -> bool {
        match self.map.remove(field) {
            None => default,
            Some(Value::Bool(value)) => value,
            Some(Value::String(text)) if matches!(text.as_str(), "true" | "True" | "1") => true,
            Some(Value::String(text)) if matches!(text.as_str(), "false" | "False" | "0") => false,
            Some(_) => {
                self.fail(field, NOT_BOOLEAN);
                default
            }
        }
    }

    /// A boolean that may be absent or null, in any spelling that old servers take.
    pub fn boolean_or_null(&mut self, field: &str) -> Option<bool> {
        let word = match self.map.remove(field)? {
            Value::Null => return None,
            Value::Bool(value) => return Some(value),
            Value::String(text) => text.trim().to_ascii_lowercase(),
            Value::Number(number) => number.to_string(),
            Value::Array(_) | Value::Object(_) => String::new(),
        };
        match word.as_str() {
            "t" | "true" | "y" | "yes" | "on" | "1" | "1.0" => Some(true),
            "f" | "false" | "n" | "no" | "off" | "0" | "0.0" => Some(false),
            _ => {
                self.fail(field, NOT_BOOLEAN);
                None
            }
        }
    }

    /// A list of texts, none of them empty, without the blanks around them. The field may be absent.
    pub fn texts(&mut self, field: &str) -> Option<Vec<String>> {
        let items = match self.map.remove(field)? {
            Value::Array(items) => items,
            Value::Null => {
                self.fail(field, NULL);
                return None;
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                self.fail(field, NOT_LIST);
                return None;
            }
        };
        let text = |item| match text_value(item, true) {
            Ok(text) if text.is_empty() => Err(BLANK),
            other => other,
        };
        match items.into_iter().map(text).collect() {
            Ok(texts) => Some(texts),
            Err(message) => {
                self.fail(field, message);
                None
            }
        }
    }

    /// Gives `value` if nothing was wrong.
    ///
    /// # Errors
    /// `Invalid` with all that was.
    pub fn finish<T>(self, value: T) -> Result<T, Error> {
        if self.errors.is_empty() { Ok(value) } else { Err(Error::Invalid(self.errors)) }
    }

    /// Whether something was wrong with this field.
    #[must_use]
    pub fn is_wrong(&self, field: &str) -> bool {
        self.errors.iter().any(|error| error.field == field)
    }
}

/// Reads one value as a text: a number is taken as its text.
///
/// # Errors
/// The message for the field.
pub fn text_value(value: Value, is_trimmed: bool) -> Result<String, &'static str> {
    let text = match value {
        Value::String(text) if is_trimmed => text.trim().to_owned(),
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        Value::Null => return Err(NULL),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => return Err(NOT_TEXT),
    };
    if text.contains('\0') { Err(NUL) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn messages(result: Result<(), Error>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn a_body_must_be_a_map() {
        for (body, kind) in
            [(json!([]), "list"), (json!("x"), "str"), (json!(1), "int"), (json!(1.5), "float"), (json!(true), "bool")]
        {
            let error = Fields::new(body).unwrap_err().to_string();
            assert_eq!(error, format!("non_field_errors: Invalid data. Expected a dictionary, but got {kind}."));
        }
        assert_eq!(Fields::new(Value::Null).unwrap_err().to_string(), "non_field_errors: No data provided");
    }

    #[test]
    fn texts_are_trimmed_and_numbers_are_texts() {
        let mut fields = Fields::new(json!({"a": "  x ", "b": 12, "c": 1.5, "p": " y "})).unwrap();
        assert_eq!(fields.text("a"), "x");
        assert_eq!(fields.text("b"), "12");
        assert_eq!(fields.text("c"), "1.5");
        assert_eq!(fields.secret("p"), " y ");
        assert_eq!(fields.text_or_empty("d"), "");
        fields.finish(()).unwrap();
    }

    #[test]
    fn each_fault_has_its_message() {
        for (value, message) in [
            (json!(" "), BLANK),
            (json!(null), NULL),
            (json!([]), NOT_TEXT),
            (json!({}), NOT_TEXT),
            (json!(true), NOT_TEXT),
            (json!("a\0b"), NUL),
        ] {
            let mut fields = Fields::new(json!({ "a": value })).unwrap();
            fields.text("a");
            assert_eq!(messages(fields.finish(())), format!("a: {message}"));
        }
        let mut fields = Fields::new(json!({})).unwrap();
        fields.text("a");
        fields.secret("b");
        assert_eq!(messages(fields.finish(())), format!("a: {REQUIRED}; b: {REQUIRED}"));
        let mut fields = Fields::new(json!({})).unwrap();
        fields.limit("a", "äöü", 2);
        assert_eq!(messages(fields.finish(())), "a: Ensure this field has no more than 2 characters.");
    }

    #[test]
    fn maps_may_arrive_as_text() {
        let mut fields = Fields::new(json!({"a": {"x": 1}, "b": "{\"x\": null}"})).unwrap();
        assert_eq!(fields.map("a").unwrap()["x"], json!(1));
        assert_eq!(fields.map("b").unwrap()["x"], Value::Null);
        assert!(fields.map("c").is_none());
        fields.finish(()).unwrap();
        for bad in [json!("x"), json!([]), json!(1), json!(true), json!(null), json!("[]"), json!("")] {
            let mut fields = Fields::new(json!({ "a": bad })).unwrap();
            assert!(fields.map("a").is_none());
            assert!(fields.finish(()).is_err());
        }
    }

    #[test]
    fn booleans_may_be_texts() {
        let mut fields = Fields::new(json!({"a": false, "b": "true", "c": 7})).unwrap();
        assert!(!fields.boolean_or("a", true));
        assert!(fields.boolean_or("b", false));
        assert!(fields.boolean_or("d", true));
        fields.boolean_or("c", true);
        assert_eq!(messages(fields.finish(())), format!("c: {NOT_BOOLEAN}"));
    }

    #[test]
    fn booleans_may_be_left_open() {
        for (value, expect) in [
            (json!(true), Some(true)),
            (json!("True"), Some(true)),
            (json!("on"), Some(true)),
            (json!(1), Some(true)),
            (json!(0), Some(false)),
            (json!("false"), Some(false)),
            (json!(null), None),
        ] {
            let mut fields = Fields::new(json!({ "a": value })).unwrap();
            assert_eq!(fields.boolean_or_null("a"), expect, "{value}");
            fields.finish(()).unwrap();
        }
        for bad in [json!("maybe"), json!(""), json!(2), json!([]), json!({})] {
            let mut fields = Fields::new(json!({ "a": bad })).unwrap();
            assert_eq!(fields.boolean_or_null("a"), None);
            assert_eq!(messages(fields.finish(())), format!("a: {NOT_BOOLEAN}"), "{bad}");
        }
    }

    #[test]
    fn lists_hold_texts() {
        let mut fields = Fields::new(json!({"a": [" x ", 1], "b": []})).unwrap();
        assert_eq!(fields.texts("a").unwrap(), ["x", "1"]);
        assert!(fields.texts("b").unwrap().is_empty());
        assert!(fields.texts("c").is_none());
        fields.finish(()).unwrap();
        for (bad, message) in [
            (json!("x"), NOT_LIST),
            (json!({}), NOT_LIST),
            (json!(null), NULL),
            (json!([null]), NULL),
            (json!([" "]), BLANK),
            (json!([["x"]]), NOT_TEXT),
            (json!(["a\0"]), NUL),
        ] {
            let mut fields = Fields::new(json!({ "a": bad })).unwrap();
            assert!(fields.texts("a").is_none());
            assert_eq!(messages(fields.finish(())), format!("a: {message}"));
        }
    }
}
