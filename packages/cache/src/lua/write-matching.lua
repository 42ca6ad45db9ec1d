-- Stores a value over an entry that has one of the wanted ETags.
-- KEYS[1] entry     string
-- ARGV[1] value     bytes to store
-- ARGV[2] ttl       milliseconds; 0 for ever, -1 the TTL the entry has
-- ARGV[...] etags   sha1 in hex of the stored bytes
-- Reply: 'stored', 'absent' (there is no entry) or 'mismatch' (it has another ETag).
local entry, value, ttl = KEYS[1], ARGV[1], tonumber(ARGV[2])

local stored = redis.call('GET', entry)
if not stored then return 'absent' end
local etag = redis.sha1hex(stored)
local matches = false
for at = 3, #ARGV do
  if ARGV[at] == etag then matches = true end
end
if not matches then return 'mismatch' end

if ttl > 0 then
  redis.call('SET', entry, value, 'PX', ttl)
elseif ttl == 0 then
  redis.call('SET', entry, value)
else
  redis.call('SET', entry, value, 'KEEPTTL')
end
return 'stored'
