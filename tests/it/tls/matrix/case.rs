//! The cases: who shows what, and what operators read.

/// What the server shows, whom the client trusts, what it shows, whether that is demanded, and what
/// operators read.
pub(super) struct Case {
    pub(super) server: &'static str,
    pub(super) ca: &'static str,
    pub(super) client: Option<&'static str>,
    pub(super) demanded: bool,
    pub(super) says: &'static str,
}

pub(super) const CASES: [Case; 6] = [
    Case {
        server: "server",
        ca: "other",
        client: None,
        demanded: false,
        says: "its certificate is not from an authority that is trusted here",
    },
    Case {
        server: "server",
        ca: "namesake",
        client: None,
        demanded: false,
        says: "one of that name did not sign it",
    },
    Case {
        server: "elsewhere",
        ca: "ca",
        client: None,
        demanded: false,
        says: "its certificate is not for the name localhost",
    },
    Case {
        server: "expired",
        ca: "ca",
        client: None,
        demanded: false,
        says: "its certificate has expired",
    },
    Case {
        server: "server",
        ca: "ca",
        client: None,
        demanded: true,
        says: "it demands a client certificate, and there is none to show",
    },
    Case {
        server: "server",
        ca: "ca",
        client: Some("stranger"),
        demanded: true,
        says: "the certificate that it was shown",
    },
];
