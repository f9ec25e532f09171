//! Certificates, keys and authorities, from files in PEM.

use crate::config::{Config, Text};
use crate::os::errno;
use pkcs8::der::Decode;
use pkcs8::der::pem::decode_vec;
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{CertificateError, Error, RootCertStore};
use std::fs;
use std::path::PathBuf;

/// The directives of one certificate.
pub(super) struct Pair {
    certificate: Directive,
    key: Directive,
    passphrase: fn(&Config) -> &Text,
}

struct Directive {
    name: &'static str,
    value: fn(&Config) -> &Text,
}

/// The server's own certificate.
pub(super) const SERVER: Pair = Pair {
    certificate: Directive { name: "tls-cert-file", value: |config| &config.tls_cert_file },
    key: Directive { name: "tls-key-file", value: |config| &config.tls_key_file },
    passphrase: |config| &config.tls_key_file_pass,
};

/// The certificate for connections that it opens.
pub(super) const CLIENT: Pair = Pair {
    certificate: Directive {
        name: "tls-client-cert-file",
        value: |config| &config.tls_client_cert_file,
    },
    key: Directive { name: "tls-client-key-file", value: |config| &config.tls_client_key_file },
    passphrase: |config| &config.tls_client_key_file_pass,
};

impl Directive {
    fn refuse(&self, config: &Config, reason: &str) -> String {
        format!("{} {}: {reason}", self.name, (self.value)(config))
    }

    fn read(&self, config: &Config) -> Result<Vec<u8>, String> {
        fs::read((self.value)(config).as_path())
            .map_err(|error| self.refuse(config, &errno::text(&error)))
    }
}

impl Pair {
    /// The certificate, and those between it and its authority.
    pub(super) fn certificates(
        &self,
        config: &Config,
    ) -> Result<Vec<CertificateDer<'static>>, String> {
        let text = self.certificate.read(config)?;
        certificates_of(&text).map_err(|reason| self.certificate.refuse(config, &reason))
    }

    /// The key, deciphered if need be.
    pub(super) fn key(&self, config: &Config) -> Result<PrivateKeyDer<'static>, String> {
        let text = self.key.read(config)?;
        let passphrase = (self.passphrase)(config);
        key_of(&text, passphrase.as_bytes()).map_err(|reason| self.key.refuse(config, &reason))
    }

    /// What is wrong with the kind of key.
    pub(super) fn refuse_key(&self, config: &Config, error: &Error) -> String {
        self.key.refuse(config, &format!("this key cannot be used: {error}"))
    }

    /// What is wrong with certificate and key together.
    pub(super) fn refuse_pair(&self, config: &Config, error: &Error) -> String {
        match error {
            Error::InconsistentKeys(_) => {
                self.key.refuse(config, &format!("is not the key of {}", self.certificate.name))
            }
            error => self.certificate.refuse(config, &describe(error)),
        }
    }
}

/// In words what rustls finds wrong with a certificate.
fn describe(error: &Error) -> String {
    let Error::InvalidCertificate(CertificateError::Other(inner)) = error else {
        return error.to_string();
    };
    let text = inner.to_string();
    if text.contains("UnsupportedCertVersion") {
        return "is of X.509 version 1, which is too old to be checked; make one of version 3"
            .to_owned();
    }
    text
}

fn certificates_of(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    match read {
        Ok(certificates) if certificates.is_empty() => Err("holds no certificate".to_owned()),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(error.to_string()),
    }
}

fn key_of(text: &[u8], passphrase: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    let has = |needle: &[u8]| memchr::memmem::find(text, needle).is_some();
    if has(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") {
        return decipher(text, passphrase);
    }
    if has(b"Proc-Type: 4,ENCRYPTED") {
        return Err(
            "is encrypted in OpenSSL's old way; convert it with openssl pkcs8 -topk8".to_owned()
        );
    }
    PrivateKeyDer::from_pem_slice(text).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => "holds no private key".to_owned(),
        error => error.to_string(),
    })
}

fn decipher(text: &[u8], passphrase: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    let start = memchr::memmem::find(text, b"-----BEGIN ENCRYPTED PRIVATE KEY-----").unwrap_or(0);
    let (_, der) = decode_vec(&text[start..]).map_err(|error| error.to_string())?;
    let sealed =
        EncryptedPrivateKeyInfoRef::try_from(&der[..]).map_err(|error| error.to_string())?;
    if passphrase.is_empty() {
        return Err("is encrypted, and no passphrase is configured".to_owned());
    }
    let wrong = "cannot be deciphered with its passphrase";
    let opened = sealed.decrypt(passphrase).map_err(|_| wrong.to_owned())?;
    let bytes = opened.as_bytes();
    PrivateKeyInfoRef::from_der(bytes).map_err(|_| wrong.to_owned())?;
    Ok(PrivatePkcs8KeyDer::from(bytes.to_vec()).into())
}

/// The certificates of all authorities.
pub(super) fn authorities(config: &Config) -> Result<Vec<CertificateDer<'static>>, String> {
    let file = Directive { name: "tls-ca-cert-file", value: |config| &config.tls_ca_cert_file };
    let mut authorities = Vec::new();
    if !config.tls_ca_cert_file.is_empty() {
        let text = file.read(config)?;
        let found = certificates_of(&text).map_err(|reason| file.refuse(config, &reason))?;
        authorities.extend(found);
    }
    if !config.tls_ca_cert_dir.is_empty() {
        let dir = Directive { name: "tls-ca-cert-dir", value: |config| &config.tls_ca_cert_dir };
        let refuse = |error: std::io::Error| dir.refuse(config, &errno::text(&error));
        for entry in fs::read_dir(config.tls_ca_cert_dir.as_path()).map_err(refuse)? {
            // Whatever else lies there is none of ours.
            let Ok(text) = fs::read(entry.map_err(refuse)?.path()) else { continue };
            authorities.extend(certificates_of(&text).unwrap_or_default());
        }
        if authorities.is_empty() {
            return Err(dir.refuse(config, "holds no certificate"));
        }
    }
    // A directory of links has each more than once.
    authorities.sort_by(|one, other| one.as_ref().cmp(other.as_ref()));
    authorities.dedup();
    Ok(authorities)
}

/// The authorities, to be trusted.
pub(super) fn trust(authorities: Vec<CertificateDer<'static>>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority).map_err(|error| {
            format!("tls-ca-cert-file or tls-ca-cert-dir: {}", describe(&error))
        })?;
    }
    Ok(roots)
}

/// The files that count, those that are named.
pub(super) fn files(config: &Config) -> Vec<PathBuf> {
    let named = [
        &config.tls_cert_file,
        &config.tls_key_file,
        &config.tls_client_cert_file,
        &config.tls_client_key_file,
        &config.tls_ca_cert_file,
        &config.tls_ca_cert_dir,
    ];
    named
        .into_iter()
        .filter(|path| !path.is_empty())
        .map(|path| path.as_path().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_no_key_or_certificate_is_refused() {
        assert_eq!(certificates_of(b"hello"), Err("holds no certificate".to_owned()));
        let key = |text: &str| key_of(text.as_bytes(), b"pass").map(|_| ());
        assert_eq!(key("hello"), Err("holds no private key".to_owned()));
        let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n";
        assert!(key(old).expect_err("old").contains("topk8"));
        let broken =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert!(key(broken).is_err());
        assert!(key("-----BEGIN ENCRYPTED PRIVATE KEY-----").is_err());
    }
}
