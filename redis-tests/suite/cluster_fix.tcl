# redis-cli --cluster fix: a slot whose migration stopped, at whatever stage, is mended, and each of
# its keys is readable once, with its value.

# Every scenario has keys of a slot of its own, which `source` owns at first; `other` owns nothing
# of it and has no part in the migration.
proc mend {name setup args} {
    test $name [list mend_now [string map {" " ""} $name] $setup {*}$args]
}

proc mend_now {tag setup {options {}}} {
    flush_nodes
    set keys [keys_of_tag $tag 40]
    set slot [key_slot "{$tag}"]
    set source [owner_of $slot]
    lassign [lsearch -all -inline -not -exact $::nodes $source] target other
    write_keys $keys
    if {[catch {
        eval $setup
        run_fix [node 0] {*}$options
        wait_for_cluster
        assert {[no_open_slots]}
        cluster_cli check [[node 1] address]
        assert_keys $keys
    } message options]} {
        # The next scenario starts from a cluster that is well.
        restore_slot $slot $source
        return -options $options $message
    }
}

# What it printed; whether it succeeded is for `check` to tell, since it also counts what it mended
# as an error. Uncovered slots are asked about in spite of --cluster-yes.
proc run_fix {node args} {
    catch {
        exec env TERM=dumb timeout 120 redis-cli --cluster fix [$node address] --cluster-yes \
            {*}$args << "yes\nyes\nyes\n" 2>@1
    } said
    return $said
}

proc restore_slot {slot owner} {
    flush_nodes
    set id [$owner id]
    foreach node $::nodes {
        catch {$node CLUSTER SETSLOT $slot STABLE}
        catch {$node CLUSTER DELSLOTS $slot}
    }
    catch {$owner CLUSTER ADDSLOTS $slot}
    catch {$owner CLUSTER BUMPEPOCH}
    foreach node $::nodes { catch {$node CLUSTER SETSLOT $slot NODE $id} }
    catch wait_for_cluster
}

proc open_migrating {slot source target} {
    assert_equal OK [$source CLUSTER SETSLOT $slot MIGRATING [$target id]]
}

proc open_importing {slot source target} {
    assert_equal OK [$target CLUSTER SETSLOT $slot IMPORTING [$source id]]
}

proc open_both {slot source target} {
    open_importing $slot $source $target
    open_migrating $slot $source $target
}

proc move_keys {slot source target count args} {
    set names [$source CLUSTER GETKEYSINSLOT $slot $count]
    assert_equal $count [llength $names]
    assert_equal OK [$source MIGRATE 127.0.0.1 [$target port] "" 0 5000 {*}$args KEYS {*}$names]
    if {"COPY" ni $args} { assert_equal $count [$target CLUSTER COUNTKEYSINSLOT $slot] }
}

# Makes every node forget who owns the slot.
proc uncover {slot} {
    foreach node $::nodes { assert_equal OK [$node CLUSTER DELSLOTS $slot] }
    foreach node $::nodes {
        wait_for "the missing slot to show" {[cluster_field $node cluster_state] eq "fail"}
    }
}

with_cluster 3 {cluster-node-timeout 2000} {
    mend "only the source is marked" {
        open_migrating $slot $source $target
    }

    mend "only the target is marked" {
        open_importing $slot $source $target
    }

    mend "both are marked, no key moved" {
        open_both $slot $source $target
    }

    mend "both are marked, half of the keys moved" {
        open_both $slot $source $target
        move_keys $slot $source $target 20
    }

    mend "both are marked, all keys moved" {
        open_both $slot $source $target
        move_keys $slot $source $target 40
    }

    mend "half of the keys moved, and the target lost its mark" {
        open_both $slot $source $target
        move_keys $slot $source $target 20
        $target CLUSTER SETSLOT $slot STABLE
    }

    mend "half of the keys moved, and the source lost its mark" {
        open_both $slot $source $target
        move_keys $slot $source $target 20
        $source CLUSTER SETSLOT $slot STABLE
    }

    mend "half of the keys moved back" {
        open_both $slot $source $target
        move_keys $slot $source $target 40
        # What comes back is at the source, which still owns the slot, only when it is not marked.
        $source CLUSTER SETSLOT $slot STABLE
        set names [$target CLUSTER GETKEYSINSLOT $slot 20]
        assert_equal OK [$target MIGRATE 127.0.0.1 [$source port] "" 0 5000 KEYS {*}$names]
        assert_equal 20 [$source CLUSTER COUNTKEYSINSLOT $slot]
    }

    mend "a target that holds more keys than the owner, and no mark at the source" {
        open_both $slot $source $target
        move_keys $slot $source $target 35
        $source CLUSTER SETSLOT $slot STABLE
    }

    mend "keys on both sides with equal values" {
        open_both $slot $source $target
        move_keys $slot $source $target 20 COPY
    }

    mend "keys on both sides with different values" {
        open_both $slot $source $target
        move_keys $slot $source $target 20 COPY
        # A node that still has a key of a migrating slot goes on writing it.
        dict for {key value} $keys {
            $source SET $key "newer $value"
            dict set keys $key "newer $value"
        }
        # redis-cli does not judge which of them is right: it stops, and both stay.
        assert_match "*having different values*" [run_fix $source]
        assert_equal 40 [$source CLUSTER COUNTKEYSINSLOT $slot]
        assert_equal 20 [$target CLUSTER COUNTKEYSINSLOT $slot]
        # We know: whoever owns the slot. To move again, over the old copies, is the cure.
        open_both $slot $source $target
        move_keys $slot $source $target 40 REPLACE
    }

    mend "the new owner is announced at the source only" {
        open_both $slot $source $target
        move_keys $slot $source $target 40
        assert_equal OK [$source CLUSTER SETSLOT $slot NODE [$target id]]
    }

    mend "the new owner is announced at the target only" {
        open_both $slot $source $target
        move_keys $slot $source $target 40
        assert_equal OK [$target CLUSTER SETSLOT $slot NODE [$target id]]
    }

    mend "the new owner is announced at source and target, and not at the third" {
        open_both $slot $source $target
        move_keys $slot $source $target 40
        assert_equal OK [$target CLUSTER SETSLOT $slot NODE [$target id]]
        assert_equal OK [$source CLUSTER SETSLOT $slot NODE [$target id]]
    }

    mend "an uncovered slot without keys" {
        flush_nodes
        set keys {}
        uncover $slot
    }

    mend "an uncovered slot whose keys one node has" {
        uncover $slot
    }

    mend "an uncovered slot whose keys are spread over two nodes" {
        open_both $slot $source $target
        move_keys $slot $source $target 15
        uncover $slot
    }

    mend "a slot open on two targets, one of them right" {
        open_both $slot $source $target
        open_importing $slot $source $other
    }

    mend "a slot open on two targets that have keys, and not at the source" {
        open_both $slot $source $target
        move_keys $slot $source $target 10
        $source CLUSTER SETSLOT $slot STABLE
        open_both $slot $source $other
        set names [$source CLUSTER GETKEYSINSLOT $slot 10]
        assert_equal OK [$source MIGRATE 127.0.0.1 [$other port] "" 0 5000 KEYS {*}$names]
        $source CLUSTER SETSLOT $slot STABLE
    }

    mend "two targets are marked, and the source names a third that is not" {
        open_migrating $slot $source $target
        open_importing $slot $source $other
    }

    # Where the connection of a MIGRATE breaks: after so many bytes of what it sends, or of what it
    # is answered. A reply to one key takes five bytes.
    foreach {where request_bytes reply_bytes} {
        "before anything arrives" 10 100000
        "amid the keys" 1500 100000
        "before the first reply" 100000 1
        "amid the replies" 100000 52
    } {
        mend "a MIGRATE whose connection breaks $where" [string map \
            [list REQUEST $request_bytes REPLY $reply_bytes] {
            open_both $slot $source $target
            set names [$source CLUSTER GETKEYSINSLOT $slot 100]
            set port [breaking_proxy $target REQUEST REPLY]
            set mover [$source connection]
            $mover send MIGRATE 127.0.0.1 $port "" 0 2000 KEYS {*}$names
            set failed [catch {$mover recv} said]
            close_proxy
            # A second attempt finds what the first one left at the target.
            assert {$failed && [regexp {^IOERR|BUSYKEY} $said]}
            set here [$source CLUSTER GETKEYSINSLOT $slot 100]
            set there [$target CLUSTER GETKEYSINSLOT $slot 100]
            foreach key $names { assert {$key in $here || $key in $there} }
            # Only what was acknowledged has left.
            assert {[llength $here] >= 40 - REPLY / 5}
        }]
    }

    test "a reshard that dies is mended, wherever it was" {
        flush_nodes
        set keys {}
        for {set i 0} {$i < 3000} {incr i} { dict set keys key:$i "value $i" }
        write_keys $keys
        foreach [list from to kill_at] [list [node 0] [node 1] 20 [node 1] [node 2] 45] {
            set before [slot_count $to]
            set pid [exec env TERM=dumb redis-cli --cluster reshard [$from address] \
                --cluster-from [$from id] --cluster-to [$to id] --cluster-slots 2000 \
                --cluster-yes < /dev/null > /dev/null 2> /dev/null &]
            wait_for "some slots to move" {[slot_count $to] >= $before + $kill_at}
            exec kill -KILL $pid
            run_fix [node 0]
            wait_for_cluster
            assert {[no_open_slots]}
            cluster_cli check [[node 2] address]
            assert_range [expr {$before + $kill_at}] [expr {$before + 1999}] [slot_count $to]
        }
        assert_keys $keys
    }

    test "many open slots are mended in one run" {
        flush_nodes
        set keys {}
        for {set i 0} {$i < 300} {incr i} { dict set keys key:$i "value $i" }
        write_keys $keys
        set source [node 0]
        set target [node 1]
        set slots {}
        foreach key [$source KEYS *] { lappend slots [$source CLUSTER KEYSLOT $key] }
        set slots [lrange [lsort -unique $slots] 0 49]
        set stage 0
        foreach slot $slots {
            switch [expr {[incr stage] % 4}] {
                0 { open_migrating $slot $source $target }
                1 { open_importing $slot $source $target }
                2 { open_both $slot $source $target }
                3 {
                    open_both $slot $source $target
                    move_keys $slot $source $target [$source CLUSTER COUNTKEYSINSLOT $slot]
                }
            }
        }
        run_fix $source
        wait_for_cluster
        assert {[no_open_slots]}
        cluster_cli check [$target address]
        assert_keys $keys
    }

    test "marks survive a restart, and are mended after it" {
        flush_nodes
        set keys [keys_of_tag restart 40]
        set slot [key_slot "{restart}"]
        set source [owner_of $slot]
        lassign [lsearch -all -inline -not -exact $::nodes $source] target
        write_keys $keys
        open_both $slot $source $target
        set marks [open_slots $target]
        assert_equal [list "\[$slot-<-[$source id]\]"] $marks
        # The target holds nothing yet: only its marks can be lost.
        $target kill
        $target start
        assert_equal $marks [open_slots $target]
        wait_for "the cluster to be well again" {[cluster_agrees]} 20000
        run_fix $source
        wait_for_cluster
        assert {[no_open_slots]}
        assert_keys $keys
    }
}
