# SLOWLOG and LATENCY.

with_server {} {
    test "slow commands are logged, with who sent them" {
        r CONFIG SET slowlog-log-slower-than 50000
        r SLOWLOG RESET
        r CLIENT SETNAME slow
        r PING
        r DEBUG SLEEP 0.1
        assert_equal 1 [r SLOWLOG LEN]
        lassign [lindex [r SLOWLOG GET] 0] id time micros command address name
        assert_range 0 1000000 $id
        assert_range [expr {[clock seconds] - 5}] [clock seconds] $time
        assert_range 100000 3000000 $micros
        assert_equal {DEBUG SLEEP 0.1} $command
        assert_equal [r name] $address
        assert_equal slow $name
        assert_equal OK [r SLOWLOG RESET]
        assert_equal 0 [r SLOWLOG LEN]
    }

    test "the log has a length" {
        r CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 10
        for {set i 0} {$i < 50} {incr i} { r ECHO $i }
        assert_equal 10 [r SLOWLOG LEN]
        assert_equal 3 [llength [r SLOWLOG GET 3]]
        assert_equal 10 [llength [r SLOWLOG GET -1]]
        r CONFIG SET slowlog-log-slower-than -1
        set length [r SLOWLOG LEN]
        r PING
        assert_equal $length [r SLOWLOG LEN]
        assert_error "ERR count should be greater than or equal to -1" {r SLOWLOG GET -2}
    }

    test "long commands are cut" {
        r CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 128
        r SLOWLOG RESET
        r MSET {*}[string repeat "key value " 50] long [string repeat x 200]
        set command [lindex [r SLOWLOG GET -1] end-1 3]
        assert_equal 32 [llength $command]
        assert_equal "... (72 more arguments)" [lindex $command end]
        r SLOWLOG RESET
        r SET key [string repeat x 200]
        assert_equal "[string repeat x 128]... (72 more bytes)" [lindex [r SLOWLOG GET -1] end-1 3 2]
        r CONFIG SET slowlog-log-slower-than -1
    }

    test "secrets stay out" {
        r CONFIG SET slowlog-log-slower-than 0
        r SLOWLOG RESET
        catch {r AUTH default hidden}
        r CONFIG SET masterauth hidden
        r CONFIG SET slowlog-log-slower-than -1
        assert_no_match "*hidden*" [r SLOWLOG GET -1]
        assert_match "*(redacted)*" [r SLOWLOG GET -1]
    }

    test "LATENCY keeps events above the threshold" {
        r CONFIG SET latency-monitor-threshold 50
        r LATENCY RESET
        r DEBUG SLEEP 0.1
        lassign [lindex [r LATENCY LATEST] 0] event time latest max
        assert_equal command $event
        assert_range 100 3000 $latest
        assert_equal $latest $max
        assert_equal 1 [llength [r LATENCY HISTORY command]]
        assert_equal {} [r LATENCY HISTORY nothing]
        assert_match "*command - high * ms*" [r LATENCY GRAPH command]
        assert_error "ERR No samples available for event 'nothing'" {r LATENCY GRAPH nothing}
        assert_match "*Dave*" [r LATENCY DOCTOR]
        assert_equal 1 [r LATENCY RESET command]
        assert_equal {} [r LATENCY LATEST]
    }

    test "LATENCY HISTOGRAM counts calls" {
        r CONFIG RESETSTAT
        for {set i 0} {$i < 20} {incr i} { r SET key $i }
        set histogram [r LATENCY HISTOGRAM set get]
        assert_equal set [dict keys $histogram]
        assert_equal 20 [dict get $histogram set calls]
        assert_equal 20 [lindex [dict get $histogram set histogram_usec] end]
        r CONFIG SET latency-tracking no
        r CONFIG RESETSTAT
        r SET key 1
        assert_equal {} [r LATENCY HISTOGRAM set]
        r CONFIG SET latency-tracking yes
    }
}
