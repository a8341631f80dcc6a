# Limits on clients: how many, how long idle, how much they may ask and leave unread.

with_server {maxclients 10} {
    test "one client too many is told so" {
        set clients {}
        set refused ""
        for {set i 0} {$i < 15} {incr i} {
            set client [connect]
            if {[catch {$client PING} refused]} break
        }
        assert_equal "ERR max number of clients reached" $refused
        assert_equal 9 $i
        assert_equal 1 [info_field stats rejected_connections]
    }

    test "room is made when a client leaves" {
        for {set i 0} {$i < 9} {incr i} {
            set client [connect]
            $client PING
        }
        $client destroy
        wait_for "room" {![catch {[set other [connect]] PING}]}
    }

    test "maxclients may grow" {
        assert_equal OK [r CONFIG SET maxclients 20]
        for {set i 0} {$i < 15} {incr i} { assert_equal PONG [[connect] PING] }
    }
}

with_server {} {
    test "idle clients are disconnected after the timeout" {
        set idle [connect]
        $idle PING
        r CONFIG SET timeout 1
        set started [clock milliseconds]
        wait_for "the idle client to go" {
            [r PING] eq "PONG" && ![string match "*addr=[$idle name] *" [r CLIENT LIST]]
        }
        assert {[$idle closed]}
        assert_range 500 4000 [expr {[clock milliseconds] - $started}]
        r CONFIG SET timeout 0
    }

    test "a client that does not read is cut off at the hard limit" {
        r CONFIG SET client-output-buffer-limit "normal 1mb 0 0"
        r SETRANGE big 99999 x
        set deaf [connect]
        $deaf CLIENT SETNAME deaf
        set requests [string repeat "GET big\r\n" 400]
        catch {$deaf bytes $requests}
        wait_for "the deaf client to go" {![string match "*name=deaf*" [r CLIENT LIST]]}
        r CONFIG SET client-output-buffer-limit "normal 0 0 0"
    }

    test "a client that does not read is cut off at the soft limit, after its seconds" {
        r CONFIG SET client-output-buffer-limit "normal 0 100kb 1"
        r SETRANGE big 99999 x
        set deaf [connect]
        $deaf CLIENT SETNAME deaf
        set started [clock milliseconds]
        $deaf bytes [string repeat "GET big\r\n" 400]
        wait_for "replies to pile up" {[regexp {name=deaf .* omem=[0-9]{6}} [r CLIENT LIST]]}
        wait_for "the deaf client to go" {![string match "*name=deaf*" [r CLIENT LIST]]} 10000
        assert_range 900 10000 [expr {[clock milliseconds] - $started}]
        r CONFIG SET client-output-buffer-limit "normal 0 0 0"
    }

    test "a request above the query buffer limit ends the connection" {
        r CONFIG SET client-query-buffer-limit 1mb
        set other [connect]
        $other CLIENT SETNAME greedy
        catch {
            $other bytes "*2\r\n\$4\r\nECHO\r\n\$3000000\r\n"
            for {set i 0} {$i < 29} {incr i} { $other bytes [string repeat x 100000] }
        }
        wait_for "the greedy client to go" {![string match "*name=greedy*" [r CLIENT LIST]]}
        r CONFIG SET client-query-buffer-limit 1gb
    }

    test "proto-max-bulk-len bounds an argument" {
        r CONFIG SET proto-max-bulk-len 1mb
        r bytes "*2\r\n\$4\r\nECHO\r\n\$1048577\r\n"
        assert_error "ERR Protocol error: invalid bulk length" {r recv}
        set other [connect]
        $other CONFIG SET proto-max-bulk-len 512mb
    }

    test "maxmemory-clients evicts the biggest client" {
        set greedy [connect]
        $greedy CLIENT SETNAME greedy
        $greedy bytes "*2\r\n\$4\r\nECHO\r\n\$9000000\r\n[string repeat x 8000000]"
        wait_for "the big buffer" {[regexp {name=greedy.*? qbuf=[0-9]{7}} [r CLIENT LIST]]}
        r CONFIG SET maxmemory-clients 4mb
        wait_for "the greedy client to go" {![string match "*name=greedy*" [r CLIENT LIST]]}
        assert_range 1 5 [info_field stats evicted_clients]
        r CONFIG SET maxmemory-clients 0
    }

    test "big replies reach a slow reader whole" {
        r SETRANGE big 4999999 x
        set slow [connect]
        for {set i 0} {$i < 5} {incr i} { $slow send GET big }
        after 50
        for {set i 0} {$i < 5} {incr i} { assert_equal 5000000 [string length [$slow recv]] }
    }

    test "one deep pipeline does not hold up others" {
        set busy [connect]
        $busy bytes [string repeat "INCR n\r\n" 100000]
        set started [clock milliseconds]
        r PING
        assert_range 0 1000 [expr {[clock milliseconds] - $started}]
        for {set i 1} {$i <= 100000} {incr i 1000} {
            for {set j 0} {$j < 1000} {incr j} { set last [$busy recv] }
        }
        assert_equal 100000 $last
    }

    test "hundreds of connections come and go" {
        for {set round 0} {$round < 3} {incr round} {
            set clients {}
            for {set i 0} {$i < 200} {incr i} { lappend clients [Client new [srv port]] }
            foreach client $clients { $client send INCR n }
            foreach client $clients { $client recv }
            foreach client $clients { $client destroy }
        }
        assert_equal 600 [r GET n]
        wait_for "all to be gone" {[info_field clients connected_clients] == 1}
    }
}
