"""
What runs inside Redis, each script at one moment; every key that one touches is declared.

An entry has the versions of its tags as they were when it was written. Invalidating a tag removes its version: all
that has it is dead at once, and whoever tags next gets a new one, never used before. A version that the engine has
lost does the same. A version lives as long as what may have it; whoever adds one throws some dead ones out.

Where an entry is being loaded there is a lease, which is not seen as an entry: a token, which a write or a delete
takes away, and without which what was loaded is not kept. It has the tags of all who wait for the load, and is dead
when one of them is invalidated.
"""

from hashlib import sha1
from typing import ClassVar, Final


class Script:
    """A script, known inside Redis by the digest of its text once it was sent in full."""

    known: ClassVar[dict[bytes, bytes]] = {}
    """The texts of all scripts, by their digests."""

    def __init__(self, *parts: str) -> None:
        text = "\n".join(parts).encode()
        self.sha: bytes = sha1(text, usedforsecurity=False).hexdigest().encode()
        self.known[self.sha] = text


# The head of an entry, and of a lease: kind at 1, token at 2, created_at at 10, ttl at 18, stale at 26, took at 34,
# renewed until
# at 42, the length of the tags at 50, the tags at 54.
_COMMON: Final = """
local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1e6
end

local seen = {}
local function version(tags, tag)
  if seen[tag] == nil then
    local kept = redis.call('HGET', tags, tag)
    seen[tag] = kept and string.sub(kept, 1, 8)
  end
  return seen[tag]
end

local function packed(tag, version_)
  return struct.pack('>I2', #tag) .. tag .. version_
end

-- Whether no tag of an entry, or of a lease, was invalidated.
local function current(value, tags)
  local length = struct.unpack('>I4', value, 50)
  local at, last = 54, 53 + length
  while at <= last do
    local size = struct.unpack('>I2', value, at)
    local tag = string.sub(value, at + 2, at + 1 + size)
    if not tags or version(tags, tag) ~= string.sub(value, at + 2 + size, at + 9 + size) then
      return false
    end
    at = at + 10 + size
  end
  return true
end

local function is_entry(value)
  local kind = value and string.byte(value, 1)
  return kind == 69 or kind == 83
end

-- Whether the time of an entry is not over; what it has left besides is for those who take stale values.
local function in_time(key, value)
  return string.byte(value, 1) == 69 or redis.call('PTTL', key) > 1000 * struct.unpack('>d', value, 26)
end

-- The value under a key if it can be seen; what is dead is removed on the way.
local function visible(key, tags)
  local value = redis.call('GET', key)
  if not is_entry(value) then return false end
  if not current(value, tags) then
    redis.call('UNLINK', key)
    return false
  end
  return in_time(key, value) and value
end
"""

_TAGGING: Final = """
-- The version of a tag, which is kept with the time until which it is needed.
local function ensure(tags, tag, fresh, lives)
  local kept = redis.call('HGET', tags, tag)
  local known = kept and string.sub(kept, 1, 8)
  local until_, time = kept and struct.unpack('>d', kept, 9) or 0, now()
  if known and until_ >= time + lives then return known end
  redis.call('HSET', tags, tag, (known or fresh) .. struct.pack('>d', time + 1.5 * lives))
  if redis.call('PTTL', tags) < 1500 * lives then
    redis.call('PEXPIRE', tags, math.ceil(1500 * lives))
  end
  if not known then
    local some = redis.call('HRANDFIELD', tags, 4, 'WITHVALUES')
    for i = 1, #some, 2 do
      if struct.unpack('>d', some[i + 1], 9) < time then redis.call('HDEL', tags, some[i]) end
    end
  end
  return known or fresh
end
"""

GET: Final = Script(
    _COMMON,
    """
-- KEYS: entries, and last the versions of tags where there are any (ARGV[1]). Returns the values, or false.
local count, tags = #KEYS, false
if ARGV[1] == '1' then count, tags = #KEYS - 1, KEYS[#KEYS] end
local found = {}
for i = 1, count do found[i] = visible(KEYS[i], tags) end
return found
""",
)

FETCH: Final = Script(
    _COMMON,
    """
-- As GET, each value with the milliseconds that it has left.
local count, tags = #KEYS, false
if ARGV[1] == '1' then count, tags = #KEYS - 1, KEYS[#KEYS] end
local found = {}
for i = 1, count do
  local value = visible(KEYS[i], tags)
  found[i] = {value, value and redis.call('PTTL', KEYS[i]) - 1000 * struct.unpack('>d', value, 26)}
end
return found
""",
)

DELETE: Final = Script(
    _COMMON,
    """
-- KEYS and ARGV as GET. Returns how many could be seen; what could not is removed too, leases included.
local count, tags, gone = #KEYS, false, 0
if ARGV[1] == '1' then count, tags = #KEYS - 1, KEYS[#KEYS] end
for i = 1, count do
  if visible(KEYS[i], tags) then gone = gone + 1 end
  redis.call('UNLINK', KEYS[i])
end
return gone
""",
)

SET: Final = Script(
    _COMMON,
    _TAGGING,
    """
-- KEYS: entries, and the versions of tags. ARGV: milliseconds, how many tags, tag and a fresh version each, then head
-- and value for each entry.
local tags, millis, count = KEYS[#KEYS], tonumber(ARGV[1]), tonumber(ARGV[2])
local parts = {}
for i = 1, count do
  local tag = ARGV[1 + 2 * i]
  parts[i] = packed(tag, ensure(tags, tag, ARGV[2 + 2 * i], millis / 1000))
end
local tagged = table.concat(parts)
tagged = struct.pack('>I4', #tagged) .. tagged
for i = 1, #KEYS - 1 do
  local at = 1 + 2 * count + 2 * i
  redis.call('SET', KEYS[i], ARGV[at] .. tagged .. ARGV[at + 1], 'PX', millis)
end
return #KEYS - 1
""",
)

BEGIN: Final = Script(
    _COMMON,
    _TAGGING,
    """
-- KEYS: an entry, and the versions of tags where there are any. ARGV: whether there are, a token, the lease in
-- milliseconds, the seconds for which a stale value will do, whether only one may load, then tag and a fresh version
-- each. Returns {value, milliseconds left}, the latter not above zero for a stale value; or, to load under a lease,
-- {false, token, versions, whether somebody else has it}.
local tags = ARGV[1] == '1' and KEYS[2]
local value = redis.call('GET', KEYS[1])
if value and not current(value, tags) then value = false end
local lease = tonumber(ARGV[3])
if is_entry(value) then
  local stale = struct.unpack('>d', value, 26)
  local left = redis.call('PTTL', KEYS[1]) - 1000 * stale
  if left > 0 or -left < 1000 * math.min(stale, tonumber(ARGV[4])) then return {value, left} end
end
local versions, parts = {}, {}
for i = 6, #ARGV, 2 do
  local at, tag = (i - 4) / 2, ARGV[i]
  versions[at] = ensure(tags, tag, ARGV[i + 1], 2 * lease / 1000)
  local part = packed(tag, versions[at])
  if not value or not string.find(value, part, 54, true) then parts[#parts + 1] = part end
end
local added = table.concat(parts)
if not value then
  value = 'L' .. ARGV[2] .. string.rep('\\0', 40) .. struct.pack('>I4', #added) .. added
  redis.call('SET', KEYS[1], value, 'PX', lease)
  return {false, ARGV[2], versions, 0}
end
local token = string.sub(value, 2, 9)
if is_entry(value) then return {false, token, versions, 0} end  -- others may want it still, until it is replaced
if #added > 0 then
  value = string.sub(value, 1, 49) .. struct.pack('>I4', #value - 53 + #added) .. string.sub(value, 54) .. added
  redis.call('SET', KEYS[1], value, 'KEEPTTL')
end
if ARGV[5] ~= '1' then redis.call('PEXPIRE', KEYS[1], lease) end
return {false, token, versions, 1}
""",
)

FILL: Final = Script(
    _COMMON,
    _TAGGING,
    """
-- KEYS: an entry, and the versions of tags where there are any. ARGV: whether there are, the token that must be there,
-- milliseconds, head, value, then tag and the version that it must still have each. Returns whether it was kept.
local tags = ARGV[1] == '1' and KEYS[2]
local held = redis.call('GET', KEYS[1])
if not held or string.sub(held, 2, 9) ~= ARGV[2] then return 0 end
local good, parts, lives = current(held, tags), {}, tonumber(ARGV[3]) / 1000
for i = 6, #ARGV, 2 do
  good = good and version(tags, ARGV[i]) == ARGV[i + 1]
end
if not good then
  redis.call('UNLINK', KEYS[1])
  return 0
end
for i = 6, #ARGV, 2 do
  parts[#parts + 1] = packed(ARGV[i], ensure(tags, ARGV[i], ARGV[i + 1], lives))
end
local tagged = table.concat(parts)
redis.call('SET', KEYS[1], ARGV[4] .. struct.pack('>I4', #tagged) .. tagged .. ARGV[5], 'PX', ARGV[3])
return 1
""",
)

HOLD: Final = Script(
    _COMMON,
    _TAGGING,
    """
-- KEYS: an entry, and the versions of tags where there are any. ARGV: whether there are, a token, milliseconds, then
-- the tags. Keeps a lease, or the claim to renew an entry, from running out, and the versions of its tags with it.
local tags, lease = ARGV[1] == '1' and KEYS[2], tonumber(ARGV[3]) / 1000
local held = redis.call('GETRANGE', KEYS[1], 0, 8)
if string.sub(held, 2, 9) ~= ARGV[2] then return 0 end
for i = 4, #ARGV do
  if version(tags, ARGV[i]) then ensure(tags, ARGV[i], '', 2 * lease) end
end
if not is_entry(held) then return redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
redis.call('SETRANGE', KEYS[1], 41, struct.pack('>d', now() + lease))
return 1
""",
)

RELEASE: Final = Script(
    _COMMON,
    """
-- KEYS: an entry. ARGV: a token, whether the lease was for one alone. Gives up a lease, or the claim to renew an entry,
-- so that whoever comes next need not wait for its end.
local held = redis.call('GETRANGE', KEYS[1], 0, 8)
if string.sub(held, 2, 9) ~= ARGV[1] then return 0 end
if is_entry(held) then
  redis.call('SETRANGE', KEYS[1], 41, struct.pack('>d', 0))
elseif ARGV[2] == '1' then
  redis.call('UNLINK', KEYS[1])
end
return 1
""",
)

CLAIM: Final = Script(
    _COMMON,
    _TAGGING,
    """
-- KEYS: an entry, and the versions of tags where there are any. ARGV: whether there are, the token of what was read,
-- the lease in milliseconds, then tag and a fresh version each. Returns the versions to the one who may renew it.
local tags = ARGV[1] == '1' and KEYS[2]
local held = redis.call('GETRANGE', KEYS[1], 0, 48)
if not is_entry(held) or string.sub(held, 2, 9) ~= ARGV[2] then return false end
local time = now()
if struct.unpack('>d', held, 42) > time then return false end
redis.call('SETRANGE', KEYS[1], 41, struct.pack('>d', time + tonumber(ARGV[3]) / 1000))
local versions = {}
for i = 4, #ARGV, 2 do
  versions[(i - 2) / 2] = ensure(tags, ARGV[i], ARGV[i + 1], 2 * tonumber(ARGV[3]) / 1000)
end
return versions
""",
)

INVALIDATE: Final = Script("""
-- KEYS: the versions of tags, and the signal of the tag. ARGV: the tag.
redis.call('SET', KEYS[2], '', 'PX', 1)
return redis.call('HDEL', KEYS[1], ARGV[1])
""")
