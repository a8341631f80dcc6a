# Requests on the wire: inline, multibulk, pipelined, malformed; replies in both protocol versions.

with_server {} {
    test "inline requests are split at blanks and take quotes" {
        r bytes "SET key value\r\n"
        assert_equal OK [r recv]
        r bytes "  GET   key  \n"
        assert_equal value [r recv]
        r bytes "SET \"a key\" 'it\\'s' \r\n"
        assert_equal OK [r recv]
        assert_equal "it's" [r GET "a key"]
        r bytes "SET hex \"\\x41\\n\\t\\\"\"\r\n"
        assert_equal OK [r recv]
        assert_equal "A\n\t\"" [r GET hex]
    }

    test "empty inline requests are passed over" {
        r bytes "\r\n\r\n   \r\nPING\r\n"
        assert_equal PONG [r recv]
    }

    test "unbalanced quotes in an inline request end the connection" {
        r bytes "SET key \"half\r\n"
        assert_error "ERR Protocol error: unbalanced quotes in request" {r recv}
        assert {[r closed]}
    }

    test "an inline request without a line end is bounded" {
        catch {r bytes [string repeat x 70000]}
        assert_error "ERR Protocol error: too big inline request" {r recv}
        assert {[r closed]}
    }

    test "a multibulk request arrives in pieces" {
        foreach piece [split "*3\r\n\$3\r\nSET\r\n\$3\r\nkey\r\n\$5\r\nva\nue\r\n" ""] {
            r bytes $piece
        }
        assert_equal OK [r recv]
        assert_equal "va\nue" [r GET key]
    }

    test "empty and negative multibulk requests are passed over" {
        r bytes "*0\r\n*-1\r\n*-10\r\n*1\r\n\$4\r\nPING\r\n"
        assert_equal PONG [r recv]
    }

    foreach {what request complaint} {
        "a multibulk length that is no number" "*abc\r\n" "invalid multibulk length"
        "a multibulk length out of range" "*1048577000000000\r\n" "invalid multibulk length"
        "a multibulk length above the limit" "*2147483648\r\n" "invalid multibulk length"
        "a missing dollar" "*1\r\nPING\r\n" "expected '$', got 'P'"
        "a bulk length that is no number" "*1\r\n\$4x\r\nPING\r\n" "invalid bulk length"
        "a negative bulk length" "*1\r\n\$-1\r\n" "invalid bulk length"
        "a bulk length above proto-max-bulk-len" "*1\r\n\$536870913\r\n" "invalid bulk length"
    } {
        test "$what ends the connection" {
            r bytes $request
            assert_error "ERR Protocol error: $complaint" {r recv}
            assert {[r closed]}
        }
    }

    test "lengths that never end are bounded" {
        catch {r bytes "*[string repeat 1 70000]"}
        assert_error "ERR Protocol error: too big mbulk count string" {r recv}
        set other [connect]
        catch {$other bytes "*1\r\n$[string repeat 1 70000]"}
        assert_error "ERR Protocol error: too big bulk count string" {$other recv}
    }

    test "before authentication requests are small" {
        r CONFIG SET requirepass secret
        set other [connect]
        $other bytes "*11\r\n"
        assert_error "ERR Protocol error: unauthenticated multibulk length" {$other recv}
        assert {[$other closed]}
        set other [connect]
        $other bytes "*1\r\n\$16385\r\n"
        assert_error "ERR Protocol error: unauthenticated bulk length" {$other recv}
        r CONFIG SET requirepass ""
    }

    test "pipelined requests are answered in order" {
        set request ""
        for {set i 0} {$i < 5000} {incr i} { append request "ECHO $i\r\n" }
        r bytes $request
        for {set i 0} {$i < 5000} {incr i} { assert_equal $i [r recv] }
    }

    test "requests before a protocol error are still answered" {
        r bytes "PING\r\nECHO hello\r\n*x\r\nPING\r\n"
        assert_equal PONG [r recv]
        assert_equal hello [r recv]
        assert_error "*invalid multibulk length" {r recv}
        assert {[r closed]}
    }

    test "big arguments and keys of any bytes" {
        set big [string repeat "0123456789\r\n" 200000]
        assert_equal OK [r SET big $big]
        assert_equal 2400000 [r STRLEN big]
        assert {[r GET big] eq $big}
        r sendb SET "k\x00\xff" "v\x00\x80"
        assert_equal OK [r recv]
        r sendb GET "k\x00\xff"
        assert_equal "v\x00\x80" [r recv]
        assert_equal "" [r GET k]
    }

    test "unknown commands are named with the start of their arguments" {
        assert_error "ERR unknown command 'nope', with args beginning with: 'a' 'b' " {r nope a b}
        assert_error "ERR unknown command 'nope', with args beginning with: " {r nope}
        assert_error "ERR unknown command 'x*" {r [string repeat x 1000] [string repeat y 1000]}
        r sendb "a\nb" "c\rd"
        assert_error "ERR unknown command 'a b', with args beginning with: 'c d' " {r recv}
    }

    test "the wrong number of arguments" {
        assert_error "ERR wrong number of arguments for 'get' command" {r GET}
        assert_error "ERR wrong number of arguments for 'get' command" {r get a b}
        assert_error "ERR wrong number of arguments for 'config|get' command" {r CONFIG GET}
        assert_error "ERR unknown subcommand 'nope'. Try CONFIG HELP." {r CONFIG nope}
    }

    test "command names are taken in any case" {
        assert_equal OK [r sEt key value]
        assert_equal value [r gEt key]
        assert_match "OBJECT <subcommand>*" [lindex [r ObJeCt hElP] 0]
    }

    test "HELLO switches the protocol and describes the server" {
        assert_equal "\$-1\r\n" [r wire GET none]
        set about [r HELLO 3]
        assert_equal redis [dict get $about server]
        assert_equal 3 [dict get $about proto]
        assert_equal standalone [dict get $about mode]
        assert_equal master [dict get $about role]
        assert_match 7.2.* [dict get $about version]
        assert_equal "_\r\n" [r wire GET none]
        assert_equal "%7\r\n" [string range [r wire HELLO 3] 0 3]
        assert_equal "*14\r\n" [string range [r wire HELLO 2] 0 4]
        assert_equal "\$-1\r\n" [r wire GET none]
    }

    test "HELLO refuses other versions and bad options" {
        assert_error "NOPROTO unsupported protocol version" {r HELLO 4}
        assert_error "NOPROTO unsupported protocol version" {r HELLO 1}
        assert_error "ERR Protocol version is not an integer or out of range" {r HELLO x}
        assert_error "ERR Syntax error in HELLO option 'nope'" {r HELLO 3 nope}
        assert_error "ERR Syntax error in HELLO option 'AUTH'" {r HELLO 3 AUTH default}
        assert_error "WRONGPASS *" {r HELLO 3 AUTH nobody secret}
        assert_equal 2 [dict get [r HELLO] proto]
        r HELLO 3 SETNAME me
        assert_equal me [r CLIENT GETNAME]
    }

    test "every reply type of DEBUG PROTOCOL in both versions" {
        foreach {type two three} {
            string "$11\r\nHello World\r\n" "$11\r\nHello World\r\n"
            integer ":12345\r\n" ":12345\r\n"
            double "$5\r\n3.141\r\n" ",3.141\r\n"
            null "$-1\r\n" "_\r\n"
            array "*3\r\n:0\r\n:1\r\n:2\r\n" "*3\r\n:0\r\n:1\r\n:2\r\n"
            set "*3\r\n:0\r\n:1\r\n:2\r\n" "~3\r\n:0\r\n:1\r\n:2\r\n"
            map "*6\r\n:0\r\n:0\r\n:1\r\n:1\r\n:2\r\n:0\r\n" "%3\r\n:0\r\n#f\r\n:1\r\n#t\r\n:2\r\n#f\r\n"
            true ":1\r\n" "#t\r\n"
            false ":0\r\n" "#f\r\n"
            verbatim "$25\r\nThis is a verbatim\nstring\r\n" "=29\r\ntxt:This is a verbatim\nstring\r\n"
            bignum "$37\r\n1234567999999999999999999999999999999\r\n" "(1234567999999999999999999999999999999\r\n"
        } {
            r HELLO 2
            assert_equal [subst -nocommands -novariables $two] [r wire DEBUG PROTOCOL $type]
            r HELLO 3
            assert_equal [subst -nocommands -novariables $three] [r wire DEBUG PROTOCOL $type]
        }
    }

    test "RESET brings a connection back to where it began" {
        r HELLO 3
        r SELECT 5
        r CLIENT SETNAME me
        r MULTI
        assert_equal RESET [r RESET]
        assert_error "ERR EXEC without MULTI" {r EXEC}
        assert_equal "" [r CLIENT GETNAME]
        assert_equal "\$-1\r\n" [r wire GET none]
        assert_match "*db=0*" [r CLIENT INFO]
    }

    test "QUIT answers and ends the connection" {
        r bytes "QUIT\r\nPING\r\n"
        assert_equal OK [r recv]
        assert {[r closed]}
    }

    test "SELECT knows its databases" {
        assert_equal OK [r SELECT 15]
        assert_error "ERR DB index is out of range" {r SELECT 16}
        assert_error "ERR DB index is out of range" {r SELECT -1}
        assert_error "ERR value is not an integer or out of range" {r SELECT x}
    }

    test "PING and ECHO" {
        assert_equal PONG [r PING]
        assert_equal "hello there" [r PING "hello there"]
        assert_equal "" [r ECHO ""]
        assert_error "ERR wrong number of arguments for 'ping' command" {r PING a b}
    }

    test "a request from a web browser ends the connection" {
        r bytes "GET key\r\nPOST / HTTP/1.1\r\nHost: localhost\r\n\r\n"
        catch {r recv}
        assert {[r closed]}
        set other [connect]
        $other bytes "Host: localhost:6379\r\n"
        assert {[$other closed]}
    }
}
