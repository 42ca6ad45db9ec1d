-- Ends jobs that were not started in time, as a worker would when it reached them.
-- KEYS[1] base        stands before a job id
-- KEYS[2] wait        list
-- KEYS[3] prioritized zset
-- KEYS[4] delayed     zset
-- KEYS[5] failed      zset
-- KEYS[6] events      stream
-- ARGV[1] now_ms
-- ARGV[...] per_job   id, reason, and 1 to keep it among the failed, 0 to remove it
-- Replies how many were ended. Started jobs and children of flows, whose parents must hear of it, are left to a worker;
-- so is one that lies deep in a long wait list.
local base, wait, prioritized, delayed, failed, events = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local now = ARGV[1]
local call = redis.call

-- 2 ms of searching.
local DEPTH = 100000

local function take_out(id)
  if call('ZREM', delayed, id) == 1 then return 'delayed' end
  if call('ZREM', prioritized, id) == 1 then return 'prioritized' end
  if not call('LPOS', wait, id, 'RANK', -1, 'MAXLEN', DEPTH) then return nil end
  call('LREM', wait, -1, id)
  return 'waiting'
end

local ended = 0
for i = 2, #ARGV, 3 do
  local id, reason, is_kept = ARGV[i], ARGV[i + 1], ARGV[i + 2] == '1'
  local job = base .. id
  local fields = call('HMGET', job, 'timestamp', 'ats', 'finishedOn', 'parentKey', 'deid')
  local is_startable = fields[1] and tonumber(fields[2] or 0) == 0 and not fields[3] and not fields[4]
  local place = is_startable and take_out(id)
  if place then
    ended = ended + 1
    if fields[5] then
      local key = base .. 'de:' .. fields[5]
      if call('PTTL', key) == -1 and call('GET', key) == id then call('DEL', key) end
    end
    if is_kept then
      call('ZADD', failed, now, id)
      call('HSET', job, 'failedReason', reason, 'finishedOn', now)
    else
      call('DEL', job, job .. ':logs')
    end
    call('XADD', events, '*', 'event', 'failed', 'jobId', id, 'failedReason', reason, 'prev', place)
  end
end
return ended
