//! A certificate authority made for a test, and what it signed.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

/// A folder with an authority (`ca.pem`), another one (`other.pem`), and the certificates of a
/// server called localhost and of a client.
pub(crate) struct Certificates(TempDir);

impl Certificates {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("sipbus-tls-")
            .tempdir()
            .unwrap();
        let ca = authority();
        for (name, subject) in [("server", "localhost"), ("client", "kamailio")] {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(vec![subject.to_string()]).unwrap();
            // Of another name than the authority: it would be taken for one that signed itself.
            params.distinguished_name.push(DnType::CommonName, subject);
            let certificate = params.signed_by(&key, &ca).unwrap();
            write(folder.path(), &format!("{name}.pem"), &certificate.pem());
            write(folder.path(), &format!("{name}.key"), &key.serialize_pem());
        }
        write(folder.path(), "ca.pem", &ca.pem());
        write(folder.path(), "other.pem", &authority().pem());
        Self(folder)
    }

    pub(crate) fn path(&self, file: &str) -> String {
        self.0.path().join(file).display().to_string()
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn write(folder: &Path, file: &str, text: &str) {
    std::fs::write(folder.join(file), text).unwrap();
}
