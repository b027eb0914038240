//! Paging by `limit` and `offset`, with links to the pages around. Source: `drycc-v2.md` §1.5.

use slipway_service::PageQuery;

use crate::call::Call;

/// Items of a page when the request does not say.
pub const LIMIT_DEFAULT: u32 = 100;
/// Most items of a page, so that one request cannot ask for everything there is.
pub const LIMIT_MAX: u32 = 10_000;

/// The page that a request asks for. Nonsense asks for the first hundred.
#[must_use]
pub fn query(call: &Call) -> PageQuery {
    let number = |name: &str| call.query(name).and_then(|text| text.trim().parse::<u32>().ok());
    PageQuery {
        limit: number("limit").filter(|limit| *limit > 0).map_or(LIMIT_DEFAULT, |limit| limit.min(LIMIT_MAX)),
        // Databases count rows in signed numbers.
        offset: number("offset").unwrap_or(0).min(i32::MAX.unsigned_abs()),
    }
}

/// URLs of the next page and of the one before.
#[must_use]
pub fn links(call: &Call, page: PageQuery, count: u64) -> (Option<String>, Option<String>) {
    let (limit, offset) = (u64::from(page.limit), u64::from(page.offset));
    let next = (offset + limit < count).then(|| link(call, limit, Some(offset + limit)));
    let previous = (offset > 0).then(|| link(call, limit, offset.checked_sub(limit).filter(|offset| *offset > 0)));
    (next, previous)
}

fn link(call: &Call, limit: u64, offset: Option<u64>) -> String {
    let mut pairs: Vec<(&str, String)> = call
        .query
        .iter()
        .filter(|(name, _)| name != "limit" && name != "offset")
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    pairs.push(("limit", limit.to_string()));
    pairs.extend(offset.map(|offset| ("offset", offset.to_string())));
    pairs.sort_by(|left, right| left.0.cmp(right.0));
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("{}?{query}", call.url)
}
