-- Sets the progress of a leased job, as BullMQ's updateProgress does, if it is still leased.
-- KEYS[1] job         hash
-- KEYS[2] lock        string, the token of whoever holds the job
-- KEYS[3] meta        hash of the queue's settings
-- KEYS[4] events      stream
-- ARGV[1] id          of the job
-- ARGV[2] token
-- ARGV[3] progress    JSON text
-- Replies 1, or 0 when the lock is another's or gone.
local job, lock, meta, events = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, token, progress = ARGV[1], ARGV[2], ARGV[3]

if redis.call('GET', lock) ~= token or redis.call('EXISTS', job) == 0 then return 0 end
local max_events = redis.call('HGET', meta, 'opts.maxLenEvents') or 10000
redis.call('HSET', job, 'progress', progress)
redis.call('XADD', events, 'MAXLEN', '~', max_events, '*', 'event', 'progress', 'jobId', id, 'data', progress)
return 1
