# Sourced by redis-tests/run: runs units of an upstream test suite against $binary.
#
# Works in a scratch tree that looks like a built checkout. Each unit runs alone, in a session of its
# own, so that whatever it leaves behind can be found and killed. A test that aborts its unit is
# skipped in a further run, so that what follows it is counted too; it is reported as crashed.

# The processes of the running unit form the session of this process.
unit_session=

make_scratch_tree() {
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/redis-tests.XXXXXX")
    scratch=$(readlink -f "$scratch")
    trap 'stop_unit; [ $keep = 1 ] || rm -rf "$scratch"' EXIT
    trap 'exit 130' INT TERM
    mkdir "$scratch/tree" "$scratch/tree/src" "$scratch/logs"
    cp -r "$suite_dir/tests" "$scratch/tree/tests"
    mkdir -p "$scratch/tree/tests/tmp" "$scratch/tree/tests/cluster/tmp"
    local entry name
    for entry in runtest runtest-cluster utils redis.conf sentinel.conf valkey.conf; do
        [ -e "$suite_dir/$entry" ] && ln -s "$suite_dir/$entry" "$scratch/tree/$entry"
    done
    [ -d "$suite_dir/src/commands" ] && ln -s "$suite_dir/src/commands" "$scratch/tree/src/commands"
    for name in redis valkey; do
        for entry in server check-rdb check-aof sentinel; do
            ln -s "$binary" "$scratch/tree/src/$name-$entry"
        done
        for entry in cli benchmark; do
            ln -s "$(command -v redis-$entry)" "$scratch/tree/src/$name-$entry"
        done
    done
    sed -i "0,/^set ::all_tests/s//source {${here//\//\\/}\/lib\/upstream-hooks.tcl}\n&/" \
        "$scratch/tree/tests/test_helper.tcl"
    grep -q upstream-hooks "$scratch/tree/tests/test_helper.tcl" ||
        die "$suite_dir/tests/test_helper.tcl is not laid out as in 7.2"
    [ $without_replicas = 0 ] || leave_out_replicas
}

# What sets clusters up does not ask any node to replicate; tests that do so themselves still do.
leave_out_replicas() {
    local file
    for file in support/cluster_util.tcl cluster/cluster.tcl; do
        sed -i -E 's/^( *)R [$][a-z_]+ cluster replicate .*/\1# no replica/I' "$scratch/tree/tests/$file"
        grep -q '# no replica' "$scratch/tree/tests/$file" ||
            die "$suite_dir/tests/$file is not laid out as in 7.2"
    done
}

# Kills what is left of the running unit: its process group and session, and servers that left both
# (daemonize) but still work inside the scratch tree.
stop_unit() {
    local pid fields
    [ -n "$unit_session" ] || return 0
    kill -KILL -- "-$unit_session" 2>/dev/null
    for pid in /proc/[0-9]*; do
        pid=${pid#/proc/}
        if [[ $(readlink "/proc/$pid/cwd" 2>/dev/null) == "$scratch"/* ]]; then
            kill -KILL "$pid" 2>/dev/null
            continue
        fi
        fields=$(cat "/proc/$pid/stat" 2>/dev/null) || continue
        fields=${fields##*) }
        set -- $fields
        [ "${4:-}" = "$unit_session" ] && kill -KILL "$pid" 2>/dev/null
    done
    wait "$unit_session" 2>/dev/null
    unit_session=
}

# Opens the lock of one range of ports and leaves its descriptor in $lock.
open_lock() {
    local file=${TMPDIR:-/tmp}/redis-tests-$UID.$1.lock
    exec {lock}>"$file" || die "cannot write $file"
}

# Sets $base, the first of the unit's ports, and holds $lock so that no other run takes it. The harness
# itself listens 32 below; where somebody does already, a run without our locks is under way.
claim_base_port() {
    local try
    while :; do
        for try in {0..10}; do
            base=$((21111 + ($$ + try) % 11 * 1000))
            open_lock "$base"
            if flock -n "$lock" && ! (exec 3<>"/dev/tcp/127.0.0.1/$((base - 32))") 2>/dev/null; then
                return
            fi
            exec {lock}>&-
        done
        sleep 1
    done
}

# Runs one unit once: output in $log, the trace of tests in $trace. Sets $ended to done, limit or stall.
run_once() {
    local unit=$1 base lock start size=-1 changed now_size
    # Cluster tests have their ports fixed upstream, so one runs at a time.
    if [[ $unit == cluster:* ]]; then
        open_lock cluster
        flock "$lock"
    else
        claim_base_port
    fi
    start=$SECONDS changed=$SECONDS
    : >"$log"
    : >"$trace"
    if [[ $unit == cluster:* ]]; then
        set -- tests/cluster/run.tcl --single "${unit#cluster:}.tcl"
    else
        set -- tests/test_helper.tcl --single "$unit" --clients 1 \
            --baseport $base --portcount 1000 --skipfile "$skipfile"
    fi
    (cd "$scratch/tree" && REDIS_TESTS_TRACE=$trace TERM=dumb exec setsid tclsh "$@") \
        >"$log" 2>&1 </dev/null {lock}>&- &
    unit_session=$!
    ended=done
    while kill -0 "$unit_session" 2>/dev/null; do
        now_size=$(stat -c %s "$log" "$trace" | tr '\n' ' ')
        [ "$now_size" = "$size" ] || { size=$now_size; changed=$SECONDS; }
        [ $((SECONDS - start)) -lt "$limit" ] || { ended=limit; break; }
        [ $((SECONDS - changed)) -lt "$stall" ] || { ended=stall; break; }
        sleep 0.1
    done
    stop_unit
    exec {lock}>&-
    rm -rf "$scratch"/tree/tests/tmp/* "$scratch"/tree/tests/cluster/tmp/*
}

# Tests that the last run entered and did not leave.
aborted_tests() {
    awk -F '\t' '$1 == "begin" { open[$2] = 1; order[++n] = $2 }
                 $1 == "end" { delete open[$2] }
                 $1 == "abort" { open[$2] = 1 }
                 END { for (i = 1; i <= n; i++) if (order[i] in open) {
                           print order[i]; delete open[order[i]] } }' "$trace"
}

# Reads $log: sets ok, failed and ignored, and $ending, which says how the run ended when not well.
count_results() {
    ending=
    if [[ $1 == cluster:* ]]; then
        ok=$(grep -c 'OK$' "$log")
        failed=$(grep -c 'FAILED: ' "$log")
        ignored=0
        grep -Eq '^(GOOD! No errors|WARNING [0-9]+ test)' "$log" || ending="did not reach its end"
    else
        ok=$(grep -c '^\[ok\]: ' "$log")
        failed=$(grep -c '^\[err\]: ' "$log")
        ignored=$(grep -c '^\[ignore\]: ' "$log")
        grep -q '^ *The End' "$log" ||
            ending=$(sed -n 's/^\[exception\]: //p' "$log" | head -n 1)
        grep -q '^ *The End' "$log" || ending=${ending:-did not reach its end}
    fi
    [ $ended = limit ] && ending="ran longer than $limit seconds"
    [ $ended = stall ] && ending="made no progress for $stall seconds"
    return 0
}

failed_names() {
    if [[ $1 == cluster:* ]]; then
        sed -n 's/^[0-9:]*> \(.*\): FAILED: .*/\1/p; s/^FAILED: caught an error in the test/&/p' "$2"
    else
        sed -n 's/^\[err\]: //p' "$2"
    fi
}

# What failing tests said: the lines of each failure, and the end of a run that was cut short.
print_failures() {
    local unit=$1 file=$2
    if [[ $unit == cluster:* ]]; then
        grep -A 12 'FAILED: ' "$file" | sed 's/^/        /'
        return
    fi
    awk '/^ *The End/ { exit }
         /^\[err\]: / || /^\[exception\]: / || /^--- server block/ { show = 1; left = 40 }
         /^\[(ok|ignore|skip|testing|ready)\]: / { show = 0 }
         show && left-- > 0 { print "        " $0 }' "$file"
}

# The first test that failed in the last run: what others fail of may be what it left behind.
first_failed_test() {
    sed -n 's/^\[err\]: \(.*\) in tests\/.*/\1/p' "$log" | head -n 1
}

# Runs one unit until a run reaches its end, each time without the tests that aborted it before and,
# with --isolate, without one more that failed.
run_unit() {
    local unit=$1 run=0 started=$SECONDS name new best=-1 budget=$((limit * 4)) stem
    stem=$scratch/logs/${unit//\//_}
    skipfile=$stem.skip log=$stem.log trace=$stem.trace isolated=$stem.isolated
    : >"$skipfile"
    : >"$isolated"
    while :; do
        run_once "$unit"
        count_results "$unit"
        new=0
        if [[ $unit != cluster:* ]]; then
            while IFS= read -r name; do
                grep -Fxq -- "$name" "$skipfile" || { printf '%s\n' "$name" >>"$skipfile"; new=1; }
            done < <(aborted_tests)
            name=$(first_failed_test)
            if [ $isolate = 1 ] && [ -n "$name" ] && ! grep -Fxq -- "$name" "$isolated"; then
                printf '%s\n' "$name" | tee -a "$isolated" >>"$skipfile"
                new=1
            fi
        fi
        if [ "$ok" -gt $best ]; then
            best=$ok best_failed=$failed best_ignored=$ignored best_ending=$ending
            cp "$log" "$stem.best"
            cp "$trace" "$stem.best-trace"
        fi
        [ $run = 0 ] && [ $failures = 1 ] && cp "$log" "$stem.first"
        run=$((run + 1))
        [ $new = 1 ] && [ $run -le "$reruns" ] && [ $((SECONDS - started)) -lt $budget ] || break
    done
    seconds=$((SECONDS - started))
    print_unit "$unit" "$stem"
}

# Tests that were left out for having failed, and what failed nevertheless.
all_failed() {
    { cat "$isolated"; failed_names "$1" "$2.best" | sed 's/ in tests\/.*//'; } | awk '!seen[$0]++'
}

print_unit() {
    local unit=$1 stem=$2 crashed blocks baseline name
    crashed=$(grep -Fxvc -f "$isolated" "$skipfile")
    best_failed=$(all_failed "$unit" "$stem" | grep -c .)
    blocks=$(awk -F '\t' '$1 == "block" { print $2 }' "$stem.best-trace")
    baseline=$(awk -F '\t' -v unit="$unit" '$1 == unit { print $2 }' "$here/tcl-baseline-7.2.tsv")
    if [ "$crashed" = 0 ] && [ -n "$best_ending$blocks" ]; then crashed=1; fi
    printf '%-42s %5d %5s %7d %8d %8d %5ds\n' \
        "$unit" "$best" "${baseline:--}" "$best_failed" "$crashed" "$best_ignored" "$seconds"
    all_failed "$unit" "$stem" | cut -c 1-160 | sed 's/^/    failed:  /'
    grep -Fxv -f "$isolated" "$skipfile" | cut -c 1-160 | sed 's/^/    crashed: /'
    [ -z "$best_ending" ] || printf '    the unit %s\n' "ended early: ${best_ending:0:150}"
    [ -z "$blocks" ] || sed 's/^/    server block given up: /' <<<"$blocks" | cut -c 1-170
    if [ $failures = 1 ]; then
        print_failures "$unit" "$stem.best"
        if [ -s "$skipfile" ]; then
            echo "    first run:"
            print_failures "$unit" "$stem.first"
            tail -n 15 "$stem.first" | sed 's/^/        /'
        fi
        [ -z "$best_ending" ] || tail -n 25 "$stem.best" | sed 's/^/        /'
    fi
    total_ok=$((total_ok + best))
    total_baseline=$((total_baseline + ${baseline:-0}))
    total_failed=$((total_failed + best_failed))
    total_crashed=$((total_crashed + crashed))
    [ -z "$report" ] || printf '%s\t%d\t%d\t%d\n' "$unit" "$best" "$best_failed" "$crashed" >>"$report"
}

upstream_main() {
    local unit
    suite_dir=$(cd "$suite_dir" 2>/dev/null && pwd) || die "no directory $suite_dir"
    [ -f "$suite_dir/tests/test_helper.tcl" ] || die "$suite_dir holds no tests/test_helper.tcl"
    make_scratch_tree
    if [ $all = 1 ]; then
        mapfile -t names < <(cd "$scratch/tree" && tclsh tests/test_helper.tcl --list-tests)
        mapfile -t -O ${#names[@]} names < <(awk -F '\t' '/^cluster:/ { print $1 }' \
            "$here/tcl-baseline-7.2.tsv")
    fi
    [ ${#names[@]} -gt 0 ] || die "name units, such as unit/type/string or cluster:00-base, or --all"
    [ -z "$report" ] || : >"$report"
    total_ok=0 total_baseline=0 total_failed=0 total_crashed=0
    printf '%-42s %5s %5s %7s %8s %8s %6s\n' unit ok 7.2 failed crashed ignored time
    for unit in "${names[@]}"; do
        if [[ $unit == cluster:* ]]; then
            [ -f "$suite_dir/tests/cluster/tests/${unit#cluster:}.tcl" ] || {
                echo "$unit: no such test"; total_crashed=$((total_crashed + 1)); continue; }
        elif [ ! -f "$suite_dir/tests/$unit.tcl" ]; then
            echo "$unit: no such unit"; total_crashed=$((total_crashed + 1)); continue
        fi
        run_unit "$unit"
    done
    printf '%-42s %5d %5d %7d %8d\n' total $total_ok $total_baseline $total_failed $total_crashed
    [ $keep = 0 ] || echo "kept: $scratch"
    [ $total_failed = 0 ] && [ $total_crashed = 0 ]
}
