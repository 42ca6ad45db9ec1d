-- Stores all entries when none of them exists, else nothing.
-- KEYS[...] entries   strings, in one slot
-- ARGV[...] writes    for each entry its TTL in milliseconds (0 for ever), then its value
-- Reply: the positions (from 1) of the entries that exist; empty when all were stored.
local present = {}
for at = 1, #KEYS do
  if redis.call('EXISTS', KEYS[at]) == 1 then present[#present + 1] = at end
end
if #present > 0 then return present end

for at = 1, #KEYS do
  local ttl, value = tonumber(ARGV[at * 2 - 1]), ARGV[at * 2]
  if ttl > 0 then
    redis.call('SET', KEYS[at], value, 'PX', ttl)
  else
    redis.call('SET', KEYS[at], value)
  end
end
return present
