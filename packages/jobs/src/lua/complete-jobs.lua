-- Completes leased jobs: as many calls of BullMQ 6.7.0's moveToFinished, in one. Jobs that have a parent, children or a
-- deduplication id are left to BullMQ's own.
-- KEYS[1] base        stands before a job id; its lock is that with ':lock' behind
-- KEYS[2] wait        list
-- KEYS[3] active      list of running jobs
-- KEYS[4] prioritized zset
-- KEYS[5] stalled     set of jobs whose lock may be lost
-- KEYS[6] completed   zset by time
-- KEYS[7] meta        hash of the queue's settings
-- KEYS[8] events      stream
-- KEYS[9] marker      zset that wakes workers
-- KEYS[10] totals     hash of BullMQ's metrics
-- KEYS[11] minutes    list of counts, the last minute first
-- KEYS[12] leases     zset of jobs leased
-- ARGV[1] now_ms
-- ARGV[2] cancelled   the deferred failure of a job that somebody asked to stop
-- ARGV[3] minutes     of metrics kept
-- ARGV[...] per_job   id, token of its lock, result as JSON text
-- Replies an outcome a job, in their order:
--   1 completed                     2 completed before, with this token and this result
--   3 ended as cancelled before     4 to be ended as cancelled
--   5 to be completed by BullMQ     6 the lock is another's or gone: nothing is changed
local base, wait, active, prioritized, stalled = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local completed, meta, events, marker = KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local totals, minutes, leases = KEYS[10], KEYS[11], KEYS[12]
local now, cancelled, max_minutes = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local call = redis.call
-- What one job may have removed for its age, as in BullMQ.
local MAX_AGED = 1000
-- And what a whole batch may.
local MAX_TRIMMED = 10000

local function outcome_without_lock(job, token, result)
  local was = call('HMGET', job, 'sluice:lease', 'finishedOn', 'failedReason', 'returnvalue')
  if was[1] ~= token or not was[2] then return 6 end
  if was[3] == cancelled then return 3 end
  return was[4] == result and 2 or 6
end

local rules = {}
-- How many completed jobs are kept, and for how long: {count, age, limit}; a negative count keeps them all.
local function rule_of(opts)
  local known = rules[opts]
  if known then return known end
  local keep = cjson.decode(opts).removeOnComplete
  local rule = { count = -1 }
  if type(keep) == 'table' then
    rule = { count = keep.count, age = keep.age, limit = keep.limit or MAX_AGED }
  elseif type(keep) == 'number' then
    rule = { count = keep }
  elseif keep == true then
    rule = { count = 0 }
  end
  rules[opts] = rule
  return rule
end

local function remove(job)
  call('UNLINK', job, job .. ':logs', job .. ':dependencies', job .. ':processed', job .. ':failed', job .. ':unsuccessful')
end

-- A completed job has left its parent's dependencies already.
local function remove_all(ids)
  for _, id in ipairs(ids) do remove(base .. id) end
  for from = 1, #ids, 5000 do call('ZREM', completed, unpack(ids, from, math.min(from + 4999, #ids))) end
end

-- After `run` jobs of the same rule, which comes to the same as after each of them.
local function trim(rule, run)
  if rule.age then
    local limit = math.min(rule.limit * run, MAX_TRIMMED)
    remove_all(call('ZREVRANGEBYSCORE', completed, now - rule.age * 1000, '-inf', 'LIMIT', 0, limit))
  end
  if rule.count and rule.count > 0 then remove_all(call('ZREVRANGE', completed, rule.count, -1)) end
end

-- BullMQ's metrics: a point for each minute that has passed since the last one.
local function measure(done)
  local before = call('HINCRBY', totals, 'count', done) - done
  local last = call('HMGET', totals, 'prevTS', 'prevCount')
  if not last[1] then
    call('HSET', totals, 'prevTS', now, 'prevCount', 0)
    return
  end
  local passed = math.min(math.floor(now / 60000) - math.floor(last[1] / 60000), max_minutes)
  if passed <= 0 then return end
  call('LPUSH', minutes, before - last[2])
  for _ = 2, passed do call('LPUSH', minutes, 0) end
  call('LTRIM', minutes, 0, max_minutes - 1)
  call('HSET', totals, 'prevCount', before, 'prevTS', now)
end

local last_rule, run = nil, 0
local function complete(id, job, rule, result, token)
  if rule.count == 0 then
    remove(job)
  else
    if last_rule and last_rule ~= rule then
      trim(last_rule, run)
      run = 0
    end
    last_rule, run = rule, run + 1
    call('ZADD', completed, now, id)
    call('HSET', job, 'returnvalue', result, 'finishedOn', now, 'sluice:lease', token)
    call('HINCRBY', job, 'atm', 1)
  end
  call('XADD', events, '*', 'event', 'completed', 'jobId', id, 'returnvalue', result, 'prev', 'active')
end

local settings = call('HMGET', meta, 'opts.maxLenEvents', 'concurrency')
local outcomes, done = {}, {}
for i = 4, #ARGV, 3 do
  local id, token, result = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local job = base .. id
  local outcome
  if call('GET', base .. id .. ':lock') ~= token then
    outcome = outcome_without_lock(job, token, result)
  else
    local fields = call('HMGET', job, 'opts', 'parentKey', 'deid', 'defa', 'timestamp')
    if not fields[5] then
      outcome = 6
    elseif fields[4] == cancelled then
      outcome = 4
    elseif fields[2] or fields[3] or call('EXISTS', base .. id .. ':dependencies', base .. id .. ':unsuccessful') > 0 then
      outcome = 5
    else
      -- Read before anything is written: what cannot be read must not leave its place.
      local rule = rule_of(fields[1] or '{}')
      outcome = 6
      if call('LREM', active, -1, id) > 0 then
        call('DEL', base .. id .. ':lock')
        done[#done + 1] = id
        complete(id, job, rule, result, token)
        outcome = 1
      end
    end
  end
  outcomes[#outcomes + 1] = outcome
end
if #done == 0 then return outcomes end

call('SREM', stalled, unpack(done))
call('ZREM', leases, unpack(done))
if last_rule then trim(last_rule, run) end
measure(#done)
call('XTRIM', events, 'MAXLEN', '~', settings[1] or 10000)
local has_more = call('EXISTS', wait, prioritized) > 0
-- Nobody is told of a place that came free below the queue's concurrency, except by this.
if has_more and settings[2] then call('ZADD', marker, 0, '0') end
if not has_more and call('EXISTS', active) == 0 then call('XADD', events, '*', 'event', 'drained') end
return outcomes
