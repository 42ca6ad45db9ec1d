-- Inserts a batch of jobs into one queue, leaving what addStandardJob, addDelayedJob and addPrioritizedJob of
-- BullMQ 6.7.0 leave for the same jobs in the same order: keys, fields, events and marker. A job with a group has its place
-- among the prioritized by turns.lua instead of by the counter.
-- KEYS[1] base        stands before a job id, for jobs that BullMQ numbers and those a deduplication id points to
-- KEYS[2] wait        list, next job at the tail
-- KEYS[3] meta        hash of the queue's settings
-- KEYS[4] id          counter of jobs
-- KEYS[5] delayed     zset by time
-- KEYS[6] active      list of running jobs
-- KEYS[7] prioritized zset by priority and counter
-- KEYS[8] pc          counter of prioritized jobs
-- KEYS[9] events      stream
-- KEYS[10] marker     zset that wakes workers
-- KEYS[11] turns      zset of groups by their last turn
-- KEYS[12] last_jobs  hash, a group's last job in line
-- KEYS[...] per_job   in the jobs' order: the job's hash unless numbered, `de:` and `dn:` of its deduplication id if it
--                     has one, its idempotency record if it has one
-- ARGV[1] kinds       JSON array of what jobs have in common:
--                     {name, timestamp, opts, numbered?, deduplicated?, windowMs?}
-- ARGV[2] count       jobs in the batch, at most 500
-- ARGV[3] durability  what the caller takes the queue's setting to be, '' for none; '*' whatever it is
-- ARGV[...] per_job   in the jobs' order: index of its kind from 1, data as JSON text, and with windowMs the fingerprint
--                     of its body
-- Replies {-1, setting} when the setting is another, and then has written nothing; else
-- {1 when the queue is new else 0, {outcome per job}}; an outcome is
--   1 inserted                          2 a job with this id is there already
--   {1, id} inserted under a number     {3, id, state} deduplicated in favour of that job
--   {4, id, state} its idempotency record names that job   5 … and another body
--   {6, message} an error of this job alone
local base, wait, meta, id_counter, delayed = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local active, prioritized, priority_counter, events, marker = KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local FIXED_KEYS, FIXED_ARGS = 12, 3
local kinds = cjson.decode(ARGV[1])
local count = tonumber(ARGV[2])
local durability = ARGV[3]
local call = redis.call
local next_turn, close_turns

local settings = call('HMGET', meta, 'opts.maxLenEvents', 'sluice.durability')
local max_events, wanted = settings[1], settings[2] or ''
if durability ~= '*' and durability ~= wanted then return { -1, wanted } end

for _, kind in ipairs(kinds) do
  local opts = kind.opts
  kind.json = cjson.encode(opts)
  kind.delay = opts.delay or 0
  kind.priority = opts.priority or 0
  -- Redis would print a number anew for each job.
  kind.timestamp_text = string.format('%.0f', kind.timestamp)
  kind.delay_text = string.format('%.17g', kind.delay)
  kind.priority_text = string.format('%.17g', kind.priority)
  kind.dedup = opts.de
  kind.group = opts.sluice and opts.sluice.group
  if kind.group and not next_turn then next_turn, close_turns = open_turns(prioritized, KEYS[11], KEYS[12]) end
end

-- First write of the script: Redis over its memory refuses it, and with it the whole batch.
local number = call('INCRBY', id_counter, count) - count
local is_new = 0
if not max_events then
  is_new = 1
  max_events = 10000
  call('HSET', meta, 'opts.maxLenEvents', max_events)
end

local function emit(...)
  call('XADD', events, 'MAXLEN', '~', max_events, '*', 'event', ...)
end

local heads, tails = {}, {}
local has_ready, has_delayed = false, false

local function mark_next_delayed()
  has_delayed = false
  local first = call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  if first[2] then call('ZADD', marker, tonumber(first[2]) / 0x1000, '1') end
end

local function delay_job(id, timestamp, delay)
  local at = delay > 0 and timestamp + delay or timestamp
  local min, max = at * 0x1000, (at + 1) * 0x1000 - 1
  local last = call('ZREVRANGEBYSCORE', delayed, max, min, 'WITHSCORES', 'LIMIT', 0, 1)
  local score = min
  if last[2] then score = math.min(tonumber(last[2]) + 1, max) end
  call('ZADD', delayed, score, id)
  emit('delayed', 'jobId', id, 'delay', at)
  has_delayed = true
end

local function point_to(dedup, key, id)
  if not dedup.keepLastIfActive and dedup.ttl and dedup.ttl > 0 then
    call('SET', key, id, 'PX', dedup.ttl)
  else
    call('SET', key, id)
  end
end

local function tell_deduplicated(dedup, standing, dropped)
  emit('deduplicated', 'jobId', standing, 'deduplicationId', dedup.id, 'deduplicatedJobId', dropped)
end

-- A key without expiry whose job is gone would block its id for ever.
local function recover_stale(dedup, key, next_key, current, id)
  if call('PTTL', key) ~= -1 or call('EXISTS', base .. current) == 1 then return false end
  call('DEL', key)
  call('DEL', next_key)
  point_to(dedup, key, id)
  return true
end

local function keep_for_later(kind, key, next_key, current, id, data)
  if not kind.dedup.keepLastIfActive or not call('LPOS', active, current) then return false end
  call('DEL', next_key)
  call('HSET', next_key, 'name', kind.name, 'data', data, 'opts', kind.json, 'jid', id)
  call('PERSIST', key)
  tell_deduplicated(kind.dedup, current, id)
  return true
end

local function replace_delayed(dedup, key, next_key, current, id)
  if has_delayed then mark_next_delayed() end
  if call('ZREM', delayed, current) == 0 then return false end
  local job = base .. current
  call('DEL', job, job .. ':logs', job .. ':dependencies', job .. ':processed', job .. ':failed', job .. ':unsuccessful')
  call('XADD', events, '*', 'event', 'removed', 'jobId', current, 'prev', 'delayed')
  tell_deduplicated(dedup, id, current)
  call('DEL', next_key)
  local ttl = dedup.ttl
  if not dedup.keepLastIfActive and not dedup.extend and ttl and ttl > 0 then
    call('SET', key, id, 'KEEPTTL')
  else
    point_to(dedup, key, id)
  end
  return true
end

-- The id of the job that stands in the way of this one, or nil when this one may go in.
local function deduplicate(kind, key, next_key, id, data)
  local dedup = kind.dedup
  local ttl = dedup.ttl and dedup.ttl > 0 and dedup.ttl
  if dedup.replace then
    local current = call('GET', key)
    if not current then return point_to(dedup, key, id) end
    if replace_delayed(dedup, key, next_key, current, id) then return nil end
    if recover_stale(dedup, key, next_key, current, id) then return nil end
    keep_for_later(kind, key, next_key, current, id, data)
    return current
  end
  local current
  if ttl and dedup.extend then
    current = call('GET', key)
    if not current then return point_to(dedup, key, id) end
  else
    local is_free
    if ttl and not dedup.keepLastIfActive then
      is_free = call('SET', key, id, 'PX', ttl, 'NX')
    else
      is_free = call('SET', key, id, 'NX')
    end
    if is_free then return nil end
    current = call('GET', key)
  end
  if recover_stale(dedup, key, next_key, current, id) then return nil end
  if not keep_for_later(kind, key, next_key, current, id, data) then
    if ttl and dedup.extend then point_to(dedup, key, current) end
    tell_deduplicated(dedup, current, id)
  end
  if dedup.reschedule and call('ZSCORE', delayed, current) then
    call('HSET', base .. current, 'delay', kind.delay)
    delay_job(current, kind.timestamp, kind.delay)
  end
  return current
end

-- The wait list is never searched: whoever is nowhere else waits.
local function state_of(id)
  local job = base .. id
  if call('EXISTS', job) == 0 then return 'removed' end
  if call('HEXISTS', job, 'finishedOn') == 1 then
    return call('HEXISTS', job, 'returnvalue') == 1 and 'completed' or 'failed'
  end
  if call('ZSCORE', delayed, id) then return 'delayed' end
  if call('ZSCORE', prioritized, id) then return 'prioritized' end
  return call('LPOS', active, id) and 'active' or 'waiting'
end

local function insert(kind, job, id, key, next_key, data)
  if not kind.numbered and call('EXISTS', job) == 1 then
    emit('duplicated', 'jobId', id)
    return 2
  end
  local dedup = kind.dedup
  if dedup and dedup.id then
    local standing = deduplicate(kind, key, next_key, id, data)
    if standing then return { 3, standing, state_of(standing) } end
    call('HMSET', job, 'name', kind.name, 'data', data, 'opts', kind.json, 'timestamp', kind.timestamp_text,
      'delay', kind.delay_text, 'priority', kind.priority_text, 'deid', dedup.id)
  else
    call('HMSET', job, 'name', kind.name, 'data', data, 'opts', kind.json, 'timestamp', kind.timestamp_text,
      'delay', kind.delay_text, 'priority', kind.priority_text)
  end
  call('XADD', events, '*', 'event', 'added', 'jobId', id, 'name', kind.name)

  if kind.delay > 0 then
    delay_job(id, kind.timestamp, kind.delay)
    return 1
  end
  if kind.priority > 0 then
    local score
    if kind.group then
      score = next_turn(kind.group, id)
    else
      score = kind.priority * 0x100000000 + call('INCR', priority_counter) % 0x100000000
    end
    call('ZADD', prioritized, score, id)
  else
    local list = kind.opts.lifo and tails or heads
    list[#list + 1] = id
  end
  has_ready = true
  emit('waiting', 'jobId', id)
  return 1
end

local function state_after(kind)
  return kind.delay > 0 and 'delayed' or kind.priority > 0 and 'prioritized' or 'waiting'
end

-- Inserts once per idempotency record, which is "{fingerprint} {id} {state}".
local function insert_once(kind, record, fingerprint, job, id, key, next_key, data)
  local seen = call('GET', record)
  if seen then
    local seen_print, seen_id, seen_state = string.match(seen, '^(%S+) (.+) (%S+)$')
    if seen_print ~= fingerprint then return 5 end
    return { 4, seen_id, seen_state }
  end
  local outcome = insert(kind, job, id, key, next_key, data)
  local stored_id, stored_state = id, state_after(kind)
  if type(outcome) == 'table' then stored_id, stored_state = outcome[2], outcome[3] end
  call('SET', record, fingerprint .. ' ' .. stored_id .. ' ' .. stored_state, 'PX', kind.windowMs)
  return outcome
end

local outcomes = {}
local k, a = FIXED_KEYS, FIXED_ARGS
for i = 1, count do
  local kind = kinds[tonumber(ARGV[a + 1])]
  local data = ARGV[a + 2]
  a = a + 2
  local job, id, key, next_key
  if kind.numbered then
    id = string.format('%d', number + i)
    job = base .. id
  else
    k = k + 1
    job = KEYS[k]
    id = string.sub(job, #base + 1)
  end
  if kind.deduplicated then
    key, next_key = KEYS[k + 1], KEYS[k + 2]
    k = k + 2
  end
  local is_done, outcome
  if kind.windowMs then
    k, a = k + 1, a + 1
    is_done, outcome = pcall(insert_once, kind, KEYS[k], ARGV[a], job, id, key, next_key, data)
  else
    is_done, outcome = pcall(insert, kind, job, id, key, next_key, data)
  end
  if not is_done then
    outcome = { 6, type(outcome) == 'table' and outcome.err or tostring(outcome) }
  elseif kind.numbered and outcome == 1 then
    outcome = { 1, id }
  end
  outcomes[i] = outcome
end

if #heads > 0 then call('LPUSH', wait, unpack(heads)) end
if #tails > 0 then call('RPUSH', wait, unpack(tails)) end
if has_ready then
  local halt = call('HMGET', meta, 'paused', 'concurrency')
  local is_halted = halt[1] or (halt[2] and call('LLEN', active) >= tonumber(halt[2]))
  if not is_halted then call('ZADD', marker, 0, '0') end
end
if has_delayed then mark_next_delayed() end
if close_turns then close_turns() end
return { is_new, outcomes }
