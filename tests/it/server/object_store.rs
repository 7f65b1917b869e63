//! An object store in this process, as S3 is one, as far as tansu asks: a broker that keeps its records
//! there can be killed and started again without losing them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use percent_encoding::percent_decode_str;

/// Clients want to see one; nobody looks at what it says.
const MODIFIED: &str = "Sun, 01 Nov 2026 00:00:00 GMT";

/// What tansu writes first of all that belongs to a batch of records.
const FIRST_WRITE: &str = "/meta.json";

/// Without a write for so long, a broker is not in the middle of a batch.
const IDLE: Duration = Duration::from_secs(3);

/// A running store; its threads last as long as the test program.
pub(crate) struct ObjectStore {
    port: u16,
    shelf: Arc<Shelf>,
}

#[derive(Default)]
struct Shelf {
    content: Mutex<Content>,
    changed: Condvar,
}

#[derive(Default)]
struct Content {
    objects: BTreeMap<String, Object>,
    writes: u64,
    stop: Stop,
}

struct Object {
    tag: String,
    bytes: Vec<u8>,
}

/// Whether the store is about to lose its client.
#[derive(Default, PartialEq, Eq, Clone, Copy)]
enum Stop {
    #[default]
    Open,
    /// What begins a batch is held up.
    Asked,
    /// That has happened.
    Held,
}

struct Request {
    method: String,
    target: String,
    if_match: Option<String>,
    if_none_match: Option<String>,
    body: Vec<u8>,
}

struct Answer {
    status: &'static str,
    tag: String,
    body: Vec<u8>,
}

impl ObjectStore {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shelf = Arc::<Shelf>::default();
        let shared = Arc::clone(&shelf);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shelf = Arc::clone(&shared);
                std::thread::spawn(move || shelf.serve(&stream));
            }
        });
        Self { port, shelf }
    }

    /// How a program is told to find it, as `NAME=value`.
    pub(crate) fn environment(&self) -> Vec<String> {
        vec![
            format!("AWS_ENDPOINT=http://127.0.0.1:{}", self.port),
            "AWS_ALLOW_HTTP=true".to_owned(),
            "AWS_ACCESS_KEY_ID=test".to_owned(),
            "AWS_SECRET_ACCESS_KEY=test".to_owned(),
            "AWS_DEFAULT_REGION=us-east-1".to_owned(),
        ]
    }

    /// Waits until its client is between two batches, or has long had none to write, and keeps it there until
    /// [`reopen`](Self::reopen).
    ///
    /// tansu notes a producer's sequence number before it writes the batch. Killed in between, it would
    /// take the batch that is sent again for one that it has.
    pub(crate) fn hold_between_batches(&self) {
        self.shelf.content().stop = Stop::Asked;
        let mut last = (0, Instant::now());
        crate::wait::until("the broker is between two batches", || {
            let content = self.shelf.content();
            if content.writes != last.0 {
                last = (content.writes, Instant::now());
            }
            content.stop == Stop::Held || last.1.elapsed() > IDLE
        });
    }

    /// Ends the connections that were held up: what they were to write is not written.
    pub(crate) fn reopen(&self) {
        self.shelf.content().stop = Stop::Open;
        self.shelf.changed.notify_all();
    }
}

impl Shelf {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Ok(Some(request)) = Request::read(&mut reader) {
            if self.is_held(&request) || self.answer(&request).write(stream).is_err() {
                return;
            }
        }
    }

    /// Waits while the store is held; true if the request is to be forgotten.
    fn is_held(&self, request: &Request) -> bool {
        let mut content = self.content();
        let begins = request.method == "PUT" && request.target.ends_with(FIRST_WRITE);
        if content.stop == Stop::Open || !begins {
            return false;
        }
        content.stop = Stop::Held;
        while content.stop == Stop::Held {
            let waited = self.changed.wait(content);
            content = waited.unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    fn answer(&self, request: &Request) -> Answer {
        let (path, query) = request
            .target
            .split_once('?')
            .unwrap_or((&request.target, ""));
        let content = &mut *self.content();
        match request.method.as_str() {
            "GET" if query.contains("list-type") => content.list(query),
            "GET" | "HEAD" => content.get(path, request),
            "PUT" => content.put(path, request),
            "DELETE" => {
                content.objects.remove(path);
                Answer::empty("204 No Content")
            }
            _ => Answer::empty("501 Not Implemented"),
        }
    }
}

impl Content {
    fn get(&self, path: &str, request: &Request) -> Answer {
        match self.objects.get(path) {
            None => Answer::empty("404 Not Found"),
            Some(object) if request.if_none_match.as_ref() == Some(&object.tag) => {
                Answer::empty("304 Not Modified")
            }
            Some(object) => Answer {
                status: "200 OK",
                tag: object.tag.clone(),
                body: object.bytes.clone(),
            },
        }
    }

    fn put(&mut self, path: &str, request: &Request) -> Answer {
        let there = self.objects.get(path).map(|object| &object.tag);
        let is_wanted = match (&request.if_match, &request.if_none_match) {
            (Some(tag), _) => there == Some(tag),
            (None, Some(_)) => there.is_none(),
            (None, None) => true,
        };
        if !is_wanted {
            return Answer::empty("412 Precondition Failed");
        }
        self.writes += 1;
        let tag = format!("\"{}\"", self.writes);
        let bytes = request.body.clone();
        let written = tag.clone();
        self.objects.insert(path.to_owned(), Object { tag, bytes });
        Answer {
            tag: written,
            ..Answer::empty("200 OK")
        }
    }

    /// Everything whose name begins with the prefix that was asked for.
    fn list(&self, query: &str) -> Answer {
        let given = query
            .split('&')
            .find_map(|part| part.strip_prefix("prefix="));
        let prefix = percent_decode_str(given.unwrap_or_default()).decode_utf8_lossy();
        let mut text = String::from("<ListBucketResult><IsTruncated>false</IsTruncated>");
        for (path, object) in &self.objects {
            // Its name is the path behind the bucket's.
            let name = path.splitn(3, '/').nth(2).unwrap_or_default();
            if name.starts_with(&*prefix) {
                write!(
                    text,
                    "<Contents><Key>{name}</Key><LastModified>2026-11-01T00:00:00Z</LastModified>\
                     <Size>{}</Size></Contents>",
                    object.bytes.len()
                )
                .unwrap();
            }
        }
        text.push_str("</ListBucketResult>");
        Answer {
            body: text.into_bytes(),
            ..Answer::empty("200 OK")
        }
    }
}

impl Request {
    /// None where the client has closed the connection.
    fn read(reader: &mut BufReader<&TcpStream>) -> io::Result<Option<Self>> {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split(' ').map(str::to_owned);
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let mut request = Self {
            method,
            target,
            if_match: None,
            if_none_match: None,
            body: Vec::new(),
        };
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let Some((name, value)) = header.trim_end().split_once(": ") else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => request.body.resize(value.parse().unwrap(), 0),
                "if-match" => request.if_match = Some(value.to_owned()),
                "if-none-match" => request.if_none_match = Some(value.to_owned()),
                _ => {}
            }
        }
        reader.read_exact(&mut request.body)?;
        Ok(Some(request))
    }
}

impl Answer {
    fn empty(status: &'static str) -> Self {
        Self {
            status,
            tag: String::new(),
            body: Vec::new(),
        }
    }

    /// In one piece, which the system does not hold back.
    fn write(self, mut stream: &TcpStream) -> io::Result<()> {
        let mut text = format!(
            "HTTP/1.1 {}\r\nContent-Length: {}\r\nLast-Modified: {MODIFIED}\r\n",
            self.status,
            self.body.len()
        );
        if !self.tag.is_empty() {
            text.push_str(&format!("ETag: {}\r\n", self.tag));
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend(self.body);
        stream.write_all(&bytes)
    }
}
