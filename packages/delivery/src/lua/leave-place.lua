-- Gives a host's place back and notes what came of the request. Five requests in a row without an answer, and the host
-- is down: for 5 s, then one request tries it; each that fails again doubles the time, to a minute at most. Any answer
-- ends that.
--
-- KEYS[1] state        hash, as in take-place.lua
-- KEYS[2] places       zset, as there
-- ARGV[1] lease        the request's own name
-- ARGV[2] outcome      'answered' · 'silent' · 'unknown': given up before it could tell
-- ARGV[3] took_ms      how long the answer took
-- ARGV[4] keep_ms      how long the state is kept
-- ARGV[5] keep_down_ms how long it is kept while the host is down
--
-- Reply: 1 when the host is down, else 0
local FAILURES_TO_OPEN, FIRST_OPEN_MS, MAX_OPEN_MS, MAX_TRUST = 5, 5000, 60000, 256

local state, places = KEYS[1], KEYS[2]
local lease, outcome, took_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
local keep_ms, keep_down_ms = tonumber(ARGV[4]), tonumber(ARGV[5])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function number(text) return tonumber(text or '0') or 0 end

redis.call('ZREM', places, lease)
local read = redis.call('HMGET', state, 'failures', 'opens', 'open_until_ms', 'down_since_ms', 'probe', 'trust', 'took_ms')
local failures, opens, open_until, down_since = number(read[1]), number(read[2]), number(read[3]), number(read[4])
local probe, trust, took = read[5], number(read[6]), number(read[7])

if outcome == 'answered' then
  took = took > 0 and took * 0.7 + took_ms * 0.3 or took_ms
  redis.call('HDEL', state, 'failures', 'opens', 'open_until_ms', 'down_since_ms', 'probe')
  redis.call('HSET', state, 'trust', math.min(trust + 1, MAX_TRUST), 'took_ms', string.format('%.3f', took))
  redis.call('PEXPIRE', state, keep_ms)
  return 0
end
if outcome == 'unknown' then return open_until > 0 and 1 or 0 end

failures = failures + 1
if down_since == 0 then down_since = now end
local is_probe = probe == lease
if (open_until == 0 and failures >= FAILURES_TO_OPEN) or (open_until > 0 and is_probe) then
  open_until = now + math.min(FIRST_OPEN_MS * 2 ^ opens, MAX_OPEN_MS)
  opens = opens + 1
end
redis.call('HSET', state, 'failures', failures, 'opens', opens, 'trust', math.floor(trust / 2),
  'open_until_ms', string.format('%.0f', open_until), 'down_since_ms', string.format('%.0f', down_since))
redis.call('PEXPIRE', state, keep_down_ms)
return open_until > 0 and 1 or 0
