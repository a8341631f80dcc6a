# Snapshots: SAVE, BGSAVE, save points, loading at the start, and clients that fetch one.

proc start_in {dir directives} {
    set port [free_port]
    set arguments [default_arguments $port $dir]
    foreach {name value} $directives { lappend arguments --$name $value }
    set server [launch $dir $arguments]
    dict set server port $port
    if {![wait_until_up $server]} { error "server did not start: [server_output $server]" }
    return $server
}

# Runs `body` with a server in a directory that may hold files already.
proc with_server_in {dir directives body} {
    set server [start_in $dir $directives]
    lappend ::servers $server
    set ::client [connect]
    set failed [catch {uplevel 1 $body} message options]
    set ::servers [lrange $::servers 0 end-1]
    stop_server $server
    if {$failed == 1} { return -options $options $message }
}

proc wait_for_save {} {
    wait_for "the child to end" {[info_field persistence rdb_bgsave_in_progress] == 0}
}

# The last lines of what redis-check-rdb of the distribution thinks of a file.
proc check_rdb {file} {
    catch {exec redis-check-rdb $file} said
    return $said
}

with_server {save "3600 1"} {
    test "a snapshot is whole, and is loaded by the next server" {
        r SET string hello
        r SET expiring soon PXAT 4102444800000
        r SET long [string repeat "compress me " 100]
        r SELECT 5
        r SET elsewhere 1
        r SELECT 0
        assert_equal 4 [info_field persistence rdb_changes_since_last_save]
        assert_equal "Background saving started" [r BGSAVE]
        wait_for_save
        assert_equal ok [info_field persistence rdb_last_bgsave_status]
        assert_equal 0 [info_field persistence rdb_changes_since_last_save]
        set file [srv dir]/dump.rdb
        assert_match "REDIS0011*redis-ver*7.2.6*redis-bits*ctime*used-mem*aof-base*" \
            [read_file $file]
        set dir [new_dir]
        file copy $file $dir
        with_server_in $dir {} {
            assert_equal hello [r GET string]
            assert_equal 4102444800000 [r PEXPIRETIME expiring]
            assert_equal [string repeat "compress me " 100] [r GET long]
            assert_equal 3 [r DBSIZE]
            r SELECT 5
            assert_equal 1 [r GET elsewhere]
            assert_match "*Done loading RDB, keys loaded: 4, keys expired: 0.*DB loaded from disk:*" \
                [server_output [lindex $::servers end]]
        }
    }

    test "redis-cli fetches a snapshot" {
        foreach key {a b c} { r SET $key 1 }
        set file [new_dir]/fetched.rdb
        assert_match "*Transfer finished with success.*" [cli --rdb $file]
        assert_equal [read_file [srv dir]/dump.rdb] [read_file $file]
        set dir [new_dir]
        file copy $file $dir/dump.rdb
        with_server_in $dir {} { assert_equal 3 [r DBSIZE] }
    }

    test "FLUSHALL empties the snapshot, and SHUTDOWN NOSAVE leaves it" {
        r FLUSHALL
        set before [read_file [srv dir]/dump.rdb]
        r SET lost 1
        catch {r SHUTDOWN NOSAVE}
        exit_status [lindex $::servers end]
        assert_equal $before [read_file [srv dir]/dump.rdb]
    }
}

test "files of an older server are loaded" {
    set dir [new_dir]
    set port [free_port]
    set older [launch $dir [list --port $port --bind 127.0.0.1 --dir $dir --save ""] \
        /dev/null [auto_execok redis-server]]
    dict set older port $port
    if {![wait_until_up $older]} { error "the older server did not start" }
    set client [Client new $port]
    for {set i 0} {$i < 1000} {incr i} { $client SET key:$i [string repeat $i 50] }
    $client SET volatile x EX 1000
    $client CONFIG SET maxmemory-policy allkeys-lfu
    $client SAVE
    $client destroy
    stop_server $older
    assert_match "*RDB looks OK*" [check_rdb $dir/dump.rdb]
    with_server_in $dir {maxmemory-policy allkeys-lfu} {
        assert_equal 1001 [r DBSIZE]
        assert_equal [string repeat 77 50] [r GET key:77]
        assert_range 900 1000 [r TTL volatile]
    }
}

test "a damaged snapshot stops the start, and stays as it is" {
    set dir [new_dir]
    with_server_in $dir {} {
        r SET key value
        r SAVE
    }
    set good [read_file $dir/dump.rdb]
    set bad [string replace $good end-12 end-12 "\x01"]
    set fd [open $dir/dump.rdb w]
    fconfigure $fd -translation binary
    puts -nonewline $fd $bad
    close $fd
    set server [launch $dir [default_arguments [free_port] $dir]]
    assert_equal 1 [exit_status $server]
    assert_match "*Fatal error loading the DB from $dir/dump.rdb: *" [server_output $server]
    assert_equal $bad [read_file $dir/dump.rdb]
}

test "a save point makes a snapshot by itself, SIGTERM makes the last one" {
    set dir [new_dir]
    with_server_in $dir {save "1 3"} {
        foreach key {a b c} { r SET $key 1 }
        wait_for "a snapshot" {[file exists $dir/dump.rdb]}
        wait_for_save
        assert_match "*3 changes in 1 seconds. Saving...*Background saving terminated with success*" \
            [server_output [lindex $::servers end]]
        r SET d 1
        set server [lindex $::servers end]
        signal $server TERM
        assert_equal 0 [exit_status $server]
        assert_match "*Saving the final RDB snapshot before exiting.*DB saved on disk*" \
            [server_output $server]
    }
    with_server_in $dir {} { assert_equal 4 [r DBSIZE] }
}
