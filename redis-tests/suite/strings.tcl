# Commands on strings: values, options, numbers, ranges, limits.

with_server {} {
    test "SET, GET and what they replace" {
        assert_equal OK [r SET key one]
        assert_equal one [r GET key]
        assert_equal OK [r SET key ""]
        assert_equal "\$0\r\n\r\n" [r wire GET key]
        assert_equal "\$-1\r\n" [r wire GET none]
    }

    test "SET with NX, XX and GET" {
        assert_equal "\$-1\r\n" [r wire SET key a XX]
        assert_equal "+OK\r\n" [r wire SET key a NX]
        assert_equal "\$-1\r\n" [r wire SET key b NX]
        assert_equal OK [r SET key b XX]
        assert_equal b [r SET key c GET]
        assert_equal c [r SET key d NX GET]
        assert_equal c [r GET key]
        assert_equal "\$-1\r\n" [r wire SET fresh a NX GET]
        assert_equal a [r GET fresh]
        assert_error "ERR syntax error" {r SET key v NX XX}
    }

    test "SET with times" {
        r SET key v EX 100
        assert_range 99 100 [r TTL key]
        r SET key v PX 5000
        assert_range 4000 5000 [r PTTL key]
        r SET key v KEEPTTL
        assert_range 4000 5000 [r PTTL key]
        r SET key v
        assert_equal -1 [r TTL key]
        set at [expr {[clock seconds] + 100}]
        r SET key v EXAT $at
        assert_equal $at [r EXPIRETIME key]
        r SET key v PXAT ${at}123
        assert_equal ${at}123 [r PEXPIRETIME key]
        r SET key v EXAT 1
        assert_equal 0 [r EXISTS key]
    }

    test "SET refuses times that are none" {
        foreach option {EX PX EXAT PXAT} {
            assert_error "ERR invalid expire time in 'set' command" {r SET key v $option 0}
            assert_error "ERR invalid expire time in 'set' command" {r SET key v $option -5}
            assert_error "ERR value is not an integer or out of range" {r SET key v $option x}
            assert_error "ERR syntax error" {r SET key v $option}
        }
        assert_error "ERR invalid expire time in 'set' command" {r SET key v EX 9223372036854775807}
        assert_error "ERR syntax error" {r SET key v EX 10 PX 10}
        assert_error "ERR syntax error" {r SET key v EX 10 KEEPTTL}
        assert_error "ERR syntax error" {r SET key v NOPE}
        assert_equal 0 [r EXISTS key]
    }

    test "SETNX, SETEX, PSETEX, GETSET, GETDEL" {
        assert_equal 1 [r SETNX key a]
        assert_equal 0 [r SETNX key b]
        assert_equal OK [r SETEX key 10 c]
        assert_range 9 10 [r TTL key]
        assert_equal OK [r PSETEX key 10000 d]
        assert_range 9000 10000 [r PTTL key]
        assert_error "ERR invalid expire time in 'setex' command" {r SETEX key 0 x}
        assert_error "ERR invalid expire time in 'psetex' command" {r PSETEX key -1 x}
        assert_equal d [r GETSET key e]
        assert_equal -1 [r TTL key]
        assert_equal e [r GETDEL key]
        assert_equal "\$-1\r\n" [r wire GETDEL key]
        assert_equal 0 [r EXISTS key]
    }

    test "GETEX changes only the time" {
        r SET key v
        assert_equal v [r GETEX key EX 100]
        assert_range 99 100 [r TTL key]
        assert_equal v [r GETEX key]
        assert_range 99 100 [r TTL key]
        assert_equal v [r GETEX key PERSIST]
        assert_equal -1 [r TTL key]
        assert_equal v [r GETEX key PXAT 1]
        assert_equal 0 [r EXISTS key]
        assert_equal "\$-1\r\n" [r wire GETEX key EX 10]
        assert_error "ERR syntax error" {r GETEX key EX 10 PERSIST}
        assert_error "ERR syntax error" {r GETEX key KEEPTTL}
        r SET key v
        assert_error "ERR invalid expire time in 'getex' command" {r GETEX key EX 0}
    }

    test "MSET, MGET and MSETNX" {
        assert_equal OK [r MSET a 1 b 2 a 3]
        assert_equal {3 2 {}} [r MGET a b none]
        assert_equal "*2\r\n\$1\r\n3\r\n\$-1\r\n" [r wire MGET a none]
        assert_error "ERR wrong number of arguments for 'mset' command" {r MSET a 1 b}
        assert_equal 0 [r MSETNX c 1 a 1]
        assert_equal 0 [r EXISTS c]
        assert_equal 1 [r MSETNX c 1 d 2 c 5]
        assert_equal 5 [r GET c]
        assert_error "ERR wrong number of arguments for 'msetnx' command" {r MSETNX a 1 b}
    }

    test "APPEND and STRLEN" {
        assert_equal 3 [r APPEND key foo]
        assert_equal 6 [r APPEND key bar]
        assert_equal 6 [r APPEND key ""]
        assert_equal foobar [r GET key]
        r SET number 12
        assert_equal 3 [r APPEND number 3]
        assert_equal 124 [r INCR number]
        assert_equal 3 [r STRLEN number]
        assert_equal 0 [r STRLEN none]
    }

    test "INCR and its family" {
        assert_equal 1 [r INCR n]
        assert_equal 11 [r INCRBY n 10]
        assert_equal 10 [r DECR n]
        assert_equal -10 [r DECRBY n 20]
        assert_equal int [r OBJECT ENCODING n]
        r SET n 9223372036854775806
        assert_equal 9223372036854775807 [r INCR n]
        assert_error "ERR increment or decrement would overflow" {r INCR n}
        r SET n -9223372036854775808
        assert_error "ERR increment or decrement would overflow" {r DECR n}
        assert_error "ERR decrement would overflow" {r DECRBY n -9223372036854775808}
        assert_error "ERR value is not an integer or out of range" {r INCRBY n x}
        foreach bad {"" " 1" "1 " 1.5 abc 01 +1 9223372036854775808 0x10} {
            r SET bad $bad
            assert_error "ERR value is not an integer or out of range" {r INCR bad}
        }
    }

    test "INCR keeps the time to live" {
        r SET n 1 EX 100
        r INCR n
        assert_range 99 100 [r TTL n]
        r APPEND n 1
        assert_range 99 100 [r TTL n]
    }

    test "INCRBYFLOAT" {
        assert_equal 1 [r INCRBYFLOAT f 1]
        assert_equal 1.25 [r INCRBYFLOAT f 0.25]
        assert_equal 1.25 [r GET f]
        assert_equal 5200 [r INCRBYFLOAT g 5.2e3]
        # Computed in long doubles, and printed with 17 digits after the point.
        assert_equal 5199.89999999999999991 [r INCRBYFLOAT g -0.1]
        r SET h 3
        assert_equal 3.1 [r INCRBYFLOAT h 0.1]
        assert_equal 0 [r INCRBYFLOAT zero 0.0]
        assert_error "ERR value is not a valid float" {r INCRBYFLOAT f x}
        assert_error "ERR value is not a valid float" {r INCRBYFLOAT f nan}
        assert_error "ERR increment would produce NaN or Infinity" {r INCRBYFLOAT f +inf}
        r SET bad " 1"
        assert_error "ERR value is not a valid float" {r INCRBYFLOAT bad 1}
    }

    test "GETRANGE, SUBSTR and their edges" {
        r SET key "Hello World"
        foreach {from to expected} {
            0 4 Hello  -5 -1 World  0 -1 "Hello World"  3 2 ""  6 100 World  -100 2 Hel
            50 60 ""  -1 -5 ""  0 0 H  -1 -1 d  -200 -100 H
        } {
            assert_equal [r SUBSTR key $from $to] [r GETRANGE key $from $to]
            if {$from ne "-200"} { assert_equal $expected [r GETRANGE key $from $to] }
        }
        assert_equal "" [r GETRANGE none 0 -1]
        assert_error "ERR value is not an integer or out of range" {r GETRANGE key a 1}
        r SET n 12345
        assert_equal 34 [r GETRANGE n 2 3]
    }

    test "SETRANGE pads, and keeps to the limit" {
        assert_equal 0 [r SETRANGE none 0 ""]
        assert_equal 0 [r SETRANGE none 100 ""]
        assert_equal 0 [r EXISTS none]
        assert_equal 8 [r SETRANGE key 3 hello]
        assert_equal "\x00\x00\x00hello" [r GET key]
        assert_equal 8 [r SETRANGE key 0 xyz]
        assert_equal xyzhello [r GET key]
        assert_equal 8 [r SETRANGE key 4 ""]
        r SET n 1234
        assert_equal 4 [r SETRANGE n 1 0]
        assert_equal 1034 [r GET n]
        assert_error "ERR offset is out of range" {r SETRANGE key -1 x}
        assert_error "ERR string exceeds maximum allowed size (proto-max-bulk-len)" {
            r SETRANGE key 536870912 x
        }
        assert_error "ERR string exceeds maximum allowed size (proto-max-bulk-len)" {
            r SETRANGE key 9223372036854775807 x
        }
    }

    test "encodings of strings" {
        foreach {value encoding} {
            1 int  -5 int  9223372036854775807 int  9223372036854775808 embstr
            01 embstr  "" embstr  hello embstr
        } {
            r SET key $value
            assert_equal $encoding [r OBJECT ENCODING key]
        }
        r SET key [string repeat x 44]
        assert_equal embstr [r OBJECT ENCODING key]
        r SET key [string repeat x 45]
        assert_equal raw [r OBJECT ENCODING key]
        r SET key a
        r APPEND key b
        assert_equal raw [r OBJECT ENCODING key]
    }

    test "LCS" {
        r MSET a ohmytext b mynewtext
        assert_equal mytext [r LCS a b]
        assert_equal 6 [r LCS a b LEN]
        assert_equal {matches {{{4 7} {5 8}} {{2 3} {0 1}}} len 6} [r LCS a b IDX]
        assert_equal {matches {{{4 7} {5 8} 4}} len 6} [r LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN]
        assert_equal "" [r LCS a none]
        assert_error "ERR If you want both the length and indexes*" {r LCS a b LEN IDX}
    }

    test "growing one value in random steps" {
        expr {srand(7)}
        set model ""
        for {set i 0} {$i < 500} {incr i} {
            set piece [string repeat [format %c [expr {97 + $i % 26}]] [expr {int(rand() * 40)}]]
            if {rand() < 0.5 || $model eq ""} {
                append model $piece
                assert_equal [string length $model] [r APPEND key $piece]
            } elseif {$piece ne ""} {
                set at [expr {int(rand() * [string length $model])}]
                set end [expr {$at + [string length $piece]}]
                set model [string range $model 0 $at-1]$piece[string range $model $end end]
                assert_equal [string length $model] [r SETRANGE key $at $piece]
            }
        }
        assert_equal $model [r GET key]
    }
}
