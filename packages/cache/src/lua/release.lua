-- Ends a lease without a value, and may leave word for those who come next.
-- KEYS[1] entry     string
-- KEYS[2] lease     string, in the same slot
-- ARGV[1] token     the holder's
-- ARGV[2] word      'none', 'cooling' (the load failed: not again so soon) or 'missing' (there is nothing to load)
-- ARGV[3] ttl       milliseconds that the word stands
-- Reply: 1, or 0 when the lease has ended or is another's.
local entry, lease = KEYS[1], KEYS[2]
local token, word, ttl = ARGV[1], ARGV[2], tonumber(ARGV[3])

local state = redis.call('GET', lease)
if not state or state:match('^held (%S+)') ~= token then return 0 end
if word == 'missing' then redis.call('UNLINK', entry) end
if word == 'none' or ttl <= 0 then
  redis.call('UNLINK', lease)
else
  redis.call('SET', lease, word, 'PX', ttl)
end
return 1
