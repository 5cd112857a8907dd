//! Memory for what is as large as a file, a picture or a weight: taken before it is filled, and refused without a panic.

use crate::Error;

/// An empty list with room for `count` elements.
///
/// # Errors
/// [`Error::Memory`].
pub(crate) fn room<T>(count: usize) -> Result<Vec<T>, Error> {
    let mut list = Vec::new();
    let no_memory = |_| Error::Memory { bytes: count.saturating_mul(size_of::<T>()) as u64 };
    list.try_reserve_exact(count).map_err(no_memory)?;
    Ok(list)
}
