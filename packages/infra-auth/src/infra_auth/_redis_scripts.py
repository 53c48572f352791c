"""
What runs inside Redis, one script a transition, each at one moment; every key that one touches is declared.

All tokens of a namespace lie in four keys, which have entries for the same tokens: `t`, a hash of records by digest;
`e`, the digests by when they end; `f` and `u`, what belongs to a family and to a user, as a digest of its name with
that of the token behind it, in lexical order. Where one of the four was lost, to eviction for one, the others are not
to be relied on: a revocation could miss what it cannot see. So then all is thrown away: a token that is not known is
not valid.
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


# A record: its state at 1 (V: valid, S: rotated, R: revoked), when it ends at 2, when it was rotated at 10, both in
# milliseconds, the digests of its user at 18 and of its family at 50, the length of the sealed successor at 82, that
# at 84, and then the token.
_COMMON: Final = """
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local time = now()

-- The record of a token whose time is not over.
local function find(tokens, digest)
  local record = redis.call('HGET', tokens, digest)
  return record and struct.unpack('>d', record, 2) > time and record
end

local function put(tokens, digest, record, state, rotated, sealed)
  local length = struct.unpack('>I2', record, 82)
  local body = string.sub(record, 84 + length)
  redis.call('HSET', tokens, digest, state .. string.sub(record, 2, 9) .. struct.pack('>d', rotated)
    .. string.sub(record, 18, 81) .. struct.pack('>I2', #sealed) .. sealed .. body)
end
"""

_ALL_KEYS: Final = """
local tokens, ends, families, users = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local there = redis.call('EXISTS', tokens, ends, families, users)
if there ~= 0 and there ~= 4 then redis.call('UNLINK', tokens, ends, families, users) end

-- Where there is nothing to remove this writes nothing: after its first write a script is let use memory that Redis
-- has not, so what adds something must come first.
local function remove(digest)
  local record = redis.call('HGET', tokens, digest)
  if record then
    redis.call('HDEL', tokens, digest)
    redis.call('ZREM', ends, digest)
    redis.call('ZREM', users, string.sub(record, 18, 49) .. digest)
    redis.call('ZREM', families, string.sub(record, 50, 81) .. digest)
  end
end

-- Clears away what is over, a part of it.
local function sweep(most)
  local over = redis.call('ZRANGEBYSCORE', ends, '-inf', time, 'LIMIT', 0, most)
  for _, digest in ipairs(over) do remove(digest) end
  return #over
end

-- Adds a token, and has the keys live as long as the last of them.
local function add(digest, end_, user, family, state, body)
  remove(digest)
  redis.call('HSET', tokens, digest,
    state .. struct.pack('>dd', end_, 0) .. user .. family .. struct.pack('>I2', 0) .. body)
  redis.call('ZADD', ends, end_, digest)
  redis.call('ZADD', users, 0, user .. digest)
  redis.call('ZADD', families, 0, family .. digest)
  for _, key in ipairs(KEYS) do
    if redis.call('PEXPIRETIME', key) < end_ then redis.call('PEXPIREAT', key, end_) end
  end
  sweep(4)
end

-- Revokes all that belongs to one owner.
local function revoke(index, owner)
  local revoked = 0
  for _, member in ipairs(redis.call('ZRANGEBYLEX', index, '[' .. owner, '(' .. owner .. string.rep('\\255', 33))) do
    local digest = string.sub(member, 33)
    local record = find(tokens, digest)
    if record then
      if string.sub(record, 1, 1) == 'V' then revoked = revoked + 1 end
      put(tokens, digest, record, 'R', 0, '')
    end
  end
  return revoked
end
"""

FIND: Final = Script(
    _COMMON,
    """
-- KEYS: the tokens. ARGV: a digest. Returns {state, token}, or false.
local record = find(KEYS[1], ARGV[1])
if not record then return false end
return {string.sub(record, 1, 1), string.sub(record, 84 + struct.unpack('>I2', record, 82))}
""",
)

STORE: Final = Script(
    _COMMON,
    _ALL_KEYS,
    """
-- KEYS: all four. ARGV: a digest, when it ends, the digests of user and family, state, token. Returns why not, or ''.
local end_ = tonumber(ARGV[2])
if end_ <= time then return 'expired' end
if find(tokens, ARGV[1]) then return 'exists' end
add(ARGV[1], end_, ARGV[3], ARGV[4], ARGV[5], ARGV[6])
return ''
""",
)

REVOKE: Final = Script(
    _COMMON,
    """
-- KEYS: the tokens. ARGV: a digest. Returns whether it was valid.
local record = find(KEYS[1], ARGV[1])
if not record or string.sub(record, 1, 1) ~= 'V' then return 0 end
put(KEYS[1], ARGV[1], record, 'R', 0, '')
return 1
""",
)

REVOKE_ALL: Final = Script(
    _COMMON,
    _ALL_KEYS,
    """
-- KEYS: all four. ARGV: which of them is the index, the digest of the owner. Returns how many were valid.
return revoke(KEYS[tonumber(ARGV[1])], ARGV[2])
""",
)

ROTATE: Final = Script(
    _COMMON,
    _ALL_KEYS,
    """
-- KEYS: all four. ARGV: the digest of the token, the grace in milliseconds, the sealed successor, and of the successor
-- the digest, when it ends, the digests of user and family, and the token. Returns {why not}, {''}, or
-- {'repeat', the sealed successor that there is}.
local record = find(tokens, ARGV[1])
if not record then return {'not found'} end
if string.sub(record, 18, 49) ~= ARGV[6] then return {'other user'} end
if string.sub(record, 50, 81) ~= ARGV[7] then return {'other family'} end
local state, end_ = string.sub(record, 1, 1), tonumber(ARGV[5])
if state == 'R' then return {'revoked'} end
if state == 'S' then
  if time - struct.unpack('>d', record, 10) >= tonumber(ARGV[2]) then
    revoke(families, ARGV[7])
    return {'reused'}
  end
  return {'repeat', string.sub(record, 84, 83 + struct.unpack('>I2', record, 82))}
end
if end_ <= time then return {'expired'} end
if find(tokens, ARGV[4]) then return {'exists'} end
put(tokens, ARGV[1], record, 'S', time, ARGV[3])
add(ARGV[4], end_, ARGV[6], ARGV[7], 'V', ARGV[8])
return {''}
""",
)

SWEEP: Final = Script(
    _COMMON,
    _ALL_KEYS,
    """
-- KEYS: all four. ARGV: how many at most. Returns how many were cleared away.
return sweep(tonumber(ARGV[1]))
""",
)
