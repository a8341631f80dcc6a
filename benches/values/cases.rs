//! The commands that are timed on big values. `@N` is the Nth of a million elements, `%N` such a
//! number; both scale with the size of the values. Nothing here returns or walks all of a value.

/// A command, and what makes the state that it is to be timed in.
pub struct Case {
    /// Before, untimed.
    pub before: &'static [&'static str],
    /// Time to let pass then.
    pub wait_ms: Option<u64>,
    /// What is timed.
    pub command: &'static str,
    /// What puts the value right again, untimed.
    pub after: &'static [&'static str],
    /// Whether only our server has it.
    pub is_ours_alone: bool,
}

/// A command on values as they are.
const fn on(command: &'static str) -> Case {
    Case { before: &[], wait_ms: None, command, after: &[], is_ours_alone: false }
}

/// A command of later versions of Redis.
const fn newer(command: &'static str) -> Case {
    Case { is_ours_alone: true, ..on(command) }
}

/// A command that is preceded by others.
const fn with(before: &'static [&'static str], command: &'static str) -> Case {
    Case { before, ..on(command) }
}

/// A command whose effects are undone.
const fn undone(command: &'static str, after: &'static [&'static str]) -> Case {
    Case { after, ..on(command) }
}

/// All commands.
pub const CASES: &[Case] = &[
    // Lists.
    on("LPUSH list a"),
    on("RPUSH list a"),
    on("LPUSHX list a"),
    on("RPUSHX list a b c"),
    on("LPOP list"),
    on("RPOP list"),
    on("LPOP list 100"),
    on("RPOP list 100"),
    on("LLEN list"),
    on("LINDEX list %250000"),
    on("LINDEX list %500000"),
    on("LINDEX list -1000"),
    on("LSET list %500000 another"),
    on("LINSERT list BEFORE @500000 one"),
    on("LINSERT list AFTER @900000 one"),
    on("LREM list 1 @600000"),
    on("LREM list -1 @400000"),
    on("LPOS list @500100"),
    on("LPOS list none RANK -1 MAXLEN 1000"),
    on("LRANGE list %500000 %500100"),
    on("LRANGE list -100 -1"),
    on("LTRIM list 0 -2"),
    on("LTRIM list 1 -1"),
    on("LTRIM list 100 -101"),
    with(&["COPY list copy REPLACE"], "LTRIM copy 0 9"),
    with(&["COPY list copy REPLACE"], "LTRIM copy %500000 %500010"),
    with(&["COPY list copy REPLACE"], "LTRIM copy 10 9"),
    on("LMOVE list list LEFT RIGHT"),
    on("RPOPLPUSH list list:small"),
    on("LMPOP 1 list LEFT COUNT 10"),
    on("BLPOP list 0"),
    on("BLMOVE list list:small LEFT LEFT 0"),
    // Sets.
    on("SADD set new"),
    on("SADD set @500000"),
    on("SCARD set"),
    on("SISMEMBER set @500000"),
    on("SMISMEMBER set @1 @2 none"),
    undone("SREM set @500000", &["SADD set @500000"]),
    on("SPOP set"),
    on("SPOP set 100"),
    on("SRANDMEMBER set"),
    on("SRANDMEMBER set 100"),
    on("SRANDMEMBER set -100"),
    undone("SMOVE set set:other @500001", &["SMOVE set:other set @500001"]),
    on("SINTER set set:small"),
    on("SINTERCARD 2 set set:small LIMIT 10"),
    on("SINTERCARD 2 set set LIMIT 10"),
    on("SDIFF set:small set"),
    with(&["COPY set copy REPLACE"], "SINTERSTORE copy set set:small"),
    with(&["COPY set copy REPLACE"], "SDIFFSTORE copy set:small set"),
    with(&["COPY set copy REPLACE"], "SUNIONSTORE copy set:small"),
    on("SSCAN set 0 COUNT 100"),
    on("SSCAN set 4096 COUNT 100"),
    // Hashes.
    on("HSET hash new value"),
    on("HSET hash @500000 value"),
    on("HSETNX hash @500000 value"),
    on("HGET hash @500000"),
    on("HMGET hash @500000 @1 none"),
    on("HLEN hash"),
    on("HEXISTS hash @500000"),
    on("HSTRLEN hash @500000"),
    on("HINCRBY hash number 1"),
    on("HINCRBYFLOAT hash float 1.5"),
    undone("HDEL hash @500000", &["HSET hash @500000 value"]),
    on("HRANDFIELD hash"),
    on("HRANDFIELD hash 100 WITHVALUES"),
    on("HRANDFIELD hash -100"),
    on("HSCAN hash 0 COUNT 100"),
    Case {
        before: &["COPY hash copy REPLACE"],
        ..newer("HEXPIRE copy 1000 FIELDS 2 @500000 @500001")
    },
    newer("HEXPIRE hash 1000 FIELDS 2 @500000 @500001"),
    newer("HTTL hash FIELDS 2 @500000 @500001"),
    newer("HPERSIST hash FIELDS 1 @500000"),
    newer("HGETEX hash EX 1000 FIELDS 1 @600000"),
    newer("HSETEX hash EX 1000 FIELDS 1 @600001 value"),
    newer("HGETDEL hash FIELDS 1 @600002"),
    Case {
        before: &["COPY hash copy REPLACE", "HPEXPIRE copy 1 FIELDS 1 @500000"],
        wait_ms: Some(5),
        ..newer("HGET copy @500000")
    },
    // Sorted sets.
    on("ZADD zset 500000.5 new"),
    on("ZADD zset 1 @500000"),
    on("ZADD zset XX CH INCR 1 @500000"),
    on("ZINCRBY zset 1 @500000"),
    undone("ZREM zset @500000", &["ZADD zset %500000 @500000"]),
    on("ZCARD zset"),
    on("ZSCORE zset @500000"),
    on("ZMSCORE zset @500000 none"),
    on("ZRANK zset @500000"),
    on("ZREVRANK zset @500000 WITHSCORE"),
    on("ZCOUNT zset -inf +inf"),
    on("ZCOUNT zset %250000 %750000"),
    on("ZLEXCOUNT lex - +"),
    on("ZLEXCOUNT lex [e:000000250000 [z"),
    on("ZRANGE zset %500000 %500100"),
    on("ZRANGE zset %500000 %500100 REV WITHSCORES"),
    on("ZRANGE zset -inf +inf BYSCORE LIMIT %500000 10"),
    on("ZRANGE lex - + BYLEX LIMIT %500000 10"),
    on("ZRANGEBYSCORE zset %500000 +inf LIMIT 0 10"),
    on("ZREVRANGEBYSCORE zset +inf -inf LIMIT %500000 10"),
    on("ZREVRANGE zset 0 100"),
    on("ZRANGEBYLEX lex - + LIMIT %500000 10"),
    on("ZREVRANGEBYLEX lex + - LIMIT %500000 10"),
    on("ZRANDMEMBER zset"),
    on("ZRANDMEMBER zset 100 WITHSCORES"),
    on("ZRANDMEMBER zset -100"),
    on("ZPOPMIN zset"),
    on("ZPOPMAX zset 100"),
    on("ZMPOP 1 zset MIN COUNT 10"),
    on("BZPOPMIN zset 0"),
    on("ZREMRANGEBYRANK zset %500000 %500010"),
    on("ZREMRANGEBYSCORE zset %600000 %600010"),
    on("ZREMRANGEBYLEX lex [e:000000500000 [e:000000500010"),
    on("ZINTER 2 zset zset:small"),
    on("ZINTERCARD 2 zset zset:small"),
    on("ZDIFF 2 zset:small zset"),
    on("ZRANGESTORE zset:other zset %500000 %500100"),
    with(&["COPY zset copy REPLACE"], "ZRANGESTORE copy zset 0 10"),
    with(&["COPY zset copy REPLACE"], "ZINTERSTORE copy 2 zset zset:small"),
    with(&["COPY zset copy REPLACE"], "ZDIFFSTORE copy 2 zset:small zset"),
    on("ZSCAN zset 0 COUNT 100"),
    on("GEOADD geo 5 5 new"),
    on("GEODIST geo @1 @2"),
    on("GEOPOS geo @1"),
    on("GEOHASH geo @1"),
    on("GEOSEARCH geo FROMLONLAT 5 5 BYRADIUS 5 km"),
    on("GEOSEARCH geo FROMLONLAT 5 5 BYRADIUS 500 km COUNT 10 ANY"),
    // Streams.
    on("XADD stream * field value"),
    on("XADD stream MAXLEN ~ 1000000 * field value"),
    on("XADD stream MAXLEN = %999900 * field value"),
    on("XLEN stream"),
    on("XRANGE stream %500000 + COUNT 10"),
    on("XREVRANGE stream %500000 - COUNT 10"),
    on("XRANGE stream %500000-1 %500000-1"),
    on("XREAD COUNT 10 STREAMS stream %500000"),
    on("XREAD STREAMS stream $"),
    on("XDEL stream %500000-1"),
    on("XTRIM stream MAXLEN = %999000"),
    on("XTRIM stream MINID ~ %2000"),
    undone("XGROUP CREATE stream other $", &["XGROUP DESTROY stream other"]),
    on("XGROUP SETID stream fresh %500000"),
    on("XGROUP CREATECONSUMER stream fresh one"),
    on("XREADGROUP GROUP fresh one COUNT 10 STREAMS stream >"),
    on("XREADGROUP GROUP fresh one COUNT 10 STREAMS stream 0"),
    on("XREADGROUP GROUP group all COUNT 10 STREAMS stream %500000"),
    on("XPENDING stream group"),
    on("XPENDING stream group - + 10"),
    on("XPENDING stream group %500000 + 10 all"),
    on("XCLAIM stream group busy 0 %600000-1"),
    on("XAUTOCLAIM stream group busy 0 %700000 COUNT 10"),
    on("XACK stream group %800000-1"),
    on("XINFO STREAM stream"),
    on("XINFO STREAM stream FULL"),
    on("XINFO GROUPS stream"),
    on("XINFO CONSUMERS stream group"),
    on("XSETID stream 99999999999999-0"),
    with(&["XGROUP CREATE stream other 0"], "XGROUP DESTROY stream other"),
    with(&["COPY stream copy REPLACE"], "XGROUP DESTROY copy group"),
    with(&["COPY stream copy REPLACE"], "XTRIM copy MAXLEN 0"),
    // Any value.
    on("TYPE zset"),
    on("EXISTS set"),
    on("TOUCH hash"),
    on("OBJECT ENCODING list"),
    on("OBJECT IDLETIME stream"),
    on("MEMORY USAGE list"),
    on("MEMORY USAGE set"),
    on("MEMORY USAGE hash"),
    on("MEMORY USAGE zset"),
    on("MEMORY USAGE stream"),
    on("EXPIRE list 10000"),
    on("PERSIST list"),
    undone("RENAME zset other", &["RENAME other zset"]),
    undone("MOVE stream 1", &["SELECT 1", "MOVE stream 0", "SELECT 0"]),
    on("WATCH set"),
    on("UNWATCH"),
    with(&["COPY list copy REPLACE"], "DEL copy"),
    with(&["COPY set copy REPLACE"], "DEL copy"),
    with(&["COPY hash copy REPLACE"], "DEL copy"),
    with(&["COPY zset copy REPLACE"], "DEL copy"),
    with(&["COPY stream copy REPLACE"], "DEL copy"),
    with(&["COPY set copy REPLACE"], "UNLINK copy"),
    with(&["COPY zset copy REPLACE"], "UNLINK copy"),
    with(&["COPY hash copy REPLACE"], "SET copy string"),
    with(&["COPY zset copy REPLACE", "SET short value"], "RENAME short copy"),
    with(&["COPY set copy REPLACE"], "COPY set:small copy REPLACE"),
    with(&["COPY hash copy REPLACE"], "SORT list:small ALPHA STORE copy"),
    with(&["COPY set copy REPLACE"], "BITOP NOT copy list:none"),
    with(&["COPY hash copy REPLACE"], "EXPIRE copy -1"),
    with(&["COPY zset copy REPLACE"], "GEOSEARCHSTORE copy geo FROMLONLAT 5 5 BYRADIUS 5 km"),
    Case {
        before: &["COPY zset copy REPLACE", "PEXPIRE copy 1"],
        wait_ms: Some(2),
        ..on("EXISTS copy")
    },
    undone("SWAPDB 0 1", &["SWAPDB 0 1"]),
    Case {
        before: &["COPY hash copy DB 1 REPLACE", "SELECT 1"],
        after: &["SELECT 0"],
        ..on("FLUSHDB")
    },
    Case {
        before: &["COPY zset copy DB 1 REPLACE", "SELECT 1"],
        after: &["SELECT 0"],
        ..on("FLUSHDB ASYNC")
    },
];
