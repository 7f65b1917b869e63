//! Seeing a client off: what it is still to get, and an end of the connection that leaves it that.

use super::client::{Client, End};
use super::consume::{Over, Reader};
use super::presence::Presence;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{Instant, timeout};

/// How long a client that has ended its side is kept for the answers to its messages.
const ANSWERS: Duration = Duration::from_secs(5);

/// How long a client that is closed may take nothing of what waits for it, and how long it may take for all.
const FAREWELL: Duration = Duration::from_secs(1);
const FAREWELL_MAX: Duration = Duration::from_secs(5);

/// How long a closed connection is read: for that, and until the client has ended its side.
const LINGER: Duration = Duration::from_secs(6);

/// Bytes a read asks for.
const READ_BYTES: usize = 16 * 1024;

/// Ends a connection. What waits for the client goes out first, if it can.
pub(super) async fn see_off(
    presence: &Presence,
    client: &Rc<Client>,
    over: &Over,
    reader: Reader,
    mut writing: JoinHandle<()>,
) {
    if matches!(over, Over::Left) {
        // It cannot be told from one that is gone, which is not to keep its place for long.
        _ = timeout(ANSWERS, async {
            tokio::select! {
                () = presence.settled(client) => {}
                () = client.lost() => {}
            }
        })
        .await;
    }
    presence.closing(client);
    let takes = match client.end() {
        Some(end) => end == End::Asked,
        None => !matches!(over, Over::Lost(_)),
    };
    if takes && !client.is_broken() {
        // A socket that is closed with something unread is reset, and what is on its way is lost.
        let reading = spawn_local(timeout(LINGER, read_out(reader))).abort_handle();
        client.part();
        if written(client, &mut writing).await {
            presence.lingers(reading);
            return;
        }
        // What did not go out in time is lost with the connection.
        reading.abort();
    }
    writing.abort();
    drop(writing.await);
}

/// Waits until all is written. False if the client takes it too slowly.
async fn written(client: &Client, writing: &mut JoinHandle<()>) -> bool {
    let end = Instant::now() + FAREWELL_MAX;
    loop {
        let before = client.written.get();
        if timeout(FAREWELL, &mut *writing).await.is_ok() {
            return true;
        }
        if client.written.get() == before || Instant::now() >= end {
            return false;
        }
    }
}

/// Reads until the client has ended its side; what comes is for nobody.
async fn read_out(mut reader: Reader) {
    let mut unheard = vec![0; READ_BYTES];
    while reader.read(&mut unheard).await.is_ok_and(|count| count > 0) {}
}
