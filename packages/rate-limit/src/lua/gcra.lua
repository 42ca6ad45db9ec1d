-- GCRA: a bucket that drains evenly and holds a burst. Whole numbers only, so that a burst is never one short by rounding:
-- a unit of quota is rule.a parts, and rule.b parts drain each millisecond.
-- State: level, the parts in the bucket; at, when that was so.
local gcra = {}

function gcra.load(raw, rule, now)
  if not raw then return 0, now end
  local level, at = unpack_from('<dd', raw, 9)
  -- A clock that went back: nothing drains until it has caught up.
  if now <= at then return level, at end
  return max(level - (now - at) * rule.b, 0), now
end

function gcra.retry(level, at, rule, now, cost)
  local over = level + (cost - rule.limit) * rule.a
  if over <= 0 then return 0 end
  if cost > rule.limit then return -1 end
  return ceil(over / rule.b)
end

function gcra.figures(level, at, rule, now)
  if level == 0 then return rule.limit, 0, 0 end
  local unit, drain = rule.a, rule.b
  local used = ceil(level / unit)
  -- In debt after a penalty the next unit is the one that fits, not the one that drains.
  local next_level = (min(used, rule.limit) - 1) * unit
  return rule.limit - used, ceil((level - next_level) / drain), ceil(level / drain)
end

function gcra.add(level, at, rule, now, cost)
  return min(level + cost * rule.a, MAX_COUNT), at
end

function gcra.give_back(level, at, rule, now, cost)
  return max(level - cost * rule.a, 0), at
end

function gcra.dump(level, at, rule, now)
  if level == 0 then return '', 0 end
  return pack('<dd', level, at), ceil(level / rule.b)
end
