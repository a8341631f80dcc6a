# CLIENT: names, lists, killing, replies, pausing, and what a connection may tell about itself.

with_server {} {
    test "names" {
        assert_equal "\$-1\r\n" [r wire CLIENT GETNAME]
        assert_equal OK [r CLIENT SETNAME me]
        assert_equal me [r CLIENT GETNAME]
        assert_error "ERR Client names cannot contain spaces, newlines or special characters." {
            r CLIENT SETNAME "two words"
        }
        assert_equal me [r CLIENT GETNAME]
        r CLIENT SETNAME ""
        assert_equal "" [r CLIENT GETNAME]
    }

    test "SETINFO tells which library speaks" {
        assert_equal OK [r CLIENT SETINFO lib-name redis-tcl(x_v1)]
        assert_equal OK [r CLIENT SETINFO LIB-VER 1.2.3]
        assert_match "*lib-name=redis-tcl(x_v1) lib-ver=1.2.3*" [r CLIENT INFO]
        assert_error "ERR lib-name cannot contain spaces*" {r CLIENT SETINFO lib-name "a b"}
        assert_error "ERR Unrecognized option 'nope'" {r CLIENT SETINFO nope x}
    }

    test "the fields of CLIENT INFO, in order" {
        set fields [client_fields [r CLIENT INFO]]
        assert_equal {id addr laddr fd name age idle flags db sub psub ssub multi qbuf qbuf-free\
            argv-mem multi-mem rbs rbp obl oll omem tot-mem events cmd user redir resp lib-name\
            lib-ver} [dict keys $fields]
        assert_equal client|info [dict get $fields cmd]
        assert_equal [r CLIENT ID] [dict get $fields id]
        assert_equal [r name] [dict get $fields addr]
        assert_equal 127.0.0.1:[srv port] [dict get $fields laddr]
        assert_equal {N 0 default -1 2 -1} [lmap field {flags db user redir resp multi} {
            dict get $fields $field
        }]
        assert_equal 20448 [expr {[dict get $fields qbuf-free] > 0 ? 20448 : 0}]
    }

    test "CLIENT LIST and its filters" {
        set other [connect]
        set third [connect]
        $other CLIENT SETNAME second
        set ids [list [r CLIENT ID] [$other CLIENT ID]]
        assert_equal 2 [regexp -all {id=} [r CLIENT LIST ID {*}$ids]]
        assert_match "*name=second*" [r CLIENT LIST]
        $third MONITOR
        assert_match "*flags=O *cmd=monitor *" [r CLIENT LIST]
        assert_equal 3 [regexp -all {id=} [r CLIENT LIST TYPE normal]]
        foreach type {pubsub master replica slave} {
            assert_equal "" [r CLIENT LIST TYPE $type]
        }
        assert_error "ERR Unknown client type 'nope'" {r CLIENT LIST TYPE nope}
        assert_error "ERR Invalid client ID" {r CLIENT LIST ID x}
        assert_error "ERR syntax error" {r CLIENT LIST NOPE}
    }

    test "ids only grow" {
        set first [r CLIENT ID]
        set other [connect]
        assert {[$other CLIENT ID] > $first}
    }

    test "CLIENT KILL by address, the old form" {
        set other [connect]
        $other PING
        assert_equal OK [r CLIENT KILL [$other name]]
        assert {[$other closed]}
        assert_error "ERR No such client" {r CLIENT KILL 127.0.0.1:1}
    }

    test "CLIENT KILL by id, type, local address and user" {
        set other [connect]
        assert_equal 1 [r CLIENT KILL ID [$other CLIENT ID]]
        assert {[$other closed]}
        set other [connect]
        assert_equal 1 [r CLIENT KILL ADDR [$other name]]
        assert {[$other closed]}
        set other [connect]
        $other PING
        assert_equal 0 [r CLIENT KILL TYPE pubsub]
        assert_equal 0 [r CLIENT KILL TYPE normal ADDR 127.0.0.1:1]
        assert_range 1 10 [r CLIENT KILL TYPE normal]
        assert {[$other closed]}
        set other [connect]
        $other PING
        assert_range 1 10 [r CLIENT KILL LADDR 127.0.0.1:[srv port]]
        assert {[$other closed]}
        assert_equal PONG [r PING]
        set other [connect]
        $other PING
        assert_range 1 10 [r CLIENT KILL USER default SKIPME yes]
        assert {[$other closed]}
        assert_error "ERR syntax error" {r CLIENT KILL ID 1 NOPE}
        assert_error "ERR No such client" {r CLIENT KILL ID}
        assert_error "ERR client-id should be greater than 0" {r CLIENT KILL ID x}
        assert_error "ERR Unknown client type 'nope'" {r CLIENT KILL TYPE nope}
        assert_error "ERR No such user 'nobody'" {r CLIENT KILL USER nobody}
    }

    test "a client may kill itself, and still hears so" {
        assert_equal 1 [r CLIENT KILL ID [r CLIENT ID] SKIPME no]
        assert {[r closed]}
    }

    test "CLIENT REPLY silences" {
        r bytes "CLIENT REPLY OFF\r\nPING\r\nSET key 1\r\nCLIENT REPLY ON\r\nGET key\r\n"
        assert_equal OK [r recv]
        assert_equal 1 [r recv]
        r bytes "CLIENT REPLY SKIP\r\nPING\r\nECHO heard\r\n"
        assert_equal heard [r recv]
        assert_error "ERR syntax error" {r CLIENT REPLY NOPE}
    }

    test "CLIENT PAUSE holds writes, and CLIENT UNPAUSE lets them go" {
        r SET key 1
        set other [connect]
        assert_equal OK [r CLIENT PAUSE 60000 WRITE]
        $other send INCR key
        assert_equal 1 [r GET key]
        wait_for "the write to wait" {[info_field clients blocked_clients] == 1}
        assert_equal OK [r CLIENT UNPAUSE]
        assert_equal 2 [$other recv]
    }

    test "CLIENT PAUSE ends by itself" {
        set started [clock milliseconds]
        r CLIENT PAUSE 150 ALL
        r SET key 1
        assert_range 100 3000 [expr {[clock milliseconds] - $started}]
        assert_error "ERR timeout is not an integer or out of range" {r CLIENT PAUSE x}
        assert_error "ERR timeout is negative" {r CLIENT PAUSE -1}
        assert_error "ERR CLIENT PAUSE mode must be WRITE or ALL" {r CLIENT PAUSE 10 NOPE}
    }

    test "CLIENT NO-EVICT and NO-TOUCH" {
        assert_equal OK [r CLIENT NO-EVICT ON]
        assert_match "*flags=e*" [r CLIENT INFO]
        assert_equal OK [r CLIENT NO-EVICT OFF]
        assert_error "ERR syntax error" {r CLIENT NO-EVICT maybe}
        r SET key v
        assert_equal OK [r CLIENT NO-TOUCH ON]
        assert_match "*flags=T*" [r CLIENT INFO]
        assert_equal OK [r CLIENT NO-TOUCH OFF]
        assert_match "*flags=N*" [r CLIENT INFO]
    }

    test "HELP of CLIENT and others" {
        foreach command {CLIENT CONFIG DEBUG OBJECT MEMORY LATENCY SLOWLOG COMMAND} {
            assert_match "$command <subcommand> *" [lindex [r $command HELP] 0]
        }
    }

    test "MONITOR sees what others do" {
        set monitor [connect]
        assert_equal OK [$monitor MONITOR]
        r SET "a key" "line\nend\x01"
        r SELECT 2
        r GET none
        assert_match {[0-9]*.[0-9]* \[0 127.0.0.1:*\] "SET" "a key" "line\\nend\\x01"} [$monitor recv]
        assert_match {*\[2 127.0.0.1:*\] "SELECT" "2"} [$monitor recv]
        assert_match {*\[2 127.0.0.1:*\] "GET" "none"} [$monitor recv]
        $monitor destroy
        assert_equal PONG [r PING]
    }

    test "MONITOR does not show secrets" {
        set monitor [connect]
        $monitor MONITOR
        catch {r AUTH default hidden}
        assert_match {*"AUTH" "(redacted)" "(redacted)"} [$monitor recv]
    }
}

with_server {requirepass secret} {
    test "nothing goes without the password" keep {
        set other [Client new [srv port]]
        lappend ::clients $other
        assert_error "NOAUTH Authentication required." {$other GET key}
        assert_error "NOAUTH HELLO must be called with the client already authenticated*" {
            $other HELLO 3
        }
        assert_error "WRONGPASS invalid username-password pair or user is disabled." {
            $other AUTH wrong
        }
        assert_equal OK [$other AUTH secret]
        assert_equal OK [$other SET key 1]
        assert_equal OK [$other AUTH default secret]
        $other RESET
        assert_error "NOAUTH Authentication required." {$other GET key}
        assert_equal 3 [dict get [$other HELLO 3 AUTH default secret] proto]
        assert_equal OK [$other CONFIG SET requirepass ""]
        assert_error "ERR AUTH <password> called without any password configured*" {
            $other AUTH secret
        }
    }
}
