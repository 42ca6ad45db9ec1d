-- Stores a new session and lists it under its user.
--
-- KEYS[1] session       hash of the session; expires at min(now + idle, now + absolute)
-- KEYS[2] user          hash: born, generation, and 's:<id>' = expiry in ms of each session; outlives them all
-- ARGV[1] id            the session's id
-- ARGV[2] hash          keyed hash of its token
-- ARGV[3] about         what never changes, not looked into here: user id, address, agent
-- ARGV[4] data          JSON text
-- ARGV[5] idle_ms       idle timeout
-- ARGV[6] absolute_ms   absolute timeout
-- ARGV[7] generation    what the user's generation must still be, '' when nobody looked
-- ARGV[8] max_per_user  sessions a user may have, at most 1,000
-- ARGV[9] when_full     end_oldest | refuse
--
-- Reply: {'created', now, expiry, ends, {ids ended to make room}}
--        {'revoked', generation}  the user's sessions were revoked since the caller looked
--        {'full'}                 no room, and when_full is refuse
local session_key, user_key = KEYS[1], KEYS[2]
local id, hash, about, data = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local idle, absolute = tonumber(ARGV[5]), tonumber(ARGV[6])
local wanted_generation, max_per_user, when_full = ARGV[7], tonumber(ARGV[8]), ARGV[9]

local function text(number) return string.format('%.0f', number) end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local known = redis.call('HMGET', user_key, 'born', 'generation')
local born = known[1] or (time[1] .. string.format('%06d', time[2]))
local generation = known[2] or '0'
if wanted_generation ~= '' and wanted_generation ~= generation then return { 'revoked', generation } end

local listed, live, gone, ended = redis.call('HGETALL', user_key), {}, {}, {}
for at = 1, #listed, 2 do
  local listed_id = string.match(listed[at], '^s:(.+)$')
  local expiry = tonumber(listed[at + 1])
  if listed_id and listed_id ~= id then
    if expiry <= now then
      gone[#gone + 1] = listed[at]
    else
      live[#live + 1] = { field = listed[at], id = listed_id, expiry = expiry }
    end
  end
end
if #live >= max_per_user then
  if when_full == 'refuse' then return { 'full' } end
  table.sort(live, function(a, b)
    if a.expiry ~= b.expiry then return a.expiry < b.expiry end
    return a.id < b.id
  end)
  for at = 1, #live - max_per_user + 1 do
    gone[#gone + 1] = live[at].field
    ended[#ended + 1] = live[at].id
  end
end
if #gone > 0 then redis.call('HDEL', user_key, unpack(gone)) end

local ends = now + absolute
local expiry = math.min(now + idle, ends)
redis.call('DEL', session_key)
redis.call('HSET', session_key,
  'hash', hash, 'generation', born .. '.' .. generation, 'version', '1', 'created', text(now),
  'seen', text(now), 'idle', text(idle), 'ends', text(ends), 'about', about, 'data', data)
redis.call('PEXPIREAT', session_key, text(expiry))
redis.call('HSET', user_key, 'born', born, 'generation', generation, 's:' .. id, text(expiry))
if redis.call('PTTL', user_key) < expiry - now then redis.call('PEXPIREAT', user_key, text(expiry)) end

return { 'created', text(now), text(expiry), text(ends), ended }
