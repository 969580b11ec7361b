//! Amazon: credentials by `aws-config`'s whole chain, one signed request for the
//! password of ECR.

use std::sync::Arc;
use std::time::SystemTime;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_credential_types::provider::error::CredentialsError;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::Headers;
use aws_smithy_types::body::SdkBody;
use base64::Engine as _;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, Request};
use serde::Deserialize;
use url::Url;

use super::wire::{Wire, WireError};
use super::{CloudError, Provider::Aws};
use crate::login::secret::{Credential, Secret};

const PRIVATE: Api = Api {
    service: "ecr",
    target: "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken",
    endpoint: "AWS_ENDPOINT_URL_ECR",
};
const PUBLIC: Api = Api {
    service: "ecr-public",
    target: "SpencerFrontendService.GetAuthorizationToken",
    endpoint: "AWS_ENDPOINT_URL_ECR_PUBLIC",
};
/// The one region that gives passwords for `public.ecr.aws`.
const PUBLIC_REGION: &str = "us-east-1";
const PUBLIC_URL: &str = "https://api.ecr-public.us-east-1.amazonaws.com/";

struct Api {
    service: &'static str,
    target: &'static str,
    /// The environment's word on where it is.
    endpoint: &'static str,
}

/// The login for the private registries of a region.
pub(super) async fn ecr(region: &str, api: &str) -> Result<Credential, CloudError> {
    password(&PRIVATE, region, api).await
}

/// The login for `public.ecr.aws`.
pub(super) async fn ecr_public() -> Result<Credential, CloudError> {
    password(&PUBLIC, PUBLIC_REGION, PUBLIC_URL).await
}

async fn password(api: &Api, region: &str, url: &str) -> Result<Credential, CloudError> {
    let wire = Arc::new(Wire::default());
    let credentials = credentials(&wire, region).await?;
    let endpoint = [api.endpoint, "AWS_ENDPOINT_URL"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|url| !url.is_empty()));
    let url = Url::parse(endpoint.as_deref().unwrap_or(url))
        .map_err(|_| Aws.failed(format!("`{}` is not a URL", api.endpoint)))?;
    let request = signed(api, region, url, credentials, SystemTime::now())?;
    let reply = wire.send(request).await;
    let reply = reply.map_err(|error| Aws.failed(error))?;
    if reply.status != 200 {
        return Err(Aws.failed(format!(
            "{} answered {}{}",
            api.service,
            reply.status,
            kind_of(&reply.body)
        )));
    }
    read(&reply.body)
        .ok_or_else(|| Aws.failed(format!("{} answered without a password", api.service)))
}

async fn credentials(wire: &Arc<Wire>, region: &str) -> Result<Credentials, CloudError> {
    let connector = SharedHttpConnector::new(Connector(Arc::clone(wire)));
    let config = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .region(Region::new(region.to_owned()))
        .load()
        .await;
    let not_found = CloudError::NotFound {
        provider: Aws,
        what: "neither in the environment, profiles, web identity nor the metadata of a container or machine",
    };
    let Some(provider) = config.credentials_provider() else {
        return Err(not_found);
    };
    // The errors' own texts may hold what a program printed.
    provider
        .provide_credentials()
        .await
        .map_err(|error| match error {
            CredentialsError::CredentialsNotLoaded(_) => not_found,
            CredentialsError::ProviderTimedOut(_) => {
                Aws.failed("the provider of credentials did not answer in time")
            }
            CredentialsError::InvalidConfiguration(_) => {
                Aws.failed("its configuration is not valid")
            }
            _ => Aws.failed("the provider of credentials failed"),
        })
}

/// The request for a password, signed (AWS Signature Version 4).
fn signed(
    api: &Api,
    region: &str,
    url: Url,
    credentials: Credentials,
    now: SystemTime,
) -> Result<Request, CloudError> {
    const BODY: &[u8] = b"{}";
    let no_signature = |_| Aws.failed("the request cannot be signed");
    let headers = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", api.target),
    ];
    let identity = credentials.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(api.service)
        .time(now)
        .settings(SigningSettings::default())
        .build()
        .map_err(|_| Aws.failed("the request cannot be signed"))?
        .into();
    let signable = SignableRequest::new(
        "POST",
        url.as_str(),
        headers.iter().copied(),
        SignableBody::Bytes(BODY),
    )
    .map_err(no_signature)?;
    let (instructions, _) = sign(signable, &params).map_err(no_signature)?.into_parts();
    let mut request = Request::new(Method::POST, url.clone());
    for (name, value) in headers.into_iter().chain(instructions.headers()) {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            request.headers_mut().insert(name, value);
        }
    }
    *request.body_mut() = Some(BODY.into());
    Ok(request)
}

/// The kind of an error in AWS's JSON, if it is spelled like one.
fn kind_of(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Body {
        #[serde(rename = "__type")]
        kind: String,
    }
    let kind = serde_json::from_slice::<Body>(body).map(|body| body.kind);
    let kind = kind.unwrap_or_default();
    let kind = kind.rsplit('#').next().unwrap_or_default();
    let is_name = kind.ends_with("Exception") && kind.bytes().all(|b| b.is_ascii_alphabetic());
    if is_name && kind.len() < 60 {
        format!(" ({kind})")
    } else {
        String::new()
    }
}

/// `authorizationToken`: base64 of `AWS:password`. ECR answers with a list, ECR
/// Public with one. `expiresAt` is hours away, and a run is not.
fn read(body: &[u8]) -> Option<Credential> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        authorization_data: OneOrMany,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(Data),
        Many(Vec<Data>),
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Data {
        authorization_token: Secret,
    }
    let body: Body = serde_json::from_slice(body).ok()?;
    let data = match body.authorization_data {
        OneOrMany::One(data) => data,
        OneOrMany::Many(list) => list.into_iter().next()?,
    };
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(data.authorization_token.reveal())
        .ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (username, password) = text.split_once(':')?;
    Some(Credential::Basic {
        username: username.to_owned(),
        password: Secret::new(password),
    })
}

/// `aws-config`'s requests over ours.
#[derive(Debug)]
struct Connector(Arc<Wire>);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wire = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move {
            let request = own(request)?;
            let reply = wire.send(request).await.map_err(|error| match error {
                WireError::Client => ConnectorError::user(error.into()),
                error => ConnectorError::io(error.into()),
            })?;
            let status = reply.status.try_into();
            let status = status.map_err(|_| ConnectorError::io(WireError::Client.into()))?;
            let mut response = HttpResponse::new(status, SdkBody::from(reply.body));
            let headers = Headers::try_from(reply.headers);
            *response.headers_mut() = headers.map_err(|error| ConnectorError::io(error.into()))?;
            Ok(response)
        })
    }
}

fn own(request: HttpRequest) -> Result<Request, ConnectorError> {
    let request = request.try_into_http1x();
    let request = request.map_err(|error| ConnectorError::user(error.into()))?;
    // The chain's requests are short texts, never streams.
    let body = request.body().bytes().map(<[u8]>::to_vec);
    let body = body.ok_or_else(|| ConnectorError::user("a stream".into()))?;
    Request::try_from(request.map(|_| body)).map_err(|error| ConnectorError::user(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    /// The signatures that botocore's `SigV4Auth` gives for the same requests
    /// (`tests/registry/sigv4.py` recorded them).
    #[test]
    fn signatures_are_botocores() {
        let rows = include_str!("../../../tests/sigv4.jsonl");
        let mut count = 0;
        for line in rows.lines() {
            let row: serde_json::Value = serde_json::from_str(line).expect("a row");
            let text = |key: &str| row[key].as_str().expect(key);
            let api = if text("service") == "ecr" {
                PRIVATE
            } else {
                PUBLIC
            };
            let token = row["token"].as_str().map(str::to_owned);
            let credentials = Credentials::new(text("key"), text("secret"), token, None, "test");
            let at = UNIX_EPOCH + Duration::from_secs(row["at"].as_u64().expect("seconds"));
            let url = Url::parse(text("url")).expect("a URL");
            let request = signed(&api, text("region"), url, credentials, at).expect("a request");
            let header = |name: &str| request.headers()[name].to_str().expect("text");
            // botocore orders the signed headers likewise.
            assert_eq!(header("authorization"), text("authorization"), "{line}");
            assert_eq!(header("x-amz-date"), text("date"), "{line}");
            count += 1;
        }
        assert!(count >= 4, "{count} rows");
    }

    #[test]
    fn answers() {
        // printf 'AWS:pw' | base64
        let expected = Some(Credential::Basic {
            username: "AWS".to_owned(),
            password: Secret::new("pw"),
        });
        let list = br#"{"authorizationData":[{"authorizationToken":"QVdTOnB3","expiresAt":1420074061.0}]}"#;
        let one = br#"{"authorizationData":{"authorizationToken":"QVdTOnB3"}}"#;
        assert_eq!(read(list), expected);
        assert_eq!(read(one), expected);
        for bad in [
            "{}",
            r#"{"authorizationData":[]}"#,
            r#"{"authorizationData":{"authorizationToken":"!"}}"#,
        ] {
            assert_eq!(read(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(
            kind_of(br#"{"__type":"com.amazonaws#AccessDeniedException"}"#),
            " (AccessDeniedException)"
        );
        assert_eq!(kind_of(br#"{"__type":"hunter2"}"#), "");
    }
}
