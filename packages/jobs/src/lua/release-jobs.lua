-- Gives leased jobs back undone: to the head of their line, or until later. Their attempts do not count.
-- KEYS[1] base        stands before a job id; its lock is that with ':lock' behind
-- KEYS[2] wait        list, next job at the tail
-- KEYS[3] active      list of running jobs
-- KEYS[4] prioritized zset by priority and counter
-- KEYS[5] delayed     zset by time
-- KEYS[6] stalled     set of jobs whose lock may be lost
-- KEYS[7] meta        hash of the queue's settings
-- KEYS[8] events      stream
-- KEYS[9] marker      zset that wakes workers
-- KEYS[10] leases     zset of jobs leased
-- ARGV[1] now_ms
-- ARGV[2] delay_ms    0: at once
-- ARGV[3] is_unseen   1 when nobody has been handed them: as if they had never been started
-- ARGV[...] per_job   id, token of its lock; the first is the next to be handed out again
-- Replies per job 'waiting', 'prioritized', 'delayed', or 'lost' when the lock is another's or gone: nothing is changed.
local base, wait, active, prioritized, delayed = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local stalled, meta, events, marker, leases = KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local now, delay_ms, is_unseen = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] == '1'
local call = redis.call
local max_events = call('HGET', meta, 'opts.maxLenEvents') or 10000

local function emit(...)
  call('XADD', events, 'MAXLEN', '~', max_events, '*', 'event', ...)
end

local function delay(id, job)
  local at = now + delay_ms
  local min, max = at * 0x1000, (at + 1) * 0x1000 - 1
  local last = call('ZREVRANGEBYSCORE', delayed, max, min, 'WITHSCORES', 'LIMIT', 0, 1)[2]
  call('ZADD', delayed, last and math.min(tonumber(last) + 1, max) or min, id)
  call('HSET', job, 'delay', delay_ms)
  emit('delayed', 'jobId', id, 'delay', at)
  local first = call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
  call('ZADD', marker, tonumber(first) / 0x1000, '1')
  return 'delayed'
end

-- Before the others of its priority, as BullMQ puts back what it may not run yet.
local function put_back(id, job)
  local priority = tonumber(call('HGET', job, 'priority')) or 0
  if priority > 0 then
    call('ZADD', prioritized, priority * 0x100000000, id)
  else
    call('RPUSH', wait, id)
  end
  emit('waiting', 'jobId', id, 'prev', 'active')
  return priority > 0 and 'prioritized' or 'waiting'
end

local function unstart(job)
  if call('HINCRBY', job, 'ats', -1) <= 0 then call('HDEL', job, 'ats', 'processedOn', 'pb', 'sluice:until') end
end

local states = {}
for i = #ARGV - 1, 4, -2 do
  local id, token = ARGV[i], ARGV[i + 1]
  local job = base .. id
  local state = 'lost'
  if call('GET', base .. id .. ':lock') == token and call('LREM', active, -1, id) > 0 then
    call('DEL', base .. id .. ':lock')
    call('SREM', stalled, id)
    call('ZREM', leases, id)
    if is_unseen then unstart(job) end
    state = delay_ms > 0 and delay(id, job) or put_back(id, job)
  end
  states[(i - 4) / 2 + 1] = state
end

local settings = call('HMGET', meta, 'paused', 'concurrency')
local is_held = settings[1] or (settings[2] and call('LLEN', active) >= tonumber(settings[2]))
if not is_held and call('EXISTS', wait, prioritized) > 0 then call('ZADD', marker, 0, '0') end
return states
