//! TLS as registries' client: which certificates are trusted, and what is wrong
//! with one that is not, in words.
//!
//! A server's certificate is checked as webpki does, with one thing more, as Go,
//! curl and Python do it: the very certificate that a server shows may be among
//! the trusted ones. So a self-signed one, as `openssl req -x509` makes it,
//! needs no authority; its name and dates count all the same. Nothing here can
//! be told to look away.

mod fault;

use std::collections::BTreeSet;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
};

pub use fault::TlsFault;

use crate::login::Secret;

/// Certificates that are trusted.
#[derive(Clone, Debug)]
pub(super) struct Roots {
    anchors: RootCertStore,
    /// The same as they are written, to know one of them again.
    whole: BTreeSet<Vec<u8>>,
}

impl Roots {
    /// Trusts these; what is not a certificate is left out.
    pub(super) fn new(certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        let mut roots = Self {
            anchors: RootCertStore::empty(),
            whole: BTreeSet::new(),
        };
        roots.extend(certificates);
        roots
    }

    /// The system's: what `SSL_CERT_FILE` and `SSL_CERT_DIR` name, else the
    /// bundle, else the folder. Systems with both keep the same in them, and
    /// three hundred files take longer to read than a registry takes to answer.
    pub(super) fn of_the_system() -> Self {
        let is_set = |name| std::env::var_os(name).is_some();
        let loaded = if is_set("SSL_CERT_FILE") || is_set("SSL_CERT_DIR") {
            rustls_native_certs::load_native_certs()
        } else {
            let probed = openssl_probe::probe();
            match &probed.cert_file {
                Some(file) => rustls_native_certs::load_certs_from_paths(Some(file), None),
                None => rustls_native_certs::load_native_certs(),
            }
        };
        Self::new(loaded.certs)
    }

    /// These and those of `pem`; `None` where that holds none.
    pub(super) fn with_pem(&self, pem: &str) -> Option<Self> {
        let certificates = CertificateDer::pem_slice_iter(pem.as_bytes());
        let certificates: Vec<_> = certificates.collect::<Result<_, _>>().ok()?;
        let mut roots = self.clone();
        (roots.extend(certificates) > 0).then_some(roots)
    }

    /// Adds certificates, and says how many were some.
    fn extend(&mut self, certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> usize {
        let mut count = 0;
        for certificate in certificates {
            let whole = certificate.to_vec();
            let (added, _) = self.anchors.add_parsable_certificates([certificate]);
            if added > 0 {
                self.whole.insert(whole);
            }
            count += added;
        }
        count
    }
}

/// Settings that make no client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadIdentity {
    /// No certificate, or no key.
    #[error("`tls.crt` and `tls.key` are not a certificate and its key in PEM")]
    NoPem,
    /// They do not belong together.
    #[error("`tls.key` is not the key of `tls.crt`")]
    OtherKey,
}

/// The settings of a client that trusts `roots` and shows `identity` (a
/// certificate and its key in PEM) where it is asked to. What one that cannot
/// be used holds is not repeated.
pub(super) fn config(roots: Roots, identity: Option<&Secret>) -> Result<ClientConfig, BadIdentity> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Verifier {
        roots,
        algorithms: provider.signature_verification_algorithms,
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        // The provider's suites cover both versions.
        .map_err(|_| BadIdentity::NoPem)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let pem = identity.reveal().as_bytes();
            let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
            let chain = chain.ok().filter(|chain| !chain.is_empty());
            let chain = chain.ok_or(BadIdentity::NoPem)?;
            let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| BadIdentity::NoPem)?;
            let with_identity = builder.with_client_auth_cert(chain, key);
            with_identity.map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => BadIdentity::OtherKey,
                _ => BadIdentity::NoPem,
            })?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Checks what a server shows.
#[derive(Debug)]
struct Verifier {
    roots: Roots,
    algorithms: WebPkiSupportedAlgorithms,
}

/// There is nothing to check certificates with.
#[derive(Debug, thiserror::Error)]
#[error("no certificate is trusted")]
struct NoRoots;

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.roots.whole.is_empty() {
            return Err(CertificateError::Other(OtherError(Arc::new(NoRoots))).into());
        }
        let certificate = ParsedCertificate::try_from(shown)?;
        let check = |anchors: &RootCertStore, between: &[CertificateDer<'_>]| {
            let all = self.algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&certificate, anchors, between, now, all)
        };
        if self.roots.whole.contains(shown.as_ref()) {
            // Nobody has to vouch for it. What is left is what it says of itself,
            // which webpki looks at before it looks for an issuer.
            match check(&RootCertStore::empty(), &[]) {
                Err(error) if !is_of_the_issuer(&error) => return Err(error),
                _ => {}
            }
        } else {
            check(&self.roots.anchors, intermediates)?;
        }
        verify_server_name(&certificate, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Whether all that is wrong with a certificate is who signed it. That an
/// authority's certificate is a server's own is found after its dates.
fn is_of_the_issuer(error: &rustls::Error) -> bool {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => true,
        rustls::Error::InvalidCertificate(CertificateError::Other(other)) => {
            webpki_error(other) == Some(&webpki::Error::CaUsedAsEndEntity)
        }
        _ => false,
    }
}

fn webpki_error(other: &OtherError) -> Option<&webpki::Error> {
    other.0.downcast_ref()
}
