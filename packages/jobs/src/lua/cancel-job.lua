-- Asks whoever runs a job to stop it. A job that does not run is left for its caller to remove.
-- KEYS[1] job         hash
-- KEYS[2] active      list
-- ARGV[1] id          of the job
-- ARGV[2] reason      what its deferred failure is set to
-- Replies 'missing', 'finished', 'idle', or 'asked' when the request stands in the job.
local job, active, id, reason = KEYS[1], KEYS[2], ARGV[1], ARGV[2]

if redis.call('HEXISTS', job, 'timestamp') == 0 then return 'missing' end
if redis.call('HEXISTS', job, 'finishedOn') == 1 then return 'finished' end
if not redis.call('LPOS', active, id) then return 'idle' end
redis.call('HSET', job, 'defa', reason)
return 'asked'
