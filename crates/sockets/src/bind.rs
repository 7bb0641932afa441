//! Sockets from a local address of one's choice.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};

/// Lets the kernel choose the port of a socket when it connects and not when it is bound to a local address: then the
/// same port serves connections to different peers, instead of one alone.
///
/// # Errors
/// The system's: Linux before 4.2 does not know it.
pub fn bind_without_port(socket: BorrowedFd<'_>) -> io::Result<()> {
    let on: libc::c_int = 1;
    let size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the descriptor is borrowed and so open, and the option's value is an int that lives through the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            size,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
