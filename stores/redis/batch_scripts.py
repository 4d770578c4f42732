"""Scripts that store a batch of counts: one call for each slot, then one for each partition."""

from __future__ import annotations

from .connection import Script
from .retrying import CHANGE

COMMIT = Script(
    CHANGE
    + """
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 'epoch' end
local batch, held = cmsgpack.unpack(ARGV[2]), {}
for p, part in ipairs(batch) do
    held[p] = tonumber(redis.call('HGET', KEYS[1], part[1]) or 0)
    if held[p] < part[2] then return 'gap' end
end
for p, part in ipairs(batch) do
    local after, changes = held[p], part[4]
    if after < part[3] then
        for i = 1, #changes, 5 do
            if changes[i] >= after then
                local failed = changed(changes, i)
                if failed then return failed end
            end
        end
    end
end
for p, part in ipairs(batch) do
    if held[p] < part[3] then redis.call('HSET', KEYS[1], part[1], part[3]) end
end
return 'ok'
"""
)
"""KEYS: the slot's state, then its counters and rankings.

ARGV: the epoch; for each partition its name, the batch's start and end, and its changes: offset, number of the key,
field, change, number of the ranking or 0.
"""

NOTE = Script("""
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch and ARGV[2] == '0' then redis.call('HSET', KEYS[1], 'epoch', ARGV[1])
elseif epoch ~= ARGV[1] then return 'epoch' end
local held = tonumber(redis.call('HGET', KEYS[1], 'next') or 0)
if held == tonumber(ARGV[3]) then return 'ok' end
if held ~= tonumber(ARGV[2]) then return 'moved' end
for i, key in ipairs(cmsgpack.unpack(ARGV[4])) do
    redis.call('HSET', KEYS[2], key, string.sub(ARGV[5], 16 * i - 15, 16 * i))
end
redis.call('HSET', KEYS[1], 'next', ARGV[3], 'last', ARGV[6])
return 'ok'
""")
"""KEYS: the partition's state, and the newest ids of its entities.

ARGV: the epoch, the batch's start and end; the keys of entities, and their ids of 16 bytes, concatenated, since an
argument for each would cost more than all the rest; and the id of the event just before the batch's end, empty if
unknown.
"""
