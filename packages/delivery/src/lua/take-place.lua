-- Asks for one of the places of a host: requests to it that may be under way at the same time, over all workers.
-- A host that is new, or has failed, has as many places as requests may fail before it is down; each answer adds one. One that is down has none, but for a
-- single request now and then that tries it.
--
-- KEYS[1] state     hash: failures in a row, opens in a row, open_until_ms, down_since_ms, probe, trust, took_ms, pace_ms
-- KEYS[2] places    zset: lease by when it must have ended, ms
-- ARGV[1] lease     this request's own name
-- ARGV[2] limit     places at most
-- ARGV[3] lease_ms  how long the request may take
-- ARGV[4] keep_ms   how long the state is kept at least
--
-- Reply: {1, 0, 0} taken · {0, wait_ms, 0} none is free · {-1, wait_ms, down_for_ms} the host is down
local FIRST_PLACES, FIRST_TOOK_MS = 5, 50
local MIN_WAIT_MS, MAX_WAIT_MS, MIN_WINDOW_MS, STEPS, LATE_MS = 10, 10000, 250, 200, 100
local MAX_GROWING_STEP_MS, GROWING_WINDOW_MS = 5, 1000
local PROBED_MS, DOWN_STEP_MS, DOWN_SPREAD_MS = 1000, 10, 20000

local state, places = KEYS[1], KEYS[2]
local lease, limit, lease_ms, keep_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function number(text) return tonumber(text or '0') or 0 end

redis.call('ZREMRANGEBYSCORE', places, '-inf', string.format('%.0f', now))
local read = redis.call('HMGET', state, 'open_until_ms', 'down_since_ms', 'probe', 'trust', 'took_ms', 'pace_ms')
local open_until, down_since, probe = number(read[1]), number(read[2]), read[3]
local trust, took, pace = number(read[4]), number(read[5]), number(read[6])

local function keep()
  if redis.call('PTTL', state) < keep_ms then redis.call('PEXPIRE', state, keep_ms) end
end

-- Those turned away come back one after the other, not together: each is given the next moment of a window from `first`
-- on, and the window begins anew when it is full.
local function wait(first, step, window)
  pace = math.max(pace, first) + step
  if pace > first + window then pace = first + step end
  redis.call('HSET', state, 'pace_ms', string.format('%.3f', pace))
  keep()
  return math.max(MIN_WAIT_MS, math.ceil(pace - now))
end

local function take()
  redis.call('ZADD', places, string.format('%.0f', now + lease_ms), lease)
  if redis.call('PTTL', places) < lease_ms then redis.call('PEXPIRE', places, lease_ms) end
  return { 1, 0, 0 }
end

if open_until > 0 then
  local down_for = now - down_since
  if now < open_until then return { -1, wait(open_until, DOWN_STEP_MS, DOWN_SPREAD_MS), down_for } end
  if probe and redis.call('ZSCORE', places, probe) then
    return { -1, wait(now + PROBED_MS, DOWN_STEP_MS, DOWN_SPREAD_MS), down_for }
  end
  redis.call('HSET', state, 'probe', lease)
  return take()
end

local allowed = math.min(limit, FIRST_PLACES + trust)
if redis.call('ZCARD', places) < allowed then return take() end

local oldest = redis.call('ZRANGE', places, 0, 0, 'WITHSCORES')
local ends_in = oldest[2] and number(oldest[2]) - now or 0
local age = lease_ms - ends_in

-- A host that answers frees its places one after the other: come back in that order, twice as many as will find one.
-- While its places still grow, its first answers say little: come back sooner.
if took > 0 and age <= 4 * took + LATE_MS then
  local step = took / allowed / 2
  if allowed < limit then return { 0, wait(now, math.min(step, MAX_GROWING_STEP_MS), GROWING_WINDOW_MS), 0 } end
  return { 0, wait(now, step, MAX_WAIT_MS), 0 }
end

-- One that has not answered yet, or no more, will take as long as its oldest request has already; a place is free at the
-- latest when the first lease ends.
local expected = math.max(took > 0 and took or FIRST_TOOK_MS, age)
local window = math.min(MAX_WAIT_MS, math.max(MIN_WINDOW_MS, math.min(4 * expected, ends_in)))
return { 0, wait(now, window / STEPS, window), 0 }
