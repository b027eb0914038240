//! Refusals in the words of upstream's client, for scripts that look for them. Source: drycc-v2.md §1.7.

use slipway_client::{ApiError, StatusCode};

const BLANK: &str = "This field may not be blank.";
const BAD_USERNAME: &str =
    "Enter a valid username. This value may contain only letters, numbers and @/./+/-/_ characters.";
const DUPLICATE_USERNAME: &str = "A user with that username already exists.";
const BAD_LOGIN: &str = "Unable to log in with provided credentials.";
const BAD_APP: &str = "App name can only contain a-z (lowercase), 0-9 and hyphens";
const DUPLICATE_APP: &str = "Application with this id already exists.";
const DUPLICATE_KEY: &str = "Public Key is already in use";
const BAD_DOMAIN: &str = "Hostname does not look valid.";
const DUPLICATE_DOMAIN: &str = "Domain is already in use by another application";
const BAD_EMAIL: &str = "Enter a valid email address.";

/// A field, what the server says of it, and what is shown then; the first that fits counts.
const FIELDS: [(&str, &[&str], &str); 16] = [
    ("username", &[BLANK, BAD_USERNAME], BAD_USERNAME),
    ("username", &[DUPLICATE_USERNAME], DUPLICATE_USERNAME),
    ("password", &[BLANK], "A Password is required"),
    ("non_field_errors", &[BAD_LOGIN], BAD_LOGIN),
    ("id", &[BAD_APP], BAD_APP),
    ("id", &[DUPLICATE_APP], DUPLICATE_APP),
    ("key", &[BLANK], "A key is required"),
    ("key", &[DUPLICATE_KEY], DUPLICATE_KEY),
    ("public", &[BLANK, "Key contains invalid base64 chars"], "A key is required"),
    ("certificate", &[BLANK, "Could not load certificate"], "Could not load certificate"),
    (
        "name",
        &[BLANK, "Can only contain a-z (lowercase), 0-9 and hyphens"],
        "Name can only contain a-z (lowercase), 0-9 and hyphens",
    ),
    ("domain", &[BAD_DOMAIN], BAD_DOMAIN),
    ("domain", &[DUPLICATE_DOMAIN], DUPLICATE_DOMAIN),
    ("image", &[BLANK], "The given image is invalid"),
    ("id", &[BLANK], "An id is required"),
    ("email", &[BAD_EMAIL], BAD_EMAIL),
];

/// The same for a part of `detail`.
const DETAILS: [(&str, &str); 3] = [
    ("does not exist in application", "Pod not found in application"),
    ("version cannot be below 0", "The given version is invalid"),
    ("No nodes matched the provided labels", "No nodes matched the provided labels"),
];

/// What is shown after `Error: `.
pub fn text(api: &ApiError) -> String {
    let detail = api.detail.as_deref().unwrap_or_default();
    let known = match api.status {
        StatusCode::BAD_REQUEST => bad_request(api, detail).map(str::to_owned),
        StatusCode::UNAUTHORIZED => Some("Unauthorized: Missing or Invalid Token".to_owned()),
        StatusCode::FORBIDDEN => Some("You do not have permission to perform this action.".to_owned()),
        StatusCode::NOT_FOUND if api.body.is_empty() => Some("Not Found".to_owned()),
        StatusCode::NOT_FOUND => Some(api.body.clone()),
        StatusCode::METHOD_NOT_ALLOWED => Some("Method Not Allowed".to_owned()),
        StatusCode::CONFLICT if detail.contains("still has applications assigned. Delete or transfer ownership") => {
            Some(
                "Failed to delete user because the user still has applications assigned. Delete or transfer ownership."
                    .to_owned(),
            )
        }
        StatusCode::UNPROCESSABLE_ENTITY if !detail.is_empty() => {
            Some(format!("Unable to process your request: {detail}"))
        }
        StatusCode::INTERNAL_SERVER_ERROR => Some("Internal Server Error".to_owned()),
        _ => None,
    };
    known.unwrap_or_else(|| format!("Unknown Error ({}): {}", api.status.as_u16(), api.body.replace("\\n", "\n")))
}

fn bad_request(api: &ApiError, detail: &str) -> Option<&'static str> {
    let says = |field: &str, wanted: &[&str]| {
        // A certificate's message goes on with the reason.
        let fits = |said: &String, text: &str| if field == "certificate" { said.contains(text) } else { said == text };
        api.field(field).iter().any(|said| wanted.iter().any(|text| fits(said, text)))
    };
    let by_field = FIELDS.iter().find(|(field, wanted, _)| says(field, wanted)).map(|(_, _, shown)| *shown);
    by_field.or_else(|| DETAILS.iter().find(|(part, _)| detail.contains(part)).map(|(_, shown)| *shown))
}
