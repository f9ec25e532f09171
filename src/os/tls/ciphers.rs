//! Versions and ciphers: what `tls-protocols`, `tls-ciphers` and `tls-ciphersuites` choose of what there
//! is. What OpenSSL has and is not here is refused by name.

use crate::config::{Config, Text};
use rustls::crypto::{CryptoProvider, ring};
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, SupportedCipherSuite, SupportedProtocolVersion};

/// A cipher of TLS 1.2.
#[derive(Clone, Copy)]
struct Old {
    suite: CipherSuite,
    /// OpenSSL's name.
    name: &'static str,
    /// The words of OpenSSL's lists that mean it, among others.
    words: &'static [&'static str],
    key_bits: u16,
}

const RSA: CipherSuite = CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384;

/// In the order of preference.
const OLD: [Old; 6] = [
    Old {
        suite: CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        name: "ECDHE-ECDSA-AES256-GCM-SHA384",
        words: &["ECDSA", "AECDSA", "AES", "AESGCM", "AES256"],
        key_bits: 256,
    },
    Old {
        suite: CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        name: "ECDHE-ECDSA-AES128-GCM-SHA256",
        words: &["ECDSA", "AECDSA", "AES", "AESGCM", "AES128"],
        key_bits: 128,
    },
    Old {
        suite: CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        name: "ECDHE-ECDSA-CHACHA20-POLY1305",
        words: &["ECDSA", "AECDSA", "CHACHA20"],
        key_bits: 256,
    },
    Old {
        suite: RSA,
        name: "ECDHE-RSA-AES256-GCM-SHA384",
        words: &["ARSA", "AES", "AESGCM", "AES256"],
        key_bits: 256,
    },
    Old {
        suite: CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        name: "ECDHE-RSA-AES128-GCM-SHA256",
        words: &["ARSA", "AES", "AESGCM", "AES128"],
        key_bits: 128,
    },
    Old {
        suite: CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        name: "ECDHE-RSA-CHACHA20-POLY1305",
        words: &["ARSA", "CHACHA20"],
        key_bits: 256,
    },
];

/// The words that mean all of them.
const ALL: [&str; 9] =
    ["ALL", "DEFAULT", "HIGH", "ECDHE", "KECDHE", "EECDH", "KEECDH", "TLSV1.2", "AEAD"];

impl Old {
    fn is_named(&self, word: &str) -> bool {
        let is = |name: &&str| name.eq_ignore_ascii_case(word);
        let standard = self.suite.as_str().unwrap_or_default();
        is(&self.name) || is(&standard) || self.words.iter().any(&is) || ALL.iter().any(is)
    }

    /// Whether all parts of `ECDHE+AESGCM` mean it.
    fn is_meant(&self, words: &str) -> bool {
        words.split('+').all(|word| self.is_named(word))
    }
}

/// The versions of `tls-protocols`; both by default.
pub(super) fn versions(protocols: &Text) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    let text = protocols.to_string();
    let mut versions: Vec<&'static SupportedProtocolVersion> = Vec::new();
    for word in text.split_ascii_whitespace() {
        let version = if word.eq_ignore_ascii_case("TLSv1.2") {
            &TLS12
        } else if word.eq_ignore_ascii_case("TLSv1.3") {
            &TLS13
        } else if ["TLSv1", "TLSv1.0", "TLSv1.1"].iter().any(|old| word.eq_ignore_ascii_case(old)) {
            return Err(format!(
                "tls-protocols: {word} is too old to be safe and is not spoken; use TLSv1.2 and TLSv1.3"
            ));
        } else {
            return Err(format!("tls-protocols: '{word}' is none of TLSv1.2 and TLSv1.3"));
        };
        if !versions.contains(&version) {
            versions.push(version);
        }
    }
    if versions.is_empty() { Ok(vec![&TLS13, &TLS12]) } else { Ok(versions) }
}

/// The cryptography, with the chosen ciphers in their order.
pub(super) fn provider(
    config: &Config,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<CryptoProvider, String> {
    let mut provider = ring::default_provider();
    let all = std::mem::take(&mut provider.cipher_suites);
    let new = new_suites(&config.tls_ciphersuites.to_string(), &all)?;
    let old = old_suites(&config.tls_ciphers.to_string(), &all)?;
    for (version, suites, directive) in
        [(&TLS13, &new, "tls-ciphersuites"), (&TLS12, &old, "tls-ciphers")]
    {
        if versions.contains(&version) && suites.is_empty() {
            return Err(format!("{directive} leaves no cipher for {:?}", version.version));
        }
    }
    provider.cipher_suites = [new, old].concat();
    Ok(provider)
}

/// The suites of TLS 1.3, by their names.
fn new_suites(
    list: &str,
    all: &[SupportedCipherSuite],
) -> Result<Vec<SupportedCipherSuite>, String> {
    let named = |suite: &SupportedCipherSuite| {
        suite
            .tls13()
            .and_then(|_| suite.suite().as_str())
            .map(|name| name.replace("TLS13_", "TLS_"))
    };
    if list.is_empty() {
        return Ok(all.iter().filter(|suite| suite.tls13().is_some()).copied().collect());
    }
    let mut chosen: Vec<SupportedCipherSuite> = Vec::new();
    for word in list.split([':', ' ', ',']).filter(|word| !word.is_empty()) {
        let is = |suite: &&SupportedCipherSuite| {
            named(suite).is_some_and(|name| name.eq_ignore_ascii_case(word))
        };
        let Some(suite) = all.iter().find(is) else {
            let known: Vec<String> = all.iter().filter_map(named).collect();
            return Err(format!("tls-ciphersuites: '{word}' is none of {}", known.join(", ")));
        };
        if !chosen.contains(suite) {
            chosen.push(*suite);
        }
    }
    Ok(chosen)
}

/// The suites of TLS 1.2, by a list as OpenSSL takes it.
fn old_suites(
    list: &str,
    all: &[SupportedCipherSuite],
) -> Result<Vec<SupportedCipherSuite>, String> {
    let mut chosen: Vec<Old> = Vec::new();
    let mut banned: Vec<CipherSuite> = Vec::new();
    let list = if list.is_empty() { "DEFAULT" } else { list };
    for word in list.split([':', ' ', ',']).filter(|word| !word.is_empty()) {
        if let Some(words) = word.strip_prefix('!') {
            chosen.retain(|old| !old.is_meant(words));
            banned.extend(OLD.iter().filter(|old| old.is_meant(words)).map(|old| old.suite));
        } else if let Some(words) = word.strip_prefix('-') {
            chosen.retain(|old| !old.is_meant(words));
        } else if let Some(words) = word.strip_prefix('+') {
            let (last, first) = chosen.iter().partition::<Vec<Old>, _>(|old| old.is_meant(words));
            chosen = [first, last].concat();
        } else if word.eq_ignore_ascii_case("@STRENGTH") {
            chosen.sort_by_key(|old| std::cmp::Reverse(old.key_bits));
        } else if let Some(level) = word.strip_prefix("@SECLEVEL=") {
            // What is here is as strong as level 2 asks for; beyond it certificates are judged as well.
            if !matches!(level, "0" | "1" | "2") {
                return Err(format!("tls-ciphers: '{word}' is beyond what can be promised"));
            }
        } else {
            let meant: Vec<Old> = OLD.into_iter().filter(|old| old.is_meant(word)).collect();
            if meant.is_empty() {
                return Err(format!(
                    "tls-ciphers: '{word}' is not available; of TLS 1.2 there are {}",
                    OLD.map(|old| old.name).join(", ")
                ));
            }
            let new = |old: &Old| {
                !banned.contains(&old.suite) && !chosen.iter().any(|had| had.suite == old.suite)
            };
            let meant: Vec<Old> = meant.into_iter().filter(new).collect();
            chosen.extend(meant);
        }
    }
    let find = |old: &Old| all.iter().find(|suite| suite.suite() == old.suite).copied();
    Ok(chosen.iter().filter_map(find).collect())
}

/// What is wrong with versions and ciphers together.
pub(super) fn refuse(error: &rustls::Error) -> String {
    format!("tls-protocols, tls-ciphers and tls-ciphersuites do not go together: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn old(list: &str) -> Result<String, String> {
        let all = ring::default_provider().cipher_suites;
        let names = old_suites(list, &all)?.into_iter().map(|suite| {
            let old =
                OLD.iter().find(|old| old.suite == suite.suite()).expect("it is in the table");
            old.name.trim_start_matches("ECDHE-").to_owned()
        });
        Ok(names.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn lists_of_ciphers_are_read_as_openssl_reads_them() {
        let is = |list, names: &str| assert_eq!(old(list).as_deref(), Ok(names), "{list}");
        let ecdsa = "ECDSA-AES256-GCM-SHA384 ECDSA-AES128-GCM-SHA256 ECDSA-CHACHA20-POLY1305";
        let rsa = "RSA-AES256-GCM-SHA384 RSA-AES128-GCM-SHA256 RSA-CHACHA20-POLY1305";
        is("", &format!("{ecdsa} {rsa}"));
        is("DEFAULT:!aNULL:!MD5:!RC4:@SECLEVEL=2", &format!("{ecdsa} {rsa}"));
        is("aRSA", rsa);
        is("ALL:!aRSA:ECDHE-RSA-AES128-GCM-SHA256", ecdsa);
        is("ALL:-aRSA:ECDHE-RSA-AES128-GCM-SHA256", &format!("{ecdsa} RSA-AES128-GCM-SHA256"));
        is("ECDHE+AESGCM+AES128", "ECDSA-AES128-GCM-SHA256 RSA-AES128-GCM-SHA256");
        is("aRSA:+AES256", "RSA-AES128-GCM-SHA256 RSA-CHACHA20-POLY1305 RSA-AES256-GCM-SHA384");
        is(
            "AES128:CHACHA20:@STRENGTH",
            "ECDSA-CHACHA20-POLY1305 RSA-CHACHA20-POLY1305 \
            ECDSA-AES128-GCM-SHA256 RSA-AES128-GCM-SHA256",
        );
        is("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "RSA-AES256-GCM-SHA384");
    }

    #[test]
    fn ciphers_that_are_not_here_are_refused_by_name() {
        for list in ["AES128-SHA", "ECDHE-RSA-AES128-SHA", "kRSA", "DEFAULT:DHE", "@SECLEVEL=3"] {
            let reason = old(list).expect_err(list);
            let word = list.rsplit(':').next().expect("a word");
            assert!(reason.contains(&format!("'{word}'")), "{reason}");
        }
        let all = ring::default_provider().cipher_suites;
        let refused = new_suites("TLS_AES_128_CCM_SHA256", &all).expect_err("no CCM");
        assert!(refused.contains("TLS_CHACHA20_POLY1305_SHA256"), "{refused}");
        let chosen = new_suites("TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256", &all);
        assert_eq!(chosen.map(|suites| suites.len()), Ok(2));
    }

    #[test]
    fn old_versions_are_refused() {
        let is = |text: &str| versions(&Text::from(text)).map(|versions| versions.len());
        assert_eq!(is(""), Ok(2));
        assert_eq!(is("TLSv1.2"), Ok(1));
        assert_eq!(is("tlsv1.3  TLSv1.2 TLSv1.2"), Ok(2));
        for old in ["TLSv1", "TLSv1.1 TLSv1.2", "SSLv3", "TLSv1.4"] {
            assert!(is(old).is_err(), "{old}");
        }
    }

    #[test]
    fn a_list_that_leaves_nothing_is_refused() {
        let config = Config { tls_ciphers: "DEFAULT:!ALL".into(), ..Config::default() };
        let refused = provider(&config, &[&TLS12]).expect_err("nothing is left");
        assert!(refused.contains("tls-ciphers leaves no cipher"), "{refused}");
        assert!(provider(&config, &[&TLS13]).is_ok());
    }
}
