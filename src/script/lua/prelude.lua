-- Runs once in a new interpreter, with all of Lua's libraries at hand, and leaves what scripts may see.
-- `rust` are the functions of `sandbox.rs`; `locked_meta(real, shown)` makes the metatable of a locked table.
-- `deprecated` are those of `deprecated.rs`, or nil.
local G, rust, redis, load_redis, deprecated = ...
local pairs, setmetatable, type = pairs, setmetatable, type
local locked_meta = rust.locked_meta

-- A table that reads as `real` and cannot be changed.
local function lock(real, shown)
  local meta = locked_meta(real, shown)
  meta.__index = real
  meta.__newindex = rust.denied
  return setmetatable({}, meta)
end

local string, table, math, coroutine = G.string, G.table, G.math, G.coroutine

for _, name in pairs { 'find', 'match', 'gmatch', 'gfind', 'gsub' } do
  string[name] = rust.patterned(string[name])
end
string.rep = rust.rep
for _, name in pairs { 'insert', 'remove', 'sort', 'setn' } do
  table[name] = rust.guarded(table[name])
end
math.random, math.randomseed = rust.random, rust.randomseed
coroutine.resume, coroutine.wrap = rust.resume, rust.wrap

local visible = {
  assert = G.assert, bit = G.bit, cjson = G.cjson, cmsgpack = G.cmsgpack, collectgarbage = rust.collectgarbage,
  coroutine = coroutine, error = G.error, gcinfo = G.gcinfo, getmetatable = rust.getmetatable,
  ipairs = G.ipairs, load = rust.load, loadstring = rust.loadstring, math = math, next = rust.next,
  os = { clock = G.os.clock }, pairs = rust.pairs, pcall = rust.pcall, rawequal = G.rawequal,
  rawget = rust.rawget, rawset = rust.rawset, redis = redis, select = G.select,
  setmetatable = rust.setmetatable, string = string, struct = G.struct, table = table,
  tonumber = G.tonumber, tostring = G.tostring, type = type, unpack = rust.unpack, xpcall = rust.xpcall,
  _VERSION = G._VERSION,
}
local proxy_meta = {}
if deprecated then
  visible.getfenv, visible.setfenv = G.getfenv, deprecated.environment_setter(G.setfenv)
  visible.newproxy = deprecated.newproxy
  proxy_meta.__newindex, proxy_meta.__metatable = deprecated.without_finalizer, false
end
for name, value in pairs(visible) do
  if type(value) == 'table' then visible[name] = lock(value) end
end
local env = lock(visible, lock { __index = rust.missing })
visible._G = env
setmetatable(visible, { __index = rust.missing })

-- Methods of strings come from the real table; what scripts see of the metatable is locked.
local shown = lock { __index = visible.string }
G.getmetatable('').__index = string

-- A library that is being loaded finds only what belongs to that.
local load_globals = { redis = lock(setmetatable(load_redis, { __index = rust.missing })) }
setmetatable(load_globals, { __index = rust.missing })
return env, visible, shown, G.getmetatable(env), load_globals, proxy_meta
