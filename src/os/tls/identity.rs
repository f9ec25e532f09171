//! What is read in certificates: whose they are, and until when.
//!
//! A client's certificate comes here only after rustls has found it valid; still, whatever does not make
//! sense says nothing.

use crate::base::num;
use crate::command::host::CertificateFact;
use rustls::pki_types::CertificateDer;
use std::fmt::Write;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// Whose a certificate is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The common name of its subject.
    pub common_name: Option<String>,
    /// Its alternative names that are URIs, in order.
    pub uris: Vec<String>,
}

impl Identity {
    /// Whose this certificate is.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        let Ok(certificate) = Certificate::from_der(certificate) else { return Self::default() };
        let tbs = certificate.tbs_certificate();
        let name = tbs.subject().common_name().ok().flatten();
        let names = tbs.get_extension::<SubjectAltName>().ok().flatten();
        let uris = names.into_iter().flat_map(|(_, names)| names.0).filter_map(|name| match name {
            GeneralName::UniformResourceIdentifier(uri) => Some(uri.as_str().to_owned()),
            _ => None,
        });
        Self {
            // A zero byte has ended names for others before.
            common_name: name
                .map(|name| name.value().into_owned())
                .filter(|name| !name.is_empty() && !name.contains('\0')),
            uris: uris.collect(),
        }
    }
}

/// Until when a certificate is valid.
pub(super) fn facts(certificate: &CertificateDer<'_>) -> Option<CertificateFact> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let tbs = certificate.tbs_certificate();
    let mut serial = String::new();
    for byte in tbs.serial_number().as_bytes() {
        // Writing to a string cannot fail.
        let _ = write!(serial, "{byte:02X}");
    }
    let until = tbs.validity().not_after.to_unix_duration();
    Some(CertificateFact { serial, expires_at_s: num::i64_clamped(until.as_secs()) })
}
