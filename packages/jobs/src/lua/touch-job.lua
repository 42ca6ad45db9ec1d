-- Writes something that changes nothing, so that whatever holds this write holds the job as well.
-- KEYS[1] job  its hash
-- KEYS[2] id   counter of jobs
-- Replies 1, or 0 when there is no such job and nothing was written.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('INCRBY', KEYS[2], 0)
return 1
