-- Reads a page of the jobs of one state that fit some filters, from where another page ended. A job that stays in its
-- state is looked at once on the way from the first page to the last, however many before it come and go; the cost of a
-- page does not depend on how deep it lies.
-- KEYS[1] base      stands before a job id
-- KEYS[2] place     the state's list or zset
-- ARGV[1] order     'list': tail first, 'up' or 'down' by score and id
-- ARGV[2] limit     jobs told
-- ARGV[3] look_at   jobs looked at, at least limit
-- ARGV[4] max_bytes looked at and told; one job is, whatever its size
-- ARGV[5] filters   JSON array of {field or 'id', 'is' | 'has' | 'begins', text}; a job fits when all fit
-- ARGV[6] score     of the last job looked at before (zsets), its distance from the tail (list), or '' for the first page
-- ARGV[7] anchors   JSON array: ids of the last jobs looked at before, the last one first
-- ARGV[...] fields  of the hashes to read
-- Replies {{id, score, value per field}, ...} of the jobs that fit, how many were looked at, 1 when more follow else 0,
-- and score and anchors for the next page.
local base, place = KEYS[1], KEYS[2]
local order, limit, look_at, max_bytes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local filters, last, anchors = cjson.decode(ARGV[5]), ARGV[6], cjson.decode(ARGV[7])
local fields = {}
for i = 8, #ARGV do fields[#fields + 1] = ARGV[i] end
local call = redis.call

-- Jobs near the place where the last page ended; most pages find their anchor here.
local NEAR = 1000
-- Farther away two of them are searched for from the tail, 3 ms at most.
local FAR = 100000

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
  for i = 1, math.min(#anchors, 2) do
    local index = call('LPOS', place, anchors[i], 'RANK', -1, 'MAXLEN', FAR)
    if index then return call('LLEN', place) - index end
  end
  -- Every job told has been taken, so all that are left are new; or nobody can say.
  return told <= FAR and 0 or told + 1
end

local first, rows = 0, {}
if order == 'list' then
  if last ~= '' then first = distance_after(tonumber(last)) end
  local range = first < call('LLEN', place) and call('LRANGE', place, -(first + look_at + 1), -(first + 1)) or {}
  for i = #range, 1, -1 do rows[#rows + 1] = { range[i], '' } end
else
  if last ~= '' then first = rank_after(tonumber(last), anchors[1]) end
  local range = call(order == 'up' and 'ZRANGE' or 'ZREVRANGE', place, first, first + look_at, 'WITHSCORES')
  for i = 1, #range, 2 do rows[#rows + 1] = { range[i], range[i + 1] } end
end

local bytes = 0

local function fits(id)
  for _, filter in ipairs(filters) do
    local field, how, text = filter[1], filter[2], filter[3]
    local value = field == 'id' and id or call('HGET', base .. id, field)
    if not value then return false end
    bytes = bytes + #value
    local at = how == 'is' and value == text or how ~= 'is' and string.find(value, text, 1, true)
    if not at or (how == 'begins' and at ~= 1) then return false end
  end
  return true
end

local page, looked_at = {}, 0
for i = 1, math.min(#rows, look_at) do
  if #page == limit or (i > 1 and bytes > max_bytes) then break end
  local row = rows[i]
  if fits(row[1]) then
    local values = call('HMGET', base .. row[1], unpack(fields))
    for j = 1, #fields do
      row[j + 2] = values[j]
      if values[j] then bytes = bytes + #values[j] end
    end
    page[#page + 1] = row
  end
  looked_at = i
end

local next_score, next_anchors = '', {}
if looked_at > 0 then
  next_score = order == 'list' and tostring(first + looked_at - 1) or rows[looked_at][2]
  for i = looked_at, math.max(looked_at - 3, 1), -1 do next_anchors[#next_anchors + 1] = rows[i][1] end
end
return { page, looked_at, #rows > looked_at and 1 or 0, next_score, next_anchors }
