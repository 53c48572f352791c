"""
What runs inside Redis, each script at one moment; every key that one touches is declared.

Each group, or each of its partitions, has a stream of its own, with one consumer group called `g`. An entry lies in it
from `publish` until it is settled, and not longer: the length of the stream is what is not settled. Entries that were
given back belong to the consumer `back`, which nobody is.

The hash of groups has the partitions of each group under its id, 0 if it has none, and a field more, `version`: the
digest of all changes in their order, so that who publishes knows whether the groups it knows are all there are, also
when Redis has gone back to what it was a moment ago.

Which groups were forgotten is known for a while, by when that was. A member that finds neither its group nor this makes
the group anew: Redis has lost it.

A script that adds messages or letters is refused as a whole when Redis is full, before it begins; all that it takes to
have messages handled, and so to make room, is marked `allow-oom`.
"""

from hashlib import sha1
from typing import ClassVar, Final


class Script:
    """A script, known inside Redis by the digest of its text once it was sent in full."""

    known: ClassVar[dict[bytes, bytes]] = {}
    """The texts of all scripts, by their digests."""

    def __init__(self, *parts: str) -> None:
        text = "\n".join(part.strip("\n") for part in parts).encode()
        self.sha: bytes = sha1(text, usedforsecurity=False).hexdigest().encode()
        self.known[self.sha] = text


_ADDS: Final = "#!lua"
_TAKES: Final = "#!lua flags=allow-oom"

_CHANGE: Final = """
local function change(groups, what)
  redis.call('HSET', groups, 'version', redis.sha1hex((redis.call('HGET', groups, 'version') or '') .. what))
end
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end
"""

PUBLISH: Final = Script(
    _ADDS,
    _CHANGE,
    """
-- Keys: the hash of groups; the streams of all groups that get the messages; what says that an id was seen.
-- Arguments: version, most messages a group, milliseconds to know an id for, the number of groups; for each its id,
-- whether it ends with its member, how many streams it has; for each message its slot, the key of its id or 0, and its
-- five fields.
-- 0: the groups are others by now. 1: done. Else pairs of a message that was not taken and the group that is full.
if (redis.call('HGET', KEYS[1], 'version') or '') ~= ARGV[1] then return 0 end
local most, groups = tonumber(ARGV[2]), tonumber(ARGV[4])
local first, streams, room, gone, missing = {}, {}, {}, {}, {}
local key, arg = 1, 4
for group = 1, groups do
  local length = 0
  first[group], streams[group] = key + 1, tonumber(ARGV[arg + 3])
  for stream = key + 1, key + streams[group] do
    local waiting = redis.call('XLEN', KEYS[stream])
    length = length + waiting
    if waiting == 0 and redis.call('EXISTS', KEYS[stream]) == 0 then
      if ARGV[arg + 2] == '1' then gone[group] = ARGV[arg + 1] else missing[#missing + 1] = KEYS[stream] end
    end
  end
  room[group] = most - length
  key, arg = key + streams[group], arg + 3
end

local taken, refused, seen = {}, {}, {}
local message = 0
for at_ = arg + 1, #ARGV, 7 do
  message = message + 1
  local id = tonumber(ARGV[at_ + 1])
  if id == 0 or not (seen[KEYS[id]] or redis.call('EXISTS', KEYS[id]) == 1) then
    local full
    for group = 1, groups do
      if not gone[group] and room[group] < 1 then full = group break end
    end
    if full then
      refused[#refused + 1], refused[#refused + 2] = message, full
    else
      for group = 1, groups do room[group] = room[group] - 1 end
      taken[#taken + 1] = at_
      if id ~= 0 then seen[KEYS[id]] = true end
    end
  end
end

-- From here on it writes.
for _, stream in ipairs(missing) do redis.call('XGROUP', 'CREATE', stream, 'g', 0, 'MKSTREAM') end
for _, id in pairs(gone) do
  redis.call('HDEL', KEYS[1], id)
  change(KEYS[1], '-' .. id)
end
for _, at_ in ipairs(taken) do
  local slot = tonumber(ARGV[at_])
  for group = 1, groups do
    if not gone[group] then
      redis.call('XADD', KEYS[first[group] + slot % streams[group]], 'NOMKSTREAM', '*', 'id', ARGV[at_ + 2],
        'topic', ARGV[at_ + 3], 'key', ARGV[at_ + 4], 'headers', ARGV[at_ + 5], 'data', ARGV[at_ + 6])
    end
  end
  local id = tonumber(ARGV[at_ + 1])
  if id ~= 0 then redis.call('SET', KEYS[id], '', 'PX', ARGV[3]) end
end
return #refused == 0 and 1 or refused
""",
)

GROUPS: Final = Script(
    _TAKES,
    """
-- Keys: the hash of groups. It is returned as pairs, whatever protocol is spoken.
return redis.call('HGETALL', KEYS[1])
""",
)

JOIN: Final = Script(
    _TAKES,
    _CHANGE,
    """
-- Keys: the hash of groups; which were forgotten; the streams. Arguments: the id of the group; its partitions; when who
-- asks has joined before, '' if never; milliseconds that it lasts, 0: for ever.
-- The partitions that the group has, none if it was forgotten since; and when this was.
local partitions, time = redis.call('HGET', KEYS[1], ARGV[1]), now()
if partitions and partitions ~= ARGV[2] then return {partitions, time} end
if not partitions then
  local forgotten = redis.call('ZSCORE', KEYS[2], ARGV[1])
  if forgotten and ARGV[3] ~= '' and tonumber(forgotten) >= tonumber(ARGV[3]) then return {'', time} end
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  change(KEYS[1], '+' .. ARGV[1] .. ' ' .. ARGV[2])
end
for at = 3, #KEYS do
  if redis.call('EXISTS', KEYS[at]) == 0 then
    redis.call('XGROUP', 'CREATE', KEYS[at], 'g', 0, 'MKSTREAM')
  else
    -- Members that have died are forgotten in time.
    for _, member in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[at], 'g')) do
      if member[4] == 0 and member[6] > 3600000 then redis.call('XGROUP', 'DELCONSUMER', KEYS[at], 'g', member[2]) end
    end
  end
  if ARGV[4] ~= '0' then redis.call('PEXPIRE', KEYS[at], ARGV[4]) end
end
return {ARGV[2], time}
""",
)

FORGET: Final = Script(
    _TAKES,
    _CHANGE,
    """
-- Keys: the hash of groups; which were forgotten; all that there is of the group. Arguments: the id of the group; its
-- partitions; for how many milliseconds to know that it was forgotten.
-- The partitions, if they are others; then nothing was done.
local partitions = redis.call('HGET', KEYS[1], ARGV[1])
if partitions and partitions ~= ARGV[2] then return partitions end
if partitions then
  redis.call('HDEL', KEYS[1], ARGV[1])
  change(KEYS[1], '-' .. ARGV[1])
end
for at = 3, #KEYS do redis.call('UNLINK', KEYS[at]) end
if ARGV[3] ~= '0' then
  redis.call('ZADD', KEYS[2], now(), ARGV[1])
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now() - ARGV[3] * 1000)
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
""",
)

SWEEP: Final = Script(
    _TAKES,
    _CHANGE,
    """
-- Keys: the hash of groups; a stream of each of some groups that end with their members. Arguments: the ids of these.
-- Those are forgotten whose stream is not there: their members have died.
for at = 2, #KEYS do
  if redis.call('EXISTS', KEYS[at]) == 0 and redis.call('HDEL', KEYS[1], ARGV[at - 1]) == 1 then
    change(KEYS[1], '-' .. ARGV[at - 1])
  end
end
""",
)

TAKE: Final = Script(
    _TAKES,
    """
-- Keys: a stream. Arguments: the member; how many at most; the lease in milliseconds; where to go on looking for
-- entries of the dead; milliseconds that the group lasts, or 0.
-- Where to go on the next time; then entries with their attempts: those that were given back or left by a dead member,
-- and what this member has had for longer than the lease itself, which is not counted again.
local key, most = KEYS[1], tonumber(ARGV[2])
if ARGV[5] ~= '0' then redis.call('PEXPIRE', key, ARGV[5]) end
local found = {}
local function claim(waiting, counted)
  for _, each in ipairs(waiting) do
    local attempt = each[4] + counted
    local entry = redis.call('XCLAIM', key, 'g', ARGV[1], 0, each[1], 'RETRYCOUNT', attempt)[1]
    if entry then found[#found + 1] = {entry[1], entry[2], attempt} end
  end
end
claim(redis.call('XPENDING', key, 'g', 'IDLE', ARGV[3], '-', '+', most, ARGV[1]), 0)
if #found < most then claim(redis.call('XPENDING', key, 'g', '-', '+', most - #found, 'back'), 1) end
-- As far as a thousand entries or so, of which most are in good hands.
local cursor, steps = ARGV[4], 0
repeat
  local room = most - #found
  if room == 0 then break end
  local left = redis.call('XAUTOCLAIM', key, 'g', ARGV[1], ARGV[3], cursor, 'COUNT', room)
  cursor, steps = left[1], steps + 10 * room
  for _, entry in ipairs(left[2]) do
    local pending = redis.call('XPENDING', key, 'g', entry[1], entry[1], 1)[1]
    found[#found + 1] = {entry[1], entry[2], pending[4]}
  end
until cursor == '0-0' or steps > 1000
return {cursor, found}
""",
)

HOLD: Final = Script(
    _TAKES,
    """
-- Keys: a stream, and its owner. Arguments: the member; how many at most; the lease in milliseconds; behind which
-- entry to look for those that were handed out before, '' if there are none; milliseconds that the group lasts, or 0.
-- 0: another has it. Else behind which entry to look the next time, the last entry of the stream, and entries with
-- their attempts; those that this member had already are not counted again.
local key, owner = KEYS[1], redis.call('GET', KEYS[2])
if redis.call('EXISTS', key) == 0 then return redis.error_reply('NOGROUP it is gone') end
if owner and owner ~= ARGV[1] then return 0 end
if ARGV[5] ~= '0' then redis.call('PEXPIRE', key, ARGV[5]) end
local behind = ARGV[4]
if owner then
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
else
  redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[3])
  behind = '-'
end
local found = {}
if behind ~= '' then
  local pending = redis.call('XPENDING', key, 'g', behind, '+', ARGV[2])
  for _, waiting in ipairs(pending) do
    local attempt = waiting[2] == ARGV[1] and waiting[4] or waiting[4] + 1
    local entry = redis.call('XCLAIM', key, 'g', ARGV[1], 0, waiting[1], 'RETRYCOUNT', attempt)[1]
    if entry then found[#found + 1] = {entry[1], entry[2], attempt} end
  end
  behind = #pending > 0 and '(' .. pending[#pending][1] or ''
end
if behind == '' then
  local read = redis.call('XREADGROUP', 'GROUP', 'g', ARGV[1], 'COUNT', ARGV[2], 'STREAMS', key, '>')
  if read then
    for _, entry in ipairs(read[1][2]) do found[#found + 1] = {entry[1], entry[2], 1} end
  end
end
local about = redis.call('XINFO', 'STREAM', key)
local last = '0-0'
for at = 1, #about, 2 do
  if about[at] == 'last-generated-id' then last = about[at + 1] end
end
return {behind, last, found}
""",
)

SETTLE: Final = Script(
    _TAKES,
    """
-- Keys: a stream. Arguments: entries.
redis.call('XACK', KEYS[1], 'g', unpack(ARGV))
return redis.call('XDEL', KEYS[1], unpack(ARGV))
""",
)

RENEW: Final = Script(
    _TAKES,
    """
-- Keys: a stream, and its owner if it is a partition. Arguments: the member; the lease and how long the group lasts, in
-- milliseconds; for each entry its id and how often it was handled.
-- The entries that are not this member's any more. If the partition is another's that is all of them, and it gets them.
local key, owner = KEYS[1], KEYS[2] and redis.call('GET', KEYS[2])
if redis.call('EXISTS', key) == 0 then return {} end
if ARGV[3] ~= '0' then redis.call('PEXPIRE', key, ARGV[3]) end
local holders, is_theirs = {}, owner and owner ~= ARGV[1]
for at = 4, #ARGV, 2 do
  local waiting = redis.call('XPENDING', key, 'g', ARGV[at], ARGV[at], 1)[1]
  holders[at] = waiting and waiting[2]
  -- While nobody had the partition, another may have come and gone.
  if KEYS[2] and not owner and waiting and waiting[2] ~= ARGV[1] then is_theirs = true end
end
-- It is taken again with what is held of it, and else by who asks for more.
if KEYS[2] and not is_theirs and (owner or #ARGV > 3) then redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2]) end
local lost = {}
for at = 4, #ARGV, 2 do
  local is_mine = holders[at] == ARGV[1]
  if is_theirs or not is_mine then lost[#lost + 1] = ARGV[at] end
  if is_mine then
    local holder = is_theirs and 'back' or ARGV[1]
    redis.call('XCLAIM', key, 'g', holder, 0, ARGV[at], 'RETRYCOUNT', ARGV[at + 1], 'JUSTID')
  end
end
return lost
""",
)

GIVE_BACK: Final = Script(
    _TAKES,
    """
-- Keys: a stream. Arguments: the member; for each entry its id and how often it was handled.
if redis.call('EXISTS', KEYS[1]) == 0 then return end
for at = 2, #ARGV, 2 do
  local id = ARGV[at]
  if #redis.call('XPENDING', KEYS[1], 'g', id, id, 1, ARGV[1]) > 0 then
    redis.call('XCLAIM', KEYS[1], 'g', 'back', 0, id, 'RETRYCOUNT', ARGV[at + 1], 'JUSTID')
  end
end
""",
)

LEAVE: Final = Script(
    _TAKES,
    """
-- Keys: a stream, and its owner if it is a partition. Arguments: the member; for each entry that it holds its id and
-- how often it was handled. All that it has is given back; what it does not hold it never heard of: not counted.
local held = {}
for at = 2, #ARGV, 2 do held[ARGV[at]] = ARGV[at + 1] end
if redis.call('EXISTS', KEYS[1]) == 1 then
  while true do
    local pending = redis.call('XPENDING', KEYS[1], 'g', '-', '+', 1000, ARGV[1])
    if #pending == 0 then break end
    for _, waiting in ipairs(pending) do
      local attempt = held[waiting[1]] or math.max(0, waiting[4] - 1)
      redis.call('XCLAIM', KEYS[1], 'g', 'back', 0, waiting[1], 'RETRYCOUNT', attempt, 'JUSTID')
    end
  end
  redis.call('XGROUP', 'DELCONSUMER', KEYS[1], 'g', ARGV[1])
end
if KEYS[2] and redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
""",
)

_PUT: Final = """
-- The place of a letter in their order: behind all others, unless it has one.
local function put(letters, order, id, letter)
  redis.call('HSET', letters, id, letter)
  local time = redis.call('TIME')
  local place = time[1] * 1000000 + time[2]
  local last = redis.call('ZRANGE', order, -1, -1, 'WITHSCORES')
  if last[2] and tonumber(last[2]) >= place then place = tonumber(last[2]) + 1 end
  redis.call('ZADD', order, 'NX', place, id)
end
"""

BURY: Final = Script(
    _TAKES,
    _PUT,
    """
-- Keys: the letters, their order, a stream. Arguments: the id of the letter; the letter; the entry. Of what is settled
-- already no letter is written: it was handled, or has one, or had one.
if redis.call('XACK', KEYS[3], 'g', ARGV[3]) == 1 then put(KEYS[1], KEYS[2], ARGV[1], ARGV[2]) end
redis.call('XDEL', KEYS[3], ARGV[3])
""",
)

PUT: Final = Script(
    _ADDS,
    _PUT,
    """
-- Keys: the letters, their order. Arguments: the id of the letter; the letter; the name of its group; 1 if it is one
-- more, 0 if it is there already. 0: that is not so; else 1. The id of the group, a line above, stays if the name does.
local before = redis.call('HGET', KEYS[1], ARGV[1])
if (ARGV[4] == '1') == (before ~= false) then return 0 end
local group = before and before:match('^[^\\n]*') or ''
if (group:match(':(.*)$') or '') ~= ARGV[3] then group = '' end
put(KEYS[1], KEYS[2], ARGV[1], group .. '\\n' .. ARGV[2])
return 1
""",
)

OLDEST: Final = Script(
    _TAKES,
    """
-- Keys: the letters, their order. Arguments: behind which place; how many at most. The place of the last, and letters.
local found = redis.call('ZRANGE', KEYS[2], '(' .. ARGV[1], '+inf', 'BYSCORE', 'LIMIT', 0, ARGV[2], 'WITHSCORES')
local ids = {}
for at = 1, #found, 2 do ids[#ids + 1] = found[at] end
return {found[#found] or '', #ids > 0 and redis.call('HMGET', KEYS[1], unpack(ids)) or {}}
""",
)

REMOVE: Final = Script(
    _TAKES,
    """
-- Keys: the letters, their order. Arguments: the id of the letter.
redis.call('ZREM', KEYS[2], ARGV[1])
return redis.call('HDEL', KEYS[1], ARGV[1])
""",
)

REPLAY: Final = Script(
    _ADDS,
    """
-- Keys: the hash of groups, the letters, their order, a stream of each group that gets the message. Arguments: the id
-- of the letter; its digest; the five fields of the message; for each group its id and its partitions.
-- 0: there are no such groups any more. 1: done. 2: the letter is another by now, or gone.
local letter = redis.call('HGET', KEYS[2], ARGV[1])
if not letter or redis.sha1hex(letter) ~= ARGV[2] then return 2 end
local replayed = 0
for at = 4, #KEYS do
  local group = 2 * at
  if redis.call('HGET', KEYS[1], ARGV[group]) == ARGV[group + 1] and redis.call('EXISTS', KEYS[at]) == 1 then
    redis.call('XADD', KEYS[at], '*', 'id', ARGV[3], 'topic', ARGV[4], 'key', ARGV[5], 'headers', ARGV[6],
      'data', ARGV[7])
    replayed = 1
  end
end
if replayed == 1 then
  redis.call('HDEL', KEYS[2], ARGV[1])
  redis.call('ZREM', KEYS[3], ARGV[1])
end
return replayed
""",
)
