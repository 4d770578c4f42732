"""Scripts that count a record which was set aside, once its partition's position has passed it.

The position tells whether any other record was counted; of this one each slot remembers by itself that it was, so that
a retry that broke off is made again and counts nothing twice.
"""

from __future__ import annotations

from .connection import Script

CHANGE = """
local function change(key, field, by, ranking)
    local count = redis.call('HINCRBY', key, field, by)
    if count == 0 then redis.call('HDEL', key, field) end
    if ranking then
        local member = string.sub(key, -17) .. string.sub(key, -36, -19)
        if count == 0 then redis.call('ZREM', ranking, member)
        else redis.call('ZADD', ranking, string.format('%d', -count), member) end
    end
end
"""
"""A function that the scripts share, in Lua: a counter moves, and its ranking with it."""

AGAIN = Script(
    CHANGE
    + """
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 'epoch' end
for _, part in ipairs(cmsgpack.unpack(ARGV[2])) do
    local place, changes = part[1], part[4]
    if tonumber(redis.call('HGET', KEYS[1], place) or 0) < part[3] then return 'gap' end
    local offset, fresh
    for i = 1, #changes, 5 do
        if changes[i] ~= offset then
            offset = changes[i]
            fresh = redis.call('HSETNX', KEYS[1], 'again:' .. place .. '@' .. offset, 1) == 1
        end
        if fresh then change(KEYS[changes[i + 1]], changes[i + 2], changes[i + 3], KEYS[changes[i + 4]]) end
    end
end
return 'ok'
"""
)
"""KEYS and ARGV as in _LAND of sink.py, for records that were set aside and that the position has passed. The slot
remembers each of them, so a second time changes nothing."""

RENEW = Script("""
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 'epoch' end
local held = redis.call('HGET', KEYS[2], ARGV[2]) or ''
for i = 1, 16 do
    local was, is = string.byte(held, i) or -1, string.byte(ARGV[3], i)
    if was > is then break end
    if was < is then redis.call('HSET', KEYS[2], ARGV[2], ARGV[3]) break end
end
return 'ok'
""")
"""KEYS as in _NOTE of sink.py. ARGV: the epoch, a key and the newest id of its entity, unless a newer one is there."""
