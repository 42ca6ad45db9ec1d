-- Concurrency: a sorted set of leases by the time they end, rule.a after they began; rule.limit of them at once.
-- The member '!' is no lease but the end of a block. The set is written at once, not by dump.
-- State: held, the number of leases; key, the sorted set.
local concurrency = {}

function concurrency.load(raw, rule, now, key)
  call('ZREMRANGEBYSCORE', key, '-inf', format('%d', now))
  local blocked, members = tonumber(call('ZSCORE', key, '!') or 0), call('ZCARD', key)
  return blocked > 0 and members - 1 or members, key, blocked
end

-- How long until the lease of this rank is over: 0 the first to end, -1 the last. A block may count as a lease here:
-- later, never earlier.
local function ends_in(key, now, rank)
  local entry = call('ZRANGE', key, rank, rank, 'WITHSCORES')
  return entry[2] and entry[2] - now or 0
end

-- A lease given up early makes room before its time.
function concurrency.retry(held, key, rule, now, cost)
  local over = cost - (rule.limit - held)
  if over <= 0 then return 0 end
  if cost > rule.limit then return -1 end
  local blocked = call('ZSCORE', key, '!') and 1 or 0
  return max(ends_in(key, now, over - 1 + blocked), 1)
end

function concurrency.figures(held, key, rule, now)
  if held == 0 then return rule.limit, 0, 0 end
  return rule.limit - held, ends_in(key, now, 0), ends_in(key, now, -1)
end

local function member(lease, i)
  if i == 1 then return lease end
  return lease .. ':' .. i
end

-- Keeps the set until the last of its members has ended.
local function keep(key, now)
  call('PEXPIRE', key, format('%d', ends_in(key, now, -1) + TTL_SLACK_MS))
end

function concurrency.add(held, key, rule, now, cost, lease)
  local ends_at = format('%d', now + rule.a)
  for i = 1, cost do call('ZADD', key, ends_at, member(lease, i)) end
  keep(key, now)
  return held + cost, key
end

function concurrency.give_back(held, key, rule, now, cost, lease)
  for i = 1, cost do held = held - call('ZREM', key, member(lease, i)) end
  return held, key
end

-- Answers whether the lease was still held; one that has ended is not held again.
function concurrency.renew(held, key, rule, now, cost, lease)
  if not call('ZSCORE', key, lease) then return false end
  local ends_at = format('%d', now + rule.a)
  for i = 1, cost do call('ZADD', key, 'XX', ends_at, member(lease, i)) end
  keep(key, now)
  return true
end

function concurrency.block(key, now, until_ms)
  call('ZADD', key, format('%d', until_ms), '!')
  keep(key, now)
end
