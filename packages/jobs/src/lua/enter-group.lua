-- Asks whether a job of a group may begin within its group's bounds.
-- KEYS[1] job         hash of the job
-- KEYS[2] running     zset of the group's attempts, by the time each is taken for dead
-- KEYS[3] parked      zset of its jobs that wait for one to end, by the time they are due anyway
-- KEYS[4] slot        string, when the rate's next slot is, in ms
-- ARGV[1] attempt     names this attempt of the job
-- ARGV[2] id          the job's
-- ARGV[3] hold_ms     after which an attempt that is not renewed is taken for dead
-- ARGV[4] concurrency attempts at a time, '' without bound
-- ARGV[5] max         jobs in each duration, '' without bound
-- ARGV[6] duration    ms
-- Replies {0, 0} it may, {ms, 0} its slot is then, {ms, 1} too many run: park it until then.
-- The rate is a leaky bucket: `max` at once, then one in every duration / max. A job refused has its slot booked, in the field
-- `sluice:slot` of its hash, so it is refused once.
local job, running, parked, slot = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local attempt, id, hold_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
local concurrency, max, duration = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Jobs that nobody wakes come to look by themselves, one a second.
local LOOK_MS, APART_MS = 30000, 1000

local function slot_of_job()
  local booked = call('HGET', job, 'sluice:slot')
  if booked then return tonumber(booked) end
  local interval = duration / max
  local next_at = math.max(tonumber(call('GET', slot) or 0), now)
  call('SET', slot, string.format('%.3f', next_at + interval), 'PX', math.ceil(next_at - now + interval + duration))
  return math.ceil(next_at - duration + interval)
end

if concurrency then
  call('ZREMRANGEBYSCORE', running, '-inf', now)
  if call('ZCARD', running) >= concurrency then
    local last = tonumber(call('ZREVRANGE', parked, 0, 0, 'WITHSCORES')[2] or 0)
    return { math.max(LOOK_MS, last + APART_MS - now), 1 }
  end
end
if max then
  local at = slot_of_job()
  if at > now then
    call('HSET', job, 'sluice:slot', at)
    return { at - now, 0 }
  end
  call('HDEL', job, 'sluice:slot')
end
if concurrency then
  call('ZADD', running, now + hold_ms, attempt)
  call('PEXPIRE', running, hold_ms)
  call('ZREM', parked, id)
end
return { 0, 0 }
