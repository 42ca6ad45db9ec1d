-- Ends all sessions of a user, and every login that began before: the user enters the next generation.
--
-- KEYS[1] user       hash: born, generation, and 's:<id>' = expiry in ms of each session
-- ARGV[1] memory_ms  how long the generation is remembered at least: no session and no login lives longer
--
-- Reply: {now, id, expiry, id, expiry, ...}  the sessions that were listed; their keys are dead and may be unlinked
local user_key = KEYS[1]
local memory = tonumber(ARGV[1])

local time = redis.call('TIME')
local reply = { string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)) }
redis.call('HSETNX', user_key, 'born', time[1] .. string.format('%06d', time[2]))
redis.call('HINCRBY', user_key, 'generation', 1)
local listed = redis.call('HGETALL', user_key)
for at = 1, #listed, 2 do
  local id = string.match(listed[at], '^s:(.+)$')
  if id then
    reply[#reply + 1] = id
    reply[#reply + 1] = listed[at + 1]
    redis.call('HDEL', user_key, listed[at])
  end
end
if redis.call('PTTL', user_key) < memory then redis.call('PEXPIRE', user_key, string.format('%.0f', memory)) end
return reply
