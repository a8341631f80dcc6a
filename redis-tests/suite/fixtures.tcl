# Files that servers wrote: loaded by ours, given on to a redis-server of the distribution, as
# payloads and as a file, with the same digests at both ends.

set fixtures [file normalize [file join [file dirname [info script]] .. .. tests data fixtures]]

# The version of RDB that the redis-server of the distribution knows.
set version_max 10

# Runs `body` with a server in a directory that holds files already, and its client in `clientvar`.
proc with_program {program dir directives clientvar body} {
    upvar 1 $clientvar client
    set port [free_port]
    set arguments [list --port $port --bind 127.0.0.1 --dir $dir --save "" \
        --enable-debug-command yes]
    foreach {name value} $directives { lappend arguments --$name $value }
    set server [launch $dir $arguments /dev/null $program]
    dict set server port $port
    if {![wait_until_up $server]} { error "server did not start: [server_output $server]" }
    set client [Client new $port]
    set code [catch {uplevel 1 $body} message options]
    $client destroy
    stop_server $server
    if {$code == 1} { return -options $options $message }
}

# A directory with a file of these bytes.
proc dir_of {bytes} {
    set dir [new_dir]
    set fd [open $dir/dump.rdb w]
    fconfigure $fd -translation binary
    puts -nonewline $fd $bytes
    close $fd
    return $dir
}

# The payload of a key, as bytes.
proc payload_of {client key} {
    set wire [$client wire DUMP $key]
    return [string range $wire [expr {[string first "\r\n" $wire] + 2}] end-2]
}

# What a key holds: its digest, but for sorted sets, whose scores 7.0 writes into it in another form.
proc contents {client key} {
    if {[$client TYPE $key] ne "zset"} { return [$client DEBUG DIGEST-VALUE $key] }
    set scores {}
    foreach {member score} [$client ZRANGE $key 0 -1 WITHSCORES] {
        lappend scores $member [expr {double($score)}]
    }
    return $scores
}

# The RDB version that a payload needs.
proc version_of {payload} {
    binary scan [string range $payload end-9 end-8] su version
    return $version
}

foreach server {redis-7.2 redis-7.4} {
    test "every value of $server goes to a redis-server, as far as its version allows" ours {
        set theirs [auto_execok redis-server]
        if {$theirs eq ""} { skip "no redis-server" }
        set dir [dir_of [read_file $fixtures/$server/all-types.rdb]]
        with_program "" $dir {} ours {
            with_program $theirs [new_dir] {} other {
                set taken 0
                foreach key [$ours KEYS *] {
                    set payload [payload_of $ours $key]
                    if {[version_of $payload] > $version_max} continue
                    incr taken
                    $other sendb RESTORE $key 0 $payload
                    assert_equal OK [$other recv]
                    if {[$ours PEXPIRETIME $key] == -1} {
                        assert_equal "$key [contents $ours $key]" "$key [contents $other $key]"
                    }
                    assert_equal [$ours TYPE $key] [$other TYPE $key]
                }
                assert {$taken >= 20}
            }
        }
    }

    test "what is saved of $server is a file for a redis-server, as far as its version allows" ours {
        set theirs [auto_execok redis-server]
        if {$theirs eq ""} { skip "no redis-server" }
        set dir [dir_of [read_file $fixtures/$server/all-types-uncompressed.rdb]]
        # Sets that are listpacks came with version 11, the streams of today, too.
        with_program "" $dir {set-max-listpack-entries 0 rdbchecksum no} ours {
            foreach key [$ours KEYS *] {
                if {[version_of [payload_of $ours $key]] > $version_max} { $ours DEL $key }
            }
            set keys [$ours KEYS *]
            assert {[llength $keys] >= 20}
            foreach key $keys { dict set saved $key [contents $ours $key] }
            $ours SAVE
        }
        set file [string replace [read_file $dir/dump.rdb] 0 8 "REDIS00$version_max"]
        set dir [dir_of $file]
        with_program $theirs $dir {} other {
            assert_equal [llength $keys] [$other DBSIZE]
            dict for {key held} $saved { assert_equal "$key $held" "$key [contents $other $key]" }
        }
        catch {exec redis-check-rdb $dir/dump.rdb} said
        assert_match "*RDB looks OK*" $said
    }
}
