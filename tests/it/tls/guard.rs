//! Has Kafka's clients log in before a broker that has no users of its own. Behind the login they are with the broker;
//! the tests' own client, which goes by its name, needs none.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::scram::{Answer, Scram};
use crate::port;
use crate::subscriber::runtime;

/// The requests of a login, by their numbers in Kafka's protocol.
const HANDSHAKE: i16 = 17;
const VERSIONS: i16 = 18;
const AUTHENTICATE: i16 = 36;

/// The protocol's error for a login that is refused, and for a mechanism that is not known.
const REFUSED: i16 = 58;
const UNKNOWN: i16 = 33;

const MECHANISMS: [&str; 2] = ["SCRAM-SHA-256", "SCRAM-SHA-512"];

/// The user that may log in, and what came of it.
struct Door {
    upstream: u16,
    user: &'static str,
    password: &'static str,
    entered: AtomicUsize,
    refused: AtomicUsize,
}

/// See the module.
pub(super) struct Guard {
    port: u16,
    door: Arc<Door>,
    accepting: JoinHandle<()>,
}

impl Guard {
    pub(super) fn before(upstream: u16, user: &'static str, password: &'static str) -> Self {
        let port = port::free();
        let door = Arc::new(Door {
            upstream,
            user,
            password,
            entered: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
        });
        let listener = runtime()
            .block_on(TcpListener::bind(("127.0.0.1", port)))
            .unwrap();
        let each = Arc::clone(&door);
        let accepting = runtime().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let door = Arc::clone(&each);
                // Who leaves before the end of a login has nothing to be told.
                tokio::spawn(async move { door.meet(stream).await.ok() });
            }
        });
        Self {
            port,
            door,
            accepting,
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// How many connections have logged in, and how many were refused.
    pub(super) fn logins(&self) -> (usize, usize) {
        let count = |number: &AtomicUsize| number.load(Ordering::Acquire);
        (count(&self.door.entered), count(&self.door.refused))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Door {
    async fn meet(&self, mut client: TcpStream) -> io::Result<()> {
        let mut server = TcpStream::connect(("127.0.0.1", self.upstream)).await?;
        let mut scram = None;
        loop {
            let request = Request(frame(&mut client).await?);
            match request.key() {
                VERSIONS => {
                    send(&mut server, &request.0).await?;
                    let answer = frame(&mut server).await?;
                    send(&mut client, &answer).await?;
                }
                HANDSHAKE => {
                    scram = Scram::new(&request.text(), self.user, self.password);
                    let code = if scram.is_some() { 0 } else { UNKNOWN };
                    send(&mut client, &handshake(&request, code)).await?;
                }
                AUTHENTICATE => {
                    let answer = match &mut scram {
                        Some(scram) => scram.hear(&request.bytes()),
                        None => Answer::Out,
                    };
                    let (code, words, enters) = match &answer {
                        Answer::More(words) => (0, words.as_str(), false),
                        Answer::In(words) => (0, words.as_str(), true),
                        Answer::Out => (REFUSED, "", false),
                    };
                    // Counted before it is told: a test looks as soon as the log does.
                    let counter = if enters { &self.entered } else { &self.refused };
                    if enters || code != 0 {
                        counter.fetch_add(1, Ordering::Release);
                    }
                    send(&mut client, &authenticate(&request, code, words)).await?;
                    if enters {
                        break;
                    }
                    if code != 0 {
                        return Ok(());
                    }
                }
                // The one under test must not get in like this.
                _ if request.client() == "sipbus" => return Ok(()),
                _ => {
                    send(&mut server, &request.0).await?;
                    break;
                }
            }
        }
        copy_bidirectional(&mut client, &mut server).await?;
        Ok(())
    }
}

/// Number, version and serial of a request, the client's name, then what it says.
struct Request(Vec<u8>);

impl Request {
    fn short(&self, at: usize) -> i16 {
        i16::from_be_bytes([self.0[at], self.0[at + 1]])
    }

    fn key(&self) -> i16 {
        self.short(0)
    }

    fn serial(&self) -> &[u8] {
        &self.0[4..8]
    }

    fn client(&self) -> String {
        let length = usize::try_from(self.short(8)).unwrap_or_default();
        String::from_utf8_lossy(&self.0[10..10 + length]).into_owned()
    }

    fn body(&self) -> &[u8] {
        &self.0[10 + self.client().len()..]
    }

    /// A body that is one text, behind its length in two bytes.
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body()[2..]).into_owned()
    }

    /// One that is bytes, behind their length in four.
    fn bytes(&self) -> String {
        String::from_utf8_lossy(&self.body()[4..]).into_owned()
    }
}

fn handshake(request: &Request, code: i16) -> Vec<u8> {
    let mut answer = [request.serial(), &code.to_be_bytes(), &2_i32.to_be_bytes()].concat();
    for name in MECHANISMS {
        answer.extend(i16::try_from(name.len()).unwrap().to_be_bytes());
        answer.extend(name.as_bytes());
    }
    answer
}

fn authenticate(request: &Request, code: i16, words: &str) -> Vec<u8> {
    let why = if code == 0 {
        ""
    } else {
        "wrong name or password"
    };
    let mut answer = [request.serial(), &code.to_be_bytes()].concat();
    answer.extend(i16::try_from(why.len()).unwrap().to_be_bytes());
    answer.extend(why.as_bytes());
    answer.extend(i32::try_from(words.len()).unwrap().to_be_bytes());
    answer.extend(words.as_bytes());
    if request.short(2) > 0 {
        // How long the login is good for: for ever.
        answer.extend(0_i64.to_be_bytes());
    }
    answer
}

async fn frame(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_i32().await?;
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

async fn send(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    let length = i32::try_from(bytes.len()).map_err(io::Error::other)?;
    let framed = [&length.to_be_bytes(), bytes].concat();
    stream.write_all(&framed).await
}
