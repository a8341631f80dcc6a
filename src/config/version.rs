//! Which Redis the program says it is: INFO, HELLO, LOLWUT, `--version` and the log read it here
//! and nowhere else.

/// The version of Redis whose behaviour this node has.
pub const REDIS_VERSION: &str = "7.2.6";
/// The same as one number, as RDB files and modules carry it (Redis: REDIS_VERSION_NUM).
pub const REDIS_VERSION_NUM: u32 = 0x0007_0206;
/// The commit the program was built from, when the build names one in `REDIS_GIT_SHA1`.
pub const GIT_SHA1: &str = match option_env!("REDIS_GIT_SHA1") {
    Some(sha1) => sha1,
    None => "00000000",
};
/// Whether the build says that the tree differed from that commit (`REDIS_GIT_DIRTY`).
pub const GIT_DIRTY: bool = option_env!("REDIS_GIT_DIRTY").is_some();
/// The allocator, as INFO and `--version` name it.
pub const MALLOC: &str = if cfg!(feature = "jemalloc") { "jemalloc-5.3.0" } else { "libc" };
/// Bits of a word.
pub const ARCH_BITS: u32 = usize::BITS;

/// A number that tells builds apart: a hash of what the build was made from.
pub const fn build_id() -> u64 {
    let parts = [env!("CARGO_PKG_VERSION"), REDIS_VERSION, GIT_SHA1, MALLOC];
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut part = 0;
    while part < parts.len() {
        let bytes = parts[part].as_bytes();
        let mut i = 0;
        while i < bytes.len() {
            hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0000_0100_0000_01b3);
            i += 1;
        }
        part += 1;
    }
    hash
}

/// The line of `--version`.
pub fn version_line() -> String {
    format!(
        "Redis server v={REDIS_VERSION} sha={GIT_SHA1}:{} malloc={MALLOC} bits={ARCH_BITS} \
         build={:x}",
        u8::from(GIT_DIRTY),
        build_id()
    )
}
