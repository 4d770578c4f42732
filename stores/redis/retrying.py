"""Scripts that count a dead letter after its partition's position has passed it.

The position tells whether any other record was counted. Of a dead letter, each slot stores by itself that it was
counted, so that an interrupted retry can be repeated and counts nothing twice.

Redis does not roll back a script that fails. So the scripts do it themselves: a slot changes whole or not at all.
"""

from __future__ import annotations

from .connection import Script

CHANGE = """
local function move(key, field, by, ranking)
    local count = redis.pcall('HINCRBY', key, field, by)
    if type(count) == 'table' then return count end
    if count == 0 then redis.call('HDEL', key, field) end
    if ranking then
        local member, told = string.sub(key, -17) .. string.sub(key, -36, -19)
        if count == 0 then told = redis.pcall('ZREM', ranking, member)
        else told = redis.pcall('ZADD', ranking, string.format('%d', -count), member) end
        if type(told) == 'table' then
            move(key, field, -by)
            return told
        end
    end
end
local done = {}
local function change(changes, i, sign)
    local key, ranking = KEYS[changes[i + 1]], KEYS[changes[i + 4]]
    return move(key, changes[i + 2], sign * changes[i + 3], ranking)
end
local function changed(changes, i)
    local failed = change(changes, i, 1)
    if not failed then
        done[#done + 1] = {changes, i}
        return nil
    end
    for n = #done, 1, -1 do change(done[n][1], done[n][2], -1) end
    return failed
end
"""
"""Functions that the scripts share, in Lua.

`changed` changes a counter, and its ranking with it. If it fails, it reverts its earlier changes and returns the error.
"""

AGAIN = Script(
    CHANGE
    + """
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 'epoch' end
local batch, marks = cmsgpack.unpack(ARGV[2]), {}
for _, part in ipairs(batch) do
    if tonumber(redis.call('HGET', KEYS[1], part[1]) or 0) < part[3] then return 'gap' end
end
for _, part in ipairs(batch) do
    local place, changes = part[1], part[4]
    local offset, fresh
    for i = 1, #changes, 5 do
        if changes[i] ~= offset then
            offset = changes[i]
            local mark = 'again:' .. place .. '@' .. offset
            fresh = redis.call('HSETNX', KEYS[1], mark, 1) == 1
            if fresh then marks[#marks + 1] = mark end
        end
        local failed = fresh and changed(changes, i)
        if failed then
            for _, mark in ipairs(marks) do redis.call('HDEL', KEYS[1], mark) end
            return failed
        end
    end
end
return 'ok'
"""
)
"""KEYS and ARGV as in COMMIT of batch_scripts.py, for dead letters that the position has passed.

The slot stores a mark for each of them, so a second time changes nothing.
"""

COUNTED = Script("""
for _, part in ipairs(cmsgpack.unpack(ARGV[1])) do
    local held = tonumber(redis.call('HGET', KEYS[1], part[1]) or 0)
    for _, offset in ipairs(part[2]) do
        if offset < held then redis.call('HSET', KEYS[1], 'again:' .. part[1] .. '@' .. offset, 1) end
    end
end
return 'ok'
""")
"""KEYS: a slot's state. ARGV: for each partition its name and offsets.

If a slot refuses a batch that other slots have counted, those store the batch's records as counted. If one of them
becomes a dead letter, its retry counts it in no slot twice.
"""

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
"""KEYS as in NOTE of batch_scripts.py. ARGV: the epoch, a key, and its entity's newest id. A newer stored id stays."""
