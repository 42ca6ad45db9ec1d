-- Writes one record of a hash if it is still what the writer has read.
--
-- KEYS[1] records  hash of name to JSON
-- ARGV[1] name
-- ARGV[2] before   what it held when it was read, '' for none
-- ARGV[3] after    what it is to hold, '' to remove it
-- ARGV[4] max      records there may be
--
-- Reply: 1 written · 0 it holds something else by now · -1 there are as many as there may be
local records, name, before, after, max = KEYS[1], ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

if (redis.call('HGET', records, name) or '') ~= before then return 0 end
if after == '' then
  redis.call('HDEL', records, name)
  return 1
end
if before == '' and redis.call('HLEN', records) >= max then return -1 end
redis.call('HSET', records, name, after)
return 1
