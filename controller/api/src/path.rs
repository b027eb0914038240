//! Path patterns: which paths a route answers, and what their variable parts are.
//!
//! Patterns are matched here rather than by poem's router because the contract depends on the order of the patterns,
//! on a grammar for each variable, and on a path being known or unknown before its method is looked at.
//! Source: `drycc-v2.md` §1.1.

use std::borrow::Cow;

/// A path pattern such as `/v2/apps/{app}/releases/{version}`.
///
/// `{name}` stands for one segment in the grammar of that variable ([`is_in_grammar`]), `{name*}` at the end for all
/// that is left, slashes included.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: &'static str,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(&'static str),
    Variable(&'static str),
    Rest(&'static str),
}

/// The values of a pattern's variables in one path.
pub type Params = Vec<(&'static str, String)>;

impl Pattern {
    /// Reads a pattern.
    #[must_use]
    pub fn new(text: &'static str) -> Self {
        let parts = text
            .split('/')
            .filter(|part| !part.is_empty())
            .map(|part| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                Some(name) => name.strip_suffix('*').map_or(Part::Variable(name), Part::Rest),
                None => Part::Literal(part),
            })
            .collect();
        Self { text, parts }
    }

    /// The pattern as written.
    #[must_use]
    pub const fn text(&self) -> &'static str {
        self.text
    }

    /// Whether the pattern has a variable of this name.
    #[must_use]
    pub fn has_variable(&self, name: &str) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Variable(own) | Part::Rest(own) if *own == name))
    }

    /// The values of the variables if `path` fits.
    #[must_use]
    pub fn find(&self, path: &Segments<'_>) -> Option<Params> {
        let mut segments = path.0.iter();
        let mut params = Params::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => {
                    if segments.next()? != literal {
                        return None;
                    }
                }
                Part::Variable(name) => {
                    let segment = segments.next()?;
                    if !is_in_grammar(name, segment) {
                        return None;
                    }
                    params.push((name, segment.clone().into_owned()));
                }
                Part::Rest(name) => {
                    let rest: Vec<&str> = segments.by_ref().map(AsRef::as_ref).collect();
                    let rest = rest.join("/");
                    if rest.is_empty() || !is_in_grammar(name, &rest) {
                        return None;
                    }
                    params.push((name, rest));
                }
            }
        }
        segments.next().is_none().then_some(params)
    }
}

/// A path cut at its slashes, each segment decoded.
#[derive(Debug)]
pub struct Segments<'a>(Vec<Cow<'a, str>>);

impl<'a> Segments<'a> {
    /// Cuts a path. One slash at the end counts for nothing, so that both forms of every path are the same.
    ///
    /// `None` when the path has percent codes that are no UTF-8, or a NUL: no route has such a path.
    #[must_use]
    pub fn new(path: &'a str) -> Option<Self> {
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = path.strip_suffix('/').unwrap_or(path);
        let segments: Option<Vec<Cow<'a, str>>> = path.split('/').map(decode).collect();
        segments.map(Self)
    }
}

/// Decodes percent codes. `None` for what is not UTF-8 or holds NUL.
fn decode(segment: &str) -> Option<Cow<'_, str>> {
    if !segment.contains('%') {
        return Some(Cow::Borrowed(segment));
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = tail.get(..2).filter(|code| *first == b'%' && code.iter().all(u8::is_ascii_hexdigit));
        let byte = code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    let text = String::from_utf8(bytes).ok()?;
    (!text.contains('\0')).then_some(Cow::Owned(text))
}

/// Whether `text` may stand for the variable `name`. Source: `drycc-v2.md` §1.1.
fn is_in_grammar(name: &str, text: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let all = |also: &str| !text.is_empty() && text.chars().all(|c| is_word(c) || also.contains(c));
    match name {
        "app" => !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
        // Process types, names of services and processes, and domains.
        "type" | "service" | "instance" | "route" => all("-."),
        "cert" => all("-.*"),
        "domain" => {
            let rest = text.trim_start_matches('*');
            // Beyond ASCII it may be written in any form that adding a domain takes, combining marks included.
            !rest.is_empty() && rest.chars().all(|c| is_word(c) || "-.".contains(c) || !c.is_ascii())
        }
        "user" => all(".@+-"),
        "version" => {
            text.strip_prefix('v').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
        }
        // Whether a slug names a team, and whether an identity is one, is told to callers who are known.
        "key" | "fingerprint" | "teamSlug" => !text.is_empty(),
        name if name.ends_with("Id") => !text.is_empty(),
        _ => all("-"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &'static str, path: &str, expect: Option<&[&str]>) {
        let got = Segments::new(path).and_then(|segments| Pattern::new(pattern).find(&segments));
        let got: Option<Vec<&str>> =
            got.as_ref().map(|params| params.iter().map(|(_, value)| value.as_str()).collect());
        assert_eq!(got.as_deref(), expect, "{pattern} {path}");
    }

    #[test]
    fn slash_and_no_slash_are_the_same() {
        check("/v2", "/v2", Some(&[]));
        check("/v2", "/v2/", Some(&[]));
        check("/v2", "/v2//", None);
        check("/v2/apps/{app}", "/v2/apps/foo/", Some(&["foo"]));
        check("/v2/apps/{app}", "/v2/apps/foo", Some(&["foo"]));
        check("/v2/apps/{app}", "/v2/apps/", None);
        check("/v2/apps/{app}", "/v2//apps/foo", None);
    }

    #[test]
    fn segments_outside_their_grammar_do_not_match() {
        for bad in ["Foo", "f_o", "f.o", "%C3%A4", "..", "f%2Fo", "f%00o", "f%FFo", "f o"] {
            check("/v2/apps/{app}", &format!("/v2/apps/{bad}"), None);
        }
        check("/r/{version}", "/r/v12", Some(&["v12"]));
        for bad in ["v", "12", "vx", "v1x", "V1"] {
            check("/r/{version}", &format!("/r/{bad}"), None);
        }
        check("/p/{type}", "/p/we.b-1", Some(&["we.b-1"]));
        check("/p/{ptype}/{pod}", "/p/we.b/x", None);
        check("/c/{cert}", "/c/a-b.c_*", Some(&["a-b.c_*"]));
        check("/c/{cert}", "/c/a%20b", None);
        check("/d/{domain}", "/d/*.example.com", Some(&["*.example.com"]));
        check("/d/{domain}", "/d/b%C3%BCcher.example", Some(&["bücher.example"]));
        for bad in ["*", "a*b", "a%2Fb", "a%20b", "%0A"] {
            check("/d/{domain}", &format!("/d/{bad}"), None);
        }
        check("/u/{user}", "/u/b.o@b+c", Some(&["b.o@b+c"]));
        check("/u/{user}", "/u/b%40c", Some(&["b@c"]));
        check("/u/{user}", "/u/b%2Fc", None);
    }

    #[test]
    fn the_rest_keeps_its_slashes() {
        check("/keys/{key*}", "/keys/a/b%20c/", Some(&["a/b c"]));
        check("/keys/{key*}", "/keys/a%2Fb", Some(&["a/b"]));
        check("/keys/{key*}", "/keys/", None);
        check("/keys/{key*}", "/keys/100%", Some(&["100%"]));
        check("/keys/{key*}", "/keys/a%zz%+1", Some(&["a%zz%+1"]));
    }
}
