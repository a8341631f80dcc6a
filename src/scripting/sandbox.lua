-- The globals that scripts see, made once per Lua state by `engine.rs`. Lua 5.1 has no tables that
-- cannot be written to, so what scripts share is shown to them through empty tables in front of it.
-- Handed in: functions of this program, and what makes up the tables of the libraries.
local native, libraries = ...

local error, type, pairs, next, tostring, select = error, type, pairs, next, tostring, select
local rawset, rawget, setmetatable, getmetatable = rawset, rawget, setmetatable, getmetatable
local xpcall, pcall, loadstring, setfenv = xpcall, pcall, loadstring, setfenv
local newproxy = newproxy
local byte, concat = string.byte, table.concat
local globals_at_start, lua_table, lua_coroutine = _G, table, coroutine
local translate, handler = native.translate, native.handler

local function copy(shown)
  local copied = {}
  for key, value in next, shown do copied[key] = value end
  return copied
end

libraries.string, libraries.math = copy(string), copy(math)
libraries.math.random, libraries.math.randomseed = native.random, native.randomseed

-- What each empty table shows.
local behind = setmetatable({}, { __mode = 'k' })
-- What scripts see in the place of the metatables of their proxies.
local metatables = setmetatable({}, { __mode = 'k' })

local function refuse()
  error('Attempt to modify a readonly table', 0)
end

local function seal(shown)
  local front = {}
  behind[front] = shown
  return setmetatable(front, {
    __index = shown,
    __newindex = function() error('Attempt to modify a readonly table', 2) end,
    __metatable = false,
  })
end

local absent = {
  __index = function(_, name)
    if type(name) ~= 'string' and type(name) ~= 'number' then
      error('Second argument to luaProtectedTableError must be a string or number', 2)
    end
    error("Script attempted to access nonexistent global variable '" .. name .. "'", 2)
  end,
}

local globals = setmetatable({}, absent)
local access = { __index = globals, __metatable = false }
access.__newindex = function() error('Attempt to modify a readonly table', 2) end
local front = setmetatable({}, access)
behind[front] = globals
-- Whatever is defined from here on has the globals of scripts for its own.
setfenv(1, front)
setfenv(0, front)

local sealed_metatable = seal({})
local strings = seal(libraries.string)
getmetatable('').__index = libraries.string
getmetatable('').__metatable = seal({ __index = strings })

-- Errors of an argument are those of the script that gave it, not of the functions below.
local function check(name, value, wanted)
  local found = type(value)
  if found ~= wanted then
    error("bad argument #1 to '" .. name .. "' (" .. wanted .. ' expected, got ' .. found .. ')', 3)
  end
end

-- What a caught error looks like: the bare words of an error table, as before Redis 7.
local function caught(ok, ...)
  if ok then return ok, ... end
  local failure = translate((...))
  if type(failure) == 'table' then
    local words = rawget(failure, 'err')
    if type(words) == 'string' or type(words) == 'number' then failure = words end
  end
  return false, failure
end

local function resumed(ok, ...)
  if ok then return ok, ... end
  return false, translate((...))
end

local function text_only(text, name)
  if type(text) == 'string' and byte(text, 1) == 27 then
    return nil, (name or '=?') .. ":1: unexpected symbol near 'char(27)'"
  end
  return loadstring(text, name)
end

for _, name in pairs({ 'tostring', 'getfenv', 'next', 'assert', 'tonumber', 'rawequal',
    'collectgarbage', 'type', 'select', 'unpack', 'gcinfo', 'pairs', 'rawget', 'ipairs', '_VERSION',
    'error' }) do
  globals[name] = globals_at_start[name]
end

globals._G = front

function globals.pcall(...)
  return caught(pcall(...))
end

function globals.xpcall(run, on_error)
  return xpcall(run, function(failure) return on_error(translate(failure)) end)
end

function globals.setmetatable(value, metatable)
  if behind[value] then refuse() end
  check('setmetatable', value, 'table')
  return setmetatable(value, metatable)
end

function globals.getmetatable(value)
  if value == front then return sealed_metatable end
  if behind[value] then return nil end
  if type(value) == 'userdata' then return metatables[value] end
  return getmetatable(value)
end

-- A finalizer would run in the middle of whatever allocates, and its errors end the process.
local function without_finalizer(metatable)
  local shown = {}
  behind[shown] = metatable
  return setmetatable(shown, {
    __index = metatable,
    __newindex = function(_, key, value)
      if key == '__gc' then error('finalizers are not available to scripts', 2) end
      rawset(metatable, key, value)
    end,
    __metatable = false,
  })
end

function globals.newproxy(like)
  local made = newproxy(like)
  local metatable = getmetatable(made)
  if metatable then metatables[made] = metatables[like] or without_finalizer(metatable) end
  return made
end

function globals.rawset(value, key, new)
  if behind[value] then refuse() end
  check('rawset', value, 'table')
  return rawset(value, key, new)
end

function globals.rawget(value, key)
  check('rawget', value, 'table')
  return rawget(behind[value] or value, key)
end

function globals.next(value, key)
  check('next', value, 'table')
  return next(behind[value] or value, key)
end

function globals.pairs(value)
  check('pairs', value, 'table')
  local shown = behind[value]
  if shown then return next, copy(shown), nil end
  return pairs(value)
end

function globals.setfenv(target, environment)
  if target == 0 then refuse() end
  if type(target) == 'number' then target = target + 1 end
  local result = setfenv(target, environment)
  return result
end

function globals.loadstring(text, name)
  if type(text) ~= 'number' then check('loadstring', text, 'string') end
  return text_only(text, name)
end

function globals.load(read, name)
  check('load', read, 'function')
  local pieces = {}
  while true do
    local piece = read()
    if piece == nil or piece == '' then break end
    if type(piece) ~= 'string' then error('reader function must return a string', 2) end
    pieces[#pieces + 1] = piece
  end
  return text_only(concat(pieces), name or '=(load)')
end

local tables = copy(lua_table)
for _, name in pairs({ 'insert', 'remove', 'sort', 'setn' }) do
  local change = tables[name]
  tables[name] = function(value, ...)
    if behind[value] then refuse() end
    check(name, value, 'table')
    return change(value, ...)
  end
end

local coroutines = copy(lua_coroutine)
local resume, create = coroutines.resume, coroutines.create
function coroutines.resume(...)
  return resumed(resume(...))
end

libraries.table, libraries.coroutine, libraries.string = tables, coroutines, nil
globals.string = strings
for name, library in pairs(libraries) do
  globals[name] = seal(library)
end

-- KEYS and ARGV of EVAL are globals; the script is compiled already.
local function run(script, key_count, count, ...)
  if key_count == 0 then
    globals.KEYS, globals.ARGV = {}, { ... }
  elseif key_count == count then
    globals.KEYS, globals.ARGV = { ... }, {}
  else
    local keys = { ... }
    for index = key_count + 1, #keys do keys[index] = nil end
    globals.KEYS, globals.ARGV = keys, { select(key_count + 1, ...) }
  end
  return xpcall(script, handler)
end

local function run_with_tables(script, keys, args)
  globals.KEYS, globals.ARGV = keys, args
  return xpcall(script, handler)
end

local callback, callback_keys, callback_args
local function call_back()
  local called, keys, args = callback, callback_keys, callback_args
  callback, callback_keys, callback_args = nil, nil, nil
  return called(keys, args)
end

local function call(called, keys, args)
  callback, callback_keys, callback_args = called, keys, args
  return xpcall(call_back, handler)
end

-- While a library is loaded, it sees nothing but a table to register functions with.
local function load(library, redis)
  access.__index = setmetatable({ redis = seal(setmetatable(redis, absent)) }, absent)
  local ok, failure = pcall(library)
  access.__index = globals
  return ok, translate(failure)
end

return { run = run, run_with_tables = run_with_tables, call = call, load = load }
