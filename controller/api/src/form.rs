//! Bodies as browsers and old clients send them: `application/x-www-form-urlencoded` and `multipart/form-data`.

use std::convert::Infallible;

use bytes::Bytes;
use futures::FutureExt;
use serde_json::{Map, Value};

/// Most fields of a form.
const FIELDS_MAX: usize = 1000;

/// The fields of a form, all of them texts; of several with one name the last counts.
#[must_use]
pub fn urlencoded(body: &[u8]) -> Map<String, Value> {
    let pairs = url::form_urlencoded::parse(body).into_owned();
    pairs.take(FIELDS_MAX).map(|(name, value)| (name, Value::String(value))).collect()
}

/// The fields of a multipart body that was read whole. A file counts as its content.
///
/// # Errors
/// What is wrong with it.
pub fn multipart(body: &Bytes, media_type: &str) -> Result<Map<String, Value>, String> {
    let boundary = multer::parse_boundary(media_type).map_err(|error| error.to_string())?;
    let body = body.clone();
    let stream = futures::stream::once(std::future::ready(Ok::<_, Infallible>(body)));
    // Nothing is waited for: all of the body is there.
    multipart_fields(multer::Multipart::new(stream, boundary))
        .now_or_never()
        .unwrap_or_else(|| Err("it ends in the middle".to_owned()))
}

async fn multipart_fields(mut parts: multer::Multipart<'_>) -> Result<Map<String, Value>, String> {
    let mut fields = Map::new();
    while let Some(part) = parts.next_field().await.map_err(|error| error.to_string())? {
        let Some(name) = part.name().map(str::to_owned) else { continue };
        let content = part.bytes().await.map_err(|error| error.to_string())?;
        let text = String::from_utf8(content.to_vec()).map_err(|_| format!("{name} is not UTF-8"))?;
        fields.insert(name, Value::String(text));
        if fields.len() > FIELDS_MAX {
            return Err(format!("it has more than {FIELDS_MAX} fields"));
        }
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn forms_are_read() {
        let fields = urlencoded(b"username=a%40b&password=x+y%26&username=bob&empty=");
        assert_eq!(Value::Object(fields), json!({"username": "bob", "password": "x y&", "empty": ""}));
        assert!(urlencoded(b"").is_empty());
    }

    #[test]
    fn multipart_bodies_are_read() {
        let body = Bytes::from_static(
            b"--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nbob\r\n\
              --x\r\nContent-Disposition: form-data; name=\"password\"; filename=\"f\"\r\n\r\n p w\r\n--x--\r\n",
        );
        let fields = multipart(&body, "multipart/form-data; boundary=x").unwrap();
        assert_eq!(Value::Object(fields), json!({"username": "bob", "password": " p w"}));
    }

    #[test]
    fn broken_multipart_bodies_are_refused() {
        for (media_type, body) in [
            ("multipart/form-data", &b"--x--\r\n"[..]),
            ("multipart/form-data; boundary=x", b"no boundary"),
            ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb"),
            (
                "multipart/form-data; boundary=x",
                b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\xff\r\n--x--\r\n",
            ),
        ] {
            assert!(multipart(&Bytes::copy_from_slice(body), media_type).is_err(), "{media_type} {body:?}");
        }
    }
}
