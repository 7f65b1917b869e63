//! A certificate authority made for a test, and what it signed.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use tempfile::TempDir;

/// A folder with an authority (`ca.pem`), another one (`other.pem`), one with the
/// first one's name (`namesake.pem`), and certificates: `server` is
/// called localhost, `elsewhere` has another name, `expired` is localhost's of long ago; `client` and
/// `second` are a client's, `late` is one of long ago, `stranger` is the other authority's.
pub(crate) struct Certificates(TempDir);

impl Certificates {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("sipbus-tls-")
            .tempdir()
            .unwrap();
        let ca = authority("authority");
        let other = authority("other");
        for (name, subject) in [
            ("server", "localhost"),
            ("elsewhere", "elsewhere.example"),
            ("expired", "localhost"),
            ("client", "kamailio"),
            ("second", "kamailio"),
            ("late", "kamailio"),
            ("stranger", "kamailio"),
        ] {
            let key = KeyPair::generate().unwrap();
            let issuer = if name == "stranger" { &other } else { &ca };
            let mut params = CertificateParams::new(vec![subject.to_string()]).unwrap();
            // Of another name than the authority: it would be taken for one that signed itself.
            params.distinguished_name.push(DnType::CommonName, subject);
            if name == "expired" || name == "late" {
                params.not_before = date_time_ymd(2000, 1, 1);
                params.not_after = date_time_ymd(2001, 1, 1);
            }
            let certificate = params.signed_by(&key, issuer).unwrap();
            write(folder.path(), &format!("{name}.pem"), &certificate.pem());
            write(folder.path(), &format!("{name}.key"), &key.serialize_pem());
        }
        write(folder.path(), "ca.pem", &ca.pem());
        write(folder.path(), "other.pem", &other.pem());
        write(folder.path(), "namesake.pem", &authority("authority").pem());
        Self(folder)
    }

    /// Puts certificate and key `from` in place of `to`, as an operator renews them.
    pub(crate) fn renew(&self, to: &str, from: &str) {
        for ending in ["pem", "key"] {
            self.copy(&format!("{to}.{ending}"), &format!("{from}.{ending}"));
        }
    }

    /// Puts one file in the place of another in one step.
    pub(crate) fn copy(&self, to: &str, from: &str) {
        let new = self.path("new");
        std::fs::copy(self.path(from), &new).unwrap();
        std::fs::rename(&new, self.path(to)).unwrap();
    }

    /// Writes over a file what no program can read.
    pub(crate) fn spoil(&self, file: &str) {
        write(self.0.path(), file, "-----BEGIN CERTIFICATE-----\nhalf");
    }

    pub(crate) fn path(&self, file: &str) -> String {
        self.0.path().join(file).display().to_string()
    }
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn write(folder: &Path, file: &str, text: &str) {
    std::fs::write(folder.join(file), text).unwrap();
}
