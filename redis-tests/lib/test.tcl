# Tests and assertions. A test gets a fresh connection, `r`, to the innermost server, and empty databases.

set ::passed 0
set ::failed 0
set ::skipped 0
set ::clients {}
set ::client ""

# `test name ?tag ...? body`. Tags: `ours`, for what only our server does (left out for another
# binary); `keep`, so that databases stay as the test before left them.
proc test {name args} {
    set tags [lrange $args 0 end-1]
    if {![string match $::only $name]} return
    if {"ours" in $tags && ![is_ours]} {
        incr ::skipped
        puts "  skip  $name"
        return
    }
    set started [clock milliseconds]
    set failed [catch {
        if {[llength $::servers]} {
            set ::client [connect]
            if {"keep" ni $tags} { r FLUSHALL }
        }
        uplevel 1 [lindex $args end]
    } message options]
    # Ended by `skip`.
    set skips [expr {$failed == 2}]
    foreach client $::clients { catch {$client destroy} }
    set ::clients {}
    if {$skips} {
        incr ::skipped
        puts "  skip  $name: $message"
        return
    }
    set took [expr {[clock milliseconds] - $started}]
    if {!$failed} {
        incr ::passed
        puts "  ok    $name ($took ms)"
        return
    }
    incr ::failed
    lappend ::failures "$::suite_file: $name"
    puts "  FAIL  $name"
    puts [indent $message]
    if {![string match "assert:*" $message]} { puts [indent [dict get $options -errorinfo]] }
    show_server
}

# Ends the test that calls it: this machine lacks what the test needs. It counts as skipped, not as
# passed.
proc skip {reason} {
    return -code return $reason
}

proc indent {text} {
    return "        [join [lrange [split $text \n] 0 20] "\n        "]"
}

# What the server or the nodes said, when they died or when asked for.
proc show_server {} {
    foreach node $::nodes {
        if {!$::verbose && ![$node ended]} continue
        puts [indent "node [$node address] said:"]
        puts [indent [join [lrange [split [$node log] \n] end-20 end] \n]]
    }
    if {![llength $::servers]} return
    set server [lindex $::servers end]
    if {!$::verbose && ![process_ended $server]} return
    puts [indent "server [dict get $server pid] said:"]
    puts [indent [join [lrange [split [server_output $server] \n] end-20 end] \n]]
}

# Whether the binary under test is ours and not a real server that stands in for it.
proc is_ours {} {
    return [expr {![regexp {^(redis|valkey)-server} [file tail $::binary]]}]
}

proc fail {message} { error "assert: $message" }

proc assert {condition} {
    if {![uplevel 1 [list expr $condition]]} {
        fail "not so: $condition, here: [uplevel 1 [list subst -nocommands $condition]]"
    }
}

proc assert_equal {expected actual} {
    if {$expected ne $actual} { fail "expected '[shown $expected]', got '[shown $actual]'" }
}

proc assert_match {pattern actual} {
    if {![string match $pattern $actual]} {
        fail "expected a match of '[shown $pattern]', got '[shown $actual]'"
    }
}

proc assert_no_match {pattern actual} {
    if {[string match $pattern $actual]} {
        fail "expected no match of '[shown $pattern]', got '[shown $actual]'"
    }
}

proc assert_range {low high actual} {
    if {![string is double -strict $actual] || $actual < $low || $actual > $high} {
        fail "expected $low to $high, got '[shown $actual]'"
    }
}

# The body must raise an error that matches the pattern.
proc assert_error {pattern body} {
    if {![catch {uplevel 1 $body} message]} {
        fail "expected an error '$pattern', got the reply '[shown $message]'"
    }
    assert_match $pattern $message
}

proc shown {text} {
    set text [string map {\r \\r \n \\n} [string range $text 0 400]]
    return [regsub -all {[^[:print:]]} $text .]
}

# Waits until the condition, an expression of the caller, holds.
proc wait_for {what condition {timeout_ms 5000}} {
    set deadline [expr {[clock milliseconds] + $timeout_ms}]
    while {![uplevel 1 [list expr $condition]]} {
        if {[clock milliseconds] > $deadline} { fail "waited $timeout_ms ms for $what" }
        after 10
    }
}

proc same_members {a b} { expr {[lsort $a] eq [lsort $b]} }
