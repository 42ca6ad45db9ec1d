-- Remembers that keys were used just now. The version stays: no process needs to know at once.
-- KEYS[1] records    hash of all keys, no TTL
-- ARGV[...] ids      of the keys used; ids that are gone are passed over
-- Replies nothing.
local records = KEYS[1]

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
for _, id in ipairs(ARGV) do
  if redis.call('HEXISTS', records, id) == 1 then redis.call('HSET', records, '@used:' .. id, string.format('%d', now_ms)) end
end
