-- Sliding window, counted in slices of a twentieth. A slice counts whole until all of it has left the window, so that
-- no window of this length holds more than the limit, wherever it begins; a charge leaves up to a slice late.
-- State: slices, a list of slice number (since the epoch) and count in turn, oldest first; used, the sum of the counts.
local sliding = {}

local function leaves_in(slice, rule, now)
  return (slice + 1) * rule.b + rule.a - now
end

function sliding.load(raw, rule, now)
  local slices, used = {}, 0
  for at = 9, raw and #raw or 0, 16 do
    local slice, count = unpack_from('<dd', raw, at)
    if leaves_in(slice, rule, now) > 0 then
      slices[#slices + 1], slices[#slices + 2] = slice, count
      used = used + count
    end
  end
  return slices, used
end

-- When so much has left the window; 0 for nothing.
local function freed_in(slices, rule, now, amount)
  local wait, freed = 0, 0
  for i = 1, #slices, 2 do
    if freed >= amount then break end
    wait, freed = leaves_in(slices[i], rule, now), freed + slices[i + 1]
  end
  return wait
end

function sliding.retry(slices, used, rule, now, cost)
  local left = rule.limit - used
  if cost <= left then return 0 end
  if cost > rule.limit then return -1 end
  return freed_in(slices, rule, now, cost - left)
end

function sliding.figures(slices, used, rule, now)
  local left, size = rule.limit - used, #slices
  if size == 0 then return left, 0, 0 end
  -- In debt after a penalty the debt must leave first.
  return left, freed_in(slices, rule, now, max(-left, 0) + 1), leaves_in(slices[size - 1], rule, now)
end

function sliding.add(slices, used, rule, now, cost)
  local slice, size = floor(now / rule.b), #slices
  local charged = min(cost, MAX_COUNT - used)
  -- A clock that went back charges the newest slice: the list stays in order.
  if size > 0 and slices[size - 1] >= slice then
    slices[size] = slices[size] + charged
  else
    slices[size + 1], slices[size + 2] = slice, charged
  end
  return slices, used + charged
end

-- Gives back to the slice it was taken in; without a time to the oldest ones, which leave first.
function sliding.give_back(slices, used, rule, now, cost, taken_at)
  local taken_in, kept = taken_at and floor(taken_at / rule.b), {}
  for i = 1, #slices, 2 do
    local slice, count, back = slices[i], slices[i + 1], 0
    if not taken_in or taken_in == slice then back = min(cost, count) end
    cost, used = cost - back, used - back
    if count > back then kept[#kept + 1], kept[#kept + 2] = slice, count - back end
  end
  return kept, used
end

function sliding.dump(slices, used, rule, now)
  local texts, size = {}, #slices
  if size == 0 then return '', 0 end
  for i = 1, size, 2 do texts[#texts + 1] = pack('<dd', slices[i], slices[i + 1]) end
  return table.concat(texts), leaves_in(slices[size - 1], rule, now)
end
