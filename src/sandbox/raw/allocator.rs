//! The allocator of the program.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::null_mut;

/// The system's allocator, with every block overwritten before it is given back: no prompt, pixel or
/// passphrase stays behind in free memory.
///
/// A block never grows in place by the system's `realloc`, which may leave a copy behind that nobody can reach.
/// Blocks of 32 MiB and more are mappings of their own, and grow by moving pages, which copies nothing: a
/// buffer that grows step by step costs no more than with the system's allocator.
#[derive(Clone, Copy, Debug, Default)]
pub struct WipingAllocator;

/// From this size on glibc maps each block on its own anyway, whatever it has learned about the program.
const MAPPED_BYTES_MIN: usize = 32 << 20;

/// Is a block of this layout a mapping? Pages are aligned to 4096 at least.
fn is_mapped(layout: Layout) -> bool {
    layout.size() >= MAPPED_BYTES_MIN && layout.align() <= 4096
}

/// Fresh zeroed pages, or null.
fn map(bytes: usize) -> *mut u8 {
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping, where the kernel finds room.
    let block = unsafe { libc::mmap(null_mut(), bytes, access, kind, -1, 0) };
    if block == libc::MAP_FAILED { null_mut() } else { block.cast() }
}

// SAFETY: a block is a mapping exactly if its layout is that of one; every other block comes from System and
// goes back to it with the layout it was made with.
unsafe impl GlobalAlloc for WipingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_mapped(layout) {
            return map(layout.size());
        }
        // SAFETY: the caller keeps GlobalAlloc's contract, which is System's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_mapped(layout) {
            return map(layout.size());
        }
        // SAFETY: as above. Fresh pages need no second zeroing, which is why this does not go through alloc.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block is the caller's until it is given back, and `layout.size()` bytes long.
        // explicit_bzero is a memset that no compiler may drop.
        unsafe {
            libc::explicit_bzero(block.cast(), layout.size());
            if is_mapped(layout) {
                libc::munmap(block.cast(), layout.size());
            } else {
                System.dealloc(block, layout);
            }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller guarantees that `size` rounded up to the alignment is no overflow, and not zero.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        if is_mapped(layout) && is_mapped(wanted) {
            // SAFETY: the block is a mapping of the old size, and the caller's.
            return unsafe { remap(block, layout.size(), size) };
        }
        // SAFETY: the two blocks do not overlap, and the copy stays within both.
        unsafe {
            let moved = self.alloc(wanted);
            if !moved.is_null() {
                block.copy_to_nonoverlapping(moved, layout.size().min(size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

/// Moves pages, not bytes, so that no copy is left. Null if there is no room; the block then stays as it is.
///
/// # Safety
/// `block` is a mapping of `old` bytes that nobody else uses.
unsafe fn remap(block: *mut u8, old: usize, new: usize) -> *mut u8 {
    if new < old {
        // SAFETY: the tail lies within the block. What is cut off is wiped as if it were given back.
        unsafe { libc::explicit_bzero(block.add(new).cast(), old - new) };
    }
    // SAFETY: by the contract above; the kernel rounds both sizes up to whole pages.
    let moved = unsafe { libc::mremap(block.cast(), old, new, libc::MREMAP_MAYMOVE) };
    if moved != libc::MAP_FAILED {
        moved.cast()
    } else if new < old {
        block // not cut, and long enough
    } else {
        null_mut()
    }
}
