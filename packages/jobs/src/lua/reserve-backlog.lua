-- Reserves room for jobs in the backlog of whoever puts them: jobs of his in this queue that no worker has begun.
-- KEYS[1] base       stands before a job id
-- KEYS[2] backlog    zset of his jobs' ids by when they were reserved or last looked at, milliseconds; expires after
--                    30 days without a new one
-- ARGV[1] max        most jobs in the backlog
-- ARGV[2] grace_ms   a job that is not there may still be on its way for so long
-- ARGV[3] max_looks  most jobs that one call looks at
-- ARGV[...] ids      of the jobs, which go in afterwards
-- Replies 1 when there is room, and it is taken; 0 when there is none, which changes nothing but what has left the backlog.
-- Never more than max are reserved; jobs that have been begun may count until a call has looked at them.
local base, backlog = KEYS[1], KEYS[2]
local max, grace_ms, max_looks = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local FIXED = 3
local count = #ARGV - FIXED
local KEEP_MS = 30 * 86400000
local call = redis.call

if count > max then return 0 end
local time = call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

local held = call('ZCARD', backlog)
if held + count > max then
  -- Those looked at longest ago first, so that every job gets its turn, however many calls come.
  local looked = call('ZRANGE', backlog, 0, max_looks - 1, 'WITHSCORES')
  for i = 1, #looked, 2 do
    local id, at_ms = looked[i], tonumber(looked[i + 1])
    local job = base .. id
    local has_begun = call('HEXISTS', job, 'processedOn') == 1
    local is_there = has_begun or call('EXISTS', job) == 1
    if has_begun or (not is_there and now_ms - at_ms >= grace_ms) then
      held = held - call('ZREM', backlog, id)
    elseif is_there then
      call('ZADD', backlog, now_ms, id)
    end
  end
  if held + count > max then return 0 end
end

for i = FIXED + 1, #ARGV do call('ZADD', backlog, now_ms, ARGV[i]) end
call('PEXPIRE', backlog, KEEP_MS)
return 1
