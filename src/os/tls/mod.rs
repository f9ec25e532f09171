//! TLS, with rustls: what the `tls-*` directives make of certificates, keys and lists of ciphers.
//!
//! [`Contexts`] is all that new connections need, built as a whole or not at all; connections keep the
//! one they began with. [`channel`] is one connection's state, [`wire`] a socket with or without it.
//! Why it is so: `docs/design/tls.md`.

pub mod channel;
mod ciphers;
mod identity;
mod keeper;
mod pem;
mod sessions;
mod verify;
mod watch;
pub mod wire;

pub use identity::Identity;
pub use keeper::Keeper;
use watch::Watch;

use crate::command::host::CertificateFacts;
use crate::config::{Config, TlsAuthClients};
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use sessions::Sessions;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// The context of new connections, shared by the host, which changes it, and those who connect.
pub type Shared = Rc<RefCell<Option<Contexts>>>;

/// What new connections are made with.
#[derive(Clone, Debug)]
pub struct Contexts {
    /// For clients.
    pub server: Arc<ServerConfig>,
    /// For connections that this server opens.
    pub client: Arc<ClientConfig>,
    /// The certificates, to be told of their expiry.
    pub facts: CertificateFacts,
}

/// Whether the configuration has anything to do with TLS.
#[must_use]
pub const fn is_wanted(config: &Config) -> bool {
    config.tls_port != 0 || config.tls_replication || config.tls_cluster
}

/// Reads the files and makes the contexts.
///
/// # Errors
/// A sentence for the log: which directive is wrong, and why.
pub fn build(config: &Config) -> Result<Contexts, String> {
    refuse_what_is_missing(config)?;
    let versions = ciphers::versions(&config.tls_protocols)?;
    let provider = Arc::new(ciphers::provider(config, &versions)?);
    let own = load_pair(&provider, &pem::SERVER, config)?;
    let outgoing = if config.tls_client_cert_file.is_empty() {
        Arc::clone(&own)
    } else {
        load_pair(&provider, &pem::CLIENT, config)?
    };
    let authorities = pem::authorities(config)?;
    let facts = CertificateFacts {
        server: own.cert.first().and_then(|cert| identity::facts(cert)),
        client: (!config.tls_client_cert_file.is_empty())
            .then(|| outgoing.cert.first().and_then(|cert| identity::facts(cert)))
            .flatten(),
        authority: authorities
            .iter()
            .filter_map(|cert| identity::facts(cert))
            .min_by_key(|facts| facts.expires_at_s),
    };
    let roots = Arc::new(pem::trust(authorities)?);
    let server = server_config(config, &provider, &versions, own, &roots)?;
    let client = client_config(&provider, &versions, outgoing, roots)?;
    Ok(Contexts { server, client, facts })
}

/// Says what cannot be done without, in one line each.
fn refuse_what_is_missing(config: &Config) -> Result<(), String> {
    if !config.tls_dh_params_file.is_empty() {
        return Err(
            "tls-dh-params-file cannot be used: keys are exchanged over elliptic curves only; \
                    remove it"
                .to_owned(),
        );
    }
    if config.tls_cert_file.is_empty() {
        return Err("No tls-cert-file configured!".to_owned());
    }
    if config.tls_key_file.is_empty() {
        return Err("No tls-key-file configured!".to_owned());
    }
    let needs_authority = config.tls_auth_clients != TlsAuthClients::No
        || config.tls_replication
        || config.tls_cluster;
    if needs_authority && config.tls_ca_cert_file.is_empty() && config.tls_ca_cert_dir.is_empty() {
        return Err(
            "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, \
                    tls-replication or tls-auth-clients are enabled!"
                .to_owned(),
        );
    }
    if !config.tls_client_cert_file.is_empty() && config.tls_client_key_file.is_empty() {
        return Err("tls-client-cert-file needs tls-client-key-file".to_owned());
    }
    Ok(())
}

/// A certificate with those between it and its authority, and the key, which must be its own.
fn load_pair(
    provider: &CryptoProvider,
    pair: &pem::Pair,
    config: &Config,
) -> Result<Arc<CertifiedKey>, String> {
    let certificates = pair.certificates(config)?;
    let key = provider
        .key_provider
        .load_private_key(pair.key(config)?)
        .map_err(|error| pair.refuse_key(config, &error))?;
    let certified = CertifiedKey::new(certificates, key);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
            Ok(Arc::new(certified))
        }
        Err(error) => Err(pair.refuse_pair(config, &error)),
    }
}

type Versions = Vec<&'static SupportedProtocolVersion>;

fn server_config(
    config: &Config,
    provider: &Arc<CryptoProvider>,
    versions: &Versions,
    own: Arc<CertifiedKey>,
    roots: &Arc<RootCertStore>,
) -> Result<Arc<ServerConfig>, String> {
    let begun = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(versions)
        .map_err(|error| ciphers::refuse(&error))?;
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider));
    let asked = match config.tls_auth_clients {
        TlsAuthClients::No => begun.with_no_client_auth(),
        TlsAuthClients::Yes => {
            begun.with_client_cert_verifier(verifier.build().map_err(|error| error.to_string())?)
        }
        TlsAuthClients::Optional => {
            let built = verifier.allow_unauthenticated().build();
            begun.with_client_cert_verifier(built.map_err(|error| error.to_string())?)
        }
    };
    let mut server = asked.with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    server.ignore_client_order = config.tls_prefer_server_ciphers;
    // One is enough to come back once with, and each costs a client that never comes back.
    server.send_tls13_tickets = usize::from(config.tls_session_caching);
    server.session_storage = if config.tls_session_caching {
        let len_max = usize::try_from(config.tls_session_cache_size).unwrap_or(usize::MAX);
        let timeout = Duration::from_secs(u64::from(config.tls_session_cache_timeout));
        Arc::new(Sessions::new(len_max, timeout))
    } else {
        Arc::new(NoServerSessionStorage {})
    };
    Ok(Arc::new(server))
}

fn client_config(
    provider: &Arc<CryptoProvider>,
    versions: &Versions,
    own: Arc<CertifiedKey>,
    roots: Arc<RootCertStore>,
) -> Result<Arc<ClientConfig>, String> {
    let begun = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(versions)
        .map_err(|error| ciphers::refuse(&error))?;
    let client = if roots.is_empty() {
        // Nobody is trusted: such a connection is only ever asked for with an authority configured.
        begun.with_root_certificates(roots)
    } else {
        let inner =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(provider))
                .build()
                .map_err(|error| error.to_string())?;
        begun.dangerous().with_custom_certificate_verifier(Arc::new(verify::AnyName::new(
            inner, roots, provider,
        )))
    };
    Ok(Arc::new(client.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own)))))
}
