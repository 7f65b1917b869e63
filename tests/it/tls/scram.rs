//! The server's side of a login by SCRAM (RFC 5802), for one user.

use std::num::NonZeroU32;

use data_encoding::BASE64;
use ring::digest::{self, digest};
use ring::hmac::{self, Key, sign};
use ring::pbkdf2;

const SALT: &[u8] = b"a salt of one user";
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).unwrap();

/// What a mechanism is made of.
#[derive(Clone, Copy)]
struct Kit {
    derive: pbkdf2::Algorithm,
    sign: hmac::Algorithm,
    digest: &'static digest::Algorithm,
}

fn kit(mechanism: &str) -> Option<Kit> {
    match mechanism {
        "SCRAM-SHA-256" => Some(Kit {
            derive: pbkdf2::PBKDF2_HMAC_SHA256,
            sign: hmac::HMAC_SHA256,
            digest: &digest::SHA256,
        }),
        "SCRAM-SHA-512" => Some(Kit {
            derive: pbkdf2::PBKDF2_HMAC_SHA512,
            sign: hmac::HMAC_SHA512,
            digest: &digest::SHA512,
        }),
        _ => None,
    }
}

/// A login that goes on.
pub(super) struct Scram {
    kit: Kit,
    user: String,
    salted: Vec<u8>,
    /// What was said so far: the client's first words, and the answer.
    said: Option<(String, String)>,
}

/// What is answered.
pub(super) enum Answer {
    /// It goes on with this.
    More(String),
    /// The client is who it says, and so is this side.
    In(String),
    /// It is not.
    Out,
}

impl Scram {
    /// None for a mechanism that is not known.
    pub(super) fn new(mechanism: &str, user: &str, password: &str) -> Option<Self> {
        let kit = kit(mechanism)?;
        let mut salted = vec![0; kit.digest.output_len()];
        pbkdf2::derive(
            kit.derive,
            ITERATIONS,
            SALT,
            password.as_bytes(),
            &mut salted,
        );
        Some(Self {
            kit,
            user: user.to_owned(),
            salted,
            said: None,
        })
    }

    /// Takes what the client says.
    pub(super) fn hear(&mut self, words: &str) -> Answer {
        match self.said.take() {
            None => self.begin(words).unwrap_or(Answer::Out),
            Some((first, answer)) => self.end(&first, &answer, words).unwrap_or(Answer::Out),
        }
    }

    fn begin(&mut self, words: &str) -> Option<Answer> {
        let first = words.strip_prefix("n,,")?;
        let (user, nonce) = first.strip_prefix("n=")?.split_once(",r=")?;
        if user != self.user {
            return None;
        }
        let salt = BASE64.encode(SALT);
        let answer = format!("r={nonce}server,s={salt},i={ITERATIONS}");
        self.said = Some((first.to_owned(), answer.clone()));
        Some(Answer::More(answer))
    }

    fn end(&self, first: &str, answer: &str, words: &str) -> Option<Answer> {
        let (shown, proof) = words.rsplit_once(",p=")?;
        let nonce = answer.split(',').next()?;
        if shown != format!("c=biws,{nonce}") {
            return None;
        }
        let all = format!("{first},{answer},{shown}");
        let signed = |key: &[u8], text: &str| sign(&Key::new(self.kit.sign, key), text.as_bytes());
        let client = signed(&self.salted, "Client Key");
        let stored = digest(self.kit.digest, client.as_ref());
        let signature = signed(stored.as_ref(), &all);
        let keys = client.as_ref().iter().zip(signature.as_ref());
        let expected: Vec<u8> = keys.map(|(key, mask)| key ^ mask).collect();
        if BASE64.decode(proof.as_bytes()).ok()? != expected {
            return None;
        }
        let server = signed(&self.salted, "Server Key");
        let verifier = BASE64.encode(signed(server.as_ref(), &all).as_ref());
        Some(Answer::In(format!("v={verifier}")))
    }
}
