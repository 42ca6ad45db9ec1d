-- Tells that an attempt of a group has ended, or that a job was parked, and takes out whom there is room for.
-- KEYS[1] running     zset of the group's attempts, by the time each is taken for dead
-- KEYS[2] parked      zset of its jobs that wait for one to end, by the time they are due anyway
-- ARGV[1] attempt     that has ended, or ''
-- ARGV[2] id          of the job that was parked, or ''
-- ARGV[3] delay_ms    after which that one is due anyway
-- ARGV[4] concurrency attempts at a time
-- Replies the ids of parked jobs to be run now, at most 100.
local running, parked = KEYS[1], KEYS[2]
local attempt, id, delay_ms, concurrency = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local call = redis.call
local WOKEN, DAY_MS = 100, 86400000
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

if attempt ~= '' then call('ZREM', running, attempt) end
if id ~= '' then
  call('ZADD', parked, now + delay_ms, id)
  call('PEXPIRE', parked, delay_ms + DAY_MS)
end
-- Those that are due have gone by themselves.
call('ZREMRANGEBYSCORE', parked, '-inf', now)
call('ZREMRANGEBYSCORE', running, '-inf', now)
local room = math.min(concurrency - call('ZCARD', running), WOKEN)
if room <= 0 then return {} end
local woken = {}
local popped = call('ZPOPMIN', parked, room)
for i = 1, #popped, 2 do woken[#woken + 1] = popped[i] end
return woken
