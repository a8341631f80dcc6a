//! What scripts see, without a node: the sandbox, values in both directions, and the libraries on
//! whatever they are given.

use proptest::prelude::*;

use super::*;
use crate::resp::{Args, OwnedArgs, Protocol, Reply};

const VERSION: Version = Version { text: "7.2.6", number: 0x0007_0206 };

/// A host without a node: it replies what it is told to.
struct Parrot {
    reply: Vec<u8>,
    asked: Vec<Vec<Vec<u8>>>,
    ticks_left: usize,
}

impl Host for Parrot {
    fn call(&mut self, args: Args<'_>) -> Result<&[u8], Refusal> {
        self.asked.push(args.iter_from(0).map(<[u8]>::to_vec).collect());
        if args.at(0) == b"refuse" { Err("-OOM no".into()) } else { Ok(&self.reply) }
    }

    fn may_run(&self, args: Args<'_>) -> Option<bool> {
        (args.at(0) != b"nosuch").then_some(true)
    }

    fn set_resp3(&mut self, _: bool) {}

    fn tick(&mut self) -> Tick {
        match self.ticks_left.checked_sub(1) {
            Some(left) => self.ticks_left = left,
            None => return Tick::Kill("it took too long"),
        }
        Tick::Continue
    }
}

fn engine() -> Engine {
    Engine::new(Kind::Scripts, VERSION).expect("a Lua state")
}

/// Runs a script and tells its reply in RESP3, or the line of its error.
fn run_with(engine: &mut Engine, text: &[u8], args: &[&[u8]], host: &mut Parrot) -> String {
    let place = match engine.define(text) {
        Ok(place) => place,
        Err(words) => return words,
    };
    let script = engine.script(place);
    let request = [b"eval".as_slice()].into_iter().chain(args.iter().copied());
    let request = OwnedArgs::from_parts(request.collect::<Vec<_>>().into_iter());
    let given = Given { args: request.args(), first: 1, keys: args.len().min(1) };
    match engine.run(&script.function, given, host) {
        Finished::Failed(failure) => String::from_utf8_lossy(&failure.describe(b"x")).into(),
        Finished::Returned(value) => {
            let mut reply = Reply { protocol: Protocol::Resp3, ..Reply::default() };
            write_reply(&mut reply, &value, Protocol::Resp2);
            String::from_utf8_lossy(reply.output.whole()).replace("\r\n", " ").trim_end().into()
        }
    }
}

fn parrot(reply: &str) -> Parrot {
    Parrot { reply: reply.as_bytes().to_vec(), asked: Vec::new(), ticks_left: 100 }
}

fn run(text: &str) -> String {
    run_with(&mut engine(), text.as_bytes(), &[], &mut parrot("+OK\r\n"))
}

#[test]
fn values_become_replies() {
    for (text, reply) in [
        ("return 1.9", ":1"),
        ("return 'a'", "$1 a"),
        ("return true", ":1"),
        ("return false", "_"),
        ("return nil", "_"),
        ("return {1,'a',{2},nil,3}", "*3 :1 $1 a *1 :2"),
        ("return {ok='fine'}", "+fine"),
        ("return {err='MY words'}", "-MY words"),
        ("return {double=1.5}", ",1.5"),
        ("return {map={a=1}}", "%1 $1 a :1"),
        ("return {set={a=true}}", "~1 $1 a"),
        ("return {big_number='12'}", "(12"),
        ("return {verbatim_string={format='tx',string='s'}}", "=5 tx :s"),
        ("return redis.error_reply('words')", "-ERR words"),
        ("return redis.error_reply('-MY words')", "-MY words"),
        ("return redis.status_reply('OK')", "+OK"),
        ("return redis.error_reply()", "-ERR wrong number or type of arguments"),
        ("return redis.sha1hex('')", "$40 da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("return redis.REDIS_VERSION_NUM == 0x00070206", ":1"),
    ] {
        assert_eq!(run(text), reply, "{text}");
    }
    let deep = "local a = {} for i=1,5000 do a = {a} end return a";
    assert!(run(deep).ends_with("-ERR reached lua stack limit"));
}

#[test]
fn replies_become_values() {
    for (reply, shown) in [
        ("$3\r\nabc\r\n", "\"abc\""),
        ("$-1\r\n", "false"),
        (":-5\r\n", "-5"),
        ("+OK\r\n", "{\"ok\":\"OK\"}"),
        ("*3\r\n:1\r\n*-1\r\n*1\r\n$0\r\n\r\n", "[1,false,[\"\"]]"),
        ("%1\r\n$1\r\na\r\n,1.5\r\n", "{\"map\":{\"a\":{\"double\":1.5}}}"),
        ("~1\r\n$1\r\na\r\n", "{\"set\":{\"a\":true}}"),
        ("_\r\n", "null"),
        ("#t\r\n", "true"),
        ("(123\r\n", "{\"big_number\":\"123\"}"),
        ("|1\r\n+k\r\n+v\r\n:7\r\n", "7"),
    ] {
        let text = b"return cjson.encode(redis.call('x'))";
        let shown = format!("${} {shown}", shown.len());
        assert_eq!(run_with(&mut engine(), text, &[], &mut parrot(reply)), shown, "{reply:?}");
    }
}

#[test]
fn arguments_are_strings_and_numbers() {
    let mut host = parrot("+OK\r\n");
    let text = b"redis.call('a', 1, 1e15, 0.1, KEYS[1], ARGV[2])";
    run_with(&mut engine(), text, &[b"key", b"x", b"y"], &mut host);
    assert_eq!(host.asked[0].join(&b' '), b"a 1 1000000000000000 0.1 key y");
    let many: Vec<&[u8]> = vec![b"z"; 10_000];
    let text = b"return #ARGV + #KEYS";
    assert_eq!(run_with(&mut engine(), text, &many, &mut host), ":10000");
    let words = "-ERR Lua redis lib command arguments must be strings or integers";
    assert_eq!(run("return redis.pcall('a', {})"), words);
    let none = "-ERR Please specify at least one argument for this redis lib call";
    assert_eq!(run("return redis.pcall()"), none);
}

#[test]
fn errors_tell_where_they_arose() {
    let at = |line: usize| format!(" script: x, on @user_script:{line}.");
    assert_eq!(run("error('x')"), format!("ERR user_script:1: x{}", at(1)));
    assert_eq!(run("\nerror({err='MY x'})"), format!("MY x{}", at(2)));
    assert_eq!(run("return redis.call('refuse')"), format!("OOM no{}", at(1)));
    assert_eq!(run("return redis.pcall('refuse')"), "-OOM no");
    assert_eq!(run("local ok, e = pcall(redis.call, 'refuse') return e"), "$6 OOM no");
    assert_eq!(run("return select(2, pcall(error, {err='MY x'}))"), "$4 MY x");
    let mut host = parrot("-MY words\r\n");
    let failed = run_with(&mut engine(), b"redis.call('x')", &[], &mut host);
    assert_eq!(failed, format!("MY words{}", at(1)));
    let bad = "ERR user_script:1: bad argument #1 to 'pairs' (table expected, got nil)";
    assert_eq!(run("pairs(nil)"), format!("{bad}{}", at(1)));
    let bad = "ERR user_script:1: bad argument #1 to 'insert' (table expected, got number)";
    assert_eq!(run("table.insert(1, 2)"), format!("{bad}{}", at(1)));
    assert!(run("error(redis)").contains("unknown error"));
    let caught = b"return redis.pcall('x').err";
    assert_eq!(run_with(&mut engine(), caught, &[], &mut host), "$8 MY words");
    assert!(run("return (").starts_with("Error compiling script (new function): user_script:1:"));
}

#[test]
fn what_scripts_share_cannot_be_changed() {
    for text in [
        "x = 1",
        "_G = {}",
        "redis = 1",
        "redis.call = 1",
        "string.sub = 1",
        "cjson.encode = 1",
        "bit.band = nil",
        "rawset(_G, 'x', 1)",
        "rawset(redis, 'x', 1)",
        "setmetatable(_G, {})",
        "setmetatable(redis, {})",
        "getmetatable(_G).__index = {}",
        "getmetatable('').__index = {}",
        "getmetatable('').__index.sub = 1",
        "table.insert(redis, 1)",
        "table.sort(_G, function() end)",
        "setfenv(0, {})",
        "for _, t in next, {_G, redis, math} do t.x = 1 end",
        "loadstring('x = 1')()",
        "coroutine.wrap(function() x = 1 end)()",
        "getfenv(redis.call).x = 1",
        "getfenv(pcall).x = 1",
        "pcall(function() error(_G) end) source = 1",
    ] {
        let reply = run(text);
        assert!(reply.contains("Attempt to modify a readonly table"), "{text}: {reply}");
    }
    let absent = "Script attempted to access nonexistent global variable";
    for text in ["return x", "return os", "return io", "return print", "return debug", "dofile()"] {
        let reply = run(text);
        assert!(reply.contains(absent), "{text}: {reply}");
    }
    let binary = "return tostring(loadstring(string.dump(function() end)))";
    assert_eq!(run(binary), "$3 nil");
    // What pairs gives is a copy.
    let mut engine = engine();
    let text = b"local _, t = pairs(redis) t.call = nil return 1";
    assert_eq!(run_with(&mut engine, text, &[], &mut parrot("")), ":1");
    let text = b"local n = 0 for k in pairs(redis) do n = n + 1 end return n > 10";
    assert_eq!(run_with(&mut engine, text, &[], &mut parrot("")), ":1");
    assert_eq!(run_with(&mut engine, b"return redis.call('x')", &[], &mut parrot(":3\r\n")), ":3");
}

#[test]
fn a_script_that_is_to_end_cannot_catch_that() {
    let mut engine = engine();
    for text in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "local f = function() while true do end end while true do xpcall(f, function() end) end",
        "coroutine.wrap(function() while true do end end)()",
    ] {
        let reply = run_with(&mut engine, text.as_bytes(), &[], &mut parrot(""));
        assert!(reply.contains("it took too long"), "{text}: {reply}");
    }
    // The next script is not bothered.
    let mut host = Parrot { ticks_left: 0, ..parrot("") };
    assert_eq!(run_with(&mut engine, b"return 1", &[], &mut host), ":1");
}

#[test]
fn proxies_have_metatables_but_no_finalizers() {
    let text = "local p = newproxy(true) local m = getmetatable(p) m.__index = function() return 5 \
                end m.__len = function() return 7 end \
                return {p.x, #newproxy(p), rawequal(m, getmetatable(newproxy(p))) and 1}";
    assert_eq!(run(text), "*3 :5 :7 :1");
    for text in [
        "getmetatable(newproxy(true)).__gc = function() end",
        "rawset(getmetatable(newproxy(true)), '__gc', function() end)",
        "setmetatable(getmetatable(newproxy(true)), {})",
        "local _, m = pairs(getmetatable(newproxy(true))) m.__gc = 1 error('x')",
    ] {
        assert!(run(text).contains("user_script") || run(text).contains("readonly"), "{text}");
    }
}

#[test]
fn json_as_redis_writes_and_reads_it() {
    for (text, reply) in [
        ("return cjson.encode({1,2,{a='x/\"\\1'}})", "$25 [1,2,{\"a\":\"x\\/\\\"\\u0001\"}]"),
        ("return cjson.encode({})", "$2 {}"),
        ("return cjson.encode({[1]=1,[3]=3})", "$10 [1,null,3]"),
        ("return cjson.encode(0.1+0.2)", "$3 0.3"),
        ("return cjson.encode(1e300)", "$6 1e+300"),
        ("return cjson.encode(cjson.null)", "$4 null"),
        ("return cjson.decode('[1,\"\\\\u00e9\\\\ud83d\\\\ude00\",true]')", "*3 :1 $6 é😀 :1"),
        ("return cjson.decode('0x10')", ":16"),
        ("return cjson.decode('{\"a\":[]}').a", "*0"),
        ("return tostring(cjson.decode('null') == cjson.null)", "$4 true"),
        ("cjson.encode_sparse_array(true) return cjson.encode({[100]=1})", "$9 {\"100\":1}"),
        ("return {cjson.encode_sparse_array()}", "*3 _ :2 :10"),
    ] {
        assert_eq!(run(text), reply, "{text}");
    }
    for (text, words) in [
        ("cjson.encode({[100]=1})", "Cannot serialise table: excessively sparse array"),
        ("cjson.encode(print)", "nonexistent global"),
        ("cjson.encode(error)", "Cannot serialise function: type not supported"),
        ("cjson.encode(1/0)", "Cannot serialise number: must not be NaN or Inf"),
        ("local a = {} a[1] = a cjson.encode(a)", "excessive nesting (1001)"),
        ("cjson.decode('')", "Expected value but found T_END at character 1"),
        ("cjson.decode('[1,]')", "Expected value but found T_ARR_END at character 4"),
        ("cjson.decode('{\"a\" 1}')", "Expected colon but found T_NUMBER at character 6"),
        ("cjson.decode('[1 x')", "found invalid token at character 4"),
        ("cjson.decode(string.rep('[', 2000))", "Found too many nested data structures (1001)"),
        ("cjson.decode('a\\0')", "does not support UTF-16"),
        ("cjson.encode()", "bad argument #1 to 'encode' (expected 1 argument)"),
        ("cjson.encode_max_depth(0)", "expected integer between 1 and 2147483647"),
    ] {
        let reply = run(text);
        assert!(reply.contains(words), "{text}: {reply}");
    }
}

#[test]
fn structs_as_redis_packs_them() {
    for (text, reply) in [
        ("return struct.pack('>HB', 258, 3)", "$3 \u{1}\u{2}\u{3}"),
        ("return {struct.unpack('<h', '\\255\\255')}", "*2 :-1 :3"),
        ("return {struct.unpack('Bc0', '\\3abcd')}", "*2 $3 abc :5"),
        ("return {struct.unpack('s', 'ab\\0c')}", "*2 $2 ab :4"),
        ("return struct.size('!8bi8')", ":16"),
        ("return struct.unpack('>d', struct.pack('>d', -2.5))", ":-2"),
        ("return #struct.pack('i32', 1)", ":32"),
    ] {
        assert_eq!(run(text), reply, "{text}");
    }
    for (text, words) in [
        ("struct.pack('i33', 1)", "integral size 33 is larger than limit of 32"),
        ("struct.pack('c99999999999', '')", "integral size overflow"),
        ("struct.pack('c5', 'a')", "string too short"),
        ("struct.unpack('i', 'a')", "data string too short"),
        ("struct.unpack('b', 'a', -1)", "offset must be 1 or greater"),
        ("struct.pack('!3', 1)", "alignment 3 is not a power of 2"),
        ("struct.pack('y', 1)", "invalid format option 'y'"),
        ("struct.size('s')", "option 's' has no fixed size"),
        ("struct.unpack('c0', 'a')", "format 'c0' needs a previous size"),
    ] {
        let reply = run(text);
        assert!(reply.contains(words), "{text}: {reply}");
    }
}

#[test]
fn messages_as_redis_packs_them() {
    let hex = |value: &str| {
        run(&format!(
            "return (cmsgpack.pack({value}):gsub('.', function(c) \
             return string.format('%02x', c:byte()) end))"
        ))
    };
    for (value, bytes) in [
        ("1", "01"),
        ("-1", "ff"),
        ("255", "ccff"),
        ("-129", "d1ff7f"),
        ("2^32", "cf0000000100000000"),
        ("0.5", "ca3f000000"),
        ("0.1", "cb3fb999999999999a"),
        ("'ab'", "a26162"),
        ("{}", "90"),
        ("{1,2}", "920102"),
        ("{a=1}", "81a16101"),
        ("nil, true", "c0c3"),
    ] {
        assert_eq!(hex(value), format!("${} {bytes}", bytes.len()), "{value}");
    }
    for (text, reply) in [
        ("return {cmsgpack.unpack(cmsgpack.pack(1,{2},'x'))}", "*3 :1 *1 :2 $1 x"),
        ("return {cmsgpack.unpack_one('\\1\\2')}", "*2 :1 :1"),
        ("return {cmsgpack.unpack_limit('\\1\\2', 2, 0)}", "*3 :-1 :1 :2"),
        ("local a = {} a[1] = a return #cmsgpack.pack(a)", ":17"),
    ] {
        assert_eq!(run(text), reply, "{text}");
    }
    for (text, words) in [
        ("cmsgpack.unpack('\\220\\255')", "Missing bytes in input."),
        ("cmsgpack.unpack('\\193')", "Bad data format in input."),
        ("cmsgpack.unpack('\\129\\192\\1')", "table index is nil"),
        ("cmsgpack.unpack(string.rep('\\145', 5000))", "stack overflow"),
        ("cmsgpack.unpack_one('a', 5)", "Start offset 5 greater than input length 1."),
        ("cmsgpack.unpack_one('a', -1)", "Invalid request to unpack with offset of -1"),
        ("cmsgpack.pack()", "MessagePack pack needs input."),
    ] {
        let reply = run(text);
        assert!(reply.contains(words), "{text}: {reply}");
    }
}

#[test]
fn libraries_register_functions_and_nothing_else() {
    let engine = Engine::new(Kind::Functions, VERSION).expect("a Lua state");
    let mut all = libraries::Libraries::new(engine);
    let good =
        b"#!lua name=one\nlocal n = 0\nredis.register_function('f', function(k, a) n = n + 1 \
                 return n + #k + #a end)\nredis.register_function{function_name='g', \
                 callback=function() return redis.call('x') end, flags={'no-writes'}, \
                 description='d'}";
    assert_eq!(all.load(good, false, true).as_deref(), Ok(&b"one"[..]));
    assert_eq!(all.counts(), (1, 2));
    assert!(all.function(b"F").is_some(), "names are found in any case");
    for (text, words) in [
        ("#!lua name=one\n", "Library 'one' already exists"),
        ("#!lua name=two\n", "No functions registered"),
        ("#!lua name=two\nredis.register_function('f', function() end)", "Function f already"),
        ("#!lua name=two\nredis.call('x')", "nonexistent global variable 'call'"),
        ("#!lua name=two\nmath.abs(1)", "nonexistent global variable 'math'"),
        ("#!lua name=two\nx = 1", "Attempt to modify a readonly table"),
        ("#!lua name=two\nredis.register_function(1)", "only applicable to Lua table"),
        ("#!lua name=two\nreturn (", "Error compiling function: user_function:2:"),
        ("#!lua name=t-o\n", "Library names can only contain letters"),
        ("#!py name=two\n", "Engine 'py' not found"),
        ("#!lua name=two\nwhile true do end", "FUNCTION LOAD timeout"),
    ] {
        let refused = all.load(text.as_bytes(), false, true).expect_err(text);
        assert!(refused.contains(words), "{text}: {refused}");
    }
    assert_eq!(all.counts(), (1, 2), "what is refused changes nothing");
    let (_, function) = all.function(b"f").expect("registered");
    let request = OwnedArgs::from_parts([&b"fcall"[..], b"k", b"a"].into_iter());
    let given = Given { args: request.args(), first: 1, keys: 1 };
    for count in 3..5 {
        match all.call(function, given, &mut parrot("")) {
            Finished::Returned(value) => assert_eq!(value.as_i64(), Some(count)),
            Finished::Failed(failure) => panic!("{failure:?}"),
        }
    }
    let texts = all.texts();
    assert!(all.restore(&texts, libraries::Policy::Append).is_err());
    assert_eq!(all.restore(&texts, libraries::Policy::Replace), Ok(()));
    assert_eq!(all.restore(&[], libraries::Policy::Flush), Ok(()));
    assert_eq!(all.counts(), (0, 0));
}

/// A Lua expression of some value that both formats keep.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        any::<i32>().prop_map(|n| n.to_string()),
        (-1e15..1e15).prop_map(|n: f64| format!("{:e}", (n * 8.0).round() / 8.0)),
        any::<bool>().prop_map(|b| b.to_string()),
        "[ -~]{0,40}".prop_map(|text| format!("[==[{text}]==]")),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..6)
                .prop_map(|items| format!("{{{}}}", items.join(","))),
            prop::collection::btree_map("[a-z]{1,6}", inner, 1..6).prop_map(|fields| {
                let fields: Vec<String> =
                    fields.into_iter().map(|(k, v)| format!("['{k}']={v}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

/// Lua that compares two values to their last field.
const SAME: &str = "local function same(a, b) if type(a) ~= 'table' or type(b) ~= 'table' then \
                    return a == b end for k, v in pairs(a) do if not same(v, b[k]) then return \
                    false end end for k in pairs(b) do if a[k] == nil then return false end end \
                    return true end ";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_packed_is_unpacked(value in value()) {
        let text = format!(
            "{SAME} local v = {value} return same(v, cmsgpack.unpack(cmsgpack.pack(v)))"
        );
        prop_assert_eq!(run(&text), ":1");
    }

    #[test]
    fn what_is_encoded_is_decoded(value in value()) {
        // Fourteen digits are not all of a number.
        let text = format!(
            "{SAME} local v = cjson.decode(cjson.encode({value})) \
             return same(v, cjson.decode(cjson.encode(v)))"
        );
        prop_assert_eq!(run(&text), ":1");
    }

    #[test]
    fn integers_survive_structs(n in any::<i32>(), size in 4usize..=8) {
        let text = format!(
            "local s = struct.pack('>i{size}<i{size}', {n}, {n}) \
             local a, b = struct.unpack('>i{size}<i{size}', s) return {{a, b}}"
        );
        prop_assert_eq!(run(&text), format!("*2 :{n} :{n}"));
    }

    #[test]
    fn no_bytes_make_libraries_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut engine = engine();
        for text in [
            "return pcall(cjson.decode, ARGV[1])",
            "return pcall(cmsgpack.unpack, ARGV[1])",
            "return pcall(struct.unpack, ARGV[1], ARGV[1])",
            "return pcall(struct.unpack, 'i8>i3!4bc0s', ARGV[1])",
            "return pcall(struct.pack, ARGV[1], 1, 'a', 2, 'b', 3)",
            "return pcall(struct.size, ARGV[1])",
            "return pcall(bit.tohex, ARGV[1], ARGV[1])",
            "return pcall(loadstring, ARGV[1])",
        ] {
            let mut host = parrot("");
            let reply = run_with(&mut engine, text.as_bytes(), &[b"k", &bytes], &mut host);
            prop_assert!(!reply.is_empty());
        }
    }
}
