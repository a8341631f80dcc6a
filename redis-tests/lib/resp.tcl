# A client of the wire protocol, RESP2 and RESP3.
#
#   set c [Client new $port]
#   $c SET key value         sends a command and returns its reply; an error reply is a Tcl error
#   $c send GET key          only sends; `$c recv` returns the next reply
#   $c wire GET key          sends a command and returns its reply as it is on the wire
#   $c bytes "PING\r\n"      sends bytes as they are
#   $c closed                whether the server ends the connection, within the time for a reply
#   $c destroy               closes
#
# A null is an empty string, a map a flat list, a boolean 1 or 0; `wire` tells such replies apart.

oo::class create Client {
    variable fd buffer at raw timeout_ms

    constructor {port {host 127.0.0.1}} {
        set fd [socket $host $port]
        # Small pieces would each wait for the acknowledgement of the one before.
        fconfigure $fd -translation binary -blocking 0 -buffering full -buffersize 1000000
        set buffer ""
        set at 0
        set raw ""
        set timeout_ms 10000
    }

    destructor {
        catch {fconfigure $fd -blocking 0}
        catch {close $fd}
    }

    method unknown {name args} {
        my send $name {*}$args
        return [my recv]
    }

    method send {args} {
        set request "*[llength $args]\r\n"
        foreach arg $args {
            set arg [encoding convertto utf-8 $arg]
            append request "$[string length $arg]\r\n$arg\r\n"
        }
        my bytes $request
    }

    # Like `send`, for arguments that are bytes rather than text.
    method sendb {args} {
        set request "*[llength $args]\r\n"
        foreach arg $args { append request "$[string length $arg]\r\n$arg\r\n" }
        my bytes $request
    }

    method bytes {data} {
        puts -nonewline $fd $data
        flush $fd
    }

    method wire {args} {
        my send {*}$args
        return [my recvwire]
    }

    method recvwire {} {
        set raw ""
        catch {my recv}
        return $raw
    }

    method timeout {ms} { set timeout_ms $ms }

    # The local end, as CLIENT LIST shows it.
    method name {} { return [join [lrange [fconfigure $fd -sockname] 0 0] ""]:[lindex [fconfigure $fd -sockname] 2] }

    method closed {} {
        set failed [catch {while 1 { my Fill }} message]
        return [expr {$failed && [string match "*closed*" $message]}]
    }

    method recv {} {
        set line [my Line]
        set rest [string range $line 1 end]
        switch -- [string index $line 0] {
            + - : - , - ( { return $rest }
            - { error $rest }
            $ - = - ! {
                if {$rest eq "-1"} { return "" }
                set body [my Take $rest]
                my Take 2
                if {[string index $line 0] eq "!"} { error $body }
                if {[string index $line 0] eq "="} { set body [string range $body 4 end] }
                return $body
            }
            * - ~ - > { return [my Items $rest] }
            % - | { return [my Items [expr {2 * $rest}]] }
            _ { return "" }
            # { return [expr {$rest eq "t"}] }
            default { error "unexpected reply: $line" }
        }
    }

    # An error inside an array is an element of it.
    method Items {count} {
        set items {}
        for {set i 0} {$i < $count} {incr i} {
            if {[catch {my recv} item] && [regexp {closed|no reply} $item]} { error $item }
            lappend items $item
        }
        return $items
    }

    method Line {} {
        while {[set end [string first "\r\n" $buffer $at]] < 0} { my Fill }
        set line [string range $buffer $at [expr {$end - 1}]]
        append raw $line "\r\n"
        set at [expr {$end + 2}]
        return $line
    }

    method Take {count} {
        while {[string length $buffer] - $at < $count} { my Fill }
        set data [string range $buffer $at [expr {$at + $count - 1}]]
        append raw $data
        incr at $count
        return $data
    }

    # Waits for bytes and appends them to the buffer.
    method Fill {} {
        set buffer [string range $buffer $at end]
        set at 0
        while 1 {
            if {[catch {read $fd} data]} { error "connection closed: $data" }
            if {$data ne ""} { append buffer $data; return }
            if {[eof $fd]} { error "connection closed" }
            set wake [namespace current]::wake
            set timer [after $timeout_ms [list set $wake late]]
            fileevent $fd readable [list set $wake data]
            vwait $wake
            fileevent $fd readable {}
            after cancel $timer
            if {[set $wake] eq "late"} { error "no reply within $timeout_ms ms" }
        }
    }
}
