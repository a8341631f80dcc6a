//! Commands for keys of every type: what makes them, what reads all of them in every way, what
//! edits them. Commands that do not exist are left out, and so are those that refuse their key.

/// Edits of a value that survived.
pub(super) const EDITS: usize = 3;

/// What is done with a value.
pub(super) struct Traffic {
    /// Commands that read it, together all of it.
    pub reads: &'static [&'static str],
    /// Commands that change it.
    pub edits: &'static [&'static str],
}

/// The commands for the type that TYPE replied.
pub(super) fn of(kind: &[u8]) -> Option<&'static Traffic> {
    match kind {
        b"+string\r\n" => Some(&STRING),
        b"+list\r\n" => Some(&LIST),
        b"+set\r\n" => Some(&SET),
        b"+hash\r\n" => Some(&HASH),
        b"+zset\r\n" => Some(&ZSET),
        b"+stream\r\n" => Some(&STREAM),
        _ => None,
    }
}

const STRING: Traffic = Traffic {
    reads: &[
        "GET k",
        "STRLEN k",
        "GETRANGE k 1 -2",
        "PFCOUNT k",
        "BITCOUNT k",
        "OBJECT ENCODING k",
    ],
    edits: &["APPEND k x", "SETRANGE k 3 yy", "PFADD k a b c", "SETBIT k 9 1", "INCR k"],
};

const LIST: Traffic = Traffic {
    reads: &[
        "LRANGE k 0 -1",
        "LINDEX k 0",
        "LINDEX k -1",
        "LINDEX k 3",
        "LPOS k b RANK -1 COUNT 0",
        "LLEN k",
        "MEMORY USAGE k SAMPLES 0",
        "DEBUG OBJECT k",
    ],
    edits: &[
        "LPUSH k x",
        "RPUSH k y 7 -1000000",
        "LSET k 1 z",
        "LSET k -1 12345678901",
        "LINSERT k BEFORE b new",
        "LREM k -1 b",
        "LREM k 0 a",
        "LTRIM k 1 -2",
        "LPOP k 2",
        "RPOP k",
        "LMOVE k k LEFT RIGHT",
        "SORT k ALPHA STORE k",
    ],
};

const SET: Traffic = Traffic {
    reads: &[
        "SMEMBERS k",
        "SSCAN k 0 COUNT 1000",
        "SRANDMEMBER k 5",
        "SRANDMEMBER k -20",
        "SMISMEMBER k a 1 b -5",
        "SDIFF k k",
        "SINTERCARD 1 k",
        "MEMORY USAGE k SAMPLES 0",
        "DEBUG OBJECT k",
    ],
    edits: &[
        "SADD k new",
        "SADD k 70000 5 -9000000000",
        "SREM k a 1 m1",
        "SPOP k 2",
        "SPOP k",
        "SMOVE k copy b",
        "SUNIONSTORE k k k",
    ],
};

const HASH: Traffic = Traffic {
    reads: &[
        "HGETALL k",
        "HSCAN k 0 COUNT 1000",
        "HRANDFIELD k 5 WITHVALUES",
        "HRANDFIELD k -20",
        "HMGET k a f f1 1",
        "HSTRLEN k f",
        "HPTTL k FIELDS 2 a f",
        "MEMORY USAGE k SAMPLES 0",
        "DEBUG OBJECT k",
    ],
    edits: &[
        "HSET k new value",
        "HSET k f w a 77",
        "HINCRBY k n 5",
        "HDEL k f a f1",
        "HSETNX k other x",
        "HPEXPIRE k 100000 FIELDS 1 f",
        "HPERSIST k FIELDS 2 a f",
        "HINCRBYFLOAT k n 1.5",
    ],
};

const ZSET: Traffic = Traffic {
    reads: &[
        "ZRANGE k 0 -1 WITHSCORES",
        "ZRANGE k -inf +inf BYSCORE",
        "ZRANGE k (5 -inf BYSCORE REV LIMIT 0 5",
        "ZRANGEBYLEX k - +",
        "ZSCAN k 0 COUNT 1000",
        "ZRANDMEMBER k -20 WITHSCORES",
        "ZRANDMEMBER k 5",
        "ZRANK k a",
        "ZREVRANK k b",
        "ZCOUNT k 1 5",
        "ZLEXCOUNT k - +",
        "MEMORY USAGE k SAMPLES 0",
        "DEBUG OBJECT k",
    ],
    edits: &[
        "ZADD k 3 new",
        "ZADD k -inf low +inf high",
        "ZINCRBY k 1.5 a",
        "ZREM k a b 1",
        "ZPOPMIN k",
        "ZPOPMAX k 2",
        "ZREMRANGEBYRANK k 1 2",
        "ZREMRANGEBYSCORE k 0 3",
        "ZUNIONSTORE k 1 k",
    ],
};

const STREAM: Traffic = Traffic {
    reads: &[
        "XRANGE k - +",
        "XREVRANGE k + - COUNT 5",
        "XLEN k",
        "XINFO STREAM k FULL COUNT 0",
        "XINFO STREAM k",
        "XINFO GROUPS k",
        "XINFO CONSUMERS k g",
        "XPENDING k g",
        "XPENDING k g - + 100",
        "XREAD COUNT 5 STREAMS k 0",
        "MEMORY USAGE k SAMPLES 0",
        "DEBUG OBJECT k",
    ],
    edits: &[
        "XADD k * f v",
        "XADD k MAXLEN ~ 5 * f v g w",
        "XDEL k 1-1 2-1",
        "XTRIM k MAXLEN 2",
        "XTRIM k MINID 2-0",
        "XGROUP CREATE k g2 0",
        "XGROUP DESTROY k g",
        "XGROUP DELCONSUMER k g c",
        "XREADGROUP GROUP g c COUNT 2 STREAMS k >",
        "XREADGROUP GROUP g d STREAMS k 0",
        "XACK k g 1-1 2-1 3-1",
        "XCLAIM k g d 0 1-1 2-1 FORCE",
        "XAUTOCLAIM k g d 0 0",
        "XSETID k 9999999999999-1",
    ],
};

/// Commands, parted by bars, that make a value of each type and encoding.
pub(super) const MAKERS: &[&str] = &[
    "SET k 7",
    "SET k abcabcabcabcabcabcabcabcabcabc",
    "PFADD k a b c d e",
    "RPUSH k a b c 1 -70000 12345678901",
    "CONFIG SET list-max-listpack-size 3|RPUSH k a b c d e f g h|\
     CONFIG SET list-max-listpack-size -2",
    "DEBUG QUICKLIST-PACKED-THRESHOLD 5b|RPUSH k aaaaaaa b ccccccc d|\
     DEBUG QUICKLIST-PACKED-THRESHOLD 0",
    "SADD k 1 2 3 70000",
    "SADD k 1 -9000000000",
    "SADD k a b 5 m1",
    "CONFIG SET set-max-listpack-entries 2|SADD k a b m1 d|CONFIG SET set-max-listpack-entries 128",
    "HSET k a 1 f v f1 w",
    "CONFIG SET hash-max-listpack-entries 2|HSET k a 1 f v f1 w|\
     CONFIG SET hash-max-listpack-entries 128",
    "HSET k a 1 f v f1 w|HPEXPIRE k 100000 FIELDS 2 a f1",
    "ZADD k 1 a 2.5 b -inf c 3 1",
    "CONFIG SET zset-max-listpack-entries 2|ZADD k 1 a 2.5 b +inf c|\
     CONFIG SET zset-max-listpack-entries 128",
    "GEOADD k 13.361389 38.115556 a 15.087269 37.502669 b",
    "XADD k 1-1 f v|XADD k 2-1 f w|XADD k 3-1 g x h y|XDEL k 2-1",
    "XADD k 1-1 f v|XADD k 2-1 f w|XGROUP CREATE k g 0|XREADGROUP GROUP g c COUNT 1 STREAMS k >|\
     XREADGROUP GROUP g d COUNT 1 STREAMS k >|XGROUP CREATE k h $",
    "CONFIG SET stream-node-max-entries 2|XADD k 1-1 f v|XADD k 2-1 f w|XADD k 3-1 f x|\
     CONFIG SET stream-node-max-entries 100",
];

/// Values in encodings that nobody writes any more.
pub(super) const OLD_ENCODINGS: &[&[u8]] = &[
    b"\x01\x03\x01a\xc0\x05\x03xyz",
    b"\x0a\x11\x11\0\0\0\x0d\0\0\0\x02\0\0\x01a\x03\xf2\xff",
    b"\x0e\x02\x11\x11\0\0\0\x0d\0\0\0\x02\0\0\x01a\x03\xf2\xff\
      \x11\x11\0\0\0\x0d\0\0\0\x02\0\0\x01b\x03\xf3\xff",
    b"\x03\x02\x01a\x011\x01b\x032.5",
    b"\x03\x02\x01a\xfe\x01b\xff",
    b"\x0c\x17\x17\0\0\0\x13\0\0\0\x04\0\0\x01a\x03\xf2\x02\x01b\x03\xf3\xff",
];
