-- Puts jobs that BullMQ placed by itself - retried, due, made by a scheduler or a flow - in line behind their group's own.
-- KEYS[1] base        stands before a job id
-- KEYS[2] prioritized zset
-- KEYS[3] turns       zset of groups by their last turn
-- KEYS[4] last_jobs   hash, a group's last job in line
-- ARGV[1] limit       jobs in one call, at most 500
-- Replies how many it put in line; fewer than the limit means none is left. Jobs without a group, which a stock producer
-- gave priority 1000, take turns as one group.
local base, prioritized, turns, last_jobs = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local limit = tonumber(ARGV[1])
local call = redis.call

local returned = call('ZRANGEBYSCORE', prioritized, RETURNED, string.format('(%.17g', FIRST_TURN), 'LIMIT', 0, limit)
if #returned == 0 then return 0 end

local next_turn, close_turns = open_turns(prioritized, turns, last_jobs)
for _, id in ipairs(returned) do
  local text = call('HGET', base .. id, 'opts')
  local is_read, opts = pcall(cjson.decode, text or '{}')
  local own = is_read and type(opts) == 'table' and opts.sluice
  local group = type(own) == 'table' and own.group
  call('ZADD', prioritized, next_turn(type(group) == 'string' and group or '', id), id)
end
close_turns()
return #returned
