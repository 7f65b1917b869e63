//! How the system schedules a thread of the engine.

use std::io;

/// From now on the calling thread takes the processor from nobody: woken, it waits for an idle one or
/// for its turn. Other threads are not changed.
///
/// # Errors
/// The system's.
pub fn give_way() -> io::Result<()> {
    let priority = libc::sched_param { sched_priority: 0 };
    // SAFETY: reads the parameters, which live during the call; 0 is the calling thread.
    let set = unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const priority) };
    if set == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
