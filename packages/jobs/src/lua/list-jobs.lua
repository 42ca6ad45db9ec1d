-- Reads a page of the jobs of one state, from where another page ended. A job that stays in its state is told once on
-- the way from the first page to the last, however many before it come and go; its cost does not depend on how deep the
-- page lies.
-- KEYS[1] base     stands before a job id
-- KEYS[2] place    the state's list or zset
-- ARGV[1] order    'list': tail first, 'up' or 'down' by score and id
-- ARGV[2] limit    jobs, at most 100
-- ARGV[3] max_bytes of the page; one job is told whatever its size
-- ARGV[4] score    of the last job told before (zsets), its distance from the tail (list), or '' for the first page
-- ARGV[5] anchors  JSON array: ids of the last jobs told before, the last one first
-- ARGV[...] fields of the hashes to read
-- Replies {distance of the first job from the tail (list) or 0, 1 when more follow else 0, {{id, score, value per field}, ...}}.
local base, place = KEYS[1], KEYS[2]
local order, limit, max_bytes, last = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local anchors = cjson.decode(ARGV[5])
local fields = {}
for i = 6, #ARGV do fields[#fields + 1] = ARGV[i] end
local call = redis.call

-- Jobs near the place where the last page ended; most pages find their anchor here.
local NEAR = 1000
-- Farther away it is searched for from the tail, 3 ms at most.
local FAR = 200000

-- As zsets compare ids: byte by byte. Lua's own < follows the server's locale.
local function is_before(one, other)
  for i = 1, math.min(#one, #other) do
    local a, b = string.byte(one, i), string.byte(other, i)
    if a ~= b then return a < b end
  end
  return #one < #other
end

local function rank_after(score, id)
  local is_up = order == 'up'
  local rank = call(is_up and 'ZRANK' or 'ZREVRANK', place, id)
  if rank and tonumber(call('ZSCORE', place, id)) == score then return rank + 1 end
  local low, high = 0, call('ZCARD', place)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local at = call(is_up and 'ZRANGE' or 'ZREVRANGE', place, middle, middle, 'WITHSCORES')
    local at_score = tonumber(at[2])
    local is_told
    if at_score ~= score then
      is_told = (at_score < score) == is_up
    else
      is_told = at[1] == id or is_before(at[1], id) == is_up
    end
    if is_told then low = middle + 1 else high = middle end
  end
  return low
end

-- Distances count from the tail, 0 being the job next in line. Jobs taken from the tail bring the others nearer; those
-- pushed there by lifo move them away.
local function distance_after(told)
  if call('LINDEX', place, -told - 1) == anchors[1] then return told + 1 end
  local nearest = math.max(told - NEAR, 0)
  local near = call('LRANGE', place, -(told + NEAR + 1), -(nearest + 1))
  for _, anchor in ipairs(anchors) do
    for i, id in ipairs(near) do
      if id == anchor then return nearest + #near - i + 1 end
    end
  end
  for _, anchor in ipairs(anchors) do
    local index = call('LPOS', place, anchor, 'RANK', -1, 'MAXLEN', FAR)
    if index then return call('LLEN', place) - index end
  end
  -- Every job told has been taken, so all that are left are new; or nobody can say.
  return told <= FAR and 0 or told + 1
end

local first, ids = 0, {}
if order == 'list' then
  if last ~= '' then first = distance_after(tonumber(last)) end
  local range = call('LRANGE', place, -(first + limit + 1), -(first + 1))
  if first >= call('LLEN', place) then range = {} end
  for i = #range, 1, -1 do ids[#ids + 1] = { range[i], '' } end
else
  if last ~= '' then first = rank_after(tonumber(last), anchors[1]) end
  local range = call(order == 'up' and 'ZRANGE' or 'ZREVRANGE', place, first, first + limit, 'WITHSCORES')
  for i = 1, #range, 2 do ids[#ids + 1] = { range[i], range[i + 1] } end
end

local page, bytes = {}, 0
for i = 1, math.min(#ids, limit) do
  local row = ids[i]
  for j, value in ipairs(call('HMGET', base .. row[1], unpack(fields))) do
    row[j + 2] = value
    if value then bytes = bytes + #value end
  end
  if i > 1 and bytes > max_bytes then break end
  page[i] = row
end
return { first, #ids > #page and 1 or 0, page }
