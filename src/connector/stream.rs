//! What connections have in common whose protocol is spoken here: reading, writing, and when another attempt
//! is due.

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use bytes::BytesMut;
use std::io;
use std::pin::Pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// First pause between two attempts; the very first attempt has none.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// Bytes a read asks for.
pub(super) const READ_BYTES: usize = 64 * 1024;

/// A connection in the making that takes the place of another.
pub(super) type Successor<S> = Pin<Box<dyn Future<Output = Result<S, String>>>>;

/// Waits for a successor, for ever where none is in the making.
pub(super) async fn made<S>(successor: &mut Option<Successor<S>>) -> Result<S, String> {
    match successor {
        Some(successor) => successor.await,
        None => std::future::pending().await,
    }
}

/// The pauses between attempts to connect.
pub(super) fn pauses(longest: Duration) -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(PAUSE_MIN)
        .with_max_delay(longest)
        .without_max_times()
        .with_jitter()
        .build()
}

/// Reads what there is into `buffer`. May be dropped without losing bytes.
pub(super) async fn read<R: AsyncRead + Unpin + ?Sized>(
    reader: &mut R,
    buffer: &mut BytesMut,
) -> io::Result<()> {
    buffer.reserve(READ_BYTES);
    match reader.read_buf(buffer).await? {
        0 => Err(io::Error::other("it closed the connection")),
        _ => Ok(()),
    }
}

/// Writes what fits, or flushes when there is nothing to write: TLS keeps bytes until then, for TCP it
/// does nothing. True if a flush is due. May be dropped and called again.
pub(super) async fn send<W: AsyncWrite + Unpin>(
    writer: &mut W,
    output: &mut BytesMut,
) -> io::Result<bool> {
    if output.is_empty() {
        writer.flush().await.map(|()| false)
    } else {
        writer.write_buf(output).await.map(|_| true)
    }
}
