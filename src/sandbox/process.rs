//! Flags of the process: umask, limits, no core, not dumpable, no memory that is writable and executable.

use policy::Plan;
use std::io;

use crate::variant::Variant;
use crate::{Error, Fence, raw};

/// Files of this process are its own user's, and it leaves no core file.
pub(crate) fn private_files(variant: Variant) -> Result<(), Error> {
    if !variant.leaves_out(Fence::FileModes) {
        raw::set_umask();
    }
    put_up(variant, Fence::CoreLimit, || raw::set_limit(libc::RLIMIT_CORE, 0))
}

/// The flags that cannot be taken back. The id maps of a user namespace are written before.
pub(crate) fn restrict(variant: Variant, plan: &Plan) -> Result<(), Error> {
    let allowed = raw::hard_limit(libc::RLIMIT_NOFILE).unwrap_or(u64::MAX);
    let files = plan.limits.open_files_max.min(allowed);
    raw::set_limit(libc::RLIMIT_NOFILE, files).map_err(Error::OpenFiles)?;
    put_up(variant, Fence::Dumpable, raw::set_not_dumpable)?;
    put_up(variant, Fence::WriteXorExecute, raw::deny_write_execute)
}

fn put_up(variant: Variant, fence: Fence, how: impl FnOnce() -> io::Result<()>) -> Result<(), Error> {
    if variant.leaves_out(fence) {
        return Ok(());
    }
    how().map_err(|source| Error::Process { fence, source })
}
