# The process: sockets it listens on, how it starts, logs, stops and crashes.

# Log lines look like this, whatever follows.
set ::log_line {^[0-9]+:[XCSM] [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:.]{12} [.\-*#] }

test "a start is logged" {
    set server [start_server]
    set log [read_file [dict get $server log]]
    foreach text {"oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo" "Redis version=7.2.*pid=*just started"
            "Configuration loaded" "Server initialized" "Ready to accept connections tcp"} {
        assert_match "*$text*" $log
    }
    set lines [lsearch -all -inline [split $log \n] "[dict get $server pid]:*"]
    assert {[llength $lines] >= 4}
    foreach line $lines {
        if {![regexp $::log_line $line]} { fail "log line: $line" }
    }
    stop_server $server
}

test "SIGTERM and SIGINT stop it, and it says so" {
    foreach name {TERM INT} {
        set server [start_server]
        signal $server $name
        assert_equal 0 [exit_status $server]
        set log [read_file [dict get $server log]]
        assert_match "*Received SIG$name scheduling shutdown...*" $log
        assert_match "*User requested shutdown...*Redis is now ready to exit, bye bye...*" $log
    }
}

test "SHUTDOWN closes connections and exits" {
    set server [start_server]
    lappend ::servers $server
    set client [connect]
    set ::servers [lrange $::servers 0 end-1]
    assert_error "ERR syntax error" {$client SHUTDOWN NOPE}
    assert_error "ERR No shutdown in progress." {$client SHUTDOWN ABORT}
    $client send SHUTDOWN NOSAVE
    assert {[$client closed]}
    assert_equal 0 [exit_status $server]
}

test "a crash leaves a report" {
    foreach name {SEGV ABRT} {
        set server [start_server {crash-memcheck-enabled no}]
        signal $server $name
        exit_status $server
        set log [server_output $server]
        assert_match "*=== REDIS BUG REPORT START*crashed by signal*" $log
        assert_match "*INFO OUTPUT*redis_version:7.2.*" $log
        assert_match "*=== REDIS BUG REPORT END*" $log
    }
}

test "DEBUG SEGFAULT and DEBUG PANIC crash it" {
    foreach command {SEGFAULT PANIC} {
        set server [start_server {crash-memcheck-enabled no}]
        lappend ::servers $server
        catch {[connect] DEBUG $command}
        set ::servers [lrange $::servers 0 end-1]
        assert {[exit_status $server] ne "0"}
        assert_match "*REDIS BUG REPORT START*" [server_output $server]
    }
}

test "log level and log file" {
    set file $::tmp/the.log
    set server [start_server [list logfile $file loglevel warning]]
    lappend ::servers $server
    set client [connect]
    set ::servers [lrange $::servers 0 end-1]
    assert_equal "" [read_file [dict get $server log]]
    assert_no_match "*Server initialized*" [read_file $file]
    $client CONFIG SET loglevel verbose
    $client DEBUG LOG "a line of ours"
    wait_for "the line" {[string match "*DEBUG LOG: a line of ours*" [read_file $file]]}
    stop_server $server
}

test "pid file and daemon" {
    set dir [new_dir]
    set port [free_port]
    set server [launch $dir [concat [default_arguments $port $dir] \
        [list --daemonize yes --pidfile $dir/pid --logfile $dir/daemon.log]]]
    assert_equal 0 [exit_status $server]
    wait_for "the pid file" {[file exists $dir/pid] && [string trim [read_file $dir/pid]] ne ""}
    set pid [string trim [read_file $dir/pid]]
    wait_for "the daemon" {![catch {Client new $port} client]}
    assert_equal $pid [info_field server process_id $client]
    exec kill -TERM $pid
    wait_for "the pid file to go" {![file exists $dir/pid]}
    $client destroy
}

test "a Unix socket with its permissions, and no port" {
    set socket $::tmp/socket
    set dir [new_dir]
    set server [launch $dir [list --port 0 --dir $dir --save "" --unixsocket $socket --unixsocketperm 700]]
    wait_for "the socket" {![catch {exec redis-cli -s $socket PING} reply] && $reply eq "PONG"}
    assert_match "*700" [file attributes $socket -permissions]
    assert_match "*addr=$socket:0 laddr=$socket:0*flags=U*" [exec redis-cli -s $socket CLIENT INFO]
    assert_match "*accept connections unix*" [read_file [dict get $server log]]
    signal $server TERM
    assert_equal 0 [exit_status $server]
    assert {![file exists $socket]}
}

# An address of this machine that is not the loopback, or nothing.
proc outside_address {} {
    if {[catch {exec hostname -I} addresses]} { return "" }
    return [lindex [lsearch -all -inline -not $addresses *:*] 0]
}

test "protected mode refuses others while there is no password" {
    set address [outside_address]
    if {$address eq ""} { skip "no address but the loopback" }
    set server [start_server {bind "* -::*"}]
    set client [Client new [dict get $server port] $address]
    assert_error "DENIED Redis is running in protected mode*" {$client recv}
    $client destroy
    set local [Client new [dict get $server port]]
    $local CONFIG SET protected-mode no
    set client [Client new [dict get $server port] $address]
    assert_equal PONG [$client PING]
    $client destroy
    $local CONFIG SET protected-mode yes requirepass secret
    set client [Client new [dict get $server port] $address]
    assert_error "NOAUTH *" {$client PING}
    $client destroy
    $local destroy
    stop_server $server
}

test "addresses to listen on may change" {
    set server [start_server]
    set port [dict get $server port]
    set client [Client new $port]
    assert_equal OK [$client CONFIG SET bind 127.0.0.2]
    set other [Client new $port 127.0.0.2]
    assert_equal PONG [$other PING]
    assert {[catch {Client new $port 127.0.0.1}]}
    assert_error "ERR CONFIG SET failed*Failed to bind to specified addresses." {
        $client CONFIG SET bind 203.0.113.1
    }
    assert_equal PONG [$other PING]
    $client destroy
    $other destroy
    stop_server $server
}

test "IPv6" {
    if {![file exists /proc/net/if_inet6] || [string trim [read_file /proc/net/if_inet6]] eq ""} {
        skip "no IPv6"
    }
    set server [start_server {bind "127.0.0.1 ::1"}]
    set client [Client new [dict get $server port] ::1]
    assert_match "*addr=\\\[::1\\\]:*" [$client CLIENT INFO]
    $client destroy
    stop_server $server
}
