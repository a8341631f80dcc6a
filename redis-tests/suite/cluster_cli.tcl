# redis-cli --cluster against our nodes: every verb but fix, which has a file of its own.

# A few hundred keys over all slots.
proc spread_keys {count {prefix key}} {
    set keys {}
    for {set i 0} {$i < $count} {incr i} { dict set keys $prefix:$i "value of $prefix $i" }
    return $keys
}

proc slot_counts {} {
    set counts {}
    foreach node $::nodes { lappend counts [slot_count $node] }
    return $counts
}

proc addresses {} {
    set addresses {}
    foreach node $::nodes { lappend addresses [$node address] }
    return $addresses
}

proc create_cluster {} { cluster_cli create {*}[addresses] --cluster-yes }

with_nodes 3 {cluster-node-timeout 2000 repl-diskless-sync-delay 0} {
    test "create needs three masters" {
        assert_error "*at least 3 master nodes*" {
            cluster_cli_raw create {*}[lrange [addresses] 0 1] --cluster-yes
        }
    }

    test "create refuses a node that holds keys" {
        [node 1] CLUSTER ADDSLOTS [key_slot key]
        [node 1] CONFIG SET cluster-require-full-coverage no
        wait_for "the node to serve" {![catch {[node 1] SET key value}]}
        assert_error "*[[node 1] address] is not empty*" {
            cluster_cli_raw create {*}[addresses] --cluster-yes
        }
        [node 1] FLUSHALL
        [node 1] CLUSTER FLUSHSLOTS
        [node 1] CONFIG SET cluster-require-full-coverage yes
        foreach node $::nodes { $node CLUSTER RESET HARD }
    }

    test "create makes three masters a cluster" {
        set said [create_cluster]
        assert_match "*All nodes agree about slots configuration.*" $said
        assert_match "*All 16384 slots covered.*" $said
        wait_for_cluster
        assert_equal {5461 5461 5462} [lsort [slot_counts]]
        set epochs {}
        foreach node $::nodes {
            assert_equal 3 [cluster_field $node cluster_size]
            assert_equal 3 [cluster_field $node cluster_current_epoch]
            lappend epochs [cluster_field $node cluster_my_epoch]
        }
        assert_equal {1 2 3} [lsort $epochs]
    }

    test "create refuses nodes of another cluster" {
        assert_error "*[[node 0] address] is not empty*" {
            cluster_cli_raw create {*}[addresses] --cluster-yes
        }
    }

    test "redis-cli -c follows redirections" {
        set keys [spread_keys 30]
        set script ""
        dict for {key value} $keys { append script "SET $key \"$value\"\nGET $key\n" }
        set said [exec redis-cli -c -p [[node 0] port] << $script]
        dict for {key value} $keys { assert_match "*$value*" $said }
        assert_no_match "*MOVED*" $said
        assert_keys $keys
    }

    test "info counts keys and slots" {
        set said [cluster_cli info [[node 1] address]]
        foreach node $::nodes {
            set line "*[$node address] ([string range [$node id] 0 7]...) -> "
            append line "[$node DBSIZE] keys | [slot_count $node] slots | 0 slaves.*"
            assert_match $line $said
        }
        assert_match "*30 keys in 3 masters.*" $said
    }

    test "check is content" {
        set said [cluster_cli check [[node 2] address]]
        assert_match "*All nodes agree about slots configuration.*" $said
        assert_match "*Check for open slots...*Check slots coverage...*" $said
        assert_match "*All 16384 slots covered.*" $said
        assert_no_match "*ERR*" $said
        cluster_cli check [[node 0] address] --cluster-search-multiple-owners
    }

    test "check names an open slot" {
        set slot [key_slot key:1]
        set from [owner_of $slot]
        set to [node [expr {$from eq [node 0]}]]
        $from CLUSTER SETSLOT $slot MIGRATING [$to id]
        $to CLUSTER SETSLOT $slot IMPORTING [$from id]
        assert_error "*[$from address] has slots in migrating state $slot*" {
            cluster_cli_raw check [[node 0] address]
        }
        assert_error "*[$to address] has slots in importing state $slot*" {
            cluster_cli_raw check [[node 0] address]
        }
        foreach node [list $from $to] { $node CLUSTER SETSLOT $slot STABLE }
        cluster_cli check [[node 0] address]
    }

    test "call asks every node" {
        set said [cluster_cli call [[node 0] address] PING]
        foreach node $::nodes { assert_match "*[$node address]: PONG*" $said }
        cluster_cli call [[node 0] address] CONFIG SET slowlog-max-len 77
        foreach node $::nodes {
            assert_equal {slowlog-max-len 77} [$node CONFIG GET slowlog-max-len]
        }
        assert_match "*[[node 0] address]: key:*" [cluster_cli call [[node 0] address] RANDOMKEY]
    }

    test "set-timeout reaches every node and its file" {
        set said [cluster_cli set-timeout [[node 0] address] 3000]
        assert_match "*New node timeout set. 3 OK, 0 ERR.*" $said
        foreach node $::nodes {
            assert_equal {cluster-node-timeout 3000} [$node CONFIG GET cluster-node-timeout]
            assert_match "*cluster-node-timeout 3000*" [read_file [$node dir]/redis.conf]
        }
        catch {cluster_cli_raw set-timeout [[node 0] address] 50} said
        assert_match "*less than 100 milliseconds is a bad idea*" $said
        assert_equal {cluster-node-timeout 3000} [[node 0] CONFIG GET cluster-node-timeout]
    }

    test "import from a standalone server" {
        flush_nodes
        set server [start_server]
        set source [Client new [dict get $server port]]
        lappend ::clients $source
        set keys [spread_keys 100 import]
        dict for {key value} $keys { $source SET $key $value }
        $source EXPIRE import:7 1000

        # The source keeps what is copied.
        set from 127.0.0.1:[dict get $server port]
        cluster_cli import [[node 0] address] --cluster-from $from --cluster-copy
        assert_equal 100 [$source DBSIZE]
        assert_keys $keys
        assert_range 900 1000 [routed TTL import:7]
        assert_equal -1 [routed TTL import:8]

        # What is there already stops it, unless it may be replaced.
        $source SET import:5 changed
        dict set keys import:5 changed
        assert_error "*BUSYKEY*" {
            cluster_cli_raw import [[node 0] address] --cluster-from $from --cluster-copy
        }
        cluster_cli import [[node 0] address] --cluster-from $from --cluster-copy --cluster-replace
        assert_equal 100 [$source DBSIZE]
        assert_keys $keys

        # Without --cluster-copy keys move.
        flush_nodes
        cluster_cli import [[node 1] address] --cluster-from $from
        assert_equal 0 [$source DBSIZE]
        assert_keys $keys
        stop_server $server
    }

    test "import refuses a cluster node as its source" {
        assert_error "*should not be a cluster node*" {
            cluster_cli_raw import [[node 0] address] --cluster-from [[node 1] address]
        }
    }

    test "reshard moves slots with their keys" {
        flush_nodes
        set keys [dict merge [spread_keys 300] [keys_of_tag tag 50]]
        write_keys $keys
        set before [slot_counts]
        set said [reshard [node 0] [node 1] 100]
        assert_match "*Moving slot * from [[node 0] address] to [[node 1] address]:*" $said
        wait_for_cluster
        lassign $before a b c
        assert_equal [list [expr {$a - 100}] [expr {$b + 100}] $c] [slot_counts]
        assert_keys $keys
        assert {[no_open_slots]}
        # Back, many keys at a time.
        reshard [node 1] [node 0] 100 --cluster-pipeline 100
        wait_for_cluster
        assert_equal $before [slot_counts]
        assert_keys $keys
    }

    test "reshard from all nodes at once" {
        set before [slot_counts]
        cluster_cli reshard [[node 0] address] --cluster-from all --cluster-to [[node 2] id] \
            --cluster-slots 100 --cluster-yes
        wait_for_cluster
        assert_equal [expr {[lindex $before 2] + 100}] [slot_count [node 2]]
        assert_keys [dict merge [spread_keys 300] [keys_of_tag tag 50]]
    }

    test "reshard answers for nonsense" {
        catch {
            cluster_cli_raw reshard [[node 0] address] --cluster-from [[node 0] id] \
                --cluster-to [string repeat 0 40] --cluster-slots 1 --cluster-yes
        } said
        assert_match "*The specified node (0000*) is not known or not a master*" $said
    }

    test "add-node brings in an empty master" {
        add_node {cluster-node-timeout 3000 repl-diskless-sync-delay 0}
        set said [cluster_cli add-node [[node 3] address] [[node 0] address]]
        assert_match "*New node added correctly.*" $said
        wait_for_cluster
        assert_equal 0 [slot_count [node 3]]
        assert_equal 3 [cluster_field [node 3] cluster_size]
        assert_equal 4 [cluster_field [node 3] cluster_known_nodes]
    }

    test "add-node refuses a node that is a member already" {
        assert_error "*is not empty*" {
            cluster_cli_raw add-node [[node 3] address] [[node 0] address]
        }
    }

    test "rebalance leaves empty masters alone, and only tells when it simulates" {
        set before [slot_counts]
        set said [cluster_cli rebalance [[node 0] address] --cluster-use-empty-masters \
            --cluster-simulate]
        assert_match "*Moving * slots from * to [[node 3] address]*" $said
        assert_equal $before [slot_counts]
        cluster_cli rebalance [[node 0] address] --cluster-threshold 1
        wait_for_cluster
        assert_equal 0 [slot_count [node 3]]
        foreach node [lrange $::nodes 0 2] { assert_range 5460 5463 [slot_count $node] }
    }

    test "rebalance shares out to an empty master" {
        # A small weight keeps the number of slots, and the test, small.
        set weight [[node 3] id]=0.03
        set rebalance [list rebalance [[node 0] address] --cluster-weight $weight]
        cluster_cli {*}$rebalance --cluster-use-empty-masters --cluster-pipeline 100
        wait_for_cluster
        assert_equal 16384 [expr [join [slot_counts] +]]
        assert_range 160 164 [slot_count [node 3]]
        foreach node [lrange $::nodes 0 2] { assert_range 5405 5409 [slot_count $node] }
        assert_keys [dict merge [spread_keys 300] [keys_of_tag tag 50]]
        assert_match "*No rebalancing needed*" [cluster_cli {*}$rebalance]
    }

    test "del-node refuses a master with slots" {
        assert_error "*[[node 3] address] is not empty! Reshard data away and try again.*" {
            cluster_cli_raw del-node [[node 0] address] [[node 3] id]
        }
        assert_error "*No such node ID*" {
            cluster_cli_raw del-node [[node 0] address] [string repeat 0 40]
        }
    }

    test "rebalance by weights empties a node" {
        set last [node 3]
        cluster_cli rebalance [[node 0] address] --cluster-weight [$last id]=0 [[node 0] id]=1.05
        wait_for_cluster
        lassign [slot_counts] first second third fourth
        assert_equal 0 $fourth
        assert_range 5638 5642 $first
        assert_range 5370 5374 $second
        assert_range 5370 5374 $third
        assert_keys [dict merge [spread_keys 300] [keys_of_tag tag 50]]
    }

    test "del-node removes an empty node everywhere" {
        set last [node 3]
        set id [$last id]
        set said [cluster_cli del-node [[node 0] address] $id]
        assert_match "*Sending CLUSTER FORGET messages to the cluster...*" $said
        assert_match "*Sending CLUSTER RESET SOFT to the deleted node.*" $said
        assert_equal 1 [cluster_field $last cluster_known_nodes]
        drop_node $last
        wait_for_cluster
        foreach node $::nodes { assert_equal "" [member $node $id] }
    }

    test "backup saves every node's keys and the slots" {
        set keys [dict merge [spread_keys 300] [keys_of_tag tag 50]]
        set dir [new_dir]
        set said [cluster_cli backup [[node 0] address] $dir]
        assert_match "*Backup created into: $dir*" $said
        set json [read_file $dir/nodes.json]
        set saved {}
        foreach node $::nodes {
            assert_match "*\"name\": \"[$node id]\"*" $json
            assert_match "*\"port\": [$node port]*" $json
            set file [glob $dir/redis-node-127.0.0.1-[$node port]-*.rdb]
            set data [read_file $file]
            assert_match "REDIS00??*" $data
            dict set saved $node $data
        }
        # Each key stands in the file of its owner.
        foreach key {key:100 key:200 key:298 key:299 {{tag}:49}} {
            set owner [owner_of [key_slot $key]]
            foreach node $::nodes {
                set found [expr {[string first $key [dict get $saved $node]] > 0}]
                assert_equal "$key [expr {$node eq $owner}]" "$key $found"
            }
        }
    }
}

with_nodes 6 {cluster-node-timeout 2000 requirepass secret masterauth secret} {
    test "create, reshard, check and call with six masters and a password" {
        set auth {-a secret --no-auth-warning}
        set said [cluster_cli create {*}[addresses] --cluster-yes {*}$auth]
        assert_match "*All 16384 slots covered.*" $said
        foreach node $::nodes { $node AUTH secret }
        wait_for_cluster
        foreach count [slot_counts] { assert_range 2730 2731 $count }
        set keys [spread_keys 300]
        write_keys $keys
        reshard [node 2] [node 5] 100 {*}$auth --cluster-pipeline 7
        wait_for_cluster
        assert_range 2630 2631 [slot_count [node 2]]
        assert_keys $keys
        cluster_cli check [[node 5] address] {*}$auth
        assert_match "*[[node 5] address]: PONG*" \
            [cluster_cli call [[node 0] address] PING {*}$auth]
        assert_error "*NOAUTH*" {cluster_cli_raw check [[node 0] address]}
    }
}

with_nodes 3 {} {
    test "a cluster by hand: MEET, and all slots by number" {
        set third [expr {$::cluster_slots / 3}]
        set first 0
        foreach node $::nodes last [list $third [expr {2 * $third}] [expr {$::cluster_slots - 1}]] {
            set slots {}
            for {set slot $first} {$slot <= $last} {incr slot} { lappend slots $slot }
            assert_equal OK [$node CLUSTER ADDSLOTS {*}$slots]
            set first [expr {$last + 1}]
        }
        assert_match "*cluster_state:fail*" [[node 0] CLUSTER INFO]
        assert_equal OK [[node 0] CLUSTER MEET 127.0.0.1 [[node 1] port]]
        assert_equal OK [[node 0] CLUSTER MEET 127.0.0.1 [[node 2] port]]
        # Nodes 1 and 2 hear of each other by gossip.
        wait_for_cluster
        foreach node $::nodes {
            foreach line {cluster_state:ok cluster_slots_assigned:16384 cluster_slots_ok:16384
                    cluster_slots_pfail:0 cluster_slots_fail:0 cluster_known_nodes:3
                    cluster_size:3} {
                assert_match "*$line\r\n*" [$node CLUSTER INFO]
            }
        }
        write_keys [spread_keys 30]
        assert_keys [spread_keys 30]
    }

    test "nodes that end and start again keep their places" {
        set map [slot_map [node 0]]
        foreach node $::nodes { $node kill }
        foreach node $::nodes { $node start }
        wait_for_cluster
        assert_equal $map [slot_map [node 2]]
    }
}

with_nodes 3 {} {
    test "a cluster by hand: ADDSLOTSRANGE" {
        form_cluster
        write_keys [keys_of_tag tag 10]
        assert_keys [keys_of_tag tag 10]
    }
}
