//! The processor's hint that memory will be read soon. The hash table and the pipeline call it
//! ahead of use; it must never be needed for correctness.

#![allow(unsafe_code)]

/// Asks for the cache line of `address`. Any address is allowed, even one that is not mapped.
#[inline(always)]
pub fn prefetch<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing architecturally and never faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
