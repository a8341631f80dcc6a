# Sourced by the scratch copy of the upstream test_helper.tcl, after upstream defined `test` and
# `start_server`. Records which tests begin, end and abort, and keeps a unit going after an error
# that upstream would end it at: the server block around the error is given up, the rest runs.

namespace eval hooks {
    # How deep we are in server blocks, and in tests.
    variable blocks 0
    variable tests 0

    proc trace {args} {
        set fd [open $::env(REDIS_TESTS_TRACE) a]
        puts $fd [join [lmap field $args {string map {\n " " \t " "} $field}] \t]
        close $fd
    }
}

rename test upstream_test
proc test {name args} {
    hooks::trace begin $name
    incr hooks::tests
    set code [catch {uplevel 1 [list upstream_test $name {*}$args]} result options]
    incr hooks::tests -1
    hooks::trace [expr {$code == 1 ? "abort" : "end"}] $name
    return -options $options $result
}

rename start_server upstream_start_server
proc start_server {options {code undefined}} {
    if {$hooks::blocks > 0 || $hooks::tests > 0 || $code eq "undefined"} {
        return [uplevel 1 [list upstream_start_server $options $code]]
    }
    set tags $::tags
    incr hooks::blocks
    set failed [catch {uplevel 1 [list upstream_start_server $options $code]} result how]
    incr hooks::blocks -1
    if {!$failed} { return $result }
    hooks::trace block $result
    puts "--- server block given up: $result\n[dict get $how -errorinfo]\n---"
    flush stdout
    set ::tags $tags
    set ::servers {}
    set ::cur_test ""
    return ""
}
