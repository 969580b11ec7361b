//! Azure: a token of Entra by `azure_identity`, exchanged at the registry for
//! one of its own.

use std::fmt;
use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use azure_core::http::headers::Headers;
use azure_core::http::{
    AsyncRawResponse, Body, ClientOptions, HttpClient, RetryOptions, StatusCode, Transport,
};
use azure_identity::{
    AzureCliCredential, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use reqwest::Request;
use reqwest::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use url::Url;

use super::wire::Wire;
use super::{CloudError, Provider::Azure};
use crate::http;
use crate::login::secret::{Credential, Secret};

/// The login for one registry.
pub(super) async fn login(
    host: &str,
    resource: &str,
    authority: &str,
    may_run_programs: bool,
) -> Result<Credential, CloudError> {
    let wire = Arc::new(Wire::default());
    let token = entra(&wire, resource, authority, may_run_programs).await?;
    exchange(&wire, host, &token).await
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Client secret, workload identity, managed identity, `az`: the first that is
/// set up, in this order.
async fn entra(
    wire: &Arc<Wire>,
    resource: &str,
    authority: &str,
    may_run_programs: bool,
) -> Result<Secret, CloudError> {
    let scope = format!("{resource}/.default");
    let options = || options(wire, authority);
    let (tenant, client) = (variable("AZURE_TENANT_ID"), variable("AZURE_CLIENT_ID"));
    let misconfigured = |_| Azure.failed("its configuration is not valid");
    if let (Some(tenant), Some(client), Some(secret)) =
        (&tenant, &client, variable("AZURE_CLIENT_SECRET"))
    {
        let options = ClientSecretCredentialOptions {
            client_options: options(),
        };
        let login =
            ClientSecretCredential::new(tenant, client.clone(), secret.into(), Some(options));
        return token(login.map_err(misconfigured)?, &scope).await;
    }
    if variable("AZURE_FEDERATED_TOKEN_FILE").is_some() {
        let options = WorkloadIdentityCredentialOptions {
            credential_options: ClientAssertionCredentialOptions {
                client_options: options(),
            },
            ..WorkloadIdentityCredentialOptions::default()
        };
        let login = WorkloadIdentityCredential::new(Some(options));
        return token(login.map_err(misconfigured)?, &scope).await;
    }
    let options = ManagedIdentityCredentialOptions {
        user_assigned_id: client.map(UserAssignedId::ClientId),
        client_options: options(),
    };
    if let Ok(login) = ManagedIdentityCredential::new(Some(options))
        && let Ok(token) = token(login, &scope).await
    {
        return Ok(token);
    }
    if may_run_programs
        && let Ok(login) = AzureCliCredential::new(None)
        && let Ok(token) = token(login, &scope).await
    {
        return Ok(token);
    }
    Err(CloudError::NotFound {
        provider: Azure,
        what: "neither a client secret, workload identity, managed identity nor the Azure CLI",
    })
}

async fn token(
    login: Arc<impl TokenCredential + ?Sized>,
    scope: &str,
) -> Result<Secret, CloudError> {
    // The error's own text may hold what a program printed.
    let token = login.get_token(&[scope], None).await;
    let token = token.map_err(|_| Azure.failed("Entra returned no token"))?;
    Ok(Secret::new(token.token.secret().to_owned()))
}

fn options(wire: &Arc<Wire>, authority: &str) -> ClientOptions {
    let mut options = ClientOptions {
        transport: Some(Transport::new(Arc::new(Client(Arc::clone(wire))))),
        // Asking again is decided by who asks for the login.
        retry: RetryOptions::none(),
        ..ClientOptions::default()
    };
    if variable("AZURE_AUTHORITY_HOST").is_none() {
        options.cloud = cloud(authority);
    }
    options
}

fn cloud(authority: &str) -> Option<Arc<azure_core::cloud::CloudConfiguration>> {
    use azure_core::cloud::CloudConfiguration;
    match authority {
        "https://login.chinacloudapi.cn" => Some(Arc::new(CloudConfiguration::AzureChina)),
        "https://login.microsoftonline.us" => Some(Arc::new(CloudConfiguration::AzureGovernment)),
        _ => None,
    }
}

/// Entra's token for a refresh token of the registry (ACR, "Authenticate with
/// an Azure container registry").
async fn exchange(wire: &Wire, host: &str, token: &Secret) -> Result<Credential, CloudError> {
    #[derive(Deserialize)]
    struct Body {
        refresh_token: Secret,
    }
    let url = Url::parse(&format!("https://{host}/oauth2/exchange"));
    let url = url.map_err(|_| Azure.failed(format!("`{host}` is not the name of a host")))?;
    let fields = [
        ("grant_type", "access_token"),
        ("service", host),
        ("access_token", token.reveal()),
    ];
    let reply = wire.send(http::form(url, &fields)).await;
    let reply = reply.map_err(|error| Azure.failed(error))?;
    if reply.status != 200 {
        return Err(Azure.failed(format!(
            "{host} did not exchange the token, and answered {}",
            reply.status
        )));
    }
    let body: Body = serde_json::from_slice(&reply.body)
        .map_err(|_| Azure.failed(format!("{host} answered without a token")))?;
    Ok(Credential::IdentityToken(body.refresh_token))
}

/// `azure_identity`'s requests over ours.
struct Client(Arc<Wire>);

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn execute_request(
        &self,
        request: &azure_core::http::Request,
    ) -> azure_core::Result<AsyncRawResponse> {
        use azure_core::error::{Error, ErrorKind};
        let bad = |what: &'static str| Error::with_message(ErrorKind::Other, what);
        let method = request.method().as_str().parse();
        let mut own = Request::new(method.map_err(|_| bad("no method"))?, request.url().clone());
        for (name, value) in request.headers().iter() {
            let name =
                HeaderName::from_bytes(name.as_str().as_bytes()).map_err(|_| bad("no header"))?;
            let value = HeaderValue::from_str(value.as_str()).map_err(|_| bad("no header"))?;
            own.headers_mut().insert(name, value);
        }
        // A request for a token is a short text, never a stream.
        let Body::Bytes(body) = request.body() else {
            return Err(bad("a stream"));
        };
        *own.body_mut() = Some(body.clone().into());
        let reply = self.0.send(own).await;
        let reply = reply.map_err(|error| Error::new(ErrorKind::Io, error))?;
        let mut headers = Headers::new();
        for (name, value) in &reply.headers {
            if let Ok(value) = value.to_str() {
                headers.insert(name.as_str().to_owned(), value.to_owned());
            }
        }
        let status = StatusCode::from(reply.status);
        Ok(AsyncRawResponse::from_bytes(status, headers, reply.body))
    }
}
