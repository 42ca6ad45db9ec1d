-- Lengthens a lease that is still held by this token.
-- KEYS[1] lease     string
-- ARGV[1] token     the holder's
-- ARGV[2] ttl       milliseconds from now
-- Reply: 1, or 0 when the lease has ended or is another's.
local lease, token, ttl = KEYS[1], ARGV[1], tonumber(ARGV[2])

local state = redis.call('GET', lease)
if not state or state:match('^held (%S+)') ~= token then return 0 end
redis.call('PEXPIRE', lease, ttl)
return 1
