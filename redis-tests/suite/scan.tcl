# SCAN: completeness, options, cursors, and tables that change meanwhile.

with_server {} {
    # Walks the whole keyspace; returns what was seen, with repeats.
    proc scan_all {args} {
        set seen {}
        set cursor 0
        while 1 {
            lassign [r SCAN $cursor {*}$args] cursor keys
            lappend seen {*}$keys
            if {$cursor eq "0"} { return $seen }
        }
    }

    test "an empty keyspace" {
        assert_equal {0 {}} [r SCAN 0]
        assert_equal "*2\r\n\$1\r\n0\r\n*0\r\n" [r wire SCAN 0]
    }

    test "every key is returned" {
        r DEBUG POPULATE 5000
        assert_equal 5000 [llength [lsort -unique [scan_all]]]
        assert_equal 5000 [llength [lsort -unique [scan_all COUNT 500]]]
        assert_equal 5000 [llength [lsort -unique [scan_all COUNT 1]]]
    }

    test "COUNT bounds one call" {
        r DEBUG POPULATE 5000
        assert_range 1 200 [llength [lindex [r SCAN 0 COUNT 10] 1]]
        assert_range 400 1500 [llength [lindex [r SCAN 0 COUNT 500] 1]]
    }

    test "MATCH, TYPE and COUNT" {
        r DEBUG POPULATE 1000 key
        assert_equal 100 [llength [lsort -unique [scan_all MATCH key:1?? COUNT 100]]]
        assert_equal key:77 [lsort -unique [scan_all MATCH key:77]]
        assert_equal {} [scan_all MATCH nothing*]
        assert_equal 1000 [llength [lsort -unique [scan_all TYPE string]]]
        assert_equal {} [scan_all TYPE list]
        assert_equal 1000 [llength [lsort -unique [scan_all TYPE STRING MATCH *]]]
    }

    test "bad cursors and options" {
        assert_error "ERR invalid cursor" {r SCAN x}
        assert_error "ERR invalid cursor" {r SCAN -}
        assert_error "ERR syntax error" {r SCAN 0 COUNT 0}
        assert_error "ERR syntax error" {r SCAN 0 COUNT -5}
        assert_error "ERR value is not an integer or out of range" {r SCAN 0 COUNT x}
        assert_error "ERR syntax error" {r SCAN 0 NOPE}
        assert_error "ERR syntax error" {r SCAN 0 MATCH}
        assert_equal {0 {}} [r SCAN 18446744073709551615]
    }

    test "a cursor that nobody handed out does no harm" {
        r DEBUG POPULATE 100
        foreach cursor {1 12345 9223372036854775807 18446744073709551615} {
            assert_equal 2 [llength [r SCAN $cursor]]
        }
    }

    test "expired keys are not returned" {
        r DEBUG SET-ACTIVE-EXPIRE 0
        r SET gone v PX 1
        r SET here v
        after 5
        assert_equal here [scan_all]
        r DEBUG SET-ACTIVE-EXPIRE 1
    }

    test "keys that stay are returned while the table grows" {
        r DEBUG POPULATE 1000 stay
        lassign [r SCAN 0] cursor seen
        for {set i 0} {$cursor ne "0"} {incr i} {
            if {$i < 200} {
                for {set j 0} {$j < 100} {incr j} { r send SET new:$i:$j v }
                for {set j 0} {$j < 100} {incr j} { r recv }
            }
            lassign [r SCAN $cursor COUNT 50] cursor keys
            lappend seen {*}$keys
        }
        assert_equal 1000 [llength [lsort -unique [lsearch -all -inline $seen stay:*]]]
    }

    test "keys that stay are returned while the table shrinks" {
        r DEBUG POPULATE 20000 gone
        r DEBUG POPULATE 1000 stay
        lassign [r SCAN 0] cursor seen
        for {set i 0} {$cursor ne "0"} {incr i} {
            if {$i < 200} {
                set keys {}
                for {set j 0} {$j < 100} {incr j} { lappend keys gone:[expr {$i * 100 + $j}] }
                r UNLINK {*}$keys
            }
            lassign [r SCAN $cursor COUNT 50] cursor keys
            lappend seen {*}$keys
        }
        assert_equal 1000 [llength [lsort -unique [lsearch -all -inline $seen stay:*]]]
    }

    test "each database is scanned by itself" {
        r SET here v
        r SELECT 2
        r SET there v
        assert_equal there [scan_all]
    }
}
