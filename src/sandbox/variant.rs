//! Whole in every build. Only the tests of this crate can leave a fence out, to see that the start then
//! fails.

use crate::Fence;

/// Which fences are put up, and up to which Landlock ABI.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variant {
    #[cfg(test)]
    pub without: Option<Fence>,
    #[cfg(test)]
    pub abi_max: i32,
}

impl Variant {
    /// Everything.
    pub fn whole() -> Self {
        Self {
            #[cfg(test)]
            without: None,
            #[cfg(test)]
            abi_max: i32::MAX,
        }
    }

    /// Always false outside the tests of this crate.
    pub fn leaves_out(self, fence: Fence) -> bool {
        #[cfg(test)]
        return self.without == Some(fence);
        #[cfg(not(test))]
        {
            let _ = fence;
            false
        }
    }

    /// The kernel's ABI outside the tests of this crate.
    pub fn abi(self, kernel: i32) -> i32 {
        #[cfg(test)]
        return kernel.min(self.abi_max);
        #[cfg(not(test))]
        kernel
    }
}
