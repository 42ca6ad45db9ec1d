-- Replaces the data of a job that nobody has begun to run.
-- KEYS[1] job         hash
-- ARGV[1] data        JSON text
-- Replies 1, or 0 when the job is not there or has been started.
local job, data = KEYS[1], ARGV[1]

-- BullMQ counts starts in `ats`.
local fields = redis.call('HMGET', job, 'timestamp', 'ats')
if not fields[1] or tonumber(fields[2] or 0) > 0 then return 0 end
redis.call('HSET', job, 'data', data)
return 1
