-- Sets a queue's limits, and wakes workers that a former limit held back.
-- KEYS[1] meta        hash of the queue's settings
-- KEYS[2] wait        list
-- KEYS[3] prioritized zset
-- KEYS[4] marker      zset that wakes workers
-- ARGV[...] settings  field and value in turn; an empty value removes the field
-- Replies nothing.
local meta, wait, prioritized, marker = KEYS[1], KEYS[2], KEYS[3], KEYS[4]

for i = 1, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', meta, ARGV[i])
  else
    redis.call('HSET', meta, ARGV[i], ARGV[i + 1])
  end
end
local has_jobs = redis.call('LLEN', wait) > 0 or redis.call('ZCARD', prioritized) > 0
if has_jobs and redis.call('HEXISTS', meta, 'paused') == 0 then redis.call('ZADD', marker, 0, '0') end
