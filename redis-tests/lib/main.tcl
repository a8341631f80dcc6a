# Runs the files of our own suite, one after the other. Started by redis-tests/run.

package require Tcl 8.6

set here [file dirname [file normalize [info script]]]
set only *
set verbose 0
set wanted {}
for {set i 0} {$i < [llength $argv]} {incr i} {
    switch -- [lindex $argv $i] {
        --only { set only [lindex $argv [incr i]] }
        --verbose { set verbose [lindex $argv [incr i]] }
        default { lappend wanted [file rootname [file tail [lindex $argv $i]]] }
    }
}
set tmp [exec mktemp -d [expr {[info exists env(TMPDIR)] ? $env(TMPDIR) : "/tmp"}]/redis-tests.XXXXXX]
set failures {}

foreach part {resp server test cluster} { source $here/$part.tcl }

set files {}
foreach file [lsort [glob $here/../suite/*.tcl]] {
    if {![llength $wanted] || [file rootname [file tail $file]] in $wanted} { lappend files $file }
}
foreach name $wanted {
    if {![file exists $here/../suite/$name.tcl]} {
        puts stderr "redis-tests: no suite file $name"
        exit 2
    }
}

# Variables of a file are its own.
proc run_file {path} { source $path }

set started [clock milliseconds]
foreach file $files {
    set suite_file [file rootname [file tail $file]]
    puts "$suite_file"
    if {[catch {run_file $file} message options]} {
        incr failed
        lappend failures "$suite_file: outside of a test"
        puts "  FAIL  outside of a test"
        puts [indent [dict get $options -errorinfo]]
        foreach server $servers { stop_server $server }
        set servers {}
    }
}
file delete -force $tmp

if {[llength $failures]} { puts "failed:\n  [join $failures "\n  "]" }
puts "[expr {([clock milliseconds] - $started) / 1000}] seconds"
if {$skipped} { puts "$skipped skipped" }
puts "$passed passed, $failed failed"
exit [expr {$failed || !$passed}]
