-- Extends the lock of a leased job.
-- KEYS[1] job         hash
-- KEYS[2] lock        string, the token of whoever holds the job
-- KEYS[3] stalled     set of jobs whose lock may be lost
-- KEYS[4] leases      zset of jobs leased, by the time their lease runs out
-- ARGV[1] id          of the job
-- ARGV[2] token
-- ARGV[3] lease_ms
-- Replies {when it runs out, deferred failure or nil}, or nil when the lock is another's or gone.
local job, lock, stalled, leases = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, token, lease_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])

if redis.call('GET', lock) ~= token then return nil end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local fields = redis.call('HMGET', job, 'timestamp', 'sluice:until', 'defa')
if not fields[1] then return nil end
local until_ms = tonumber(fields[2]) or math.huge
local expires_at = math.min(now + lease_ms, until_ms)
if expires_at <= now then return nil end
redis.call('SET', lock, token, 'PX', expires_at - now)
redis.call('SREM', stalled, id)
redis.call('ZADD', leases, expires_at, id)
return { tostring(expires_at), fields[3] }
