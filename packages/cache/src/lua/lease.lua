-- Gives one caller the right to load an entry, for a time. Time is the server's: a lease is a key that expires.
-- KEYS[1] entry     string
-- KEYS[2] lease     string, in the same slot
-- ARGV[1] token     names the holder; without spaces
-- ARGV[2] ttl       milliseconds
-- ARGV[3] note      kept beside the token, for the fill
-- Reply: {state, milliseconds left} - 'granted', or why not: 'held' by another, 'cooling' after a failed load,
-- 'missing' when a load found nothing.
local entry, lease = KEYS[1], KEYS[2]
local token, ttl, note = ARGV[1], tonumber(ARGV[2]), ARGV[3]

local state = redis.call('GET', lease)
if state then
  local left = redis.call('PTTL', lease)
  if state == 'cooling' or state == 'missing' then return {state, left} end
  return {'held', left}
end
-- The fill is refused when the entry has changed since: someone wrote what is newer than this load.
local stored = redis.call('GET', entry)
local seen = stored and redis.sha1hex(stored) or '-'
redis.call('SET', lease, 'held ' .. token .. ' ' .. seen .. ' ' .. note, 'PX', ttl)
return {'granted', ttl}
