//! Google: an access token by `google-cloud-auth`'s Application Default
//! Credentials.

use google_cloud_auth::credentials::Builder;

use super::{CloudError, Provider::Gcp};
use crate::login::secret::{Credential, Secret};

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// The user name that stands for an access token.
const USER: &str = "oauth2accesstoken";

/// The login for all of Google's registries.
pub(super) async fn login() -> Result<Credential, CloudError> {
    // Its client cannot be made without roots, and says so by a panic.
    if reqwest::Client::builder().build().is_err() {
        return Err(Gcp.failed("a TLS client cannot be made; are root certificates installed?"));
    }
    let credentials = Builder::default()
        .with_scopes([SCOPE])
        .build_access_token_credentials()
        .map_err(|error| match error {
            error if error.is_loading() => {
                Gcp.failed("the file of GOOGLE_APPLICATION_CREDENTIALS cannot be read")
            }
            error if error.is_parsing() => {
                Gcp.failed("the file of the Application Default Credentials is not valid")
            }
            _ => Gcp.failed("the Application Default Credentials are not valid"),
        })?;
    let token = credentials.access_token().await.map_err(|error| {
        // Where no file is named, what was tried last is the metadata server.
        let is_named = std::env::var_os("GOOGLE_APPLICATION_CREDENTIALS").is_some();
        if error.is_transient() || is_named {
            Gcp.failed("the token server returned no token")
        } else {
            CloudError::NotFound {
                provider: Gcp,
                what: "neither in the Application Default Credentials nor on a metadata server",
            }
        }
    })?;
    Ok(Credential::Basic {
        username: USER.to_owned(),
        password: Secret::new(token.token),
    })
}
