-- Removes a batch of jobs that do not run, as BullMQ's clean does, without searching or shifting the rest of their list.
-- KEYS[1] base        stands before a job id
-- KEYS[2] place       the state's list or zset
-- KEYS[3] repeat      zset of schedulers, whose next jobs stay
-- KEYS[4] events      stream
-- ARGV[1] order       'list' from the tail, 'finished' by score up to before_ms, 'rank' by rank
-- ARGV[2] limit       jobs to look at, at most 500
-- ARGV[3] before_ms   remove what was enqueued (finished) no later; '' for all
-- ARGV[4] skip        jobs at the front that were looked at before and stay, at most 5,000 in a list
-- Replies {removed, looked at, ids of children, which BullMQ must remove one by one, telling their parents}.
local base, place, schedulers, events = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local order, limit, before, skip = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local call = redis.call

-- What stays at the tail of a list is taken off with what goes, and put back.
local ids, stays = nil, {}
if order == 'list' then
  ids = call('LRANGE', place, -skip - limit, -1)
  for i = 1, math.min(skip, #ids) do table.insert(stays, 1, table.remove(ids)) end
elseif order == 'finished' then
  ids = call('ZRANGEBYSCORE', place, '-inf', before or '+inf', 'LIMIT', skip, limit)
else
  ids = call('ZRANGE', place, skip, skip + limit - 1)
end

local function is_next_of_scheduler(id, scheduler)
  local at = scheduler and call('ZSCORE', schedulers, scheduler)
  return at and id == 'repeat:' .. scheduler .. ':' .. at
end

local kept, children, removed = {}, {}, {}
for _, id in ipairs(ids) do
  local job = base .. id
  local fields = call('HMGET', job, 'timestamp', 'parentKey', 'rjk', 'deid')
  local is_young = before and order ~= 'finished' and fields[1] and tonumber(fields[1]) > before
  if is_young or is_next_of_scheduler(id, fields[3]) then
    kept[#kept + 1] = id
  elseif fields[2] then
    kept[#kept + 1] = id
    children[#children + 1] = id
  else
    if fields[4] then
      local current = base .. 'de:' .. fields[4]
      if call('GET', current) == id then call('DEL', current, base .. 'dn:' .. fields[4]) end
    end
    call('UNLINK', job, job .. ':logs', job .. ':dependencies', job .. ':processed', job .. ':failed', job .. ':unsuccessful')
    removed[#removed + 1] = id
  end
end

if #removed > 0 then
  if order == 'list' then
    call('LTRIM', place, 0, -#ids - #stays - 1)
    if #kept > 0 then call('RPUSH', place, unpack(kept)) end
    if #stays > 0 then call('RPUSH', place, unpack(stays)) end
  else
    call('ZREM', place, unpack(removed))
  end
  call('XADD', events, '*', 'event', 'cleaned', 'count', #removed)
end
return { #removed, #ids, children }
