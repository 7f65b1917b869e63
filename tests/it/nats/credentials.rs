//! `credentials_file`: a server in operator mode, with an account and a user made for the test.

use std::io::Write as _;

use nkeys::KeyPair;
use serde_json::{Value, json};

use crate::kamailio::Config;
use crate::require::needs;
use crate::server::nats::Nats;
use crate::subscriber::{Subscriber, text};
use crate::turn;

/// Base64 in the URL alphabet without padding, which is all that a JWT needs.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk
            .iter()
            .fold(0_usize, |word, byte| word << 8 | usize::from(*byte));
        let word = word << (8 * (3 - chunk.len()));
        for index in 0..=chunk.len() {
            text.push(char::from(ALPHABET[word >> (18 - 6 * index) & 63]));
        }
    }
    text
}

/// A JWT as the nats-server reads it: claims about `subject`, signed by `issuer`.
fn jwt(issuer: &KeyPair, subject: &KeyPair, name: &str, nats: Value) -> String {
    let head = json!({"typ": "JWT", "alg": "ed25519-nkey"});
    let claims = json!({
        "jti": name, "iat": 1_700_000_000, "name": name,
        "iss": issuer.public_key(), "sub": subject.public_key(), "nats": nats,
    });
    let text = format!(
        "{}.{}",
        base64(head.to_string().as_bytes()),
        base64(claims.to_string().as_bytes())
    );
    let signature = issuer.sign(text.as_bytes()).unwrap();
    format!("{text}.{}", base64(&signature))
}

/// The file that holds a user's JWT and seed.
fn credentials(jwt: &str, user: &KeyPair) -> String {
    format!(
        "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        user.seed().unwrap()
    )
}

/// A server in operator mode, and one of its users.
struct Operated {
    nats: Nats,
    /// What its credentials file says, and the file.
    credentials: String,
    file: tempfile::NamedTempFile,
    secrets: [String; 2],
}

impl Operated {
    /// Messages of the user's account may have so many bytes.
    fn start(payload: i64) -> Self {
        let (operator, account, user) = (
            KeyPair::new_operator(),
            KeyPair::new_account(),
            KeyPair::new_user(),
        );
        let limits = json!({"subs": -1, "data": -1, "payload": payload, "imports": -1, "exports": -1,
            "wildcards": true, "conn": -1, "leaf": -1});
        let operator_jwt = jwt(
            &operator,
            &operator,
            "operator",
            json!({"type": "operator", "version": 2}),
        );
        let account_jwt = jwt(
            &operator,
            &account,
            "account",
            json!({"type": "account", "version": 2, "limits": limits}),
        );
        let user_jwt = jwt(
            &account,
            &user,
            "user",
            json!({"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1}),
        );
        let nats = Nats::with(&format!(
            "operator: \"{operator_jwt}\"\nresolver: MEMORY\nresolver_preload: {{ {}: \"{account_jwt}\" }}",
            account.public_key()
        ));
        let credentials = credentials(&user_jwt, &user);
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(credentials.as_bytes()).unwrap();
        Self {
            nats,
            credentials,
            file,
            secrets: [user.seed().unwrap(), user_jwt],
        }
    }

    fn subscriber(&self, subject: &str) -> Subscriber {
        let options = async_nats::ConnectOptions::with_credentials(&self.credentials).unwrap();
        Subscriber::with_options(options, &self.nats.url(), subject)
    }

    fn config(&self) -> Config {
        let file = self.file.path().display().to_string();
        Config::at(&self.nats.url()).nats("credentials_file", &file)
    }
}

#[test]
fn a_credentials_file_opens_a_server_in_operator_mode() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let operated = Operated::start(-1);
    let subscriber = operated.subscriber("calls");
    let kamailio = operated
        .config()
        .request(r#"nats_publish("calls", "$rU"); $var(answer) = "rc=" + $rc;"#)
        .start();
    assert_eq!(kamailio.sip().message("alice", b""), "rc=1");
    assert_eq!(text(&subscriber.only()), "alice");
    let log = kamailio.stop();
    let told = operated.secrets.iter().any(|secret| log.contains(secret));
    assert!(!told, "a secret is in the log");
}

#[test]
fn the_limit_of_an_account_is_known_before_the_first_message() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let mut operated = Operated::start(1000);
    operated.nats.stop();
    let kamailio = operated
        .config()
        .request(r#"nats_publish("calls", "$rb"); $var(answer) = "rc=" + $rc;"#)
        .start();
    for body in [[b'x'; 2000].as_slice(), b"small"] {
        assert_eq!(kamailio.sip().message("alice", body), "rc=1");
    }
    operated.nats.start_again();
    kamailio.wait_counter("delivered", 1);
    assert_eq!(kamailio.counter("rejected"), 1);
    assert_eq!(kamailio.counter("server_errors"), 0);
    kamailio.stop();
}

#[test]
fn a_file_without_credentials_is_told() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"no credentials").unwrap();
    let path = file.path().display().to_string();
    let config = Config::at(&nats.url()).nats("credentials_file", &path);
    let (_, log) = config.refused();
    assert!(
        log.contains("credentials_file") && log.contains(&path),
        "{log}"
    );
}
