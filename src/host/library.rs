//! Where this library was loaded from.

use std::ffi::{CStr, OsStr};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// The file this code was loaded from.
///
/// # Errors
/// If the dynamic linker does not know, as in a statically linked test.
pub fn path() -> io::Result<PathBuf> {
    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    let here: fn() -> io::Result<PathBuf> = path;
    // SAFETY: asks about the address of a function of this library; `info` is ours.
    let found = unsafe { libc::dladdr(here as *const libc::c_void, info.as_mut_ptr()) };
    // SAFETY: zeroed, and all fields are plain pointers.
    let info = unsafe { info.assume_init() };
    if found == 0 || info.dli_fname.is_null() {
        return Err(io::Error::other("the library's own file is not known"));
    }
    // SAFETY: the dynamic linker's names end with a NUL and stay while the library is loaded.
    let name = unsafe { CStr::from_ptr(info.dli_fname) };
    std::fs::canonicalize(OsStr::from_bytes(name.to_bytes()))
}
