# Servers of the suite: each in a directory of its own, on a free port, killed when its block ends.

set ::binary $::env(REDIS_RUST_BINARY)
# Servers that run, innermost last. A server is a dict of pid, port, dir, log, errors, channel.
set ::servers {}
set ::server_count 0

# Ports come in blocks below those that systems give to outgoing connections. A run owns the block
# whose first port it listens on, for as long as it lives; so runs at the same time do not meet.
set ::block_size 100
set ::first_block 11000
set ::blocks 99

proc claim_ports {} {
    for {set try 0} {$try < $::blocks} {incr try} {
        set base [expr {$::first_block + ([pid] + $try) % $::blocks * $::block_size}]
        if {![catch {socket -server refuse -myaddr 127.0.0.1 $base} ::block_claim]} {
            set ::block_base $base
            set ::block_at 0
            return
        }
    }
    error "no block of free ports"
}

# Nobody has business at the port that stands for a block.
proc refuse {channel args} { close $channel }

proc free_port {} {
    if {![info exists ::block_base]} claim_ports
    for {set try 1} {$try < $::block_size} {incr try} {
        set ::block_at [expr {$::block_at % ($::block_size - 1) + 1}]
        set port [expr {$::block_base + $::block_at}]
        if {![catch {socket -server refuse -myaddr 127.0.0.1 $port} listener]} {
            close $listener
            return $port
        }
    }
    error "all ports from $::block_base on are taken"
}

proc new_dir {} {
    set dir $::tmp/server.[incr ::server_count]
    file mkdir $dir
    return $dir
}

proc read_file {path} {
    set fd [open $path]
    fconfigure $fd -translation binary
    set data [read $fd]
    close $fd
    return $data
}

proc write_file {path text} {
    set fd [open $path w]
    puts -nonewline $fd $text
    close $fd
}

# Starts a process with these arguments and does not wait for it. The channel is for its exit status.
proc launch {dir arguments {input /dev/null} {program ""}} {
    if {$program eq ""} { set program $::binary }
    set log $dir/log
    set errors $dir/errors
    set shell {in=$1 out=$2 err=$3; shift 3; exec "$@" <"$in" >"$out" 2>"$err"}
    close [open $log w]
    close [open $errors w]
    set channel [open [list | sh -c $shell sh $input $log $errors $program {*}$arguments] r]
    return [dict create pid [pid $channel] dir $dir log $log errors $errors channel $channel]
}

# Directives as a flat list, on the command line. Later ones win over the defaults.
proc default_arguments {port dir} {
    return [list --port $port --bind 127.0.0.1 --dir $dir --save "" \
        --enable-debug-command yes --enable-protected-configs yes]
}

proc start_server {{directives {}} {keyless_args {}}} {
    for {set try 0} {$try < 5} {incr try} {
        set port [free_port]
        set dir [new_dir]
        set arguments [default_arguments $port $dir]
        foreach {name value} $directives { lappend arguments --$name $value }
        set server [launch $dir [concat $arguments $keyless_args]]
        dict set server port $port
        if {[wait_until_up $server]} { return $server }
        set said [server_output $server]
        stop_server $server
        if {![string match -nocase "*address already in use*" $said]} break
    }
    error "server did not start: $said"
}

proc wait_until_up {server} {
    set deadline [expr {[clock milliseconds] + 10000}]
    while {[clock milliseconds] < $deadline} {
        if {[process_ended $server]} { return 0 }
        if {![catch {Client new [dict get $server port]} client]} {
            set answered [catch {$client PING} reply]
            $client destroy
            if {!$answered || [string match "NOAUTH*" $reply]} { return 1 }
        }
        after 5
    }
    return 0
}

# A process that ended stays as a zombie until its channel is closed.
proc process_ended {server} {
    if {[catch {read_file /proc/[dict get $server pid]/stat} stat]} { return 1 }
    return [regexp {\) [ZX] } $stat]
}

proc server_output {server} {
    return [read_file [dict get $server log]][read_file [dict get $server errors]]
}

proc signal {server name} {
    catch {exec kill -$name [dict get $server pid]}
}

# Waits for the end of the process; returns its exit code, or the name of the signal that ended it.
proc exit_status {server {timeout_ms 10000}} {
    wait_for "the server to exit" {[process_ended $server]} $timeout_ms
    return [reap $server]
}

proc reap {server} {
    if {![catch {close [dict get $server channel]} message options]} { return 0 }
    lassign [dict get $options -errorcode] kind - detail
    return [expr {$kind in {CHILDSTATUS CHILDKILLED} ? $detail : $message}]
}

proc stop_server {server} {
    if {![process_ended $server]} {
        signal $server CONT
        signal $server KILL
        catch {wait_for "the server to end" {[process_ended $server]}}
    }
    catch {reap $server}
}

# Runs `body` with a server started for it. Inside, `srv FIELD` reads from the innermost server.
proc with_server {directives body} {
    set server [start_server $directives]
    lappend ::servers $server
    set failed [catch {uplevel 1 $body} message options]
    set ::servers [lrange $::servers 0 end-1]
    stop_server $server
    if {$failed == 1} { return -options $options $message }
}

proc srv {field} { dict get [lindex $::servers end] $field }

# A further connection to the innermost server; closed when the test ends.
proc connect {} {
    set client [Client new [srv port]]
    lappend ::clients $client
    return $client
}

# The client of the running test.
proc r {args} { $::client {*}$args }

# A field of INFO, empty when missing.
proc info_field {section field {client ""}} {
    if {$client eq ""} { set client $::client }
    foreach line [split [$client INFO $section] "\n"] {
        set line [string trimright $line "\r"]
        if {[string match "$field:*" $line]} {
            return [string range $line [string length $field]+1 end]
        }
    }
    return ""
}

# A line of CLIENT LIST as a dict.
proc client_fields {line} {
    set fields {}
    foreach field [split [string trim $line] " "] {
        set at [string first = $field]
        dict set fields [string range $field 0 $at-1] [string range $field $at+1 end]
    }
    return $fields
}

proc config {name} { lindex [r CONFIG GET $name] 1 }

# Runs redis-cli against the innermost server and returns what it prints, standard error included.
proc cli {args} {
    exec redis-cli -p [srv port] {*}$args < /dev/null 2>@1
}

# A program of redis-tests/programs, built when needed; returns its path.
proc program {name} {
    set root [file dirname [file dirname $::here]]
    exec cargo build --quiet --manifest-path $root/Cargo.toml --example $name 2>@stderr
    set target [expr {[info exists ::env(CARGO_TARGET_DIR)] ? $::env(CARGO_TARGET_DIR) : "target"}]
    return [file join $root $target debug examples $name]
}

# Where packages that redis-tests/programs/NAME.txt names are for Python programs to import; taken
# from the package index when needed. Runs at the same time may both take them, and one is kept.
proc python_packages {name} {
    set root [file dirname [file dirname $::here]]
    set wanted $root/redis-tests/programs/$name.txt
    set target [expr {[info exists ::env(CARGO_TARGET_DIR)] ? $::env(CARGO_TARGET_DIR) : "target"}]
    set mark [string trim [regsub -all {[^a-zA-Z0-9.]+} [read_file $wanted] -] -]
    set dir [file join $root $target redis-tests python-$mark]
    if {[file isdirectory $dir]} { return $dir }
    set new $dir.[pid]
    file mkdir [file dirname $dir]
    set failed [catch {
        exec python3 -m pip install --quiet --disable-pip-version-check --no-cache-dir \
            --target $new --requirement $wanted < /dev/null 2>@1
    } said]
    # Warnings alone are no failure.
    if {$failed && [lindex $::errorCode 0] eq "CHILDSTATUS"} {
        file delete -force $new
        error "cannot install [string trim [read_file $wanted]] from the package index: it must be\
            reachable, and python3 and pip installed, e.g. apt-get install python3 python3-pip.\
            pip said: $said"
    }
    if {[catch {file rename $new $dir}]} { file delete -force $new }
    return $dir
}
