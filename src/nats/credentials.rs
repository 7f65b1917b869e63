//! A `.creds` file: a user's JWT and the seed of its key, each between lines of dashes.

/// What is in it. Not `Debug`: both are secrets.
#[allow(missing_debug_implementations, reason = "secrets")]
pub struct Credentials {
    /// Who the user is, signed by the account.
    pub jwt: String,
    /// The user's private key.
    pub seed: String,
}

impl Credentials {
    /// Reads the file.
    ///
    /// # Errors
    /// What is wrong with it, without its contents.
    pub fn read(file: &str) -> Result<Self, String> {
        let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
        let block = |what: &str| {
            let after = text.split_once(&format!("BEGIN {what}"))?.1;
            after
                .lines()
                .skip(1)
                .map(str::trim)
                .find(|line| !line.is_empty())
        };
        let found = |what: &str| {
            block(what)
                .map(str::to_owned)
                .ok_or_else(|| format!("there is no {what} in it"))
        };
        Ok(Self {
            jwt: found("NATS USER JWT")?,
            seed: found("USER NKEY SEED")?,
        })
    }
}
