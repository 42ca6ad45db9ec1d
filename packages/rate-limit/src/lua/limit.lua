-- Decides the limits of one turn: each step is done whole or not at all, in order, at one time.
-- KEYS[...] states   each once, all in one hash slot; strings or sorted sets by the algorithm of their rule
-- ARGV[1] now_ms     empty: Redis' own time, the same for every host; a number in tests alone
-- ARGV[2] rules      "kind limit a b block_ms is_shadow;" each: kind f, s, g or c names the algorithm, a and b are its own
--                    (f window, -; s window, slice; g parts of a unit, parts drained a ms; c lease, -; all ms)
-- ARGV[3] steps      "<op><rule> <state> <cost> <extra> " for each check; rules and states count from 1, and a state
--                    left out is the one after the last.
--                    t take (extra: lease id, or units to charge ahead if they fit as well, or -), p peek,
--                    g give back (extra: ms it was taken at, lease id, or -), n penalty, b block (extra: duration ms),
--                    x reset, w renew (extra: lease id).
--                    A check with op + goes with the one before it: all of them pass or none is charged
-- Replies the time (ms since the epoch), then four numbers for each check, as things stand after its step:
--   remaining  units left, never below 0
--   retry      ms until this cost fits if nobody else comes, 0 it fits (and was taken), -1 it never will.
--              -2 it fits, and so did the units ahead. After a renewal: 0 the lease was held, -1 it was not
--   next       ms until one unit more is there, 0 when none is out
--   reset      ms until all of it is there
-- A take is refused when a check that is not in shadow has a retry. Then nothing of it is charged.
local KEYS = KEYS
local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = time[1] * 1000 + floor(time[2] / 1000)
end

local algorithms = { f = fixed, s = sliding, g = gcra, c = concurrency }
local rules, rule_count, has_strings = {}, 0, false
for kind, limit, a, b, block, is_shadow in string.gmatch(ARGV[2], '(%a) (%d+) (%d+) (%d+) (%d+) (%d);') do
  rule_count = rule_count + 1
  rules[tostring(rule_count)] = {
    algorithm = algorithms[kind], limit = tonumber(limit), a = tonumber(a), b = tonumber(b),
    block = tonumber(block), is_shadow = is_shadow == '1',
  }
  if kind ~= 'c' then has_strings = true end
end

-- By number of the state. A sorted set reads as nothing here.
local raws = has_strings and call('MGET', unpack(KEYS)) or {}
local xs, ys, blocks, changed_by = {}, {}, {}, {}

-- Redis holds doubles: until when it keeps them, the algorithm's own (an even number), and the end of a block if there is one.
local function load(state, rule)
  local raw, blocked = raws[state] or nil, 0
  if raw and #raw % 16 == 0 then
    blocked = unpack_from('<d', raw, #raw - 7)
    raw = #raw > 16 and string.sub(raw, 1, -9) or nil
  end
  local x, y, own_block = rule.algorithm.load(raw, rule, now, KEYS[state])
  xs[state], ys[state], blocks[state] = x, y, own_block or blocked
end

local function block(state, rule, duration)
  blocks[state] = now + duration
  if rule.algorithm.block then rule.algorithm.block(ys[state], now, now + duration) else changed_by[state] = rule end
end

local function retry_of(state, rule, cost)
  local retry = rule.algorithm.retry(xs[state], ys[state], rule, now, cost)
  local blocked_in = blocks[state] - now
  if blocked_in > 0 and retry >= 0 then return max(retry, blocked_in) end
  return retry
end

local reply, told = { now }, 1
local function tell(state, rule, retry)
  local remaining, next_in, reset_in = rule.algorithm.figures(xs[state], ys[state], rule, now)
  local blocked_in = blocks[state] - now
  if blocked_in > 0 then remaining, next_in, reset_in = 0, max(next_in, blocked_in), max(reset_in, blocked_in) end
  if remaining < 0 then remaining = 0 end
  reply[told + 1], reply[told + 2], reply[told + 3], reply[told + 4] = remaining, retry, next_in, reset_in
  told = told + 4
end

-- The checks of the step at hand, side by side; written over by the next step.
local check_rules, check_states, costs, extras, retries, size = {}, {}, {}, {}, {}, 0

local function decide(is_take)
  local passes = true
  for i = 1, size do
    local rule, state = check_rules[i], check_states[i]
    if not xs[state] then load(state, rule) end
    local retry = retry_of(state, rule, costs[i])
    if retry ~= 0 then
      if is_take and retry > 0 and rule.block > 0 and blocks[state] <= now then
        block(state, rule, rule.block)
        retry = max(retry, rule.block)
      end
      if not rule.is_shadow then passes = false end
    end
    retries[i] = retry
  end
  for i = 1, size do
    local rule, state, cost, retry = check_rules[i], check_states[i], costs[i], retries[i]
    if passes and is_take and retry == 0 and cost > 0 then
      xs[state], ys[state] = rule.algorithm.add(xs[state], ys[state], rule, now, cost, extras[i])
      changed_by[state] = rule
      local ahead = rule.algorithm ~= concurrency and tonumber(extras[i])
      if ahead and retry_of(state, rule, ahead) == 0 then
        xs[state], ys[state] = rule.algorithm.add(xs[state], ys[state], rule, now, ahead)
        retry = -2
      end
    end
    tell(state, rule, retry)
  end
end

local adjust = {
  n = function(state, rule, cost, extra)
    xs[state], ys[state] = rule.algorithm.add(xs[state], ys[state], rule, now, cost)
    changed_by[state] = rule
  end,
  g = function(state, rule, cost, extra)
    local from = rule.algorithm == concurrency and extra or tonumber(extra)
    xs[state], ys[state] = rule.algorithm.give_back(xs[state], ys[state], rule, now, cost, from)
    changed_by[state] = rule
  end,
  b = function(state, rule, cost, extra) block(state, rule, tonumber(extra)) end,
  x = function(state, rule)
    call('DEL', KEYS[state])
    raws[state], changed_by[state] = nil, nil
    load(state, rule)
  end,
  w = function(state, rule, cost, extra)
    if not concurrency.renew(xs[state], ys[state], rule, now, cost, extra) then return -1 end
  end,
}

local function finish(op)
  if op == 't' or op == 'p' then return decide(op == 't') end
  for i = 1, size do
    local state, rule = check_states[i], check_rules[i]
    if not xs[state] then load(state, rule) end
    tell(state, rule, adjust[op](state, rule, costs[i], extras[i]) or 0)
  end
end

local step_op, last_state = nil, 0
for op, rule, state, cost, extra in string.gmatch(ARGV[3], '([%a+])(%d+) (%d*) (%d+) (%S+)') do
  if op ~= '+' then
    if step_op then finish(step_op) end
    step_op, size = op, 0
  end
  size = size + 1
  if state == '' then last_state = last_state + 1 end
  check_rules[size], check_states[size] = rules[rule], state == '' and last_state or tonumber(state)
  costs[size], extras[size] = cost == '1' and 1 or tonumber(cost), extra
end
finish(step_op)

local ttl_texts = {}
for state = 1, #KEYS do
  local rule = changed_by[state]
  if rule and rule.algorithm.dump then
    local key, raw = KEYS[state], raws[state]
    local text, ttl = rule.algorithm.dump(xs[state], ys[state], rule, now)
    local blocked_in = blocks[state] - now
    if blocked_in > 0 then text, ttl = text .. pack('<d', blocks[state]), max(ttl, blocked_in) end
    if ttl <= 0 then
      call('DEL', key)
    elseif raw and unpack_from('<d', raw) >= now + ttl + TTL_SLACK_MS then
      call('SET', key, string.sub(raw, 1, 8) .. text, 'KEEPTTL')
    else
      -- A TTL costs half as much as the rest of the SET: one that is longer than needed serves the next charges too.
      ttl = ttl + min(max(ttl, MIN_TTL_SPARE_MS), MAX_TTL_SPARE_MS) + TTL_SLACK_MS
      if not ttl_texts[ttl] then ttl_texts[ttl] = format('%d', ttl) end
      call('SET', key, pack('<d', now + ttl) .. text, 'PX', ttl_texts[ttl])
    end
  end
end
return reply
