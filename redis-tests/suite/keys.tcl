# The keyspace: existence, types, renaming, copies, databases, time to live.

with_server {} {
    test "EXISTS, DEL, UNLINK and TOUCH count keys" {
        r MSET a 1 b 2 c 3
        assert_equal 4 [r EXISTS a b b c none]
        assert_equal 2 [r TOUCH a b none]
        assert_equal 2 [r DEL a b none a]
        assert_equal 1 [r UNLINK c none]
        assert_equal 0 [r DBSIZE]
    }

    test "TYPE, and keys of another kind" {
        assert_equal none [r TYPE none]
        r SET key v
        assert_equal string [r TYPE key]
    }

    test "RENAME and RENAMENX" {
        r SET a 1 EX 100
        r SET b 2
        assert_equal OK [r RENAME a b]
        assert_equal {{} 1} [r MGET a b]
        assert_range 99 100 [r TTL b]
        r SET c 3
        assert_equal 0 [r RENAMENX b c]
        assert_equal 1 [r RENAMENX b d]
        assert_equal OK [r RENAME d d]
        assert_equal 0 [r RENAMENX d d]
        assert_error "ERR no such key" {r RENAME none a}
        assert_error "ERR no such key" {r RENAME none none}
        assert_error "ERR no such key" {r RENAMENX none a}
        assert_range 99 100 [r TTL d]
    }

    test "COPY" {
        r SET a 1 EX 100
        assert_equal 1 [r COPY a b]
        assert_equal 0 [r COPY a b]
        assert_range 99 100 [r TTL b]
        r SET a 2
        assert_equal 1 [r COPY a b REPLACE]
        assert_equal 2 [r GET b]
        assert_equal -1 [r TTL b]
        assert_equal 1 [r COPY a a DB 3]
        assert_equal 0 [r COPY none x]
        assert_error "ERR source and destination objects are the same" {r COPY a a}
        assert_error "ERR DB index is out of range" {r COPY a b DB 100}
        assert_error "ERR syntax error" {r COPY a b NOPE}
        r APPEND b x
        assert_equal 2 [r GET a]
    }

    test "MOVE and SWAPDB" {
        r SET key v EX 100
        assert_equal 1 [r MOVE key 1]
        assert_equal 0 [r MOVE key 1]
        assert_equal 0 [r DBSIZE]
        r SELECT 1
        assert_range 99 100 [r TTL key]
        r SELECT 0
        r SET key other
        assert_equal 0 [r MOVE key 1]
        assert_error "ERR source and destination objects are the same" {r MOVE key 0}
        assert_error "ERR value is not an integer or out of range" {r MOVE key x}
        assert_error "ERR DB index is out of range" {r MOVE key 16}
        assert_equal OK [r SWAPDB 0 1]
        assert_equal v [r GET key]
        assert_error "ERR invalid first DB index" {r SWAPDB x 1}
        assert_error "ERR invalid second DB index" {r SWAPDB 1 x}
        assert_error "ERR DB index is out of range" {r SWAPDB 1 99}
    }

    test "FLUSHDB and FLUSHALL" {
        r SET a 1
        r SELECT 1
        r SET b 1
        assert_equal OK [r FLUSHDB ASYNC]
        assert_equal 0 [r DBSIZE]
        r SELECT 0
        assert_equal 1 [r DBSIZE]
        assert_equal OK [r FLUSHALL SYNC]
        assert_equal 0 [r DBSIZE]
        assert_error "ERR syntax error" {r FLUSHALL NOPE}
        assert_error "ERR syntax error" {r FLUSHDB SYNC ASYNC}
    }

    test "KEYS and its patterns" {
        r MSET hello 1 hallo 1 hxllo 1 hllo 1 heeello 1 {h[llo} 1 "new\nline" 1
        foreach {pattern expected} {
            h?llo {{h[llo} hallo hello hxllo}   h[ae]llo {hallo hello}   h[^e]llo {{h[llo} hallo hxllo}
            h[a-b]llo hallo   h*llo {{h[llo} hallo heeello hello hllo hxllo}   {h\[llo} {{h[llo}}
            none* {}
        } {
            set found [lsort [r KEYS $pattern]]
            assert_equal [lsort $expected] $found
        }
        assert_equal 7 [llength [r KEYS *]]
        r SET h? 1
        assert_equal h? [r KEYS {h\?}]
        assert_equal {} [r KEYS h\[]
    }

    test "a pattern made to be slow ends soon" {
        r SET [string repeat a 60] 1
        set started [clock milliseconds]
        r KEYS "[string repeat a* 30]b"
        assert_range 0 2000 [expr {[clock milliseconds] - $started}]
    }

    test "RANDOMKEY reaches every key" {
        assert_equal "\$-1\r\n" [r wire RANDOMKEY]
        r MSET a 1 b 1 c 1
        set seen {}
        for {set i 0} {$i < 200} {incr i} { dict set seen [r RANDOMKEY] 1 }
        assert_equal {a b c} [lsort [dict keys $seen]]
    }

    test "EXPIRE and its kin, and what they report" {
        r SET key v
        assert_equal -1 [r TTL key]
        assert_equal -2 [r TTL none]
        assert_equal -2 [r PTTL none]
        assert_equal -1 [r EXPIRETIME key]
        assert_equal -2 [r PEXPIRETIME none]
        assert_equal 1 [r EXPIRE key 100]
        assert_equal 0 [r EXPIRE none 100]
        assert_range 99 100 [r TTL key]
        assert_equal 1 [r PEXPIRE key 50000]
        assert_range 49000 50000 [r PTTL key]
        assert_equal 1 [r EXPIREAT key 33177117420]
        assert_equal 33177117420 [r EXPIRETIME key]
        assert_equal 1 [r PEXPIREAT key 33177117420123]
        assert_equal 33177117420123 [r PEXPIRETIME key]
        assert_equal 1 [r PERSIST key]
        assert_equal 0 [r PERSIST key]
        assert_equal 1 [r EXPIRE key -1]
        assert_equal 0 [r EXISTS key]
    }

    test "EXPIRE with conditions" {
        r SET key v
        assert_equal 0 [r EXPIRE key 100 XX]
        assert_equal 0 [r EXPIRE key 100 GT]
        assert_equal 1 [r EXPIRE key 100 LT]
        assert_equal 0 [r EXPIRE key 50 NX]
        assert_equal 0 [r EXPIRE key 50 GT]
        assert_equal 1 [r EXPIRE key 200 GT]
        assert_equal 0 [r EXPIRE key 300 LT]
        assert_equal 1 [r EXPIRE key 100 XX LT]
        assert_error "ERR NX and XX, GT or LT options at the same time are not compatible" {
            r EXPIRE key 1 NX XX
        }
        assert_error "ERR GT and LT options at the same time are not compatible" {
            r EXPIRE key 1 GT LT
        }
        assert_error "ERR Unsupported option nope" {r EXPIRE key 1 nope}
    }

    test "EXPIRE refuses what overflows" {
        r SET key v
        assert_error "ERR invalid expire time in 'expire' command" {r EXPIRE key 9223372036854775807}
        assert_error "ERR invalid expire time in 'pexpire' command" {r PEXPIRE key 9223372036854775807}
        assert_error "ERR invalid expire time in 'expireat' command" {
            r EXPIREAT key -9223372036854775808
        }
        assert_error "ERR value is not an integer or out of range" {r EXPIRE key x}
        assert_equal -1 [r TTL key]
    }

    test "an expired key is gone to every reader at once" {
        r DEBUG SET-ACTIVE-EXPIRE 0
        r SET key v PX 30
        r SET other v
        wait_for "the time to pass" {[r PTTL key] < 0}
        assert_equal "" [r GET key]
        assert_equal 0 [r EXISTS key]
        assert_equal other [r KEYS *]
        assert_equal none [r TYPE key]
        assert_equal other [r RANDOMKEY]
        assert_equal 1 [r SETNX key w]
        assert_equal -1 [r TTL key]
        r DEBUG SET-ACTIVE-EXPIRE 1
    }

    test "keys expire without being read" {
        set before [info_field stats expired_keys]
        for {set i 0} {$i < 500} {incr i} { r send SET key:$i v PX 100 }
        for {set i 0} {$i < 500} {incr i} { r recv }
        wait_for "all keys to expire" {[r DBSIZE] == 0}
        assert_equal 500 [expr {[info_field stats expired_keys] - $before}]
    }

    test "SET and MSET end a time to live, RENAME takes it along" {
        r SET a 1 EX 100
        r MSET a 2
        assert_equal -1 [r TTL a]
        r SET a 1 EX 100
        r SET b 1
        r RENAME b a
        assert_equal -1 [r TTL a]
    }

    test "OBJECT tells about a key" {
        r SET key v
        assert_equal 1 [r OBJECT REFCOUNT key]
        assert_range 0 1 [r OBJECT IDLETIME key]
        assert_equal "\$-1\r\n" [r wire OBJECT ENCODING none]
        assert_error "ERR An LFU maxmemory policy is not selected*" {r OBJECT FREQ key}
        r CONFIG SET maxmemory-policy allkeys-lfu
        r SET other v
        # A new key's counter, from the moment that the policy is set.
        assert_equal 5 [r OBJECT FREQ other]
        for {set i 0} {$i < 300} {incr i} { r GET other }
        assert_range 6 40 [r OBJECT FREQ other]
        assert_error "ERR An LFU maxmemory policy is selected*" {r OBJECT IDLETIME other}
        r CONFIG SET maxmemory-policy noeviction
    }

    test "many keys come and go" {
        r DEBUG POPULATE 200000 key 10
        assert_equal 200000 [r DBSIZE]
        assert_equal "value:77\x00\x00" [r GET key:77]
        for {set i 0} {$i < 200000} {incr i 1000} {
            set keys {}
            for {set j $i} {$j < $i + 1000} {incr j} { lappend keys key:$j }
            assert_equal 1000 [r DEL {*}$keys]
        }
        assert_equal 0 [r DBSIZE]
    }

    test "DEBUG DIGEST tells contents, not order" {
        r MSET a 1 b 2
        set digest [r DEBUG DIGEST]
        r FLUSHALL
        assert_equal [string repeat 0 40] [r DEBUG DIGEST]
        r MSET b 2 a 1
        assert_equal $digest [r DEBUG DIGEST]
        r SET b 3
        assert {[r DEBUG DIGEST] ne $digest}
        assert_equal [r DEBUG DIGEST-VALUE a] [r DEBUG DIGEST-VALUE a]
    }
}
