-- Turns of groups: start-time fair queueing (Goyal, Vin, Cheng, SIGCOMM 1996) in the scores of BullMQ's prioritized zset.
--
-- All jobs with a group have BullMQ's priority 1000, whose scores run from 1000 * 2^32 to 1001 * 2^32:
--
--   1000 * 2^32                      + 2^31                                1001 * 2^32
--   | returned: placed by BullMQ, which | in turn: placed here. A group's next job one step behind |
--   | counts from 1 (retried, due, …)   | its last, and none before the head of the line           |
--
-- Workers take the lowest score first, so groups that wait take turns. A double near 2^42 tells steps of 2^-11 apart:
-- 2^42 turns, 13 years of 10,000 jobs a second without the line ever being empty. Then jobs share the last turn.
--
-- open_turns(prioritized, turns, last_jobs) gives two functions: next_turn(group, id), the score of that group's next
-- job, and close_turns(), to be called once after the last next_turn.
local LEVEL = 1000 * 0x100000000
local RETURNED = LEVEL + 1
local FIRST_TURN = LEVEL + 0x80000000
local STEP = 2 ^ -11
local LAST_TURN = LEVEL + 0x100000000 - STEP
-- Groups forgotten in one call, 1 ms; a call remembers 500 at most.
local FORGOTTEN = 1000
-- A group whose jobs have waited this long while nobody enqueued one of any group begins a second share.
local REMEMBERED_MS = 7 * 86400000

local function open_turns(prioritized, turns, last_jobs)
  local call = redis.call
  local head
  local given, jobs = {}, {}

  local function find_head()
    local first = call('ZRANGEBYSCORE', prioritized, FIRST_TURN, LAST_TURN, 'WITHSCORES', 'LIMIT', 0, 1)
    if first[2] then
      head = tonumber(first[2])
      return
    end
    head = FIRST_TURN
    call('UNLINK', turns, last_jobs)
  end

  -- Nil unless the group has a job in line. Its last one may have been removed: what it no longer waits for does not
  -- count against it.
  local function remembered(group)
    local turn = tonumber(call('ZSCORE', turns, group) or nil)
    if not turn or turn <= head then return turn end
    local id = call('HGET', last_jobs, group)
    return id and call('ZSCORE', prioritized, id) and turn or nil
  end

  local function next_turn(group, id)
    if not head then find_head() end
    local last = given[group] or remembered(group)
    local turn = last and math.min(math.max(head, last + STEP), LAST_TURN) or head
    given[group], jobs[group] = turn, id
    return turn
  end

  local function close_turns()
    if not head then return end
    local scores, ids = {}, {}
    for group, turn in pairs(given) do
      scores[#scores + 1], scores[#scores + 2] = turn, group
      ids[#ids + 1], ids[#ids + 2] = group, jobs[group]
    end
    local over = call('ZRANGEBYSCORE', turns, '-inf', string.format('(%.17g', head), 'LIMIT', 0, FORGOTTEN)
    if #over > 0 then
      call('ZREM', turns, unpack(over))
      call('HDEL', last_jobs, unpack(over))
    end
    call('ZADD', turns, unpack(scores))
    call('HSET', last_jobs, unpack(ids))
    call('PEXPIRE', turns, REMEMBERED_MS)
    call('PEXPIRE', last_jobs, REMEMBERED_MS)
  end

  return next_turn, close_turns
end
