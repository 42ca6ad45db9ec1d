-- Removes an entry that has one of the wanted ETags, and voids the load that is under way for it.
-- KEYS[1] entry     string
-- KEYS[2] lease     string, in the same slot
-- ARGV[...] etags   sha1 in hex of the stored bytes
-- Reply: 'removed', 'absent' (there is no entry) or 'mismatch' (it has another ETag).
local entry, lease = KEYS[1], KEYS[2]

local stored = redis.call('GET', entry)
if not stored then return 'absent' end
local etag = redis.sha1hex(stored)
for _, wanted in ipairs(ARGV) do
  if wanted == etag then
    redis.call('UNLINK', entry, lease)
    return 'removed'
  end
end
return 'mismatch'
