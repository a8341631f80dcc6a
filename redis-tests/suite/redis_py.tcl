# redis-py against the server: its cache on the client's side, and messages, in both protocols. The
# checks are redis-tests/programs/redis_py.py; the library comes from the package index, in the
# version that redis_py.txt beside it names.

set packages [python_packages redis_py]

# Runs one check; what it says is why it failed.
proc check {packages name protocol port} {
    set program [file dirname $::here]/programs/redis_py.py
    set command [list env PYTHONPATH=$packages PYTHONDONTWRITEBYTECODE=1 \
        timeout 60 python3 $program $name $protocol $port]
    if {[catch {exec {*}$command < /dev/null 2>@1} said]} { fail $said }
}

with_server {} {
    # The library has a cache only with RESP3.
    foreach name {cache cache_own_writes cache_threads} {
        test "redis-py, RESP3: $name" { check $packages $name 3 [srv port] }
    }
    foreach protocol {2 3} {
        foreach name {redirection messages many_messages threads_and_handlers keyspace_events
            asyncio_messages monitor} {
            test "redis-py, RESP$protocol: $name" { check $packages $name $protocol [srv port] }
        }
    }
}

with_cluster 3 {} {
    foreach protocol {2 3} {
        foreach name {sharded_messages cluster_messages} {
            test "redis-py, RESP$protocol: $name" { check $packages $name $protocol [[node 0] port] }
        }
    }
    test "redis-py, RESP3: cluster_cache" { check $packages cluster_cache 3 [[node 0] port] }
}
