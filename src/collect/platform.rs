//! What differs between macOS and other systems: the same few items twice. Nothing else asks which system this is.

#[cfg(target_os = "macos")]
#[allow(unsafe_code)]
mod macos;
#[cfg(target_os = "macos")]
pub use macos::*;

#[cfg(not(target_os = "macos"))]
mod other;
#[cfg(not(target_os = "macos"))]
pub use other::*;

/// Ends this process with an exit status, without waiting for its threads or cleaning up after any library.
#[allow(unsafe_code)]
pub fn end_at_once(status: u8) -> ! {
    // SAFETY: it does not return, so that there is nothing left to be safe.
    unsafe { nix::libc::_exit(status.into()) }
}
