//! The allocator and what it counts. The server asks for `used_memory` before commands that may
//! grow it, for INFO and for MEMORY; every long-lived thread of a server registers itself here.
//! Nothing here is called per allocation.
//!
//! jemalloc counts the bytes that each thread allocated and freed. A thread publishes the
//! difference from time to time, and `used_memory` is the sum of what all threads published; the
//! caller's own share is always exact.

#![allow(unsafe_code)]

#[cfg(feature = "jemalloc")]
pub use jemalloc::*;
#[cfg(not(feature = "jemalloc"))]
pub use system::*;

/// What the allocator knows of itself, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AllocatorStats {
    /// In use by the program.
    pub allocated: usize,
    /// In pages that hold something.
    pub active: usize,
    /// Of those pages and the allocator's own, what is in physical memory.
    pub resident: usize,
}

/// The next size that the allocator has: multiples of 16 up to 128, then four sizes per doubling.
/// Below 16 there is also 8.
pub const fn size_class(bytes: usize) -> usize {
    let step = if bytes <= 128 { 16 } else { 1 << (usize::BITS - (bytes - 1).leading_zeros() - 3) };
    bytes.div_ceil(step) * step
}

/// Memory of this process that is physically present, in bytes; 0 where the system does not tell.
pub fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_ascii_whitespace().nth(1).and_then(|n| n.parse::<usize>().ok());
    // SAFETY: sysconf only reads a constant of the system.
    let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    pages.unwrap_or(0) * usize::try_from(page_bytes).unwrap_or(0)
}

#[cfg(feature = "jemalloc")]
mod jemalloc {
    use std::cell::Cell;
    use std::ffi::{CStr, c_char, c_void};
    use std::marker::PhantomData;
    use std::ptr;
    use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

    use tikv_jemalloc_sys as sys;

    use super::AllocatorStats;

    #[global_allocator]
    static GLOBAL: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

    /// What all registered threads hold, as far as they have published.
    static PUBLISHED: AtomicI64 = AtomicI64::new(0);

    thread_local! {
        static COUNTERS: Cell<Option<Counters>> = const { Cell::new(None) };
    }

    /// The two counters that jemalloc keeps for the thread, and what of them is in `PUBLISHED`.
    #[derive(Clone, Copy)]
    struct Counters {
        allocated: *const u64,
        freed: *const u64,
        published: i64,
    }

    impl Counters {
        fn of_this_thread() -> Option<Self> {
            let allocated = read::<*const u64>(c"thread.allocatedp")?;
            let freed = read::<*const u64>(c"thread.deallocatedp")?;
            (!allocated.is_null() && !freed.is_null()).then_some(Counters {
                allocated,
                freed,
                published: 0,
            })
        }

        fn publish(mut self) -> Self {
            // SAFETY: jemalloc keeps both counters as long as the thread lives, and only this
            // thread, which is theirs, writes them or comes here with them.
            let held = unsafe { (*self.allocated).wrapping_sub(*self.freed) } as i64;
            PUBLISHED.fetch_add(held.wrapping_sub(self.published), Relaxed);
            self.published = held;
            self
        }
    }

    /// Counts the thread's memory; dropped on the same thread, at the latest when that ends. What
    /// the thread then holds stays counted: others may own it.
    #[must_use = "a thread that ends without dropping this takes its last numbers along"]
    pub struct Registration {
        /// Neither `Send` nor `Sync`.
        _thread: PhantomData<*const ()>,
    }

    impl Drop for Registration {
        fn drop(&mut self) {
            publish_thread();
        }
    }

    /// Begins to count the memory of the calling thread, from the thread's beginning on. A thread
    /// that registers again is still counted once.
    pub fn register_thread() -> Registration {
        if COUNTERS.get().is_none() {
            COUNTERS.set(Counters::of_this_thread().map(Counters::publish));
        }
        Registration { _thread: PhantomData }
    }

    /// Makes what the calling thread allocated and freed visible to the others. A helper does so
    /// after each job.
    pub fn publish_thread() {
        COUNTERS.set(COUNTERS.get().map(Counters::publish));
    }

    /// Bytes in use by all registered threads, rounded up as the allocator does. The caller's own
    /// changes are in it at once, those of others as they publish them.
    pub fn used_memory() -> usize {
        publish_thread();
        usize::try_from(PUBLISHED.load(Relaxed)).unwrap_or(0)
    }

    /// Bytes that the calling thread has ever allocated, so that a test can bound what an operation
    /// takes.
    #[cfg(test)]
    pub fn thread_allocated() -> u64 {
        let counters = Counters::of_this_thread();
        // SAFETY: jemalloc keeps the counter as long as the thread lives, and only this thread
        // writes it.
        counters.map_or(0, |counters| unsafe { *counters.allocated })
    }

    /// Bytes that an allocation of `size` bytes really takes.
    pub fn usable_size(size: usize) -> usize {
        // SAFETY: nallocx computes; it wants a size that is not 0.
        if size == 0 { 0 } else { unsafe { sys::nallocx(size, 0) } }
    }

    /// Fresh numbers from the allocator, for all threads of the process.
    pub fn stats() -> AllocatorStats {
        write(c"epoch", 1u64);
        let bytes = |name| read::<usize>(name).unwrap_or(0);
        AllocatorStats {
            allocated: bytes(c"stats.allocated"),
            active: bytes(c"stats.active"),
            resident: bytes(c"stats.resident"),
        }
    }

    /// Has a thread of jemalloc's own give free pages back to the system, instead of whichever
    /// thread happens to free something (jemalloc-bg-thread); false where that is not supported.
    pub fn set_background_thread(enabled: bool) -> bool {
        write(c"background_thread", enabled)
    }

    /// Gives free pages back to the system.
    pub fn purge() {
        // 4096 stands for all arenas (MALLCTL_ARENAS_ALL).
        let _ = call(c"arena.4096.purge");
    }

    /// The allocator's name and version, for INFO.
    pub fn name() -> String {
        let version = read::<*const std::ffi::c_char>(c"version").filter(|p| !p.is_null());
        // SAFETY: the version is a static, terminated string.
        let version = version.map(|p| unsafe { CStr::from_ptr(p) }.to_string_lossy());
        let numbers = version.as_deref().and_then(|v| v.split('-').next()).unwrap_or("");
        format!("jemalloc-{numbers}")
    }

    /// The allocator's own report, for MEMORY MALLOC-STATS.
    pub fn report() -> Option<Vec<u8>> {
        unsafe extern "C" fn append(text: *mut c_void, part: *const c_char) {
            // SAFETY: `text` is the vector below, which nobody else uses meanwhile; `part` is
            // terminated.
            let (text, part) = unsafe { (&mut *text.cast::<Vec<u8>>(), CStr::from_ptr(part)) };
            text.extend_from_slice(part.to_bytes());
        }
        let mut text: Vec<u8> = Vec::with_capacity(64 << 10);
        // SAFETY: `append` gets `text`, which outlives the call, and no options are given.
        unsafe {
            sys::malloc_stats_print(Some(append), (&raw mut text).cast(), ptr::null());
        }
        Some(text)
    }

    /// Reads one of jemalloc's integers or booleans by name, and sets it if `new` is given. `None`:
    /// it can only be written. The error is an errno.
    pub fn control_integer(name: &CStr, new: Option<i64>) -> Result<Option<i64>, i32> {
        if new.is_some() && name.to_bytes().ends_with(b"hooks") {
            // An integer in the place of functions would be called.
            return Err(libc::EPERM);
        }
        let mut failure = libc::EINVAL;
        // The size of what the name stands for is not known: an integer, a short one, or a boolean.
        for size in [8, 4, 2, 1] {
            match exchange(name, [0; 8], new.map(i64::to_le_bytes), size) {
                Ok(old) => return Ok(Some(i64::from_le_bytes(old))),
                Err(libc::EINVAL) => {}
                Err(libc::EPERM) if new.is_some() => match write_only(name, new, size) {
                    Ok(()) => return Ok(None),
                    Err(libc::EINVAL) => {}
                    Err(other) => return Err(other),
                },
                Err(other) => {
                    failure = other;
                    break;
                }
            }
        }
        Err(failure)
    }

    /// What jemalloc's strings are called: no pointer of any other kind may be read as one.
    const STRINGS: [&str; 12] = [
        "version",
        "config.malloc_conf",
        "opt.dss",
        "opt.percpu_arena",
        "opt.junk",
        "opt.thp",
        "opt.metadata_thp",
        "opt.zero_realloc",
        "opt.stats_print_opts",
        "opt.stats_interval_opts",
        "opt.prof_prefix",
        "thread.prof.name",
    ];

    fn is_string(name: &CStr) -> bool {
        let name = name.to_str().unwrap_or_default();
        STRINGS.contains(&name) || (name.starts_with("arena.") && name.ends_with(".dss"))
    }

    /// Reads one of jemalloc's strings by name, and sets it if `new` is given. `None`: it can only
    /// be written. The error is an errno.
    pub fn control_string(name: &CStr, new: Option<&CStr>) -> Result<Option<Vec<u8>>, i32> {
        if new == Some(c"VOID") {
            return call(name).map(|()| None);
        }
        if !is_string(name) {
            // A name that is unknown is told apart from one that stands for something else.
            return Err(control_integer(name, None).err().unwrap_or(libc::EINVAL));
        }
        let old = exchange(name, [0; 8], None, size_of::<*const c_char>())?;
        let old = ptr::with_exposed_provenance::<c_char>(usize::from_le_bytes(old));
        // SAFETY: the name is that of a string, which jemalloc keeps as long as it is set.
        let old = (!old.is_null()).then(|| unsafe { CStr::from_ptr(old) }.to_bytes().to_vec());
        if let Some(new) = new {
            let mut address = new.as_ptr();
            let set = (&raw mut address).cast();
            // SAFETY: jemalloc reads a pointer to a terminated string, and keeps none.
            let failed = unsafe {
                let len = size_of::<*const c_char>();
                sys::mallctl(name.as_ptr(), ptr::null_mut(), ptr::null_mut(), set, len)
            };
            if failed != 0 {
                return Err(failed);
            }
        }
        Ok(Some(old.unwrap_or_default()))
    }

    fn exchange(
        name: &CStr,
        mut old: [u8; 8],
        mut new: Option<[u8; 8]>,
        size: usize,
    ) -> Result<[u8; 8], i32> {
        let mut len = size;
        let (set, set_len) = match &mut new {
            Some(bytes) => (bytes.as_mut_ptr().cast(), size),
            None => (ptr::null_mut(), 0),
        };
        // SAFETY: both buffers have room for `size` bytes; jemalloc refuses if its value has
        // another size.
        let failed =
            unsafe { sys::mallctl(name.as_ptr(), old.as_mut_ptr().cast(), &mut len, set, set_len) };
        if failed == 0 { Ok(old) } else { Err(failed) }
    }

    fn write_only(name: &CStr, new: Option<i64>, size: usize) -> Result<(), i32> {
        let mut bytes = new.unwrap_or(0).to_le_bytes();
        // SAFETY: the buffer has room for `size` bytes, and jemalloc only reads it.
        let failed = unsafe {
            let set = bytes.as_mut_ptr().cast();
            sys::mallctl(name.as_ptr(), ptr::null_mut(), ptr::null_mut(), set, size)
        };
        if failed == 0 { Ok(()) } else { Err(failed) }
    }

    /// Reads a value of jemalloc's; `T` must be a plain type that any bytes are valid for.
    fn read<T: Copy>(name: &CStr) -> Option<T> {
        let mut value = std::mem::MaybeUninit::<T>::zeroed();
        let mut len = size_of::<T>();
        // SAFETY: `value` has room for `len` bytes; jemalloc refuses if its own value has another
        // length.
        let failed = unsafe {
            let out = value.as_mut_ptr().cast::<c_void>();
            sys::mallctl(name.as_ptr(), out, &mut len, ptr::null_mut(), 0)
        };
        // SAFETY: filled by jemalloc, and zeroed before.
        (failed == 0).then(|| unsafe { value.assume_init() })
    }

    fn write<T: Copy>(name: &CStr, mut value: T) -> bool {
        let new = (&raw mut value).cast::<c_void>();
        // SAFETY: jemalloc copies the value, and refuses if it expects another length.
        let failed = unsafe {
            let (none, name) = (ptr::null_mut(), name.as_ptr());
            sys::mallctl(name, none, ptr::null_mut(), new, size_of::<T>())
        };
        failed == 0
    }

    fn call(name: &CStr) -> Result<(), i32> {
        // SAFETY: nothing goes in or out.
        let failed = unsafe {
            sys::mallctl(name.as_ptr(), ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), 0)
        };
        if failed == 0 { Ok(()) } else { Err(failed) }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        /// Other tests' threads do not register, so only this test moves the sum.
        #[test]
        fn counts_the_threads_that_register() {
            const BIG: usize = 10 << 20;
            let _main = register_thread();
            let before = used_memory();
            let kept = vec![1u8; BIG];
            assert!((BIG..BIG + BIG / 10).contains(&(used_memory() - before)));

            let (send, receive) = std::sync::mpsc::channel::<Vec<u8>>();
            let helper = std::thread::spawn(move || {
                let _helper = register_thread();
                receive.into_iter().for_each(drop);
                vec![1u8; 2 * BIG]
            });
            send.send(kept).unwrap();
            drop(send);
            let theirs = helper.join().unwrap();
            let used = used_memory() - before;
            assert!((2 * BIG..2 * BIG + BIG / 10).contains(&used), "{used}");
            drop(theirs);
            assert!(used_memory() < before + BIG / 10);
        }

        #[test]
        fn the_allocator_answers() {
            let seen = stats();
            assert!(seen.allocated > 0 && seen.active >= seen.allocated);
            assert!(seen.resident >= seen.active / 2);
            assert_eq!((usable_size(0), usable_size(40), usable_size(129)), (0, 48, 160));
            assert!(name().starts_with("jemalloc-5."), "{}", name());
            assert!(report().unwrap().starts_with(b"___ Begin jemalloc statistics ___"));
        }

        #[test]
        fn values_are_read_by_name() {
            assert!(control_integer(c"opt.narenas", None).unwrap().unwrap() > 0);
            assert_eq!(control_integer(c"opt.abort", None), Ok(Some(0)));
            assert_eq!(control_integer(c"nosuch", None), Err(libc::ENOENT));
            assert_eq!(control_integer(c"opt.narenas", Some(1)), Err(libc::EPERM));
            let version = control_string(c"version", None).unwrap().unwrap();
            assert!(version.starts_with(b"5."));
            assert_eq!(control_string(c"nosuch", None), Err(libc::ENOENT));
            assert_eq!(control_string(c"stats.allocated", None), Err(libc::EINVAL));
            assert_eq!(control_string(c"arena.0.purge", Some(c"VOID")), Ok(None));
            purge();
            assert!(set_background_thread(true) && set_background_thread(false));
        }
    }
}

#[cfg(not(feature = "jemalloc"))]
mod system {
    use super::AllocatorStats;

    /// Nothing is counted per thread without jemalloc.
    #[must_use = "the thread's memory is counted while this lives"]
    pub struct Registration(());

    /// Does nothing without jemalloc.
    pub fn register_thread() -> Registration {
        Registration(())
    }

    /// Does nothing without jemalloc.
    pub fn publish_thread() {}

    /// The resident set size, for want of counters.
    pub fn used_memory() -> usize {
        super::resident_bytes()
    }

    /// Nobody counts without jemalloc.
    #[cfg(test)]
    pub fn thread_allocated() -> u64 {
        0
    }

    /// Bytes that an allocation of `size` bytes takes at least.
    pub fn usable_size(size: usize) -> usize {
        size
    }

    /// The resident set size, thrice.
    pub fn stats() -> AllocatorStats {
        let resident = super::resident_bytes();
        AllocatorStats { allocated: resident, active: resident, resident }
    }

    /// There is none without jemalloc.
    pub fn set_background_thread(_enabled: bool) -> bool {
        false
    }

    /// Does nothing without jemalloc.
    pub fn purge() {}

    /// There is no report without jemalloc.
    pub fn report() -> Option<Vec<u8>> {
        None
    }

    /// There is nothing to control without jemalloc.
    pub fn control_integer(_: &std::ffi::CStr, _: Option<i64>) -> Result<Option<i64>, i32> {
        Err(libc::ENOENT)
    }

    /// There is nothing to read without jemalloc.
    pub fn control_string(
        _: &std::ffi::CStr,
        _: Option<&std::ffi::CStr>,
    ) -> Result<Option<Vec<u8>>, i32> {
        Err(libc::ENOENT)
    }

    /// The allocator's name, for INFO.
    pub fn name() -> String {
        "libc".to_owned()
    }
}
