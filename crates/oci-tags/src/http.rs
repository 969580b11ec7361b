//! What requests to registries and to clouds have in common.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, ClientBuilder, Method, Request, Response, redirect};
use url::Url;

/// A connection on which nothing comes for so long is given up.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// What each client is made from: it follows and repeats nothing by itself.
pub(crate) fn client() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("flux-image/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .read_timeout(READ_TIMEOUT)
}

/// The body of an answer, `None` where it is longer than `most` bytes.
pub(crate) async fn body(response: &mut Response, most: usize) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > most {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// A form, to be posted.
pub(crate) fn form(url: Url, fields: &[(&str, &str)]) -> Request {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(fields);
    let mut request = Request::new(Method::POST, url);
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().insert(CONTENT_TYPE, kind);
    *request.body_mut() = Some(body.finish().into());
    request
}
