-- Looks at leases that have run out: jobs whose lock is gone are handed out again, as BullMQ's moveStalledJobsToWait does.
-- Those that must not be - out of time, asked to stop, delivered too often - are taken over by the caller, who ends them.
-- KEYS[1] base        stands before a job id; its lock is that with ':lock' behind
-- KEYS[2] leases      zset of jobs leased, by the time their lease runs out
-- KEYS[3] wait        list, next job at the tail
-- KEYS[4] active      list of running jobs
-- KEYS[5] stalled     set of jobs whose lock may be lost
-- KEYS[6] meta        hash of the queue's settings
-- KEYS[7] events      stream
-- KEYS[8] marker      zset that wakes workers
-- ARGV[1] limit       leases to look at
-- ARGV[2] max_lost    deliveries without an outcome after which a job ends
-- ARGV[3] token       of the locks of jobs taken over
-- ARGV[4] hold_ms     how long the caller has for those
-- ARGV[5] soon_ms     leases that end within it are kept from BullMQ's look for lost locks, which would hand out anew what
--                     has run out of time: the next call judges them
-- Replies {ids handed out again, {id, deliveries lost, when its attempt had to end or nil, deferred failure or nil} taken
-- over, leases looked at}.
local base, leases, wait, active, stalled = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local meta, events, marker = KEYS[6], KEYS[7], KEYS[8]
local limit, max_lost, token = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local hold_ms, soon_ms = tonumber(ARGV[4]), tonumber(ARGV[5])
local call = redis.call
-- What one call of Lua takes as arguments is bounded.
local MOST_ENDING = 5000

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local returned, taken_over = {}, {}
local over = call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, limit)

local function take_over(id, lost, fields)
  call('SET', base .. id .. ':lock', token, 'PX', hold_ms)
  call('ZADD', leases, now + hold_ms, id)
  taken_over[#taken_over + 1] = { id, lost, fields[1], fields[2] }
end

local function hand_back(id)
  call('ZREM', leases, id)
  call('LREM', active, 1, id)
  call('SREM', stalled, id)
  call('RPUSH', wait, id)
  call('XADD', events, '*', 'event', 'waiting', 'jobId', id, 'prev', 'active')
  call('XADD', events, '*', 'event', 'stalled', 'jobId', id)
  returned[#returned + 1] = id
end

for _, id in ipairs(over) do
  local job = base .. id
  local held_ms = call('PTTL', base .. id .. ':lock')
  if held_ms == -1 or not call('LPOS', active, id) or call('EXISTS', job) == 0 then
    call('ZREM', leases, id)
  elseif held_ms >= 0 then
    -- Of somebody else by now, or a millisecond early: to be looked at again.
    call('ZADD', leases, now + held_ms + 1, id)
  else
    local fields = call('HMGET', job, 'sluice:until', 'defa')
    local is_late = fields[1] and tonumber(fields[1]) <= now
    local lost = tonumber(call('HGET', job, 'stc') or 0)
    if not is_late then lost = call('HINCRBY', job, 'stc', 1) end
    if is_late or fields[2] or lost >= max_lost then
      take_over(id, lost, fields)
    else
      hand_back(id)
    end
  end
end

local ending = call('ZRANGEBYSCORE', leases, '(' .. now, now + soon_ms, 'LIMIT', 0, MOST_ENDING)
if #ending > 0 then call('SREM', stalled, unpack(ending)) end

if #returned > 0 then
  local settings = call('HMGET', meta, 'paused', 'concurrency')
  local is_held = settings[1] or (settings[2] and call('LLEN', active) >= tonumber(settings[2]))
  if not is_held then call('ZADD', marker, 0, '0') end
end
return { returned, taken_over, #over }
