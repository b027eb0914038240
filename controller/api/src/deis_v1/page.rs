//! Paging by `page` and `page_size`. Source: `deis-v1.md` §1.

use slipway_service::{Page, PageQuery};
use slipway_wire::deis_v1 as wire;

use crate::call::{Call, Failure};
use crate::page::{LIMIT_DEFAULT, LIMIT_MAX};

/// The page that a request asks for.
///
/// # Errors
/// `NoSuchPage` when `page` is no number from 1.
pub fn query(call: &Call) -> Result<PageQuery, Failure> {
    let size = call.query("page_size").and_then(|text| text.trim().parse::<u32>().ok()).filter(|size| *size > 0);
    let limit = size.map_or(LIMIT_DEFAULT, |size| size.min(LIMIT_MAX));
    let number = match call.query("page") {
        None => 1,
        Some(text) => text.trim().parse::<u32>().ok().filter(|number| *number > 0).ok_or(Failure::NoSuchPage)?,
    };
    // Databases count rows in signed numbers.
    let offset = (number - 1).checked_mul(limit).filter(|offset| *offset <= i32::MAX.unsigned_abs());
    Ok(PageQuery { limit, offset: offset.ok_or(Failure::NoSuchPage)? })
}

/// A page of a list that the store cut.
///
/// # Errors
/// `NoSuchPage` beyond the end; the first page of an empty list is there.
pub fn page<T, W>(
    call: &Call,
    query: PageQuery,
    found: &Page<T>,
    item: impl Fn(&T) -> W,
) -> Result<wire::Page<W>, Failure> {
    let Page { count, items } = found;
    let (limit, offset) = (u64::from(query.limit), u64::from(query.offset));
    if offset > 0 && offset >= *count {
        return Err(Failure::NoSuchPage);
    }
    let number = offset / limit + 1;
    Ok(wire::Page {
        count: *count,
        next: (offset + limit < *count).then(|| link(call, number + 1)),
        previous: (number > 1).then(|| link(call, number - 1)),
        results: items.iter().map(item).collect(),
    })
}

/// A page of a short list that is there whole.
///
/// # Errors
/// As [`page`], and as [`query`].
pub fn cut<T, W>(call: &Call, items: Vec<T>, item: impl Fn(&T) -> W) -> Result<wire::Page<W>, Failure> {
    let query = query(call)?;
    let count = items.len() as u64;
    let items = items.into_iter().skip(query.offset as usize).take(query.limit as usize).collect();
    page(call, query, &Page { count, items }, item)
}

fn link(call: &Call, number: u64) -> String {
    let kept = call.query.iter().filter(|(name, _)| name != "page").cloned();
    let mut pairs: Vec<(String, String)> = kept.collect();
    pairs.push(("page".to_owned(), number.to_string()));
    pairs.sort_by(|left, right| left.0.cmp(&right.0));
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("{}?{query}", call.url)
}
