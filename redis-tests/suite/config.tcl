# Configuration: on the command line, in a file, from standard input, at run time, and written back.

# Starts a server with exactly these arguments, and runs the body while it lives.
proc with_arguments {arguments body {input /dev/null} {port ""}} {
    set dir [new_dir]
    if {$port eq ""} { set port [free_port] }
    set arguments [string map [list %port $port %dir $dir] $arguments]
    foreach file [glob -nocomplain $::tmp/*.conf] {
        write_file $file [string map [list %port $port %dir $dir] [read_file $file]]
    }
    set server [launch $dir $arguments $input]
    dict set server port $port
    set up [wait_until_up $server]
    if {!$up} {
        set said [server_output $server]
        stop_server $server
        fail "server did not start: $said"
    }
    lappend ::servers $server
    set ::client [connect]
    set failed [catch {uplevel 1 $body} message options]
    set ::servers [lrange $::servers 0 end-1]
    stop_server $server
    if {$failed == 1} { return -options $options $message }
}

# What a server says that does not start, and that its exit code is 1.
proc refusal {args} {
    set dir [new_dir]
    set server [launch $dir $args]
    set status [exit_status $server]
    assert_equal 1 $status
    return [server_output $server]
}

with_server {} {
    test "CONFIG GET takes names and patterns" {
        assert_equal {maxmemory 0} [r CONFIG GET maxmemory]
        assert_equal {MAXMEMORY 0} [r CONFIG GET MAXMEMORY]
        assert_equal {} [r CONFIG GET nothing]
        assert_range 10 1000 [llength [r CONFIG GET *max*]]
        assert_equal {port timeout} [lsort [dict keys [r CONFIG GET timeout port port]]]
        assert_range 300 1000 [llength [r CONFIG GET *]]
        r HELLO 3
        assert_equal "%1\r\n\$7\r\ntimeout\r\n\$1\r\n0\r\n" [r wire CONFIG GET timeout]
    }

    test "the defaults of a fresh server" {
        foreach {name value} {
            maxclients 10000  timeout 0  tcp-keepalive 300  hz 10  databases 16  tcp-backlog 511
            maxmemory-policy noeviction  maxmemory-samples 5  slowlog-log-slower-than 10000
            slowlog-max-len 128  proto-max-bulk-len 536870912  client-query-buffer-limit 1073741824
            lazyfree-lazy-expire no  activerehashing yes  loglevel notice  appendonly no
            client-output-buffer-limit {normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60}
            latency-monitor-threshold 0  lfu-log-factor 10  lfu-decay-time 1  protected-mode yes
        } {
            assert_equal $value [config $name]
        }
    }

    test "CONFIG SET changes several at once, or none" {
        assert_equal OK [r CONFIG SET timeout 100 slowlog-max-len 7]
        assert_equal {100 7} [list [config timeout] [config slowlog-max-len]]
        assert_error "ERR CONFIG SET failed (possibly related to argument 'maxclients') - *" {
            r CONFIG SET timeout 50 maxclients none
        }
        assert_equal 100 [config timeout]
        assert_error "ERR CONFIG SET failed*duplicate parameter" {r CONFIG SET timeout 1 timeout 2}
        assert_error "ERR Unknown option or number of arguments for CONFIG SET - 'nothing'" {
            r CONFIG SET nothing 1
        }
        assert_error "ERR wrong number of arguments for 'config|set' command" {r CONFIG SET timeout}
        r CONFIG SET timeout 0
    }

    test "CONFIG SET names what is wrong" {
        foreach {name value complaint} {
            timeout -1 "argument must be between 0 and 2147483647 inclusive"
            timeout x "argument couldn't be parsed into an integer"
            activerehashing maybe "argument must be 'yes' or 'no'"
            loglevel loud "argument(s) must be one of the following: debug, verbose, notice, warning, nothing"
            maxmemory 10q "argument must be a memory value"
            maxmemory-policy never "argument(s) must be one of the following: *"
        } {
            assert_error "ERR CONFIG SET failed (possibly related to argument '$name') - $complaint" {
                r CONFIG SET $name $value
            }
        }
        assert_error "ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config" {
            r CONFIG SET databases 4
        }
    }

    test "memory units" {
        foreach {given bytes} {1k 1000 1kb 1024 1m 1000000 1MB 1048576 2g 2000000000 1gb 1073741824 77b 77 0 0} {
            r CONFIG SET maxmemory $given
            assert_equal $bytes [config maxmemory]
        }
    }

    test "directives of several words" {
        r CONFIG SET save "100 1 10 5"
        assert_equal "100 1 10 5" [config save]
        r CONFIG SET save ""
        assert_equal "" [config save]
        r CONFIG SET client-output-buffer-limit "pubsub 10mb 5mb 30"
        assert_match "*pubsub 10485760 5242880 30" [config client-output-buffer-limit]
        assert_error "ERR CONFIG SET failed*" {r CONFIG SET client-output-buffer-limit "nope 1 1 1"}
        assert_error "ERR CONFIG SET failed*" {r CONFIG SET save "100"}
    }

    test "classes of keyspace events" {
        foreach {given shown} {Eg\$ g\$E KEA AKE gKx gxK "" ""} {
            assert_equal OK [r CONFIG SET notify-keyspace-events $given]
            assert_equal $shown [config notify-keyspace-events]
        }
        assert_error "ERR CONFIG SET failed*Invalid event class character*" {
            r CONFIG SET notify-keyspace-events q
        }
    }

    test "CONFIG RESETSTAT" {
        r GET none
        assert {[info_field stats keyspace_misses] > 0}
        assert_equal OK [r CONFIG RESETSTAT]
        assert_equal 0 [info_field stats keyspace_misses]
        assert_equal "" [info_field commandstats cmdstat_get]
    }

    test "CONFIG REWRITE needs a file" {
        assert_error "ERR The server is running without a config file" {r CONFIG REWRITE}
    }

    test "the port may change while clients stay" {
        set old [config port]
        set new [free_port]
        assert_equal OK [r CONFIG SET port $new]
        set other [Client new $new]
        assert_equal PONG [$other PING]
        $other destroy
        assert_equal PONG [r PING]
        assert {[catch {Client new $old}]}
        r CONFIG SET port $old
    }
}

test "a config file, and directives after it" {
    write_file $::tmp/start.conf "# comment\nport %port\n\n  dir \"%dir\"\nsave \"\"\ntimeout 5\nMAXMEMORY 10mb\n"
    with_arguments [list $::tmp/start.conf --timeout 7 --loglevel verbose] {
        assert_equal {7 10485760 verbose} [lmap name {timeout maxmemory loglevel} { config $name }]
        assert_equal $::tmp/start.conf [info_field server config_file]
    }
}

test "a config file from standard input" {
    write_file $::tmp/stdin.conf "port %port\ntimeout 9\n"
    with_arguments {--dir %dir --save {} -} {
        assert_equal 9 [config timeout]
    } $::tmp/stdin.conf
}

test "included files" {
    write_file $::tmp/part-1.conf "timeout 11\n"
    write_file $::tmp/part-2.conf "slowlog-max-len 12\n"
    write_file $::tmp/whole.conf "port %port\ndir %dir\ntimeout 1\ninclude $::tmp/part-*.conf\n"
    with_arguments [list $::tmp/whole.conf] {
        assert_equal {11 12} [list [config timeout] [config slowlog-max-len]]
    }
}

test "arguments of several words, and one word that starts with dashes" {
    with_arguments {--port %port --dir %dir --save 100 1 --client-output-buffer-limit pubsub 1mb 1mb 5 --proc-title-template --x} {
        assert_equal "100 1" [config save]
        assert_match "*pubsub 1048576 1048576 5" [config client-output-buffer-limit]
    }
}

test "CONFIG REWRITE keeps comments and writes what changed" {
    write_file $::tmp/rewrite.conf "# first line\nport %port\ndir %dir\n# about time\ntimeout 5\nsave 100 1\n"
    with_arguments [list $::tmp/rewrite.conf] {
        r CONFIG SET timeout 77 maxmemory 5mb save "" requirepass "it's a \"secret\""
        r AUTH "it's a \"secret\""
        assert_equal OK [r CONFIG REWRITE]
        set text [read_file $::tmp/rewrite.conf]
        assert_match "# first line\nport *\n# about time\ntimeout 77\n*" $text
        assert_match "*\n# Generated by CONFIG REWRITE\n*maxmemory 5mb*" $text
        assert_match "*\nsave \"\"\n*" $text
        assert_no_match "*\ntimeout 5\n*" $text
        assert_equal OK [r CONFIG REWRITE]
        assert_equal [string trim $text] [string trim [read_file $::tmp/rewrite.conf]]
    }
    with_arguments [list $::tmp/rewrite.conf] {
        r AUTH "it's a \"secret\""
        assert_equal {77 5242880 {}} [lmap name {timeout maxmemory save} { config $name }]
    } /dev/null [regsub -all {.*\nport (\d+)\n.*} [read_file $::tmp/rewrite.conf] {\1}]
}

test "bad configuration is refused with its line" {
    write_file $::tmp/bad.conf "timeout 5\nnothing 7\n"
    set said [refusal $::tmp/bad.conf]
    assert_match "*FATAL CONFIG FILE ERROR (Redis 7.2.*) \*\*\*\nReading the configuration file, at line 2\n>>> 'nothing 7'\nBad directive or wrong number of arguments*" $said
    assert_match "*>>> 'timeout \"x\"'\nargument couldn't be parsed into an integer*" [refusal --timeout x]
    assert_match "*>>> 'port'\nwrong number of arguments*" [refusal --port]
    assert_match "*Fatal error, can't open config file '*none.conf': No such file or directory*" \
        [refusal $::tmp/none.conf]
    write_file $::tmp/bad.conf "requirepass \"open\n"
    assert_match "*Unbalanced quotes in configuration line*" [refusal $::tmp/bad.conf]
}

test "--version and --help" {
    set version [exec $::binary --version]
    assert_match "Redis server v=7.2.* sha=*:* malloc=* bits=64 build=*" $version
    assert_equal $version [exec $::binary -v]
    # Usage goes to standard error, and the exit code is 1.
    catch {exec $::binary --help} usage
    assert_match "Usage: *--port 7777*" $usage
}

test "a port that is taken" {
    set listener [socket -server {} -myaddr 127.0.0.1 0]
    set port [lindex [fconfigure $listener -sockname] 2]
    set said [refusal --port $port --bind 127.0.0.1 --save "" --dir [new_dir]]
    close $listener
    assert_match "*Could not create server TCP listening socket 127.0.0.1:$port: bind: Address already in use*" $said
    assert_match "*Failed listening on port $port (tcp), aborting.*" $said
}
