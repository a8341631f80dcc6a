# INFO, COMMAND, MEMORY and other commands that tell about the server.

with_server {} {
    test "sections of INFO" {
        set default [r INFO]
        foreach section {Server Clients Memory Persistence Stats Replication CPU Modules Errorstats
                Cluster Keyspace} {
            assert_match "*# $section\r\n*" $default
        }
        assert_no_match "*# Commandstats*" $default
        assert_match "*# Commandstats\r\n*# Latencystats\r\n*" [r INFO all]
        assert_match "# Server\r\n*" [r INFO server]
        assert_no_match "*# Clients*" [r INFO server]
        assert_match "*# Server*# Keyspace*" [r INFO KEYSPACE server]
        assert_equal "" [r INFO nothing]
    }

    test "who the server is" {
        assert_match 7.2.* [info_field server redis_version]
        assert_equal standalone [info_field server redis_mode]
        assert_equal [srv pid] [info_field server process_id]
        assert_equal [srv port] [info_field server tcp_port]
        assert_equal 40 [string length [info_field server run_id]]
        assert_equal 64 [info_field server arch_bits]
        assert_range 0 600 [info_field server uptime_in_seconds]
        set now [expr {[clock microseconds] / 1e6}]
        assert_range [expr {$now - 5}] [expr {$now + 5}] \
            [expr {[info_field server server_time_usec] / 1e6}]
        assert_match "name=tcp,bind=127.0.0.1,port=[srv port]" [info_field server listener0]
    }

    test "fields that every server of 7.2 has" {
        set all [r INFO everything]
        foreach field {
            redis_git_sha1 redis_git_dirty redis_build_id os monotonic_clock multiplexing_api
            gcc_version process_supervised hz configured_hz lru_clock executable config_file
            io_threads_active connected_clients cluster_connections maxclients
            client_recent_max_input_buffer client_recent_max_output_buffer blocked_clients
            tracking_clients clients_in_timeout_table used_memory used_memory_human
            used_memory_rss used_memory_peak used_memory_peak_perc used_memory_overhead
            used_memory_startup used_memory_dataset used_memory_dataset_perc total_system_memory
            maxmemory maxmemory_human maxmemory_policy mem_fragmentation_ratio
            mem_not_counted_for_evict mem_clients_normal mem_allocator lazyfree_pending_objects
            lazyfreed_objects loading rdb_changes_since_last_save rdb_bgsave_in_progress
            rdb_last_save_time rdb_last_bgsave_status aof_enabled aof_last_write_status
            total_connections_received total_commands_processed instantaneous_ops_per_sec
            total_net_input_bytes total_net_output_bytes instantaneous_input_kbps
            rejected_connections sync_full expired_keys expired_stale_perc
            expired_time_cap_reached_count evicted_keys evicted_clients
            total_eviction_exceeded_time keyspace_hits keyspace_misses pubsub_channels
            pubsub_patterns pubsubshard_channels latest_fork_usec total_forks
            tracking_total_keys unexpected_error_replies total_error_replies
            total_reads_processed total_writes_processed reply_buffer_shrinks
            reply_buffer_expands eventloop_cycles eventloop_duration_sum
            acl_access_denied_auth acl_access_denied_cmd role connected_slaves
            master_failover_state master_replid master_replid2 master_repl_offset
            repl_backlog_active repl_backlog_size used_cpu_sys used_cpu_user
            used_cpu_sys_main_thread cluster_enabled
        } {
            if {![regexp "(^|\n)$field:" $all]} { fail "no $field" }
        }
    }

    test "counters of keys and hits" {
        r CONFIG RESETSTAT
        r SET a 1
        r SET b 1 EX 100
        r GET a
        r GET none
        r EXISTS a none
        assert_match "keys=2,expires=1,avg_ttl=*" [info_field keyspace db0]
        assert_equal {2 2} [list [info_field stats keyspace_hits] [info_field stats keyspace_misses]]
        assert_equal "" [info_field keyspace db1]
    }

    test "statistics of commands" {
        r CONFIG RESETSTAT
        r SET a 1
        r SET b 1
        catch {r INCRBY a x}
        catch {r SET}
        assert_match "calls=2,usec=*,usec_per_call=*,rejected_calls=1,failed_calls=0" \
            [info_field commandstats cmdstat_set]
        assert_match "calls=1,*,rejected_calls=0,failed_calls=1" \
            [info_field commandstats cmdstat_incrby]
        assert_match "calls=1,*" [info_field commandstats cmdstat_config|resetstat]
        assert_equal 2 [info_field stats total_error_replies]
        assert_equal count=2 [info_field errorstats errorstat_ERR]
        assert_match "p50=*,p99=*,p99.9=*" [info_field latencystats latency_percentiles_usec_set]
    }

    test "clients and connections are counted" {
        r CONFIG RESETSTAT
        set before [info_field clients connected_clients]
        set other [connect]
        $other PING
        assert_equal [expr {$before + 1}] [info_field clients connected_clients]
        assert_equal 1 [info_field stats total_connections_received]
        $other destroy
        wait_for "the connection to go" {[info_field clients connected_clients] == $before}
        assert {[info_field stats total_net_input_bytes] > 50}
        assert {[info_field stats total_commands_processed] > 3}
    }

    test "memory follows the data" {
        set before [info_field memory used_memory]
        r SETRANGE big 9999999 x
        assert_range 9900000 11500000 [expr {[info_field memory used_memory] - $before}]
        assert {[info_field memory used_memory_peak] >= [info_field memory used_memory]}
        r DEL big
        assert_range -200000 200000 [expr {[info_field memory used_memory] - $before}]
        r SET key [string repeat x 1000]
        assert_range 1000 1400 [r MEMORY USAGE key]
        assert_equal "\$-1\r\n" [r wire MEMORY USAGE none]
        assert_error "ERR syntax error" {r MEMORY USAGE key NOPE}
        set stats [r MEMORY STATS]
        assert {[dict get $stats total.allocated] > 0}
        assert_equal 1 [dict get $stats keys.count]
    }

    test "COMMAND tells about commands" {
        assert_equal {get 2 {readonly fast} 1 1 1 {@read @string @fast} {}} \
            [lrange [lindex [r COMMAND INFO get] 0] 0 7]
        assert_equal "*1\r\n\$-1\r\n" [r wire COMMAND INFO nothing]
        assert_range 60 500 [r COMMAND COUNT]
        assert_equal [r COMMAND COUNT] [llength [r COMMAND]]
        assert {"config|get" in [r COMMAND LIST FILTERBY PATTERN config|*]}
        assert_equal {a b} [r COMMAND GETKEYS MSET a 1 b 2]
        assert_equal {{a {OW update}} {b {OW update}}} [r COMMAND GETKEYSANDFLAGS MSET a 1 b 2]
        assert_error "ERR Invalid command specified" {r COMMAND GETKEYS nothing}
        assert_error "ERR The command has no key arguments" {r COMMAND GETKEYS PING}
        set docs [dict get [r COMMAND DOCS set] set]
        assert_equal string [dict get $docs group]
        assert_equal 1.0.0 [dict get $docs since]
    }

    test "TIME and LOLWUT" {
        lassign [r TIME] seconds micros
        assert_range [expr {[clock seconds] - 2}] [expr {[clock seconds] + 2}] $seconds
        assert_range 0 999999 $micros
        assert_match "*Redis ver. 7.2.*" [r LOLWUT]
    }

    test "DEBUG SLEEP, OBJECT and what it does not know" {
        set started [clock milliseconds]
        assert_equal OK [r DEBUG SLEEP 0.1]
        assert_range 90 2000 [expr {[clock milliseconds] - $started}]
        r SET key value
        assert_match "Value at:* refcount:1 encoding:embstr serializedlength:* lru:* lru_seconds_idle:*" \
            [r DEBUG OBJECT key]
        assert_error "ERR no such key" {r DEBUG OBJECT none}
        assert_error "ERR unknown subcommand or wrong number of arguments for 'NOPE'. Try DEBUG HELP." {
            r DEBUG NOPE
        }
    }
}

with_server {enable-debug-command no} {
    test "DEBUG and protected directives can be forbidden" {
        assert_error "ERR DEBUG command not allowed.*enable-debug-command*" {r DEBUG SLEEP 0}
        assert_error "ERR CONFIG SET failed*" {r CONFIG SET enable-debug-command yes}
    }
}
