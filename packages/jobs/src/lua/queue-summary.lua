-- Counts a queue's jobs and reads its settings; each step costs the same however many jobs there are.
-- KEYS[1] base             stands before a job id, to read the next job's
-- KEYS[2] wait             list
-- KEYS[3] active           list
-- KEYS[4] prioritized      zset
-- KEYS[5] delayed          zset
-- KEYS[6] waiting_children zset
-- KEYS[7] completed        zset
-- KEYS[8] failed           zset
-- KEYS[9] meta             hash of the queue's settings
-- KEYS[10] done_totals     hash of BullMQ's metrics, completed
-- KEYS[11] done_minutes    list of counts, the last minute first
-- KEYS[12] failed_totals   the same of failed
-- KEYS[13] failed_minutes
-- ARGV[1] minutes          how many to read
-- Replies {1 when the queue has settings, seven counts as in KEYS[2..8], paused, concurrency, max, duration,
--          timestamp of the job next in line, of the one first by priority, {totals, minutes} completed, the same of failed,
--          {concurrency, max, duration} of a group, delayed jobs that are due, jobs that were lost by their worker,
--          durability}.
-- A reply ends at its first nil, so what is absent is false.
local function next_of(id) return id and redis.call('HGET', KEYS[1] .. id, 'timestamp') or false end

-- BullMQ keeps a delayed job's time in milliseconds, times 4,096, as its score.
local function due()
  local now = redis.call('TIME')[1] * 1000
  return redis.call('ZCOUNT', KEYS[5], '-inf', string.format('%.0f', now * 4096))
end

local function metrics(totals, minutes)
  return { redis.call('HMGET', totals, 'count', 'prevTS', 'prevCount'), redis.call('LRANGE', minutes, 0, ARGV[1] - 1) }
end

local settings = redis.call('HMGET', KEYS[9], 'paused', 'concurrency', 'max', 'duration')
return {
  redis.call('EXISTS', KEYS[9]),
  redis.call('LLEN', KEYS[2]),
  redis.call('LLEN', KEYS[3]),
  redis.call('ZCARD', KEYS[4]),
  redis.call('ZCARD', KEYS[5]),
  redis.call('ZCARD', KEYS[6]),
  redis.call('ZCARD', KEYS[7]),
  redis.call('ZCARD', KEYS[8]),
  settings[1],
  settings[2],
  settings[3],
  settings[4],
  next_of(redis.call('LINDEX', KEYS[2], -1)),
  next_of(redis.call('ZRANGE', KEYS[4], 0, 0)[1]),
  metrics(KEYS[10], KEYS[11]),
  metrics(KEYS[12], KEYS[13]),
  redis.call('HMGET', KEYS[9], 'group.concurrency', 'group.max', 'group.duration'),
  due(),
  redis.call('HGET', KEYS[9], 'sluice.stalled'),
  redis.call('HGET', KEYS[9], 'sluice.durability'),
}
