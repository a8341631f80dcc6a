# DUMP, RESTORE and MIGRATE, with a redis-server of the distribution as the other end.

# Runs `body` with a client `$clientvar` of a redis-server that this machine has.
proc with_redis {clientvar portvar body} {
    upvar 1 $clientvar client $portvar port
    set path [auto_execok redis-server]
    if {$path eq ""} { return -code 2 "no redis-server" }
    set ours $::binary
    set ::binary [lindex $path 0]
    set failed [catch {start_server} server options]
    set ::binary $ours
    if {$failed} { return -options $options $server }
    set port [dict get $server port]
    set client [Client new $port]
    set code [catch {uplevel 1 $body} message options]
    $client destroy
    stop_server $server
    if {$code == 1} { return -options $options $message }
}

# A field of INFO server.
proc info_of {client field} {
    foreach line [split [$client INFO server] "\n"] {
        if {[string match "$field:*" $line]} {
            return [string trim [string range $line [string length $field]+1 end]]
        }
    }
}

# RESTORE on a client, of a payload as it came over the wire.
proc restore {client key payload} {
    $client sendb RESTORE $key 0 $payload REPLACE
    return [$client recv]
}

# The payload of a key, as bytes.
proc payload {client key} {
    set wire [$client wire DUMP $key]
    set header [string first "\r\n" $wire]
    return [string range $wire [expr {$header + 2}] end-2]
}

proc sample_strings {} {
    set all {"" 0 -1 127 -128 32767 -32769 2147483647 2147483648 9223372036854775807 007 word}
    lappend all [string repeat a 20] [string repeat a 21] [string repeat a 300]
    lappend all [string repeat "na " 5000] [string repeat x 63] [string repeat y 64]
    set mixed ""
    for {set i 0} {$i < 3000} {incr i} { append mixed [expr {$i * $i % 977}] , }
    lappend all $mixed
    return $all
}

with_server {} {
    test "strings go to a redis-server and back, as payloads" ours {
        with_redis other port {
            foreach value [sample_strings] {
                r SET key $value
                assert_equal OK [restore $other key [payload $::client key]]
                assert_equal $value [$other GET key]
                assert_equal [r OBJECT ENCODING key] [$other OBJECT ENCODING key]
                # Back again, under a version that ours accepts.
                r DEL key
                assert_equal OK [restore $::client key [payload $other key]]
                assert_equal $value [r GET key]
                assert_equal [$other OBJECT ENCODING key] [r OBJECT ENCODING key]
            }
        }
    }

    test "what is compressed is no longer than that of a redis-server" ours {
        with_redis other port {
            foreach value [sample_strings] {
                r SET key $value
                $other SET key $value
                set ours [string length [payload $::client key]]
                set theirs [string length [payload $other key]]
                assert {$ours <= $theirs + $theirs / 20}
            }
        }
    }

    test "a payload of a module's type is refused" ours {
        r DEBUG SET-SKIP-CHECKSUM-VALIDATION 1
        # The module "test-auxx", and data without anything in them.
        set payload "\x07\x81\xb5\xeb\x2d\xf9\xab\xb1\xc4\x00\x00\x0b\x00[string repeat \x00 8]"
        assert_error "ERR Bad data format" {restore $::client key $payload}
        r DEBUG SET-SKIP-CHECKSUM-VALIDATION 0
        assert_equal 0 [r EXISTS key]
    }

    test "keys migrate to a redis-server and back" ours {
        with_redis other port {
            set names {}
            foreach value [sample_strings] {
                lappend names key:[llength $names]
                r SET [lindex $names end] $value EX 100
            }
            assert_equal OK [r MIGRATE 127.0.0.1 $port "" 9 5000 KEYS {*}$names]
            assert_equal 0 [r DBSIZE]
            $other SELECT 9
            foreach name $names value [sample_strings] {
                assert_equal $value [$other GET $name]
                assert_range 95 100 [$other TTL $name]
            }
            assert_equal OK [$other MIGRATE 127.0.0.1 [srv port] "" 3 5000 KEYS {*}$names]
            assert_equal 0 [$other DBSIZE]
            r SELECT 3
            foreach name $names value [sample_strings] {
                assert_equal $value [r GET $name]
                assert_range 95 100 [r TTL $name]
            }
            r SELECT 0
        }
    }

    test "a redis-server that is killed midway: what it did not take is still here" ours {
        with_redis other port {
            r CONFIG SET rdbcompression no
            set names {}
            for {set i 0} {$i < 200} {incr i} { lappend names key:$i }
            foreach name $names { r SET $name [string repeat v 300000] }
            r send MIGRATE 127.0.0.1 $port "" 0 5000 KEYS {*}$names
            wait_for "some keys to arrive" {[$other DBSIZE] > 3}
            exec kill -KILL [info_of $other process_id]
            set outcome [catch {r recv} reply]
            r CONFIG SET rdbcompression yes
            # It may have taken all of them before it died.
            if {$outcome == 0} {
                assert_equal OK $reply
            } else {
                assert_match "IOERR error or timeout * to target instance" $reply
                assert {[r DBSIZE] > 0}
            }
            assert_equal PONG [r PING]
        }
    }

    test "a redis-server that is stopped: MIGRATE gives up in time" {
        with_redis other port {
            r SET key value
            set pid [info_of $other process_id]
            exec kill -STOP $pid
            set started [clock milliseconds]
            assert_error "IOERR error or timeout reading to target instance" {
                r MIGRATE 127.0.0.1 $port key 0 200
            }
            assert_range 200 3000 [expr {[clock milliseconds] - $started}]
            assert_equal value [r GET key]
            exec kill -CONT $pid
        }
    }
}
