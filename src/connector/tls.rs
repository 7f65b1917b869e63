//! What the connectors' TLS has in common: files, what is held of them, and errors in words that say
//! which of the usual mistakes it was.

use crate::link::{Board, Renewal};
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use tokio::sync::watch;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error, RootCertStore};

/// What was made of the files, as long as nothing better can be made of them.
pub(super) struct Held<T> {
    module: String,
    read: Box<dyn Fn() -> Result<T, String>>,
    last: RefCell<Option<T>>,
    /// What was wrong with the files last: said once.
    told: RefCell<String>,
    renewed: watch::Sender<u64>,
}

impl<T: Clone + 'static> Held<T> {
    /// Nothing is read yet; `read` reads the files and checks them.
    pub(super) fn new(module: &str, read: impl Fn() -> Result<T, String> + 'static) -> Self {
        Self {
            module: module.to_owned(),
            read: Box::new(read),
            last: RefCell::new(None),
            told: RefCell::default(),
            renewed: watch::channel(0).0,
        }
    }

    /// What the files say now; where they are unsound, what they said before.
    ///
    /// # Errors
    /// What is wrong with a file, where none was sound before.
    pub(super) fn current(&self) -> Result<T, String> {
        match (self.read)() {
            Ok(now) => {
                self.last.replace(Some(now.clone()));
                self.told.borrow_mut().clear();
                Ok(now)
            }
            Err(why) => {
                let held = self.held().ok_or_else(|| why.clone())?;
                if self.told.replace(why.clone()) != why {
                    log::error!("{}: the certificates stay as they are: {why}", self.module);
                }
                Ok(held)
            }
        }
    }

    /// What the files said when they were sound last.
    pub(super) fn held(&self) -> Option<T> {
        self.last.borrow().clone()
    }

    /// Changes at each renewal.
    pub(super) fn renewals(&self) -> watch::Receiver<u64> {
        self.renewed.subscribe()
    }

    /// Reads the files when an operator asks for it. Runs until it is dropped.
    pub(super) async fn renew(self: Rc<Self>, mut renewal: Renewal, board: Rc<Board>) {
        loop {
            let number = renewal.asked().await;
            let read = (self.read)();
            let answer = read.map(|now| {
                self.last.replace(Some(now));
                log::info!("{}: the certificates are read again", self.module);
            });
            if let Err(why) = &answer {
                let module = &self.module;
                log::error!("{module}: the certificates stay as they are: {why}");
                board.error(why);
            }
            renewal.answer(number, answer.as_ref().err().map_or("", String::as_str));
            if answer.is_ok() {
                self.renewed
                    .send_modify(|count| *count = count.wrapping_add(1));
            }
        }
    }
}

/// The certificates in a file, at least one.
///
/// # Errors
/// What is wrong with the file.
pub(super) fn certificates(file: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| format!("{file}: {error}"))?;
    if found.is_empty() {
        return Err(format!("{file}: there is no certificate in it"));
    }
    Ok(found)
}

/// The key in a file.
///
/// # Errors
/// What is wrong with the file.
pub(super) fn key(file: &str) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| format!("{file}: {error}"))
}

/// The authorities in a file; without one, those the system trusts, which may be none.
///
/// # Errors
/// What is wrong with the file.
pub(super) fn authorities(file: Option<&str>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let Some(file) = file else {
        let system = rustls_native_certs::load_native_certs();
        _ = roots.add_parsable_certificates(system.certs);
        return Ok(roots);
    };
    for certificate in certificates(file)? {
        roots
            .add(certificate)
            .map_err(|error| format!("{file}: {error}"))?;
    }
    Ok(roots)
}

/// What ended a connection or kept it from being made. `shown` is whether this side has a certificate
/// to show.
pub(super) fn told(error: &io::Error, shown: bool) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(Error::InvalidCertificate(why)) => format!("TLS: {}", unsound(why)),
        Some(Error::NoCertificatesPresented) => {
            "TLS: it shows no certificate, and it must".to_owned()
        }
        Some(Error::AlertReceived(alert)) => format!("TLS: {}", refused(*alert, shown)),
        Some(other) => format!("TLS: {other}"),
        None => error.to_string(),
    }
}

fn unsound(why: &CertificateError) -> String {
    match why {
        CertificateError::UnknownIssuer => {
            "its certificate is not from an authority that is trusted here".to_owned()
        }
        // One that was made anew under the old name.
        CertificateError::BadSignature => {
            "its certificate is not from an authority that is trusted here: one of that name did not sign it"
                .to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet".to_owned()
        }
        CertificateError::NotValidForName => "its certificate is for another name".to_owned(),
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => {
            let (expected, presented) = (expected.to_str(), presented.join(", "));
            format!("its certificate is not for the name {expected}, but for {presented}")
        }
        other => format!("its certificate is unsound: {other}"),
    }
}

/// What the other side said about what it was shown.
fn refused(alert: AlertDescription, shown: bool) -> String {
    match alert {
        AlertDescription::CertificateRequired
        | AlertDescription::BadCertificate
        | AlertDescription::HandshakeFailure
            if !shown =>
        {
            "it demands a client certificate, and there is none to show".to_owned()
        }
        // The latter from one who trusts another authority of the same name.
        AlertDescription::UnknownCA | AlertDescription::DecryptError => {
            "it does not trust the authority of the certificate that it was shown".to_owned()
        }
        AlertDescription::CertificateExpired => {
            "the certificate that it was shown has expired".to_owned()
        }
        AlertDescription::BadCertificate
        | AlertDescription::CertificateRequired
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateRevoked
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::AccessDenied => {
            format!("it refuses the certificate that it was shown ({alert:?})")
        }
        other => format!("it refuses the connection ({other:?})"),
    }
}
