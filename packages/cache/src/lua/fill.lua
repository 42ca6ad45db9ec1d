-- Stores what the holder of a lease has loaded, and ends the lease.
-- KEYS[1] entry     string
-- KEYS[2] lease     string, in the same slot
-- ARGV[1] token     the holder's
-- ARGV[2] value     bytes to store
-- ARGV[3] ttl       milliseconds; 0 for ever
-- Reply: 'filled', 'lost' (the lease ended, or is another's) or 'superseded' (someone wrote since the lease began).
local entry, lease = KEYS[1], KEYS[2]
local token, value, ttl = ARGV[1], ARGV[2], tonumber(ARGV[3])

local state = redis.call('GET', lease)
if not state then return 'lost' end
local holder, seen = state:match('^held (%S+) (%S+)')
if holder ~= token then return 'lost' end
redis.call('UNLINK', lease)
-- An entry that is gone has expired: a delete would have ended the lease.
local stored = redis.call('GET', entry)
if stored and redis.sha1hex(stored) ~= seen then return 'superseded' end
if ttl > 0 then
  redis.call('SET', entry, value, 'PX', ttl)
else
  redis.call('SET', entry, value)
end
return 'filled'
