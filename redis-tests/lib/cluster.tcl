# Nodes of a cluster: real processes, each with a directory and a configuration file of its own, on
# a port that is free together with its bus port, 10000 above.
#
#   with_nodes 3 {cluster-node-timeout 1000} { ... }      nodes that do not know each other
#   with_cluster 3 {} { ... }                             nodes that share the slots out evenly
#
#   [node 0] GET key          a command to the first of them
#   [node 0] kill             and pause, resume, start, id, port, address, log
#   add_node                  one more, which knows nobody
#   routed SET key value      a command sent to wherever redirections lead
#   cluster_cli reshard ...   redis-cli --cluster
#
# Inside such a block `test` neither connects nor empties databases; `flush_nodes` does.

# The nodes of the innermost block.
set ::nodes {}

set ::bus_offset 10000
set ::cluster_slots 16384

oo::class create Node {
    variable program dir port server client

    # Directives are a flat list; those of the cluster are among them.
    constructor {directives {the_program ""}} {
        set program [expr {$the_program eq "" ? $::binary : $the_program}]
        set client ""
        set server ""
        for {set try 0} {$try < 5} {incr try} {
            set port [free_node_port]
            set dir [new_dir]
            my WriteConfig $directives
            if {[my Launch]} return
            set said [server_output $server]
            stop_server $server
            if {![string match -nocase "*address already in use*" $said]} break
        }
        error "node did not start: $said"
    }

    destructor {
        my Drop
        if {$server ne ""} { stop_server $server }
    }

    method WriteConfig {directives} {
        set text "port $port\nbind 127.0.0.1\ndir $dir\nsave \"\"\nappendonly no\n"
        append text "enable-debug-command yes\nenable-protected-configs yes\n"
        append text "cluster-enabled yes\ncluster-config-file nodes.conf\n"
        # A node that gives its last slot away stays a master.
        append text "cluster-allow-replica-migration no\n"
        foreach {name value} $directives { append text "$name $value\n" }
        write_file $dir/redis.conf $text
    }

    method Launch {} {
        set server [launch $dir [list $dir/redis.conf] /dev/null $program]
        dict set server port $port
        return [wait_until_up $server]
    }

    method Drop {} {
        if {$client ne ""} { catch {$client destroy} }
        set client ""
    }

    # Any other name is a command for the server. A broken connection is not used again.
    method unknown {args} {
        if {$client eq ""} { set client [Client new $port] }
        if {[catch {$client {*}$args} reply options]} {
            if {[regexp {^(connection closed|no reply within)} $reply]} { my Drop }
            return -options $options $reply
        }
        return $reply
    }

    method port {} { return $port }
    method address {} { return 127.0.0.1:$port }
    method dir {} { return $dir }
    method pid {} { return [dict get $server pid] }
    method id {} { return [my CLUSTER MYID] }
    method log {} { return [server_output $server] }
    method ended {} { return [process_ended $server] }
    method program {} { return $program }

    # A connection for whoever wants one of their own; the test closes it.
    method connection {} {
        set own [Client new $port]
        lappend ::clients $own
        return $own
    }

    # At once, even while it is paused: it gets no chance to do anything more.
    method kill {} {
        my Drop
        signal $server KILL
        exit_status $server
    }

    # Starts it again where it was, with the nodes.conf that it left.
    method start {} {
        if {![my Launch]} { error "node did not start again: [my log]" }
    }

    method pause {} { signal $server STOP }
    method resume {} { signal $server CONT }
}

proc free_node_port {} {
    for {set try 0} {$try < $::block_size} {incr try} {
        set port [free_port]
        set bus [expr {$port + $::bus_offset}]
        if {![catch {socket -server refuse -myaddr 127.0.0.1 $bus} listener]} {
            close $listener
            return $port
        }
    }
    error "no port whose bus port is free"
}

proc node {index} { return [lindex $::nodes $index] }

# Starts one more node, of another program if one is given; returns it.
proc add_node {{directives {}} {program ""}} {
    lappend ::nodes [Node new $directives $program]
    return [lindex $::nodes end]
}

proc drop_node {node} {
    set ::nodes [lsearch -all -inline -not -exact $::nodes $node]
    $node destroy
}

proc with_nodes {count directives body} {
    set before $::nodes
    set ::nodes {}
    set failed [catch {
        for {set i 0} {$i < $count} {incr i} { add_node $directives }
        uplevel 1 $body
    } message options]
    foreach node $::nodes { $node destroy }
    set ::nodes $before
    if {$failed == 1} { return -options $options $message }
}

proc with_cluster {count directives body} {
    uplevel 1 [list with_nodes $count $directives "form_cluster\n$body"]
}

# Makes the nodes a cluster without the help of redis-cli: everybody meets everybody, so that nobody
# has to wait for gossip.
proc form_cluster {} {
    set count [llength $::nodes]
    set epoch 0
    foreach node $::nodes { $node CLUSTER SET-CONFIG-EPOCH [incr epoch] }
    for {set i 0} {$i < $count} {incr i} {
        set first [expr {$i * $::cluster_slots / $count}]
        set last [expr {($i + 1) * $::cluster_slots / $count - 1}]
        [node $i] CLUSTER ADDSLOTSRANGE $first $last
        for {set j 0} {$j < $i} {incr j} { [node $i] CLUSTER MEET 127.0.0.1 [[node $j] port] }
    }
    wait_for_cluster
}

# What a node says about the members: dicts of id, address, flags, epoch, link, slots and open, the
# last one with marks such as [5->-ID].
proc members {node} {
    set members {}
    foreach line [split [string trim [$node CLUSTER NODES]] \n] {
        set words [split [string trim $line] " "]
        set slots [lrange $words 8 end]
        lappend members [dict create id [lindex $words 0] \
            address [lindex [split [lindex $words 1] @] 0] flags [split [lindex $words 2] ,] \
            epoch [lindex $words 6] link [lindex $words 7] \
            slots [lsearch -all -inline -not $slots {\[*}] \
            open [lsearch -all -inline $slots {\[*}]]
    }
    return $members
}

# What `node` says about the member with this id; empty when it knows none.
proc member {node id} {
    foreach member [members $node] {
        if {[dict get $member id] eq $id} { return $member }
    }
    return ""
}

# Whether `node` has this flag (fail, fail?, noaddr, ...) on `other`.
proc sees_flag {node other_id flag} {
    set member [member $node $other_id]
    return [expr {$member ne "" && $flag in [dict get $member flags]}]
}

# Who owns what, in one form for all nodes.
proc slot_map {node} {
    set map {}
    foreach member [members $node] { lappend map [dict get $member id]=[dict get $member slots] }
    return [lsort $map]
}

# The open slots that a node shows of itself.
proc open_slots {node} {
    foreach member [members $node] {
        if {"myself" in [dict get $member flags]} { return [dict get $member open] }
    }
}

proc cluster_field {node field} {
    foreach line [split [$node CLUSTER INFO] \n] {
        if {[regexp {^(\w+):(.*)$} [string trim $line] - name value] && $name eq $field} {
            return $value
        }
    }
    return ""
}

# The config epoch of every member, as a node knows it.
proc epochs {node} {
    set epochs {}
    foreach member [members $node] {
        lappend epochs [dict get $member id]=[dict get $member epoch]
    }
    return [lsort $epochs]
}

# Whether all nodes are well, know each other and agree on the owner of every slot and on epochs.
# Nodes that have not heard of each other's latest epoch may both take the same: then the one who
# gives way by its id, not by what happened last, loses its claims, and the keys of those slots.
proc cluster_agrees {{nodes ""}} {
    if {$nodes eq ""} { set nodes $::nodes }
    set map ""
    set epochs ""
    foreach node $nodes {
        if {[cluster_field $node cluster_state] ne "ok"} { return 0 }
        if {[cluster_field $node cluster_slots_ok] != $::cluster_slots} { return 0 }
        if {[cluster_field $node cluster_known_nodes] != [llength $nodes]} { return 0 }
        if {$map eq ""} { set map [slot_map $node] }
        if {[slot_map $node] ne $map} { return 0 }
        if {$epochs eq ""} { set epochs [epochs $node] }
        if {[epochs $node] ne $epochs} { return 0 }
        foreach member [members $node] {
            if {[dict get $member link] ne "connected"} { return 0 }
        }
    }
    set numbers [lmap pair $epochs { lindex [split $pair =] 1 }]
    return [expr {[llength [lsort -unique $numbers]] == [llength $numbers]}]
}

proc wait_for_cluster {{timeout_ms 20000}} {
    if {[catch {wait_for "a cluster that agrees" {[cluster_agrees]} $timeout_ms} message]} {
        fail "$message\n[cluster_report]"
    }
}

# What each node thinks, for the message of a failed test.
proc cluster_report {} {
    set report ""
    foreach node $::nodes {
        catch {string trim [$node CLUSTER NODES]} said
        append report "[$node address] says:\n$said\n"
    }
    return $report
}

proc no_open_slots {} {
    foreach node $::nodes {
        if {[open_slots $node] ne ""} { return 0 }
    }
    return 1
}

# How many slots a node owns, by its own word.
proc slot_count {node} {
    set count 0
    foreach range [dict get [member $node [$node id]] slots] {
        lassign [split $range -] first last
        incr count [expr {$last eq "" ? 1 : $last - $first + 1}]
    }
    return $count
}

proc node_at {address} {
    foreach node $::nodes {
        if {[$node address] eq $address} { return $node }
    }
    error "no node at $address"
}

# The node that serves a slot, by its own word.
proc owner_of {slot} {
    foreach node $::nodes {
        foreach range [dict get [member $node [$node id]] slots] {
            lassign [split $range -] first last
            if {$slot == $first || ($last ne "" && $slot >= $first && $slot <= $last)} {
                return $node
            }
        }
    }
    return ""
}

# Sends a command to `start` and on to wherever the replies redirect it.
proc routed_from {start args} {
    set at $start
    set asking 0
    for {set try 0} {$try < 100} {incr try} {
        if {$asking} { $at ASKING }
        if {![catch {$at {*}$args} reply options]} { return $reply }
        set asking 0
        switch -glob -- $reply {
            "MOVED *" { set at [node_at [lindex $reply 2]] }
            "ASK *" {
                set at [node_at [lindex $reply 2]]
                set asking 1
            }
            "TRYAGAIN*" { after 10 }
            default { return -options $options $reply }
        }
    }
    fail "redirected without end: $args: $reply"
}

proc routed {args} { return [routed_from [node 0] {*}$args] }

# Keys of one slot, each with a value that names it; returns a dict of them.
proc keys_of_tag {tag count} {
    set keys {}
    for {set i 0} {$i < $count} {incr i} { dict set keys "{$tag}:$i" "value of $tag $i" }
    return $keys
}

proc write_keys {keys} {
    dict for {key value} $keys { routed SET $key $value }
}

# Every key is there once, with its value, whoever is asked first; and nothing else is.
proc assert_keys {keys} {
    set total 0
    foreach node $::nodes { incr total [$node DBSIZE] }
    set start 0
    dict for {key value} $keys {
        set from [node [expr {[incr start] % [llength $::nodes]}]]
        assert_equal "$key: $value" "$key: [routed_from $from GET $key]"
    }
    assert_equal "[dict size $keys] keys" "$total keys"
}

proc flush_nodes {} {
    foreach node $::nodes { $node FLUSHALL }
}

proc key_slot {key} { return [[node 0] CLUSTER KEYSLOT $key] }

# redis-cli --cluster with these words; returns what it printed, and fails when it failed.
proc cluster_cli {args} {
    if {[catch {cluster_cli_raw {*}$args} said]} { fail "redis-cli --cluster $args:\n$said" }
    return $said
}

# The same, but a failure is an error with what was printed.
proc cluster_cli_raw {args} {
    exec env TERM=dumb timeout 120 redis-cli --cluster {*}$args < /dev/null 2>@1
}

# Moves slots by redis-cli, with options behind.
proc reshard {from to count args} {
    cluster_cli reshard [$from address] --cluster-from [$from id] --cluster-to [$to id] \
        --cluster-slots $count --cluster-yes {*}$args
}

# Another server than the one under test, to mix with.
proc other_program {} { return [auto_execok redis-server] }

# A port that leads to `node` and breaks each connection once it let so many bytes of requests or of
# replies pass. It works while the test waits for something.
proc breaking_proxy {node request_bytes reply_bytes} {
    set port [free_port]
    set ::proxy_listener [socket -server [list proxy_accept [$node port] $request_bytes \
        $reply_bytes] -myaddr 127.0.0.1 $port]
    return $port
}

proc close_proxy {} { close $::proxy_listener }

proc proxy_accept {port request_bytes reply_bytes client args} {
    set server [socket 127.0.0.1 $port]
    foreach {from to left} [list $client $server $request_bytes $server $client $reply_bytes] {
        fconfigure $from -translation binary -blocking 0 -buffering none
        set ::proxy_left($from) $left
        fileevent $from readable [list proxy_pass $from $to]
    }
}

proc proxy_pass {from to} {
    set ended [catch {read $from} data]
    set left [expr {$::proxy_left($from) - [string length $data]}]
    if {!$ended} {
        catch {puts -nonewline $to [string range $data 0 [expr {$::proxy_left($from) - 1}]]}
    }
    set ::proxy_left($from) $left
    if {$ended || $left <= 0 || [eof $from]} {
        foreach channel [list $from $to] { catch {close $channel} }
    }
}
