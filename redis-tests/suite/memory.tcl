# maxmemory: refusal, and every eviction policy.
#
# Limits follow from what the data itself takes, because servers differ in what they take for a key
# and for themselves.

with_server {maxmemory-samples 10} {
    set ::empty_bytes 0

    proc used {} { info_field memory used_memory }

    # Waits until what was deleted is no longer counted; returns what a server without data takes.
    proc settled {} {
        if {!$::empty_bytes} { set ::empty_bytes [used] }
        wait_for "memory to be freed" {[used] < $::empty_bytes + 400000}
        return [used]
    }

    # A limit that has this share of the data in it; `empty` is what was in use without data.
    proc limit_to {share empty} { expr {int($empty + ([used] - $empty) * $share)} }

    proc fill {count args} {
        set errors 0
        set value [string repeat x 1000]
        for {set i 0} {$i < $count} {incr i} { r send SET key:$i $value {*}$args }
        for {set i 0} {$i < $count} {incr i} { incr errors [catch {r recv}] }
        return $errors
    }

    test "noeviction refuses what needs memory, and only that" {
        settled
        fill 100
        r CONFIG SET maxmemory-policy noeviction maxmemory 100000
        foreach command {{SET a 1} {APPEND a x} {INCR n} {SETRANGE a 10 x} {MSET a 1} {COPY key:1 b}} {
            assert_error "OOM command not allowed when used memory > 'maxmemory'." {r {*}$command}
        }
        assert_equal 1000 [r STRLEN key:1]
        assert_equal 1 [r DEL key:1]
        assert_equal 1 [r EXPIRE key:2 100]
        assert_error "OOM *" {
            r MULTI
            r SET a 1
        }
        assert_error "EXECABORT *" {r EXEC}
        r CONFIG SET maxmemory 0
        assert_equal OK [r SET a 1]
    }

    foreach policy {allkeys-lru allkeys-lfu allkeys-random} {
        test "$policy stays near its limit" {
            r CONFIG SET maxmemory-policy $policy
            r CONFIG RESETSTAT
            set limit [expr {[settled] + 1000000}]
            r CONFIG SET maxmemory $limit
            assert_equal 0 [fill 5000]
            assert_range 100 4000 [r DBSIZE]
            wait_for "memory to be near its limit" {[used] <= $limit + 100000}
            assert {[info_field stats evicted_keys] >= 1000}
            r CONFIG SET maxmemory 0
        }
    }

    foreach policy {volatile-lru volatile-lfu volatile-random volatile-ttl} {
        test "$policy spares keys without a time to live" {
            r CONFIG SET maxmemory-policy $policy
            settled
            for {set i 0} {$i < 200} {incr i} { r SET stay:$i [string repeat x 1000] }
            r CONFIG SET maxmemory [expr {[used] + 500000}]
            assert_equal 0 [fill 2000 EX 1000]
            for {set i 0} {$i < 200} {incr i} {
                if {![r EXISTS stay:$i]} { fail "stay:$i was evicted" }
            }
            assert {[r DBSIZE] < 1500}
            r CONFIG SET maxmemory 0
        }

        test "$policy refuses when nothing has a time to live" {
            fill 1000
            r CONFIG SET maxmemory-policy $policy maxmemory 100000
            assert_error "OOM command not allowed when used memory > 'maxmemory'." {r SET a 1}
            r CONFIG SET maxmemory 0
        }
    }

    test "volatile-ttl takes what would expire first" {
        r CONFIG SET maxmemory-policy volatile-ttl
        set empty [settled]
        for {set i 0} {$i < 1000} {incr i} {
            set ttl [expr {$i % 2 ? 100 : 100000}]
            r SET key:$i [string repeat x 1000] EX $ttl
        }
        r CONFIG SET maxmemory [limit_to 0.75 $empty]
        r SET new v
        wait_for "eviction to end" {[r DBSIZE] < 850}
        set late 0
        for {set i 0} {$i < 1000} {incr i 2} { incr late [r EXISTS key:$i] }
        assert_range 480 500 $late
        r CONFIG SET maxmemory 0
    }

    test "allkeys-lfu keeps what is used often" {
        r CONFIG SET maxmemory-policy allkeys-lfu
        set empty [settled]
        for {set i 0} {$i < 1000} {incr i} { r SET key:$i [string repeat x 1000] }
        for {set i 0} {$i < 50} {incr i} {
            for {set j 0} {$j < 20} {incr j} { r send GET key:$j }
            for {set j 0} {$j < 20} {incr j} { r recv }
        }
        r CONFIG SET maxmemory [limit_to 0.6 $empty]
        r SET new v
        wait_for "eviction to end" {[r DBSIZE] < 700}
        set often 0
        for {set j 0} {$j < 20} {incr j} { incr often [r EXISTS key:$j] }
        assert_range 18 20 $often
        r CONFIG SET maxmemory 0
    }

    test "a lowered limit evicts at once" {
        r CONFIG SET maxmemory-policy allkeys-random
        set empty [settled]
        fill 2000
        r CONFIG SET maxmemory [limit_to 0.5 $empty]
        wait_for "eviction" {[r DBSIZE] < 1500}
        r CONFIG SET maxmemory 0
    }

    test "evicted keys are watched" {
        r CONFIG SET maxmemory-policy allkeys-random
        set empty [settled]
        fill 500
        set keys {}
        for {set i 0} {$i < 500} {incr i} { lappend keys key:$i }
        foreach client {watching unconcerned} { set $client [connect] }
        $watching WATCH {*}$keys
        $unconcerned WATCH none
        r CONFIG SET maxmemory [limit_to 0.5 $empty]
        wait_for "eviction" {[r DBSIZE] < 500}
        r CONFIG SET maxmemory 0
        foreach client [list $watching $unconcerned] {
            $client MULTI
            $client PING
        }
        assert_equal "*-1\r\n" [$watching wire EXEC]
        assert_equal PONG [$unconcerned EXEC]
    }
}
