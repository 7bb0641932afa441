//! What the kernel and the system's library can be asked for, and no safe interface asks it.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use rustix::event::epoll;

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

const _: () = assert!(size_of::<epoll::Event>() == size_of::<libc::epoll_event>());

/// Fills what there is room for with what has happened to the sockets of a poll set, without waiting: `epoll_wait`, which
/// every Linux knows. The safe interface asks for `epoll_pwait2` alone where waits are to be exact.
///
/// # Errors
/// The system's.
pub(crate) fn epoll_now(poll: BorrowedFd<'_>, told: &mut Vec<epoll::Event>) -> io::Result<()> {
    let room = told.spare_capacity_mut();
    let most = libc::c_int::try_from(room.len()).unwrap_or(libc::c_int::MAX);
    // SAFETY: the room is for as many events as are asked for, and the two types of an event are the same to the kernel.
    let count = unsafe { libc::epoll_wait(poll.as_raw_fd(), room.as_mut_ptr().cast(), most, 0) };
    let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: so many were filled, behind what was there.
    unsafe { told.set_len(told.len() + count) };
    Ok(())
}

/// What the kernel thinks of its own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockState {
    /// Something, as an NTP client, keeps it to the world's time.
    pub synchronised: bool,
    /// How far it may be off, in microseconds.
    pub error_us: u64,
}

/// Asks the kernel for the state of its clock; changes nothing.
///
/// # Errors
/// The system's, where it does not allow the question.
pub fn clock_state() -> io::Result<ClockState> {
    // SAFETY: the structure is plain integers, for which zeroes are values; with no mode set the call only fills it.
    let (state, clock) = unsafe {
        let mut clock: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut clock), clock)
    };
    if state < 0 {
        return Err(io::Error::last_os_error());
    }
    let synchronised = state != libc::TIME_ERROR && clock.status & libc::STA_UNSYNC == 0;
    Ok(ClockState { synchronised, error_us: u64::try_from(clock.maxerror).unwrap_or(0) })
}

/// Lets the allocator of the GNU library have one arena a core, where it would have eight: what threads free in one is not
/// used by others, and so a run grew by half of its memory in its first minutes. To be called before there are threads;
/// of another library nothing is asked.
pub fn one_arena_per_core() {
    #[cfg(target_env = "gnu")]
    {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        // SAFETY: the call sets a number inside of the allocator, under its lock.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, libc::c_int::try_from(cores).unwrap_or(libc::c_int::MAX)) };
    }
}
