# Transactions: queueing, errors, WATCH.

with_server {} {
    test "EXEC runs what was queued" {
        assert_equal OK [r MULTI]
        assert_equal QUEUED [r SET key 1]
        assert_equal QUEUED [r INCR key]
        assert_equal QUEUED [r GET key]
        assert_equal {OK 2 2} [r EXEC]
        assert_error "ERR EXEC without MULTI" {r EXEC}
    }

    test "nothing is seen before EXEC" {
        set other [connect]
        r MULTI
        r SET key 1
        assert_equal 0 [$other EXISTS key]
        r EXEC
        assert_equal 1 [$other EXISTS key]
    }

    test "DISCARD forgets" {
        r SET key 1
        r MULTI
        r DEL key
        assert_equal OK [r DISCARD]
        assert_equal 1 [r GET key]
        assert_error "ERR DISCARD without MULTI" {r DISCARD}
    }

    test "an empty transaction" {
        r MULTI
        assert_equal "*0\r\n" [r wire EXEC]
    }

    test "what may not be queued" {
        r MULTI
        assert_error "ERR MULTI calls can not be nested" {r MULTI}
        assert_error "ERR WATCH inside MULTI is not allowed" {r WATCH key}
        r SET key 1
        assert_equal OK [r EXEC]
    }

    test "an error while queueing ends the transaction" {
        foreach bad {{GET} {nope a} {SET key} {CONFIG}} {
            r MULTI
            r SET key 1
            catch {r {*}$bad}
            assert_error "EXECABORT Transaction discarded because of previous errors." {r EXEC}
        }
        assert_equal 0 [r EXISTS key]
    }

    test "an error while running stops nothing" {
        r SET text x
        r MULTI
        r SET a 1
        r INCR text
        r SET b 2
        assert_equal "*3\r\n+OK\r\n-ERR value is not an integer or out of range\r\n+OK\r\n" \
            [r wire EXEC]
        assert_equal {1 2} [r MGET a b]
    }

    test "a watched key that changes ends the transaction" {
        set other [connect]
        foreach {what before change} {
            set {} {SET key 1}   append {SET key 1} {APPEND key x}   del {SET key 1} {DEL key}
            expire {SET key 1} {EXPIRE key 100}   rename {SET from 1} {RENAME from key}
            flushdb {SET key 1} FLUSHDB   flushall {SET key 1} FLUSHALL   copy {SET from 1} {COPY from key}
            swapdb {SET key 1} {SWAPDB 0 3}
        } {
            r FLUSHALL
            if {$before ne ""} { r {*}$before }
            assert_equal OK [r WATCH key]
            $other {*}$change
            r MULTI
            r PING
            if {[r wire EXEC] ne "*-1\r\n"} { fail "$what was not noticed" }
        }
    }

    test "what is no change" {
        set other [connect]
        r SET key 1
        r SET other 1
        foreach harmless {{GET key} {SETNX key 2} {DEL none} {SET another 1} {TOUCH key} {PERSIST key}} {
            r WATCH key none
            $other {*}$harmless
            r MULTI
            r PING
            assert_equal PONG [r EXEC]
        }
    }

    test "flushing nothing does not touch a missing key" {
        set other [connect]
        r WATCH none
        $other FLUSHALL
        r MULTI
        r PING
        assert_equal PONG [r EXEC]
    }

    test "EXEC, DISCARD and UNWATCH end watching" {
        set other [connect]
        foreach ending {{MULTI EXEC} {MULTI DISCARD} {UNWATCH}} {
            r WATCH key
            foreach command $ending { r $command }
            $other SET key [incr n]
            r MULTI
            r PING
            assert_equal PONG [r EXEC]
        }
    }

    test "one's own change counts" {
        r WATCH key
        r SET key 1
        r MULTI
        r PING
        assert_equal "*-1\r\n" [r wire EXEC]
    }

    test "a watched key that expires" {
        r SET key v PX 20
        r WATCH key
        after 40
        r MULTI
        r PING
        assert_equal "*-1\r\n" [r wire EXEC]
    }

    test "the null of an ended transaction in RESP3" {
        r HELLO 3
        r WATCH key
        r SET key 1
        r MULTI
        r PING
        assert_equal "_\r\n" [r wire EXEC]
    }

    test "SELECT inside a transaction" {
        r MULTI
        r SELECT 3
        r SET key three
        r EXEC
        assert_match "*db=3*" [r CLIENT INFO]
        r SELECT 0
        assert_equal 0 [r EXISTS key]
    }

    test "many commands, and a client that leaves in the middle" {
        set other [connect]
        $other MULTI
        for {set i 0} {$i < 10000} {incr i} { $other send INCR n }
        for {set i 0} {$i < 10000} {incr i} { assert_equal QUEUED [$other recv] }
        assert_match "*multi=10000*" [$other name][r CLIENT LIST]
        assert_equal 10000 [lindex [$other EXEC] end]
        $other MULTI
        $other SET key 1
        $other destroy
        assert_equal 0 [r EXISTS key]
    }
}
