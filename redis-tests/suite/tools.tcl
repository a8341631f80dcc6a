# redis-cli and redis-benchmark against the server: the tools people have.

with_server {} {
    test "redis-cli: replies as text, one after the other" {
        assert_equal OK [cli SET key "a value"]
        assert_equal "a value" [cli GET key]
        assert_equal "" [cli GET none]
        assert_equal "a value\n" [cli MGET key none]
        assert_match "*ERR wrong number of arguments for 'get' command*" [cli GET]
        assert_equal "(integer) 1" [cli --no-raw INCR n]
        assert_equal "1) \"a value\"\n2) (nil)" [cli --no-raw MGET key none]
    }

    test "redis-cli: commands from standard input" {
        set replies [exec redis-cli -p [srv port] << "SET a 1\nINCR a\nGET a\nnope\n"]
        assert_match "OK\n2\n2\nERR unknown command 'nope'*" $replies
    }

    test "redis-cli: commands given at a terminal" {
        set commands "SET \"a key\" 'it is'\nGET \"a key\"\nMULTI\nINCR n\nEXEC\nquit\n"
        set replies [exec redis-cli -p [srv port] --no-raw << $commands]
        assert_equal "OK\n\"it is\"\nOK\nQUEUED\n1) (integer) 1" $replies
    }

    test "redis-cli -3 shows RESP3" {
        assert_equal "1# \"timeout\" => \"0\"" [cli -3 --no-raw CONFIG GET timeout]
        assert_equal "(nil)" [cli -3 --no-raw GET none]
        assert_equal "(double) 3.141" [cli -3 --no-raw DEBUG PROTOCOL double]
    }

    test "redis-cli --scan" {
        r DEBUG POPULATE 1000
        assert_equal 1000 [llength [cli --scan]]
        assert_equal 100 [llength [cli --scan --pattern key:1??]]
    }

    test "redis-cli --bigkeys and --memkeys" {
        r DEBUG POPULATE 100
        r SETRANGE giant 99999 x
        set said [cli --bigkeys]
        assert_match "*Sampled 101 keys in the keyspace!*" $said
        assert_match "*Biggest string found*giant*has 100000 bytes*" $said
        assert_match "*giant*" [cli --memkeys]
    }

    test "redis-cli --hotkeys" {
        r CONFIG SET maxmemory-policy allkeys-lfu
        r DEBUG POPULATE 10
        for {set i 0} {$i < 200} {incr i} { r GET key:5 }
        assert_match "*hot key found with counter: *keyname: \"key:5\"*" [cli --hotkeys]
        r CONFIG SET maxmemory-policy noeviction
    }

    test "redis-cli --latency" {
        # Without a terminal it ends by itself.
        catch {exec timeout 5 redis-cli -p [srv port] --latency < /dev/null} said
        assert_match "*\[0-9\] \[0-9\]*" $said
    }

    test "redis-cli --pipe loads many commands" {
        set commands ""
        for {set i 0} {$i < 10000} {incr i} { append commands "SET key:$i $i\r\n" }
        set said [exec redis-cli -p [srv port] --pipe << $commands]
        assert_match "*errors: 0, replies: 10000*" $said
        assert_equal 10000 [r DBSIZE]
    }

    test "redis-cli with a database, a name and a repeat" {
        assert_equal OK [cli -n 3 SET key three]
        assert_equal three [cli -n 3 GET key]
        assert_equal "1\n2\n3" [cli -r 3 INCR n]
        assert_equal OK [exec redis-cli -p [srv port] -x SET key << value]
        assert_equal value [r GET key]
    }

    test "redis-cli monitor" {
        catch {exec timeout 0.5 redis-cli -p [srv port] MONITOR < /dev/null} said
        assert_match "OK*" $said
    }

    test "redis-cli knows commands and their help" {
        set help [regsub -all {\x1b\[[0-9;]*m} [cli --no-raw help SET] ""]
        assert_match "*SET key value \\\[*summary: \[A-Z]*.\n*since: 1.0.0\n*group: string*" $help
        assert_match "*string*" [cli COMMAND DOCS set]
    }

    test "redis-benchmark, plain and with pipelines" {
        set tests ping_inline,ping_mbulk,set,get,incr,mset
        foreach depth {1 16} {
            set said [exec redis-benchmark -p [srv port] -q -n 1000 -P $depth -t $tests 2>@1]
            foreach name {PING_INLINE PING_MBULK SET GET INCR "MSET (10 keys)"} {
                assert_match "*$name: * requests per second*" $said
            }
            assert_no_match "*ERR*" $said
        }
    }

    test "redis-benchmark with random keys, threads and a command of one's own" {
        exec redis-benchmark -p [srv port] -q -n 2000 -r 500 -t set --threads 2 2>@1
        assert_range 300 500 [r DBSIZE]
        r FLUSHALL
        exec redis-benchmark -p [srv port] -q -n 1000 -c 20 INCR total 2>@1
        assert_equal 1000 [r GET total]
        assert_match "*\"SET\",\"*" [exec redis-benchmark -p [srv port] --csv -n 100 -t set 2>@1]
    }
}

with_server {requirepass secret} {
    test "redis-cli with a password" keep {
        set port [srv port]
        assert_match "*NOAUTH*" [exec redis-cli -p $port GET key]
        assert_equal PONG [exec redis-cli -p $port -a secret --no-auth-warning PING]
        assert_equal PONG [exec redis-cli -u redis://default:secret@127.0.0.1:$port PING 2>/dev/null]
        assert_match "*WRONGPASS*" [exec redis-cli -p $port -a wrong PING 2>@1]
    }
}
