# Slots move while a cluster client reads and writes: no error reaches the caller, no key is lost,
# none is stale. The client is redis-tests/programs/cluster_load.rs.
#
# The whole thing, with 200,000 keys and 5,000 slots, takes some minutes:
#
#   CLUSTER_LOAD_KEYS=200000 CLUSTER_LOAD_SLOTS=5000 redis-tests/run cluster_load

proc setting {name otherwise} {
    return [expr {[info exists ::env($name)] ? $::env($name) : $otherwise}]
}

set key_count [setting CLUSTER_LOAD_KEYS 20000]
set slot_count [setting CLUSTER_LOAD_SLOTS 500]
set load_program [program cluster_load]

# Starts the load and returns its channel once every key is written.
proc start_load {program args} {
    set ports {}
    foreach node [lrange $::nodes 0 2] { lappend ports [$node port] }
    set ::load_errors [new_dir]/errors
    set command [list $program --ports [join $ports ,] {*}$args]
    set channel [open [list | {*}$command 2> $::load_errors] r+]
    fconfigure $channel -buffering line
    if {[gets $channel] ne "ready"} { fail "the load does not start: [end_load $channel]" }
    return $channel
}

proc operations {channel} {
    puts $channel count
    return [lindex [gets $channel] 1]
}

# The load goes on: it does some more than it had done.
proc load_goes_on {channel} {
    set before [operations $channel]
    wait_for "the load to go on" {[operations $channel] > $before + 100} 15000
}

# Ends the load; returns its result, a dict, with what it complained about.
proc end_load {channel} {
    set result {}
    catch {puts $channel stop}
    while {[gets $channel line] >= 0} {
        if {[string match "result *" $line]} { set result [lrange $line 1 end] }
    }
    if {[catch {close $channel} said]} { dict set result exit $said }
    dict set result said [read_file $::load_errors]
    return $result
}

# Runs a body under load, which must end clean.
proc under_load {load body} {
    set channel [start_load {*}$load]
    upvar 1 load_channel shared
    set shared $channel
    set failed [catch {uplevel 1 $body} message options]
    set result [end_load $channel]
    if {$failed} {
        append message "\nthe load: $result"
        return -options $options $message
    }
    foreach field {errors lost stale alien} {
        if {![dict exists $result $field] || [dict get $result $field] != 0} {
            fail "the load: $result"
        }
    }
    return $result
}

# A slot in use whose owner is one of the first three nodes, and the owner.
proc slot_of_tag {number} {
    set slot [key_slot "{tag:$number}"]
    return [list $slot [owner_of $slot]]
}

# Whether the node answers now.
proc answers {node} {
    set client [Client new [$node port]]
    $client timeout 200
    set failed [catch {$client PING}]
    $client destroy
    return [expr {!$failed}]
}

# Begins to move all keys of a slot to a node that is stopped, and returns the connection that
# the reply will come on.
proc migrate_to_stopped {slot source target timeout_ms} {
    assert_equal OK [$target CLUSTER SETSLOT $slot IMPORTING [$source id]]
    assert_equal OK [$source CLUSTER SETSLOT $slot MIGRATING [$target id]]
    set names [$source CLUSTER GETKEYSINSLOT $slot 100000]
    $target pause
    set mover [$source connection]
    $mover timeout 30000
    $mover send MIGRATE 127.0.0.1 [$target port] "" 0 $timeout_ms KEYS {*}$names
    return $mover
}

with_cluster 3 {cluster-node-timeout 5000} {
    test "slots move there and back under load" {
        set result [under_load [list $load_program --keys $key_count] {
            set before [slot_map [node 0]]
            load_goes_on $load_channel
            foreach {from to} [list [node 0] [node 1] [node 1] [node 0]] {
                set done [operations $load_channel]
                # As many slots as are asked for may be all of one node's.
                set owned [slot_count $from]
                set count [expr {min($slot_count, $owned)}]
                reshard $from $to $count
                assert {[operations $load_channel] > $done + 100}
                wait_for_cluster
                assert_equal [expr {$owned - $count}] [slot_count $from]
            }
            load_goes_on $load_channel
            assert_equal $before [slot_map [node 0]]
        }]
        # Redirections are the client library's own business.
        assert_equal 0 [dict get $result client_errors]
        assert {[no_open_slots]}
        set total 0
        foreach node $::nodes { incr total [$node DBSIZE] }
        assert_equal $key_count $total
    }

    test "a reshard dies under load, and fix mends what it left" {
        flush_nodes
        under_load [list $load_program --keys $key_count --tags 200] {
            foreach {from to} [list [node 0] [node 2] [node 2] [node 1]] {
                load_goes_on $load_channel
                set before [slot_count $to]
                set pid [exec env TERM=dumb redis-cli --cluster reshard [$from address] \
                    --cluster-from [$from id] --cluster-to [$to id] --cluster-slots 1000 \
                    --cluster-yes < /dev/null > /dev/null 2> /dev/null &]
                wait_for "some slots to move" {[slot_count $to] >= $before + 100} 15000
                exec kill -KILL $pid
                load_goes_on $load_channel
                catch {cluster_cli_raw fix [[node 0] address] --cluster-yes} said
                wait_for_cluster
                if {![no_open_slots]} { fail $said }
                assert_range [expr {$before + 100}] [expr {$before + 999}] [slot_count $to]
            }
            load_goes_on $load_channel
        }
    }

    # A node that owns nothing takes slots. It keeps nothing on disk, so it may only die while what
    # it was sent has not been acknowledged: then the source still has every key.
    test "the target of a MIGRATE is killed under load, and fix mends the slot" {
        flush_nodes
        set target [add_node {cluster-node-timeout 5000}]
        $target CLUSTER MEET 127.0.0.1 [[node 0] port]
        wait_for_cluster
        under_load [list $load_program --keys $key_count --tags 20 --value-bytes 200] {
            load_goes_on $load_channel
            lassign [slot_of_tag 3] slot source
            set mover [migrate_to_stopped $slot $source $target 30000]
            wait_for "the source to hang in MIGRATE" {![answers $source]}
            $target kill
            assert_error "IOERR error or timeout *" {$mover recv}
            assert_equal [expr {$key_count / 20}] [$source CLUSTER COUNTKEYSINSLOT $slot]
            load_goes_on $load_channel
            $target start
            wait_for_cluster
            assert_equal 0 [$target DBSIZE]
            assert_equal [list "\[$slot-<-[$source id]\]"] [open_slots $target]
            load_goes_on $load_channel
            catch {cluster_cli_raw fix [$source address] --cluster-yes} said
            wait_for_cluster
            if {![no_open_slots]} { fail $said }
            assert_equal 1 [slot_count $target]
            assert_equal [expr {$key_count / 20}] [$target CLUSTER COUNTKEYSINSLOT $slot]
            assert_equal 0 [$source CLUSTER COUNTKEYSINSLOT $slot]
            load_goes_on $load_channel
        }
    }

    # After the timeout nobody knows what the target will yet do: it may take the keys, and they are
    # on both sides. The source is right until it has heard otherwise.
    test "the target of a MIGRATE hangs under load, and goes on after the timeout" {
        set target [node 3]
        flush_nodes
        under_load [list $load_program --keys $key_count --tags 20 --value-bytes 200] {
            load_goes_on $load_channel
            lassign [slot_of_tag 4] slot source
            set mover [migrate_to_stopped $slot $source $target 500]
            assert_error "IOERR error or timeout *" {$mover recv}
            set count [expr {$key_count / 20}]
            assert_equal $count [$source CLUSTER COUNTKEYSINSLOT $slot]
            load_goes_on $load_channel
            $target resume
            wait_for "the target to be back" {[answers $target]}
            # What it does with what it was sent, it has done once it answers a later connection and
            # its number of keys rests.
            set rests 0
            wait_for "the target to rest" {
                [set now [$target CLUSTER COUNTKEYSINSLOT $slot]] == $rests
                || [set rests $now] < 0
            }
            assert_equal $count [$source CLUSTER COUNTKEYSINSLOT $slot]
            load_goes_on $load_channel
            set names [$source CLUSTER GETKEYSINSLOT $slot 100000]
            assert_equal OK \
                [$source MIGRATE 127.0.0.1 [$target port] "" 0 10000 REPLACE KEYS {*}$names]
            assert_equal 0 [$source CLUSTER COUNTKEYSINSLOT $slot]
            load_goes_on $load_channel
            catch {cluster_cli_raw fix [$source address] --cluster-yes} said
            wait_for_cluster
            if {![no_open_slots]} { fail $said }
            assert_equal $count [$target CLUSTER COUNTKEYSINSLOT $slot]
            load_goes_on $load_channel
        }
    }
}
