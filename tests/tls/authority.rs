//! Certificates, made on the spot.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

/// What a certificate is to say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish<'a> {
    /// The common name of its subject.
    pub(crate) name: &'a str,
    /// Alternative names that are URIs.
    pub(crate) uris: &'a [&'a str],
    /// For how many days from now it is valid; it has been for ten.
    pub(crate) days: i64,
}

impl<'a> Wish<'a> {
    pub(crate) fn named(name: &'a str) -> Self {
        Self { name, uris: &[], days: 365 }
    }
}

/// Somebody who vouches for certificates.
#[derive(Clone)]
pub(crate) struct Authority {
    issuer: Rc<CertifiedIssuer<'static, KeyPair>>,
}

/// A certificate and its key, in PEM.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

fn params(wish: Wish<'_>) -> CertificateParams {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
    for uri in wish.uris {
        params.subject_alt_names.push(SanType::URI((*uri).try_into().unwrap()));
    }
    params.distinguished_name.push(DnType::CommonName, wish.name);
    let now = SystemTime::now();
    let days = |count: i64| Duration::from_secs(count.unsigned_abs() * 86_400);
    params.not_before = (now - days(10)).into();
    params.not_after =
        if wish.days >= 0 { now + days(wish.days) } else { now - days(wish.days) }.into();
    params
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = params(Wish::named("an authority"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self { issuer: Rc::new(CertifiedIssuer::self_signed(params, key).unwrap()) }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    pub(crate) fn issue(&self, wish: Wish<'_>) -> Pair {
        let key = KeyPair::generate().unwrap();
        let certificate = params(wish).signed_by(&key, &self.issuer).unwrap();
        Pair { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

impl Pair {
    /// Writes `NAME.crt` and `NAME.key`.
    pub(crate) fn save(&self, dir: &Path, name: &str) {
        fs::write(dir.join(format!("{name}.crt")), &self.certificate).unwrap();
        fs::write(dir.join(format!("{name}.key")), &self.key).unwrap();
    }
}
