# A cluster of two of our nodes and one Redis 7.0 of the distribution: each kind serves, moves slots
# to the other, and notices when a node of the other kind dies and comes back.

# Whether our strings travel to an older server. A payload ends with its version in two bytes and a
# check sum in eight; 7.0 takes up to 10.
proc payload_version {node} {
    set key [lindex [$node KEYS *] 0]
    binary scan [string range [$node DUMP $key] end-9 end-8] su version
    return $version
}

# Both of ours and theirs see the flag on a node, or do not.
proc everybody_sees {other flag wanted} {
    set id [dict get $::ids $other]
    foreach node $::nodes {
        if {$node ne $other && [sees_flag $node $id $flag] != $wanted} { return 0 }
    }
    return 1
}

proc remember_ids {} {
    set ::ids {}
    foreach node $::nodes { dict set ::ids $node [$node id] }
}

# The replies that redis-cli -c prints for these commands; it also prints where it is redirected.
proc cli_replies {node script} {
    set lines [split [string trim [exec redis-cli -c -p [$node port] << $script]] \n]
    return [lsearch -all -inline -not $lines "-> Redirected*"]
}

proc moves_to_theirs {} {
    return [expr {[is_ours] || [payload_version [node 0]] <= 10}]
}

if {[other_program] eq ""} {
    test "a cluster of both kinds" { skip "no redis-server in PATH" }
    return
}

with_nodes 2 {cluster-node-timeout 1500} {
    add_node {cluster-node-timeout 1500} [other_program]
    lassign $::nodes ours second theirs
    set keys {}
    for {set i 0} {$i < 300} {incr i} { dict set keys key:$i "value $i" }

    test "redis-cli creates it" {
        set addresses {}
        foreach node $::nodes { lappend addresses [$node address] }
        cluster_cli create {*}$addresses --cluster-yes
        wait_for_cluster
        remember_ids
        foreach node $::nodes {
            cluster_cli check [$node address]
            assert_equal 3 [cluster_field $node cluster_size]
        }
    }

    test "it is written and read by redis-cli -c through either kind" {
        foreach {node other} [list $ours $theirs $theirs $second] {
            flush_nodes
            set script ""
            dict for {key value} $keys { append script "SET $key \"$value\"\n" }
            assert_equal [lrepeat 300 OK] [cli_replies $node $script]
            set script ""
            dict for {key value} $keys { append script "GET $key\n" }
            assert_equal [dict values $keys] [cli_replies $other $script]
            foreach each $::nodes { assert_range 50 150 [$each DBSIZE] }
        }
    }

    test "members look the same from both kinds" {
        foreach {ask name} {SLOTS slots SHARDS shards} {
            foreach node $::nodes { $node CLUSTER $ask }
        }
        assert_equal [slot_map $ours] [slot_map $theirs]
        foreach node $::nodes {
            foreach member [members $node] {
                assert_equal connected [dict get $member link]
                assert {"master" in [dict get $member flags]}
            }
        }
    }

    test "slots with keys move from theirs to ours" {
        set before [$theirs DBSIZE]
        reshard $theirs $ours 150 --cluster-pipeline 5
        wait_for_cluster
        assert {[$theirs DBSIZE] < $before}
        assert_keys $keys
        assert {[no_open_slots]}
    }

    test "slots with keys move from ours to theirs" {
        if {![moves_to_theirs]} { skip "its strings carry version [payload_version $ours]" }
        set before [$theirs DBSIZE]
        reshard $ours $theirs 150 --cluster-pipeline 5
        reshard $second $theirs 50
        wait_for_cluster
        assert {[$theirs DBSIZE] > $before}
        assert_keys $keys
        assert {[no_open_slots]}
    }

    test "keys keep their time to live when they change sides" {
        if {![moves_to_theirs]} { skip "its strings carry version [payload_version $ours]" }
        $ours FLUSHALL
        foreach {key value} {{{ttl}:1} 1000 {{ttl}:2} 2000} {
            routed SET $key $value
            routed EXPIRE $key $value
        }
        set slot [key_slot "{ttl}"]
        foreach target [list $theirs $ours $theirs $second] {
            set source [owner_of $slot]
            if {$source eq $target} continue
            $target CLUSTER SETSLOT $slot IMPORTING [dict get $::ids $source]
            $source CLUSTER SETSLOT $slot MIGRATING [dict get $::ids $target]
            # One key moves alone, the other as redis-cli does it.
            assert_equal OK [$source MIGRATE 127.0.0.1 [$target port] "{ttl}:1" 0 5000]
            assert_error "ASK $slot [$target address]" {$source GET "{ttl}:1"}
            assert_equal 2000 [$source GET "{ttl}:2"]
            assert_error "TRYAGAIN *" {$source MGET "{ttl}:1" "{ttl}:2"}
            assert_equal OK [$source MIGRATE 127.0.0.1 [$target port] "" 0 5000 KEYS "{ttl}:2"]
            foreach node [list $target $source] {
                $node CLUSTER SETSLOT $slot NODE [dict get $::ids $target]
            }
            wait_for_cluster
            assert_range 950 1000 [routed TTL "{ttl}:1"]
            assert_range 1950 2000 [routed TTL "{ttl}:2"]
        }
        flush_nodes
    }

    test "redis-cli fixes a slot between the kinds" {
        flush_nodes
        set mixed [keys_of_tag mixed 20]
        write_keys $mixed
        set slot [key_slot "{mixed}"]
        if {[owner_of $slot] ne $theirs} {
            if {![moves_to_theirs]} { skip "its strings carry version [payload_version $ours]" }
        }
        set source [owner_of $slot]
        set target [expr {$source eq $theirs ? $ours : $theirs}]
        $target CLUSTER SETSLOT $slot IMPORTING [dict get $::ids $source]
        $source CLUSTER SETSLOT $slot MIGRATING [dict get $::ids $target]
        set names [$source CLUSTER GETKEYSINSLOT $slot 10]
        assert_equal OK [$source MIGRATE 127.0.0.1 [$target port] "" 0 5000 KEYS {*}$names]
        catch {cluster_cli_raw fix [$ours address] --cluster-yes}
        wait_for_cluster
        assert {[no_open_slots]}
        assert_keys $mixed
    }

    # Without a replica the slots of the dead are down, and so is the cluster.
    foreach {dead witness} [list $theirs $ours $second $theirs] {
        set kind [expr {$dead eq $theirs ? "theirs" : "ours"}]
        test "a node of $kind dies: both kinds notice, and notice its return" {
            $dead kill
            set ::nodes [lsearch -all -inline -not -exact $::nodes $dead]
            wait_for "everybody to see it fail" {[everybody_sees $dead fail 1]} 15000
            foreach node $::nodes {
                wait_for "the cluster to be down" {[cluster_field $node cluster_state] eq "fail"}
                assert_error "CLUSTERDOWN*" {$node GET key}
                set member [member $node [dict get $::ids $dead]]
                assert_equal disconnected [dict get $member link]
            }
            $dead start
            set ::nodes [list $ours $second $theirs]
            wait_for "everybody to see it back" {
                [everybody_sees $dead fail 0] && [everybody_sees $dead fail? 0]
            } 15000
            wait_for_cluster
            assert_equal [dict get $::ids $dead] [$dead id]
            write_keys $keys
            dict for {key value} $keys { assert_equal $value [routed_from $witness GET $key] }
        }
    }
}
