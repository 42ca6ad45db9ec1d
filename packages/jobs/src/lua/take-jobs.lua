-- Takes jobs for an outside worker: as many calls of BullMQ 6.7.0's moveToActive, in one.
-- KEYS[1] base        stands before a job id; its lock is that with ':lock' behind
-- KEYS[2] wait        list, next job at the tail
-- KEYS[3] active      list of running jobs
-- KEYS[4] prioritized zset by priority and counter
-- KEYS[5] delayed     zset by time
-- KEYS[6] limiter     counter of jobs begun within the rate's duration
-- KEYS[7] meta        hash of the queue's settings
-- KEYS[8] pc          counter of prioritized jobs
-- KEYS[9] events      stream
-- KEYS[10] marker     zset that wakes workers
-- KEYS[11] leases     zset of jobs leased, by the time their lease runs out
-- ARGV[1] now_ms      as BullMQ's workers tell it: by the caller's clock
-- ARGV[2] count       jobs wanted
-- ARGV[3] token       of the locks
-- ARGV[4] lease_ms
-- ARGV[5] max_bytes   of data; one job is taken, whatever its size
-- ARGV[6] taker       shown as the job's `processedBy`
-- Replies {jobs, 1 when the queue's settings hold jobs back else 0, ms until its rate allows more, time of the next
-- delayed job or 0}; a job is {id, when its lease runs out, name, data, opts, timestamp, atm, ats, stc, defa, parentKey, rjk}.
local base, wait, active, prioritized, delayed, limiter = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local meta, priority_counter, events, marker, leases = KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11]
local now, count, token = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local lease_ms, max_bytes, taker = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local call = redis.call

-- Ids in the lists whose job is gone, passed over in one call.
local MAX_GONE = 1000

local time = call('TIME')
local server_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local settings = call('HMGET', meta, 'paused', 'concurrency', 'max', 'duration')
local is_paused, concurrency = settings[1] and true or false, tonumber(settings[2])
local rate, duration = tonumber(settings[3]), tonumber(settings[4])

local room = is_paused and 0 or count
if concurrency and room > 0 then room = math.min(room, math.max(0, concurrency - call('LLEN', active))) end
local is_held = room < count

local function promote()
  local due = call('ZRANGEBYSCORE', delayed, 0, (now + 1) * 0x1000 - 1, 'LIMIT', 0, 1000)
  if #due == 0 then return end
  call('ZREM', delayed, unpack(due))
  for _, id in ipairs(due) do
    local priority = tonumber(call('HGET', base .. id, 'priority')) or 0
    if priority == 0 then
      call('LPUSH', wait, id)
    else
      call('ZADD', prioritized, priority * 0x100000000 + call('INCR', priority_counter) % 0x100000000, id)
    end
    call('XADD', events, '*', 'event', 'waiting', 'jobId', id, 'prev', 'delayed')
    call('HSET', base .. id, 'delay', 0)
  end
  if room > 0 then call('ZADD', marker, 0, '0') end
end
promote()

local function limited_for()
  if not rate or tonumber(call('GET', limiter) or 0) < rate then return 0 end
  local left = call('PTTL', limiter)
  if left == 0 then call('DEL', limiter) end
  return math.max(left, 0)
end

local limited_ms = limited_for()
if limited_ms > 0 then
  room = 0
elseif rate and room > 0 then
  -- A counter that never ends limits nobody, as in BullMQ.
  local used = tonumber(call('GET', limiter) or 0)
  if used < rate then room = math.min(room, rate - used) end
end

local function next_id()
  local id = call('RPOPLPUSH', wait, active)
  if id then return id end
  local first = call('ZPOPMIN', prioritized)[1]
  if not first then
    call('DEL', priority_counter)
    return nil
  end
  call('LPUSH', active, first)
  return first
end

local function count_against_rate()
  if call('INCR', limiter) == 1 then call('PEXPIRE', limiter, math.floor(math.abs(duration or 1))) end
end

-- An attempt that has a bound of its own is not leased for longer.
local function hold(id, job, opts)
  local ms = lease_ms
  local own = opts and string.find(opts, '"sluice"', 1, true) and cjson.decode(opts).sluice
  local timeout = type(own) == 'table' and own.timeoutMs
  if timeout then
    call('HSET', job, 'sluice:until', server_ms + timeout)
    ms = math.min(ms, timeout)
  end
  call('SET', base .. id .. ':lock', token, 'PX', ms)
  call('ZADD', leases, server_ms + ms, id)
  return server_ms + ms
end

local jobs, bytes, gone = {}, 0, 0
while #jobs < room and gone < MAX_GONE and (bytes == 0 or bytes < max_bytes) do
  local id = next_id()
  if not id then break end
  local job = base .. id
  -- An id of a foreign producer may name another kind of key.
  local fields = redis.pcall('HMGET', job, 'name', 'data', 'opts', 'timestamp', 'atm', 'stc', 'defa', 'parentKey', 'rjk')
  if fields.err or not fields[4] then
    call('LREM', active, 1, id)
    gone = gone + 1
  else
    if rate and not fields[7] then count_against_rate() end
    local expires_at = hold(id, job, fields[3])
    call('XADD', events, '*', 'event', 'active', 'jobId', id, 'prev', 'waiting')
    call('HSET', job, 'processedOn', now, 'pb', taker)
    local started = call('HINCRBY', job, 'ats', 1)
    bytes = bytes + #(fields[2] or '')
    jobs[#jobs + 1] = { id, tostring(expires_at), fields[1], fields[2], fields[3], fields[4], fields[5],
      started, fields[6], fields[7], fields[8], fields[9] }
  end
end

if #jobs > 0 and (call('EXISTS', wait, prioritized) > 0) then call('ZADD', marker, 0, '0') end
if limited_ms == 0 and #jobs < count then limited_ms = limited_for() end
local soonest = call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
local due_at = soonest and string.format('%.0f', math.floor(tonumber(soonest) / 0x1000)) or '0'
return { jobs, is_held and 1 or 0, limited_ms, due_at }
